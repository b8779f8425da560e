"""Fires schedules that are due. A moment and the execution it starts are stored in one transaction, so each comes once.

Whoever looks first locks the schedule's row and moves its due moment on; a worker that dies meanwhile leaves it due. The
clock is the database's. A moment that is refused because there is too much to do stays due, and is made up later as the
schedule's misfire policy says. Schedules of an organization that is not active rest, and are made up in the same way.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from auterity.kernel.errors import DomainError, Kind
from engine.schedules import RuleProblem, following, read_rule, to_fire
from executions import services, sql
from executions.models import Origin, ScheduleFire
from workflows.models import Schedule

log = structlog.get_logger(__name__)

LONGEST_REST = 30.0  # seconds until a schedule that was refused is tried again, at most
_resting: dict[UUID, float] = {}


def fire_due(limit: int = 50) -> int:
    """Fire up to `limit` schedules that are due. Returns how many were. Harmless when several workers do it at once."""
    for done in range(limit):
        if not _fire_next():
            return done
    return limit


def _fire_next() -> bool:
    now = _now()
    resting = [each for each, until in _resting.items() if until > time.monotonic()]
    due = (
        Schedule.unscoped.filter(due_at__lte=now, organization__is_active=True)
        .exclude(id__in=resting)
        .order_by("due_at")
    )
    if not due.exists():  # Most looks find nothing; only a writer takes SQLite's one lock.
        return False
    with transaction.atomic():
        schedule = due.select_related("workflow").select_for_update(skip_locked=True, of=("self",)).first()
        if schedule is None or schedule.due_at is None:
            return False
        try:
            rule = read_rule(schedule.rule)
        except RuleProblem as problem:
            log.error("schedule_unreadable", schedule=str(schedule.id), problem=problem.message)
            schedule.due_at = None
        else:
            refused = _fire(schedule, to_fire(rule, schedule.due_at, now, _grace()), now)
            schedule.due_at = refused or following(rule, schedule.due_at, now)
        schedule.save(update_fields=["due_at", "last_fired_at"])
    return True


def _fire(schedule: Schedule, moments: list[dt.datetime], now: dt.datetime) -> dt.datetime | None:
    """Start what is to be started; returns the first moment for which there is no room now.

    One that cannot run starts nothing, and does not hold up the others.
    """
    fired = set(ScheduleFire.unscoped.filter(schedule=schedule, fire_at__in=moments).values_list("fire_at", flat=True))
    for moment in moments:
        if moment in fired:
            continue
        try:
            with transaction.atomic():
                _start(schedule, moment, now)
            schedule.last_fired_at = now
        except (OperationalError, InterfaceError):
            raise
        except DomainError as error:
            about = {"schedule": str(schedule.id), "reason": error.slug, "message": error.message}
            if error.kind in (Kind.LIMITED, Kind.UNAVAILABLE):
                _rest(schedule, float(error.details.get("retry_after", 1)))
                log.warning("schedule_put_off", **about, moment=_written(moment))
                return moment
            log.warning("schedule_cannot_run", **about)
            return None
        except Exception:
            # A defect of ours with this one: it goes on at its next moment.
            log.exception("schedule_crashed", schedule=str(schedule.id))
            return None
    return None


def _rest(schedule: Schedule, seconds: float) -> None:
    """This process does not look at it for a while, nor does it keep in mind what it looked at long ago."""
    now = time.monotonic()
    for known in [each for each, until in _resting.items() if until <= now]:
        del _resting[known]
    _resting[schedule.id] = now + min(seconds, LONGEST_REST)


def _start(schedule: Schedule, moment: dt.datetime, now: dt.datetime) -> None:
    inputs: dict[str, Any] = {**schedule.inputs, "scheduled_for": _written(moment), "fired_at": _written(now)}
    execution = services.start(
        actor=services.owner_of(schedule.workflow),
        workflow_id=schedule.workflow_id,
        inputs=inputs,
        origin=Origin.SCHEDULE,
    )
    ScheduleFire(organization_id=schedule.organization_id, schedule=schedule, fire_at=moment, execution=execution).save(
        force_insert=True
    )


def _grace() -> dt.timedelta:
    return dt.timedelta(seconds=settings.ENGINE["schedule_grace_seconds"])


def _now() -> dt.datetime:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql.now()}", [])
        return sql.moment(cursor.fetchone()[0])


def _written(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
