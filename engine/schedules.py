"""When a schedule is due: a rule, its next moment, and the moments that were missed. All moments are aware, answers in UTC.

A cron rule is read in its time zone. One with fixed hours and minutes (neither field begins with `*`) keeps to the wall
clock: a time that the clocks jump over fires at the first minute after the gap, and one that comes twice fires the first
time only. A rule with `*` in one of them goes by elapsed time: nothing in the gap, and every repeated minute again.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from heapq import heappop, heappush
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from engine.nearest import nearest

LONGEST_SECONDS = 366 * 86_400
MAX_CATCH_UP = 1000
MAX_CRON = 120  # characters

MISFIRE = ("skip", "one", "all")
FIELDS = (
    "Five fields: minute (0-59), hour (0-23), day of month (1-31), month (1-12), day of week (0-7, Sunday is 0), "
    "such as '30 8 * * 1-5' for half past eight on weekdays"
)
_NEVER_AFTER = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_NO_TIME, _MINUTE = dt.timedelta(), dt.timedelta(minutes=1)
_LONGEST_FOLD = dt.timedelta(hours=3)  # No zone sets its clocks back by more.


class RuleProblem(ValueError):
    """A rule that cannot be kept. `field` is the setting to mend."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Rule:
    """Either `cron` or `every_seconds`. `misfire` says what becomes of moments that nobody was there to fire at:
    nothing, one run for all of them, or one run each, of the newest `max_catch_up`. Raises `RuleProblem`.
    """

    cron: str = ""
    every_seconds: int | None = None
    timezone: str = "UTC"
    misfire: Literal["skip", "one", "all"] = "skip"
    max_catch_up: int = 100

    def __post_init__(self) -> None:
        if bool(self.cron) == (self.every_seconds is not None):
            raise RuleProblem("cron", f"Set either cron or every_seconds, and not both. {FIELDS}.")
        if self.misfire not in MISFIRE:
            raise RuleProblem("misfire", f"This is one of {', '.join(MISFIRE)}.")
        if not _whole(self.max_catch_up, MAX_CATCH_UP):
            raise RuleProblem("max_catch_up", f"This is a whole number from 1 to {MAX_CATCH_UP:,}.")
        if self.timezone not in _zones():
            near = nearest(str(self.timezone), _zones(), most=1000)
            hint = f"; did you mean '{near[0]}'?" if near else ", such as 'America/Chicago'."
            raise RuleProblem("timezone", f"There is no time zone '{str(self.timezone)[:60]}'{hint}")
        if self.every_seconds is not None:
            if not _whole(self.every_seconds, LONGEST_SECONDS):
                raise RuleProblem("every_seconds", f"This is a whole number of seconds from 1 to {LONGEST_SECONDS:,}.")
        else:
            _check_cron(self)

    def as_dict(self) -> dict[str, Any]:
        """What `read_rule` reads back."""
        when = {"cron": self.cron} if self.cron else {"every_seconds": self.every_seconds}
        return {**when, "timezone": self.timezone, "misfire": self.misfire, "max_catch_up": self.max_catch_up}


def read_rule(config: Mapping[str, Any]) -> Rule:
    """The rule in a configuration of `schedule-trigger`; what is left out or null has its default. Raises `RuleProblem`."""
    given = {name: config[name] for name in Rule.__dataclass_fields__ if config.get(name) is not None}
    for name in ("cron", "timezone", "misfire"):
        if not isinstance(given.get(name, ""), str):
            raise RuleProblem(name, "This must be text.")
    if "cron" in given:
        given["cron"] = " ".join(given["cron"].split())
    return Rule(**given)


def next_after(rule: Rule, moment: dt.datetime) -> dt.datetime:
    """The first moment after this one. A rule in seconds counts from the moment it is given."""
    if rule.every_seconds is not None:
        return moment.astimezone(dt.UTC) + dt.timedelta(seconds=rule.every_seconds)
    return next(_cron_moments(rule, moment))


def missed(rule: Rule, since: dt.datetime, now: dt.datetime) -> list[dt.datetime]:
    """The moments from `since`, which is one, up to `now`, oldest first; of many the newest `max_catch_up`."""
    since, now = since.astimezone(dt.UTC), now.astimezone(dt.UTC)
    if since > now:
        return []
    if rule.every_seconds is not None:
        every = dt.timedelta(seconds=rule.every_seconds)
        last = (now - since) // every
        return [since + every * at for at in range(max(0, last + 1 - rule.max_catch_up), last + 1)]
    span = dt.timedelta(minutes=rule.max_catch_up)
    while True:  # Looks back twice as far each time, so that a year of outage does not cost a year of minutes.
        whole = span >= now - since
        found = deque([since] if whole else [], maxlen=rule.max_catch_up)
        for moment in _cron_moments(rule, since if whole else now - span):
            if moment > now:
                break
            found.append(moment)
        if whole or len(found) == rule.max_catch_up:
            return list(found)
        span *= 2


def to_fire(rule: Rule, due: dt.datetime, now: dt.datetime, grace: dt.timedelta) -> list[dt.datetime]:
    """What a schedule that is due fires now, oldest first. A moment at most `grace` ago is in time, not missed."""
    found = missed(rule, due, now)
    if rule.misfire == "skip":
        return [moment for moment in found if moment >= now - grace]
    return found[-1:] if rule.misfire == "one" else found


def following(rule: Rule, due: dt.datetime, now: dt.datetime) -> dt.datetime:
    """The first moment after `now`; a rule in seconds keeps counting from `due`, so that lateness does not add up."""
    if rule.every_seconds is None:
        return next_after(rule, now)
    every = dt.timedelta(seconds=rule.every_seconds)
    return due.astimezone(dt.UTC) + every * max(0, (now - due) // every + 1)


# -- inside ----------------------------------------------------------------------------------------------------------


def _cron_moments(rule: Rule, after: dt.datetime) -> Iterator[dt.datetime]:
    """Every moment of a cron rule after this one, in order. Raises `RuleProblem` where there is none for 50 years.

    The rule is walked on a clock that never changes; what its times mean in the zone is told by `_meant`. Of times that come
    twice the second pass is kept back until the walk has come so far.
    """
    zone = dt.UTC if rule.timezone == "UTC" else ZoneInfo(rule.timezone)
    fixed = not any(each.startswith("*") for each in rule.cron.split()[:2])
    last = after.astimezone(dt.UTC)
    walk = CronSim(rule.cron, _before_any_repeated(last, zone))
    ahead: list[dt.datetime] = []
    while (wall := next(walk, None)) is not None:
        for moment in _meant(wall, zone, fixed=fixed):
            heappush(ahead, moment)
        reached = wall.replace(tzinfo=zone).astimezone(dt.UTC)
        while ahead and ahead[0] <= reached:
            moment = heappop(ahead)
            if moment > last:
                last = moment
                yield moment
    raise RuleProblem("cron", f"'{rule.cron}' never comes: no year has such a day.")


def _before_any_repeated(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """A time of the zone's wall, labelled UTC, behind which lie all times that mean a later moment than this one."""
    near = [(moment + shift).astimezone(zone).utcoffset() for shift in (-_LONGEST_FOLD, _NO_TIME, _LONGEST_FOLD)]
    wall = moment.astimezone(zone).replace(tzinfo=dt.UTC)
    return wall if len(set(near)) == 1 else wall - _LONGEST_FOLD


def _meant(wall: dt.datetime, zone: dt.tzinfo, *, fixed: bool) -> list[dt.datetime]:
    """The moments that a time on the wall means: one, in a repeated hour two, and none where the clocks jump over it.

    Of a rule with `fixed` times it means one in any case: the first pass, and the first minute after the gap.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    if first > second:
        return [_end_of_gap(second, first, zone)] if fixed else []
    return [first] if fixed or first == second else [first, second]


def _end_of_gap(before: dt.datetime, after: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """The first minute of the zone's new time, between a moment of the old and one of the new."""
    old = before.astimezone(zone).utcoffset()
    while (minutes := (after - before) // _MINUTE) > 1:
        middle = before + minutes // 2 * _MINUTE
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def _check_cron(rule: Rule) -> None:
    if len(rule.cron) > MAX_CRON:
        raise RuleProblem("cron", f"A cron rule has at most {MAX_CRON} characters. {FIELDS}.")
    count = len(rule.cron.split())
    if count != 5:
        raise RuleProblem("cron", f"'{rule.cron}' has {count} field{'s' if count != 1 else ''}. {FIELDS}.")
    try:
        next_after(rule, _NEVER_AFTER)
    except CronSimError as error:
        part = str(error).removeprefix("Bad ").replace("-", " ")
        raise RuleProblem("cron", f"In '{rule.cron}' the {part} is not understood. {FIELDS}.") from error


def _whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
