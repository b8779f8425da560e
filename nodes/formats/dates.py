"""Points in time as senders write them: ISO 8601 in any state of repair, mail headers, and the American form."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_ZONES = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip
_ZONE = re.compile(r"\s*\(?(?:(?P<name>[A-Z]{1,4})|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d))\)?$")
_CLOCK = re.compile(r"\d:\d\d")
_WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.IGNORECASE)
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%m/%d/%y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%d.%m.%Y",
    "%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


def parse_moment(text: str, zone: tzinfo = UTC) -> datetime | None:
    """The moment a text names, or None where it names none. `zone` is taken when the text gives no zone.

    `3/4/2026` is the fourth of March, as the trade's senders are American; `25/12/2026` can only be the day first, and
    so is `04.03.2026`.
    """
    text = " ".join(text.split())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _parse_loosely(text, zone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def to_utc(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second: `2026-11-20T14:14:05Z`."""
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:  # The first or last day of the calendar.
        moment = moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def parse_day(text: str) -> str | None:
    """A day as `2026-11-21`, or None."""
    moment = parse_moment(text)
    return moment.date().isoformat() if moment else None


def _parse_loosely(text: str, zone: tzinfo) -> datetime | None:
    if len(text) > 80:
        return None
    plain, zone = _split_zone(text, zone)
    plain = _WEEKDAY.sub("", plain).replace(",", " ")
    plain = re.sub(r"(?<=\d)T(?=\d)", " ", plain)
    plain = re.sub(r"(?<=:\d\d)\.\d+", "", plain)
    plain = re.sub(r"(?i)\s*([ap])\.?m\.?$", r" \1m", plain)
    plain = " ".join(plain.split())
    for day in _DATES:
        for time in _TIMES:
            try:
                return datetime.strptime(plain, day + time).replace(tzinfo=zone)
            except ValueError:
                continue
    return None


def _split_zone(text: str, zone: tzinfo) -> tuple[str, tzinfo]:
    """The text without its zone, and the zone. Only a text with a time can end in one (`11-20-2026` does not)."""
    match = _ZONE.search(text)
    if match is None or not _CLOCK.search(text):
        return text, zone
    rest = text[: match.start()]
    if match["name"] in _ZONES:
        return rest, timezone(timedelta(hours=_ZONES[match["name"]]))
    if match["name"]:
        return text, zone
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
    if offset >= timedelta(hours=24):
        return text, zone
    return rest, timezone(-offset if match["sign"] == "-" else offset)
