"""Reading: what the product has done, in figures (001, System Metrics), now and over time."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone

from ai.models import AiUsage
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput
from executions.totals import ended_of, live_of, started_since
from monitoring.machine import MACHINE, Usage
from monitoring.models import AiFigures, OrganizationRequestBucket, RequestBucket, RunBucket, SystemAlert
from monitoring.recording import BOUNDS, EVER, HOUR, MINUTE, REQUESTS, RUNS

SITE = "site"
RATE_MINUTES = 5  # over which requests a minute are averaged
MOST_POINTS = 1500
STEPS = {"minute": 60, "hour": 3600, "day": 86400}
DEFAULT_POINTS = 60
MINUTES_KEPT = dt.timedelta(days=3)
HOURS_KEPT = dt.timedelta(days=400)


@dataclass(slots=True)
class Requests:
    """Requests to the API. `failed` were refused or crashed, `crashed` are our own fault (5xx). `ms` is their time together,
    `by_bound` how many took at most so many milliseconds (0: longer than the last bound)."""

    total: int = 0
    failed: int = 0
    crashed: int = 0
    ms: float = 0.0
    by_bound: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, status: int, le: int, count: int, ms: float) -> None:
        self.total += count
        self.failed += count if status >= 4 else 0
        self.crashed += count if status >= 5 else 0
        self.ms += ms
        self.by_bound[le] += count

    @property
    def average_ms(self) -> float:
        return round(self.ms / self.total, 3) if self.total else 0.0

    def percentile(self, share: float) -> int | None:
        """Milliseconds within which this share of them was answered, as far as the buckets tell; None when none was."""
        seen = 0
        for bound in BOUNDS:
            seen += self.by_bound.get(bound, 0)
            if self.total and seen >= share * self.total:
                return bound
        return 2 * BOUNDS[-1] if self.total else None


@dataclass(frozen=True, slots=True)
class Runs:
    """An organization's executions. `failed` counts those that timed out too; seconds on average."""

    total: int
    successful: int
    failed: int
    average_seconds: float
    last_hour: int


@dataclass(frozen=True, slots=True)
class AiUse:
    """An organization's AI calls. US dollars."""

    calls: int
    tokens: int
    cost_usd: Decimal

    @property
    def average_cost(self) -> float:
        return round(float(self.cost_usd) / self.calls, 6) if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Metrics:
    system: Usage
    requests: Requests
    requests_per_minute: float
    runs: Runs
    ai: AiUse


@dataclass(slots=True)
class Point:
    """One span of time that begins at `at`."""

    at: dt.datetime
    requests: Requests = field(default_factory=Requests)
    runs: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def metrics(*, actor: Actor) -> Metrics:
    """The machine, the whole API, and the actor's organization. Instant, however much has been done."""
    require(actor, Permission.METRICS_READ)
    return Metrics(MACHINE.usage(), requests_ever(), requests_per_minute(), runs_of(actor), ai_use_of(actor))


def history(
    *, actor: Actor, step: str, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> list[Point]:
    """Points of equal length, oldest first, the whole API's requests and the organization's ended runs in each.

    Without `since`, the last sixty. Minutes are kept for some days, hours for a year. Raises `InvalidInput`.
    """
    require(actor, Permission.METRICS_READ)
    seconds = STEPS[step]
    end = until or timezone.now()
    begin = _floor(since or end - dt.timedelta(seconds=seconds * (DEFAULT_POINTS - 1)), seconds)
    if begin >= end:
        raise InvalidInput.of("until", "This must be later than since.")
    count = -int((begin - end).total_seconds() // seconds)
    if count > MOST_POINTS:
        raise InvalidInput.of(
            "step", f"That would be {count:,} points; choose a longer step, or ask for {MOST_POINTS:,}."
        )
    points = {at: Point(at) for at in (begin + dt.timedelta(seconds=seconds * number) for number in range(count))}
    span = MINUTE if seconds == 60 else HOUR
    with REQUESTS.unflushed() as noted:
        rows = RequestBucket.objects.filter(span=span, at__gte=begin, at__lt=end).exclude(dialect=SITE)
        for at, status, le, total, ms in rows.values_list("at", "status", "le").annotate(Sum("count"), Sum("ms")):
            _requests_at(points, at, seconds).add(status, le, total, ms)
        for (minute, dialect, _route, _method, status, le), (total, ms) in noted.items():
            if dialect != SITE:
                _requests_at(points, _moment(minute), seconds).add(status, le, total, ms)
    with RUNS.unflushed() as noted:
        ended = RunBucket.objects.of(actor).filter(span=span, at__gte=begin, at__lt=end)
        for at, status, total in ended.values_list("at", "status").annotate(Sum("count")):
            _point_at(points, at, seconds).runs[status] += total
        for (minute, organization_id, status), (total, _ms) in noted.items():
            if organization_id == actor.organization_id:
                _point_at(points, _moment(minute), seconds).runs[status] += total
    return list(points.values())


def requests_ever() -> Requests:
    """All requests to the API that any process has counted and flushed, and this process' own."""
    found = Requests()
    with REQUESTS.unflushed() as noted:
        rows = RequestBucket.objects.filter(span=EVER).exclude(dialect=SITE)
        for status, le, count, ms in rows.values_list("status", "le").annotate(Sum("count"), Sum("ms")):
            found.add(status, le, count, ms)
        for (_minute, dialect, _route, _method, status, le), (count, ms) in noted.items():
            if dialect != SITE:
                found.add(status, le, count, ms)
    return found


def recent_requests(minutes: int) -> Requests:
    """Of the last so many minutes, the present one among them."""
    since = int(timezone.now().timestamp()) // 60 * 60 - 60 * (minutes - 1)
    found = Requests()
    with REQUESTS.unflushed() as noted:
        rows = RequestBucket.objects.filter(span=MINUTE, at__gte=_moment(since)).exclude(dialect=SITE)
        for status, le, count, ms in rows.values_list("status", "le").annotate(Sum("count"), Sum("ms")):
            found.add(status, le, count, ms)
        for (minute, dialect, _route, _method, status, le), (count, ms) in noted.items():
            if dialect != SITE and minute >= since:
                found.add(status, le, count, ms)
    return found


def requests_per_minute() -> float:
    """On average over the last minutes."""
    return round(recent_requests(RATE_MINUTES).total / RATE_MINUTES, 2)


def runs_of(actor: Actor) -> Runs:
    """From the figures that the journal adds up as runs end (decision 9); those under way are counted by an index."""
    ended = ended_of(actor)
    all_ended = ended["completed"] + ended["failed"] + ended["timeout"] + ended["cancelled"]
    return Runs(
        total=int(all_ended) + live_of(actor),
        successful=int(ended["completed"]),
        failed=int(ended["failed"] + ended["timeout"]),
        average_seconds=round(ended["seconds"] / all_ended, 3) if all_ended else 0.0,
        last_hour=started_since(actor, timezone.now() - dt.timedelta(hours=1)),
    )


def ai_use_of(actor: Actor) -> AiUse:
    """What was added up so far, and the calls since."""
    kept = AiFigures.objects.of(actor).first()
    rows = AiUsage.objects.of(actor)
    since = rows if kept is None else rows.filter(created_at__gte=kept.until)
    calls, tokens, cost = ai_sum(since)
    if kept is not None:
        calls, tokens, cost = calls + kept.calls, tokens + kept.tokens, cost + kept.cost_usd
    return AiUse(calls, tokens, cost)


def ai_sum(rows: QuerySet[AiUsage]) -> tuple[int, int, Decimal]:
    """Calls, tokens, US dollars."""
    found = rows.aggregate(
        calls=Count("id"), tokens=Sum(F("prompt_tokens") + F("completion_tokens")), cost=Sum("cost_usd")
    )
    return found["calls"], found["tokens"] or 0, found["cost"] or Decimal(0)


def alerts_moved_since(moment: dt.datetime) -> list[SystemAlert]:
    """Alerts that were opened or resolved since, oldest first."""
    return list(SystemAlert.objects.filter(Q(created_at__gte=moment) | Q(resolved_at__gte=moment)).order_by("id"))


def open_alerts() -> QuerySet[SystemAlert]:
    """What is wrong with the platform now, the worst first."""
    return SystemAlert.objects.filter(resolved_at=None).order_by("severity", "-id")


def forgotten_requests(organization_id: UUID, now: dt.datetime) -> QuerySet[OrganizationRequestBucket]:
    """Buckets of an organization's requests that are no longer kept."""
    rows: QuerySet[OrganizationRequestBucket] = OrganizationRequestBucket.objects.of(organization_id)
    return rows.filter(is_old(now))


def forgotten_runs(organization_id: UUID, now: dt.datetime) -> QuerySet[RunBucket]:
    """Buckets of an organization's ended executions that are no longer kept."""
    rows: QuerySet[RunBucket] = RunBucket.objects.of(organization_id)
    return rows.filter(is_old(now))


def is_old(now: dt.datetime) -> Q:
    """Minutes are kept for some days, hours for a year and a bit; what was counted for all time stays."""
    return Q(span=MINUTE, at__lt=now - MINUTES_KEPT) | Q(span=HOUR, at__lt=now - HOURS_KEPT)


# -- inside ----------------------------------------------------------------------------------------------------------


def _moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _floor(moment: dt.datetime, seconds: int) -> dt.datetime:
    return _moment(int(moment.timestamp()) // seconds * seconds)


def _point_at(points: dict[dt.datetime, Point], at: dt.datetime, seconds: int) -> Point:
    """The point a bucket belongs to; one outside of what was asked is counted nowhere."""
    begin = _floor(at, seconds)
    return points.get(begin) or Point(begin)


def _requests_at(points: dict[dt.datetime, Point], at: dt.datetime, seconds: int) -> Requests:
    return _point_at(points, at, seconds).requests
