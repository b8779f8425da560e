"""Brakes: a workflow that starts itself, or takes workers down, is not started automatically for a while. Never silently.

People still start it by hand. A brake ends by itself after `brake_seconds`, or when an operator releases it.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from auterity.kernel.events import publish
from executions import sql
from executions.claims import Claim
from executions.events import WorkflowBraked, WorkflowBrakeReleased
from executions.models import BrakeReason, Execution, Origin, WorkflowBrake

log = structlog.get_logger(__name__)

HasRoom = Callable[[str, UUID | None, int, Callable[[int], int]], bool]

LONGEST_CHAIN = 32  # runs that are looked at for who started whom
USUAL_SECONDS = 60.0  # how long a workflow's usual figure is kept
_MOST_COUNTED = 200_000
_usual: dict[UUID, tuple[float, int]] = {}


def watch(
    *,
    organization_id: UUID,
    workflow_id: UUID,
    execution_id: UUID,
    origin: Origin,
    depth: int,
    parent_id: UUID | None,
    has_room: HasRoom,
) -> None:
    """Set the brake when this automatic start shows that the workflow starts itself.

    By its chain, when it is `storm_depth` deep among its own descendants; by its rate, when it began far more often within
    a minute than it usually does. A run that starts many others is no storm, so for runs the rate counts only in their own chain.
    """
    in_chain = origin == Origin.RUN and depth > 0 and _starts_itself(workflow_id, parent_id)
    if in_chain and depth >= settings.ENGINE["storm_depth"]:
        message = f"it started itself, directly or through others, {depth} runs deep."
        _trip(organization_id, workflow_id, BrakeReason.STORM, message, execution_id)
        return
    if origin == Origin.RUN and not in_chain:
        return
    cap = settings.ENGINE["storm_starts_per_minute"]
    if not cap or has_room("storm", workflow_id, cap, lambda bound: _started(workflow_id, 60.0, 0.0, bound)):
        return
    usual = _usual_a_minute(workflow_id)
    cap = max(cap, usual * settings.ENGINE["storm_times_usual"])
    if has_room("storm above usual", workflow_id, cap, lambda bound: _started(workflow_id, 60.0, 0.0, bound)):
        return
    message = f"it was started {cap:,} times within a minute by schedules, webhooks and runs; usually {usual:,} times."
    _trip(organization_id, workflow_id, BrakeReason.STORM, message, execution_id)


def note_poison(ended: Iterable[Claim]) -> None:
    """Brake the workflows of executions that were just given up as poison, where their version has had too many of late."""
    engine = settings.ENGINE
    since = timezone.now() - dt.timedelta(seconds=engine["poison_seconds"])
    for claim in ended:
        poisoned = Execution.unscoped.filter(
            version_id=claim.version_id, error_code="POISON", completed_at__gte=since
        ).count()
        if poisoned >= engine["poisoned_runs"]:
            message = (
                f"{poisoned} of its runs were given up within {engine['poison_seconds'] / 60:.0f} minutes, because workers "
                "that took them died or got nowhere."
            )
            with transaction.atomic():
                _trip(claim.organization_id, claim.workflow_id, BrakeReason.POISON, message, claim.id)


def release(*, brake: WorkflowBrake, by: str) -> bool:
    """End a brake early. Returns False when it had ended already. The caller has proved that `by` may."""
    with transaction.atomic():
        won = WorkflowBrake.unscoped.filter(id=brake.id, released_at=None).update(
            released_at=timezone.now(), released_by=by
        )
        if won:
            _tell_released(brake, by)
    return bool(won)


def release_due() -> int:
    """End the brakes whose time is over. Returns how many. Harmless when several workers do it at once."""
    over = WorkflowBrake.unscoped.filter(released_at=None, until__lte=timezone.now())
    count = 0
    for brake in over:
        with transaction.atomic():
            if WorkflowBrake.unscoped.filter(id=brake.id, released_at=None).update(released_at=F("until")):
                _tell_released(brake, "")
                count += 1
    return count


def first_id(seconds_ago: float) -> UUID:
    """The smallest id a row made so long ago can have: ids begin with their moment."""
    return UUID(int=max(0, int((time.time() - seconds_ago) * 1000)) << 80)


# -- inside ----------------------------------------------------------------------------------------------------------


def _trip(
    organization_id: UUID, workflow_id: UUID, reason: BrakeReason, message: str, execution_id: UUID | None
) -> None:
    now = timezone.now()
    until = now + dt.timedelta(seconds=settings.ENGINE["brake_seconds"])
    WorkflowBrake.unscoped.filter(workflow_id=workflow_id, released_at=None, until__lte=now).update(
        released_at=F("until")
    )
    brake = WorkflowBrake(
        organization_id=organization_id,
        workflow_id=workflow_id,
        reason=reason,
        message=message,
        until=until,
        tripped_by=execution_id,
    )
    known = WorkflowBrake.unscoped.filter(workflow_id=workflow_id, released_at=None).exists()
    WorkflowBrake.unscoped.bulk_create([brake], ignore_conflicts=True)
    if known or not WorkflowBrake.unscoped.filter(id=brake.id).exists():
        return  # Somebody else has just set it.
    log.error(
        "workflow_braked", workflow=str(workflow_id), reason=str(reason), message=message, until=until.isoformat()
    )
    publish(WorkflowBraked(organization_id, workflow_id, str(reason), message, until))


def _tell_released(brake: WorkflowBrake, by: str) -> None:
    log.warning("workflow_brake_released", workflow=str(brake.workflow_id), by=by or "its time was over")
    publish(WorkflowBrakeReleased(brake.organization_id, brake.workflow_id, by))


def _starts_itself(workflow_id: UUID, parent_id: UUID | None) -> bool:
    """Whether one of the runs above is of this workflow too."""
    for _ in range(LONGEST_CHAIN):
        if parent_id is None:
            return False
        above = Execution.unscoped.filter(id=parent_id).values_list("workflow_id", "parent_id").first()
        if above is None:
            return False
        if above[0] == workflow_id:
            return True
        parent_id = above[1]
    return True


def _usual_a_minute(workflow_id: UUID) -> int:
    """Automatic starts a minute, of the hour before this last minute."""
    moment, usual = _usual.get(workflow_id, (0.0, 0))
    if time.monotonic() > moment:
        usual = -(-_started(workflow_id, 3660.0, 60.0, _MOST_COUNTED) // 60)
        if len(_usual) > 1000:
            _usual.clear()
        _usual[workflow_id] = (time.monotonic() + USUAL_SECONDS, usual)
    return usual


def _started(workflow_id: UUID, seconds: float, until: float, bound: int) -> int:
    """Automatic starts of a workflow between so many seconds ago and so many, counted up to a bound."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM workflow_executions WHERE workflow_id = %s AND id >= %s AND id < %s "
            "AND origin IN ('schedule', 'webhook', 'run') LIMIT %s) found",
            [sql.value(workflow_id), sql.value(first_id(seconds)), sql.value(first_id(until - 1.0)), bound],
        )
        return int(cursor.fetchone()[0])
