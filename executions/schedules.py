"""Fires schedules that are due. A moment and the execution it starts are stored in one transaction, so each comes once.

Whoever looks first locks the schedule's row and moves its due moment on; a worker that dies meanwhile leaves it due. The
clock is the database's.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from auterity.kernel.errors import DomainError
from engine.schedules import RuleProblem, following, read_rule, to_fire
from executions import services, sql
from executions.models import Origin, ScheduleFire
from workflows.models import Schedule

log = structlog.get_logger(__name__)


def fire_due(limit: int = 50) -> int:
    """Fire up to `limit` schedules that are due. Returns how many were. Harmless when several workers do it at once."""
    for done in range(limit):
        if not _fire_next():
            return done
    return limit


def _fire_next() -> bool:
    now = _now()
    due = Schedule.unscoped.filter(due_at__lte=now).order_by("due_at")
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
            _fire(schedule, to_fire(rule, schedule.due_at, now, _grace()), now)
            schedule.due_at = following(rule, schedule.due_at, now)
        schedule.save(update_fields=["due_at", "last_fired_at"])
    return True


def _fire(schedule: Schedule, moments: list[dt.datetime], now: dt.datetime) -> None:
    """Start what is to be started. One that cannot run starts nothing, and does not hold up the others."""
    fired = set(ScheduleFire.unscoped.filter(schedule=schedule, fire_at__in=moments).values_list("fire_at", flat=True))
    try:
        with transaction.atomic():
            for moment in moments:
                if moment not in fired:
                    _start(schedule, moment, now)
        schedule.last_fired_at = now if moments else schedule.last_fired_at
    except (OperationalError, InterfaceError):
        raise
    except DomainError as error:
        log.warning("schedule_cannot_run", schedule=str(schedule.id), reason=error.slug, message=error.message)
    except Exception:
        # A defect of ours with this one: it goes on at its next moment.
        log.exception("schedule_crashed", schedule=str(schedule.id))


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
