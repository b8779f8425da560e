"""Version numbers of apps, as Semantic Versioning 2.0.0 orders them."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from semver import Version

from auterity.kernel.errors import InvalidInput

LONGEST = 64  # characters
HOW = "A version is written as 1.4.2 or 1.5.0-beta.1 (Semantic Versioning 2.0.0)."


def version(text: str) -> Version:
    """Raises `ValueError` for what is no version."""
    if len(text) > LONGEST:
        raise ValueError(HOW)
    return Version.parse(text)


def given_version(text: str, field: str = "app_version") -> Version:
    """What an app says it is. Raises `InvalidInput`."""
    try:
        return version(text)
    except ValueError:
        raise InvalidInput.of(field, HOW, "format") from None


def check_version(text: str) -> None:
    """For forms. Raises `ValidationError`."""
    try:
        version(text)
    except ValueError:
        raise ValidationError(HOW) from None
