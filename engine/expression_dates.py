"""The moments of time that expressions handle: RFC 3339 text, dates, and CEL's own timestamps."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.expression_errors import kind_of
from engine.expression_values import rfc3339

MAX_PATTERN = 200  # characters
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PARTS = re.compile(r"YYYY|YY|MMMM|MMM|MM|M|dddd|ddd|DD|D|HH|H|hh|h|mm|ss|SSS|A|\[[^\]]*\]")


def moment_of(value: Any) -> datetime:
    """A timestamp, RFC 3339 text or a date such as 2026-01-31, in UTC. Raises ValueError."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"'{value[:40]}' is no date; write it like 2026-01-31 or 2026-01-31T08:00:00Z") from None
    if not isinstance(value, datetime):
        raise ValueError(f"a date is needed, like 2026-01-31, not {kind_of(value)}")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def days_between(a: Any, b: Any) -> int:
    """Whole days from `a` to `b`; negative when `b` is earlier."""
    seconds = (moment_of(b) - moment_of(a)).total_seconds()
    return int(seconds / 86_400)


def add_seconds(moment: Any, seconds: Any) -> str:
    """The moment `seconds` later, as RFC 3339 text in UTC. Raises ValueError outside the years 1 to 9999."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError(f"the number of seconds is {kind_of(seconds)}; use number(x)")
    try:
        return rfc3339(moment_of(moment) + timedelta(seconds=seconds))
    except (OverflowError, ValueError) as error:
        if isinstance(error, OverflowError):
            raise ValueError("the date leaves the years 1 to 9999") from None
        raise


def format_date(moment: Any, pattern: Any) -> str:
    """The moment in UTC, written by a pattern such as `YYYY-MM-DD HH:mm`; `[text]` stands for itself."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise ValueError(f'the pattern is a text of at most {MAX_PATTERN} characters, such as "YYYY-MM-DD"')
    at = moment_of(moment)
    return _PARTS.sub(lambda part: _part(at, part.group()), pattern)


def _part(at: datetime, name: str) -> str:
    if name.startswith("["):
        return name[1:-1]
    month, day = _MONTHS[at.month - 1], _DAYS[at.weekday()]
    hour = at.hour % 12 or 12
    parts = {
        "YYYY": f"{at.year:04}",
        "YY": f"{at.year % 100:02}",
        "MMMM": month,
        "MMM": month[:3],
        "MM": f"{at.month:02}",
        "M": f"{at.month}",
        "dddd": day,
        "ddd": day[:3],
        "DD": f"{at.day:02}",
        "D": f"{at.day}",
        "HH": f"{at.hour:02}",
        "H": f"{at.hour}",
        "hh": f"{hour:02}",
        "h": f"{hour}",
        "mm": f"{at.minute:02}",
        "ss": f"{at.second:02}",
        "SSS": f"{at.microsecond // 1000:03}",
        "A": "AM" if at.hour < 12 else "PM",
    }
    return parts[name]
