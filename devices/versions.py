"""The oldest version of a native app that may still be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error

from auterity.kernel.errors import InvalidInput
from auterity.kernel.versions import given_version

Source = Callable[[str], str | None]
_SOURCES: Final[list[Source]] = []


def minimum_from(source: Source) -> None:
    """Ask this too for the oldest version of a platform's app; None where it knows none. Called at start-up, by apps above."""
    if source not in _SOURCES:
        _SOURCES.append(source)


def minimum(platform: str) -> str:
    """The oldest version that may be used: the highest of the operator's setting and of what apps above say."""
    said = [settings.NATIVE_MINIMUM_VERSION, *(each(platform) for each in _SOURCES)]
    return max((each for each in said if each), key=given_version)


def is_outdated(app_version: str, platform: str) -> bool:
    """Whether an app that told its version must be replaced. One that told none, or something else, is not judged."""
    try:
        return given_version(app_version) < given_version(minimum(platform))
    except InvalidInput:
        return False


def check_settings(**_about: Any) -> list[CheckMessage]:
    """A minimum that is no version stops the product from starting."""
    try:
        given_version(settings.NATIVE_MINIMUM_VERSION)
    except InvalidInput as error:
        return [
            Error("AUTERITY_NATIVE_MINIMUM_VERSION is no version.", hint=error.problems[0].message, id="devices.E001")
        ]
    return []
