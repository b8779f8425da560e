"""Whether a run may be accepted now: caps on what waits to begin and on starts a minute, and brakes on what starts itself.

Nothing is counted that need not be. A count tells how much room there is, and a process admits up to a hundredth of it without
counting again (up to a hundred processes cannot overshoot together); a count also lasts in proportion to what it cost. Near
a cap, starts queue at a lock and count, so the cap holds exactly.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from accounts.limits import Counter, Period
from accounts.quotas import take
from auterity.kernel.errors import DomainError
from executions import brakes, sql
from executions.errors import QueueFull, TooManyQueued, TooManyStarts, WorkflowBraked
from executions.models import Origin
from workflows.errors import WorkflowInactive, WorkflowNotFound

AUTOMATIC = (Origin.SCHEDULE, Origin.WEBHOOK, Origin.RUN)
PROCESSES = 100  # that may count at the same time without overshooting together
NEAR = 100  # free places below which starts go one by one
FRESH_SECONDS = 1.0  # how long a count's room may be given out
SECONDS_A_ROW = 5e-6  # a count of so many rows is not repeated within so many of these, once it said no or was costly
COSTLY = 10_000  # rows
LONGEST_WAIT = 120  # seconds that a refused caller is told at most
_KEPT = 10_000  # gauges in memory


@dataclass(slots=True)
class _Gauge:
    """What is known of one cap: `room` left to give out, and `found` rows at the last count, at a monotonic moment."""

    found: int = 0
    room: int = 0
    full: bool = False
    counted_at: float = -math.inf


@dataclass(slots=True)
class _Drain:
    """How many runs had ended at a moment, and how many end a second since."""

    ended: int
    at: float
    rate: float | None = None


class Admission:
    """The gauges of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gauges: dict[tuple[str, UUID | None], _Gauge] = {}
        self._drains: dict[UUID | None, _Drain] = {}

    def has_room(self, name: str, key: UUID | None, cap: int, count: Callable[[int], int], wanted: int = 1) -> bool:
        """Whether `wanted` more fit below `cap`; `count` counts up to a bound what there is."""
        with self._lock:
            gauge = self._gauges.get((name, key))
            if gauge is None:
                if len(self._gauges) >= _KEPT:
                    self._gauges.clear()
                gauge = self._gauges[name, key] = _Gauge()
            age = time.monotonic() - gauge.counted_at
            if age < FRESH_SECONDS and gauge.room >= wanted:
                gauge.room -= wanted
                return True
            if age < gauge.found * SECONDS_A_ROW and (gauge.full or gauge.found > COSTLY):
                return False
        found = count(cap)
        if cap - found < max(NEAR, wanted * PROCESSES) and found + wanted <= cap:
            _one_by_one(name, key)
            found = count(cap)
        with self._lock:
            fits = found + wanted <= cap
            gauge.found, gauge.full, gauge.counted_at = found, not fits, time.monotonic()
            gauge.room = max(0, (cap - found) // PROCESSES - wanted) if fits else 0
            return fits

    def retry_after(self, organization_id: UUID | None, cap: int) -> int:
        """Seconds in which a hundredth of a full queue will have drained, by how fast runs end now."""
        now = time.monotonic()
        with self._lock:
            drain = self._drains.get(organization_id)
        if drain is None or now - drain.at >= FRESH_SECONDS:
            ended = _ended(organization_id)
            rate = None if drain is None else max(0, ended - drain.ended) / (now - drain.at)
            with self._lock:
                if len(self._drains) >= _KEPT:
                    self._drains.clear()
                drain = self._drains[organization_id] = _Drain(ended, now, rate)
        if drain.rate is None:
            return 5
        wanted = max(1, cap // 100)
        return LONGEST_WAIT if drain.rate == 0 else min(LONGEST_WAIT, max(1, math.ceil(wanted / drain.rate)))

    def forget(self) -> None:
        """As after a start of the process."""
        with self._lock:
            self._gauges.clear()
            self._drains.clear()


ADMISSION = Admission()


@dataclass(frozen=True, slots=True)
class _Standing:
    """What one statement tells of a workflow and its organization."""

    is_active: bool
    queued_runs: int
    starts_per_minute: int
    brake_reason: str | None
    brake_message: str | None
    brake_seconds: float
    quota: dict[Period, int]  # the limits on executions that are set


def admit(
    *,
    organization_id: UUID,
    workflow_id: UUID,
    execution_id: UUID,
    origin: Origin,
    depth: int = 0,
    parent_id: UUID | None = None,
    count: int = 1,
    part: bool = False,
) -> None:
    """Let `count` runs of a workflow be accepted, or refuse. Call it in the transaction that stores them.

    Until that transaction ends, the workflow cannot be deleted. `parent_id` names the run that starts another workflow's run;
    leave it out for `map`. What is `part` of an accepted run is not refused because queues are full. A start that is one too
    many for a workflow that starts itself sets the brake and is accepted: the next ones are refused.

    Raises `WorkflowNotFound` (deleted meanwhile), `WorkflowInactive` (its organization is), `WorkflowBraked`, `TooManyQueued`,
    `TooManyStarts`, `QueueFull` and `QuotaExceeded`, the last five with `details["retry_after"]` in seconds.
    """
    standing = _standing(workflow_id)
    if not standing.is_active:
        raise WorkflowInactive("The organization is not active, so none of its workflows runs.")
    automatic = origin in AUTOMATIC and (origin != Origin.RUN or parent_id is not None)
    if automatic and standing.brake_reason is not None:
        raise WorkflowBraked(
            f"This workflow's automatic starts are stopped for a while: {standing.brake_message}",
            reason=standing.brake_reason,
            retry_after=max(1, math.ceil(standing.brake_seconds)),
        )
    if not part:
        _check_queues(organization_id, standing, count)
    if automatic:
        brakes.watch(
            organization_id=organization_id,
            workflow_id=workflow_id,
            execution_id=execution_id,
            origin=origin,
            depth=depth,
            parent_id=parent_id,
            has_room=ADMISSION.has_room,
        )
    if not part and standing.quota:  # Last, so that the tally is held no longer than need be.
        take(
            organization_id=organization_id,
            counter=Counter.WORKFLOW_EXECUTIONS,
            amount=count,
            limits=standing.quota,
        )


# -- inside ----------------------------------------------------------------------------------------------------------


def _standing(workflow_id: UUID) -> _Standing:
    """One row, which the lock keeps from being deleted until the run is stored. SQLite has one writer anyway."""
    postgres = connection.vendor == "postgresql"
    left = (
        "EXTRACT(EPOCH FROM b.until - clock_timestamp())"
        if postgres
        else "(julianday(b.until) - julianday('now')) * 86400.0"
    )
    text = f"""
        SELECT o.is_active, r.queued_runs, r.starts_per_minute, b.reason, b.message, {left},
               q.daily_workflow_executions, q.monthly_workflow_executions, q.yearly_workflow_executions
          FROM workflows w JOIN organizations o ON o.id = w.organization_id
          LEFT JOIN run_limits r ON r.organization_id = w.organization_id
          LEFT JOIN usage_quotas q ON q.organization_id = w.organization_id
          LEFT JOIN workflow_brakes b ON b.workflow_id = w.id AND b.released_at IS NULL AND b.until > {sql.now()}
         WHERE w.id = %s AND w.deleted_at IS NULL {"FOR KEY SHARE OF w" if postgres else ""}"""  # noqa: S608  Every part is ours; values are parameters.
    rows = sql.fetch(text, [sql.value(workflow_id)])
    if not rows:
        raise WorkflowNotFound
    active, queued, starts, reason, message, seconds, *quota = rows[0]
    engine = settings.ENGINE
    return _Standing(
        bool(active),
        engine["queued_runs"] if queued is None else queued,
        engine["starts_per_minute"] if starts is None else starts,
        reason,
        message,
        float(seconds or 0),
        {period: limit for period, limit in zip(Period, quota, strict=True) if limit is not None},
    )


def _check_queues(organization_id: UUID, standing: _Standing, count: int) -> None:
    in_all = settings.ENGINE["queued_runs_in_all"]
    if in_all and not ADMISSION.has_room("all", None, in_all, lambda cap: _queued(None, cap), count):
        raise _refusal(QueueFull, None, in_all)
    cap = standing.queued_runs
    if cap and not ADMISSION.has_room("queue", organization_id, cap, lambda cap: _queued(organization_id, cap), count):
        raise _refusal(TooManyQueued, organization_id, cap)
    cap = standing.starts_per_minute
    if cap and not ADMISSION.has_room(
        "minute", organization_id, cap, lambda cap: _started(organization_id, cap), count
    ):
        raise TooManyStarts(f"Your organization may start {cap:,} runs a minute. Try again later.", retry_after=10)


def _refusal(error: type[DomainError], organization_id: UUID | None, cap: int) -> DomainError:
    seconds = ADMISSION.retry_after(organization_id, cap)
    whose = "of your organization wait" if organization_id else "wait"
    return error(
        f"{cap:,} runs {whose} to begin, and no more are taken on. Try again in {seconds} s.", retry_after=seconds
    )


def _queued(organization_id: UUID | None, cap: int) -> int:
    which, values = ("organization_id = %s AND ", [sql.value(organization_id)]) if organization_id else ("", [])
    return _count(f"{which}status = 'pending'", values, cap)


def _started(organization_id: UUID, cap: int) -> int:
    return _count(
        "organization_id = %s AND id >= %s", [sql.value(organization_id), sql.value(brakes.first_id(60.0))], cap
    )


def _count(where: str, values: list[Any], bound: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM workflow_executions WHERE {where} LIMIT %s) found",  # noqa: S608  Every part is ours; values are parameters.
            [*values, bound],
        )
        return int(cursor.fetchone()[0])


def _ended(organization_id: UUID | None) -> int:
    """Runs that have ended so far, by the figures that are kept as they end."""
    of, values = ("WHERE w.organization_id = %s", [sql.value(organization_id)]) if organization_id else ("", [])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(SUM(f.completed + f.failed + f.cancelled + f.timeout), 0) "  # noqa: S608  Every part is ours; values are parameters.
            f"FROM workflow_figures f JOIN workflows w ON w.id = f.workflow_id {of}",
            values,
        )
        return int(cursor.fetchone()[0])


def _one_by_one(name: str, key: UUID | None) -> None:
    if connection.vendor == "postgresql":
        digest = hashlib.sha256(f"admission {name} {key}".encode()).digest()[:8]
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest, "big", signed=True)])
