"""The figures that alert rules look at: what each is at a moment, and what it was over the last days."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from accounts import factors
from audit.selectors import Wanted, events_of
from security.models import RANK, AlertRule, SecurityIncident, Threat
from security.rules import people_of

MOST_POINTS: Final = 100_000
OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
    "eq": lambda value, bound: value == bound,
}
# What events a counting metric counts.
COUNTED: Final = {
    "failed_logins": ("auth.login.failed", "auth.login.locked"),
    "risk_blocks": ("auth.login.blocked",),
    "token_reuse": ("auth.token.reused",),
}
METRICS: Final = (*COUNTED, "audit_event", "incident_severity", "mfa_coverage", "threat_score")
FILTERS: Final = frozenset(
    {"action", "address", "event_type", "outcome", "resource_id", "resource_type", "severity", "user_id"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """Points in the order of time. A figure at a moment is their number, or the highest of them, in the window before it."""

    at: list[dt.datetime]
    height: list[float]
    counts: bool
    constant: float | None = None

    def value(self, now: dt.datetime, window: dt.timedelta) -> float:
        """At a moment: of the points after `now - window`, up to `now`."""
        if self.constant is not None:
            return self.constant
        first, last = bisect_right(self.at, now - window), bisect_right(self.at, now)
        if self.counts:
            return float(last - first)
        return max(self.height[first:last], default=0.0)

    def moments(self, since: dt.datetime, until: dt.datetime, window: dt.timedelta) -> list[dt.datetime]:
        """When it may have changed: a point came, or left the window."""
        start = bisect_left(self.at, since - window)
        return sorted({each for at in self.at[start:] for each in (at, at + window) if since <= each <= until})


def line_of(rule: AlertRule, since: dt.datetime, until: dt.datetime) -> Line:
    """What bears on the rule's figure between two moments. A share of people is what it is today: no history is kept."""
    organization_id, wanted = rule.organization_id, dict(rule.filter or {})
    if rule.metric == "mfa_coverage":
        return Line([], [], False, coverage(organization_id).percent)
    if rule.metric == "threat_score":
        rows = Threat.objects.of(organization_id).filter(last_seen_at__gt=since, last_seen_at__lte=until)
        if wanted.get("type"):
            rows = rows.filter(type=str(wanted["type"]))
        return _highest(list(rows.order_by("last_seen_at").values_list("last_seen_at", "score")[:MOST_POINTS]))
    if rule.metric == "incident_severity":
        incidents = SecurityIncident.objects.of(organization_id).filter(created_at__gt=since, created_at__lte=until)
        if wanted.get("category"):
            incidents = incidents.filter(category=str(wanted["category"]))
        found = incidents.order_by("created_at").values_list("created_at", "severity")[:MOST_POINTS]
        return _highest([(at, RANK[severity]) for at, severity in found])
    events = events_of(organization_id, Wanted(since=since)).filter(created_at__gt=since, created_at__lte=until)
    if rule.metric in COUNTED:
        events = events.filter(event_type__in=COUNTED[rule.metric])
    events = events.filter(_wanted(wanted).condition())
    times = list(events.order_by("created_at").values_list("created_at", flat=True)[:MOST_POINTS])
    return Line(times, [1.0] * len(times), True)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many active people there are, and who of them has set up which second factor."""

    users: int
    with_totp: int
    with_passkey: int
    protected: frozenset[UUID]

    @property
    def percent(self) -> float:
        return round(100.0 * len(self.protected) / self.users, 1) if self.users else 100.0


def coverage(organization_id: UUID) -> Coverage:
    people = active_people(organization_id)
    having = {each: set(factors.enrolled(each)) for each in people}
    return Coverage(
        len(people),
        sum(factors.Factor.TOTP in own for own in having.values()),
        sum(factors.Factor.WEBAUTHN in own for own in having.values()),
        frozenset(each for each, own in having.items() if own),
    )


def active_people(organization_id: UUID) -> list[UUID]:
    return [each.user_id for each in people_of(organization_id)]


def _highest(points: list[Any]) -> Line:
    return Line([at for at, _ in points], [float(height) for _, height in points], False)


def _wanted(given: Mapping[str, Any]) -> Wanted:
    known: dict[str, Any] = {name: str(value) for name, value in given.items() if name in FILTERS and name != "user_id"}
    user_id = UUID(str(given["user_id"])) if given.get("user_id") else None
    return Wanted(**known, user_id=user_id)
