"""The security dashboard: an organization's audit events, logins, incidents and threats added up over a period."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from accounts.models import Session
from audit.selectors import Wanted, events_of
from auterity.kernel.access import Actor, Permission, require
from security import measures, upgrades
from security.alerts import FIRED
from security.models import ENDED, AlertRule, Level, SecurityIncident, Threat, ThreatStatus

PERIODS: Final = {
    "24h": dt.timedelta(hours=24), "7d": dt.timedelta(days=7), "30d": dt.timedelta(days=30), "90d": dt.timedelta(days=90),
}  # fmt: skip
HOURLY_UP_TO: Final = dt.timedelta(days=7)
OPENED, REVOKED = "auth.login.success", "auth.session.ended"
FAILED: Final = ("auth.login.failed", "auth.login.locked")
BLOCKED, CHALLENGED = "auth.login.blocked", "auth.login.challenged"
COUNTED: Final = (OPENED, *FAILED, BLOCKED, CHALLENGED, REVOKED, FIRED)
MILLISECOND: Final = dt.timedelta(milliseconds=1)  # what ids of version 7 tell apart
TOP: Final = 10


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of the time series."""

    at: dt.datetime
    login_success: int = 0
    login_failed: int = 0
    threats: int = 0
    incidents: int = 0


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything the page shows. Percentages are of the people, or of the period before (None where that was empty)."""

    since: dt.datetime
    until: dt.datetime
    counts: Counter[str]
    unique_users: int
    coverage: measures.Coverage
    active_sessions: int
    incidents_open: int
    incidents_by_severity: dict[str, int]
    mean_hours_to_resolve: float | None
    threats_active: int
    top_sources: list[tuple[str, int, dt.datetime]]
    rules: int
    tiers: Counter[str]
    points: list[Point]
    login_failed_percent: float | None
    incidents_percent: float | None

    @property
    def failed(self) -> int:
        return _failed(self.counts)


def dashboard(*, actor: Actor, period: str = "7d", now: dt.datetime | None = None) -> Dashboard:
    """Added up live. Needs audit:read."""
    require(actor, Permission.AUDIT_READ)
    organization_id, until = actor.organization_id, now or timezone.now()
    length = PERIODS[period]
    since = until - length
    hourly = length <= HOURLY_UP_TO
    buckets = _buckets(organization_id, since, until, hourly=hourly)
    counts: Counter[str] = sum(buckets.values(), Counter())
    earlier = _counts(organization_id, since - length, since)
    incidents = SecurityIncident.objects.of(actor)
    opened = incidents.filter(created_at__gt=since, created_at__lte=until)
    before = incidents.filter(created_at__gt=since - length, created_at__lte=since).count()
    unresolved = incidents.exclude(status__in=ENDED)
    threats = Threat.objects.of(actor)
    people = measures.active_people(organization_id)
    logins = events_of(organization_id, Wanted(event_type=OPENED, since=since)).filter(created_at__lte=until)
    return Dashboard(
        since=since,
        until=until,
        counts=counts,
        unique_users=logins.order_by().values("user_id").distinct().count(),
        coverage=measures.coverage(organization_id),
        active_sessions=Session.objects.filter(
            organization_id=organization_id, revoked_at=None, expires_at__gt=until
        ).count(),
        incidents_open=unresolved.count(),
        incidents_by_severity={
            each.value: 0 for each in Level
        } | dict(unresolved.order_by().values_list("severity").annotate(Count("id"))),
        mean_hours_to_resolve=_mean_hours(incidents.filter(resolved_at__gt=since, resolved_at__lte=until)),
        threats_active=threats.filter(status=ThreatStatus.ACTIVE).count(),
        top_sources=[
            (row["address"], row["hits"], row["last"])
            for row in threats.filter(last_seen_at__gt=since).exclude(address="").order_by().values("address")
            .annotate(hits=Sum("events"), last=Max("last_seen_at")).order_by("-hits")[:TOP]
        ],
        rules=AlertRule.objects.of(actor).filter(enabled=True).count(),
        tiers=upgrades.spread(organization_id, people, now=until),
        points=_points(organization_id, buckets, since, until, hourly=hourly),
        login_failed_percent=_change(_failed(counts), _failed(earlier)),
        incidents_percent=_change(opened.count(), before),
    )  # fmt: skip


# -- inside --------------------------------------------------------------------------------------------------------------


def _between(organization_id: UUID, since: dt.datetime, until: dt.datetime) -> Any:
    """By their ids, which the trail is ordered by, and within the first and the last millisecond by the moment."""
    rows = events_of(organization_id, Wanted(since=since, until=until + MILLISECOND)).filter(event_type__in=COUNTED)
    return rows.filter(created_at__gt=since, created_at__lte=until).order_by()


def _counts(organization_id: UUID, since: dt.datetime, until: dt.datetime) -> Counter[str]:
    return Counter(dict(_between(organization_id, since, until).values_list("event_type").annotate(Count("id"))))


def _failed(counts: Counter[str]) -> int:
    return sum(counts[name] for name in FAILED)


def _change(now: int, before: int) -> float | None:
    return None if not before else round((now - before) * 100.0 / before, 1)


def _mean_hours(rows: Any) -> float | None:
    spans = [(ended - began).total_seconds() / 3600 for began, ended in rows.values_list("created_at", "resolved_at")]
    return round(sum(spans) / len(spans), 2) if spans else None


def _buckets(
    organization_id: UUID, since: dt.datetime, until: dt.datetime, *, hourly: bool
) -> dict[dt.datetime, Counter[str]]:
    """Events by hour or day, and by type."""
    found: defaultdict[dt.datetime, Counter[str]] = defaultdict(Counter)
    trunc = (TruncHour if hourly else TruncDay)("created_at", tzinfo=dt.UTC)
    rows = _between(organization_id, since, until).values_list(trunc, "event_type").annotate(Count("id"))
    for at, event_type, count in rows:
        found[at][event_type] = count
    return found


def _points(
    organization_id: UUID,
    buckets: Mapping[dt.datetime, Counter[str]],
    since: dt.datetime,
    until: dt.datetime,
    *,
    hourly: bool,
) -> list[Point]:
    """Every bucket from the one that `since` is in to that of `until`; empty ones are zero."""
    trunc = TruncHour if hourly else TruncDay
    found: defaultdict[dt.datetime, Counter[str]] = defaultdict(Counter)
    for at, counts in buckets.items():
        found[at] += Counter(login_success=counts[OPENED], login_failed=_failed(counts))
    for name, rows, column in (
        ("threats", Threat.objects.of(organization_id), "first_seen_at"),
        ("incidents", SecurityIncident.objects.of(organization_id), "created_at"),
    ):
        within = rows.filter(**{f"{column}__gt": since, f"{column}__lte": until}).order_by()
        for at, count in within.values_list(trunc(column, tzinfo=dt.UTC)).annotate(Count("id")):
            found[at][name] += count
    step = dt.timedelta(hours=1) if hourly else dt.timedelta(days=1)
    at = since.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    at = at if hourly else at.replace(hour=0)
    points = []
    while at <= until:
        points.append(Point(at, **found[at]))
        at += step
    return points
