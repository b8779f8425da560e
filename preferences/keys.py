"""Every preference there is: its key, what it may be, and what it is while nobody chose (003, Profile Router). Pure."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from auterity.kernel.errors import FieldProblem, InvalidInput

LONGEST = 200  # characters of a text


@dataclass(frozen=True, slots=True)
class Preference:
    """`fits` says whether a value may be chosen, `words` what is expected."""

    default: Any
    fits: Callable[[Any], bool]
    words: str


def _yes_or_no(default: bool) -> Preference:
    return Preference(default, lambda value: type(value) is bool, "true or false is expected.")


def _one_of(*choices: str) -> Preference:
    """The first is what it is while nobody chose."""
    return Preference(choices[0], lambda value: value in choices, f"One of {', '.join(choices)} is expected.")


def _whole(least: int, most: int, default: int) -> Preference:
    return Preference(
        default,
        lambda value: type(value) is int and least <= value <= most,
        f"A whole number from {least} to {most} is expected.",
    )


def _text(default: str | None, allowed: Callable[[str], bool] = str.isprintable) -> Preference:
    return Preference(
        default,
        lambda value: isinstance(value, str) and 0 < len(value) <= LONGEST and allowed(value),
        f"Text of 1 to {LONGEST} printable characters is expected.",
    )


def _weekdays(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(set(map(repr, value))) == len(value)
        and all(type(each) is int and 1 <= each <= 7 for each in value)
    )


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _temperature(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 2


KEYS: Mapping[str, Preference] = {
    "ui.theme": _one_of("system", "light", "dark"),
    "ui.density": _one_of("comfortable", "compact"),
    "ui.sidebar_collapsed": _yes_or_no(False),
    "ui.start_page": _text("/"),
    "ai.default_model": _text(None),
    "ai.default_provider": _text(None),
    "ai.temperature": Preference(None, _temperature, "A number from 0 to 2 is expected."),
    "ai.use_documents": _yes_or_no(True),
    "ai.save_history": _yes_or_no(True),
    "focus.nudges_enabled": _yes_or_no(True),
    "focus.daily_goal_minutes": _whole(0, 1440, 120),
    "focus.working_days": Preference([1, 2, 3, 4, 5], _weekdays, "A list of days from 1 (Monday) to 7 is expected."),
    "leaderboard.visible": _yes_or_no(True),
    "regional.timezone": Preference(
        "UTC", lambda value: isinstance(value, str) and value in _zones(), "The name of a time zone is expected."
    ),
    "regional.locale": _text("en", lambda text: len(text) <= 35 and text.replace("-", "").isalnum() and text.isascii()),
    "regional.date_format": _one_of("YYYY-MM-DD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY"),
    "regional.week_starts_on": _whole(1, 7, 1),
}
GROUPS = tuple(dict.fromkeys(key.partition(".")[0] for key in KEYS))


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """Choices by key, of a body that has them in groups; null goes back to the default. Raises `InvalidInput` naming all that is
    wrong."""
    problems: list[FieldProblem] = []
    found: dict[str, Any] = {}
    for group, choices in given.items():
        if group not in GROUPS or not isinstance(choices, Mapping):
            problems.append(FieldProblem(group[:60], f"Preferences come in the groups {', '.join(GROUPS)}."))
            continue
        for name, value in choices.items():
            key = f"{group}.{name}"
            known = KEYS.get(key)
            if known is None:
                problems.append(FieldProblem(key[:120], "There is no such preference."))
            elif value is not None and not known.fits(value):
                problems.append(FieldProblem(key, known.words))
            else:
                found[key] = value
    if problems:
        raise InvalidInput(problems[:50])
    return found


def grouped(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Choices by group."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        group, _, name = key.partition(".")
        found.setdefault(group, {})[name] = value
    return found


def effective(chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every preference by group: what was chosen, else the default."""
    return grouped({key: chosen.get(key, known.default) for key, known in KEYS.items()})
