"""Pausing and resuming executions. A paused one begins no step; what is under way ends and is recorded."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.events import publish
from executions import journal, selectors
from executions.errors import ExecutionEnded, NotPaused
from executions.events import ExecutionAccepted
from executions.models import LIVE, Execution, LogKind


@transaction.atomic
def pause(*, actor: Actor, execution_id: UUID) -> Execution:
    """Begin nothing more until it is resumed. The time does not count against its deadline.

    Raises `ExecutionEnded`. Pausing what is paused changes nothing.
    """
    execution = _locked(actor, execution_id)
    if execution.paused_at is not None:
        return execution
    held = bool(execution.lease_owner)
    changes: dict[str, Any] = {"paused_at": Now(), "signals": F("signals") + 1}
    if not held:
        changes |= {"due_at": None, "waiting_since": Coalesce("waiting_since", Now())}
    Execution.objects.of(actor).filter(id=execution.id).update(**changes)
    execution.refresh_from_db()
    if not held:  # Else its worker says so, once it has come to rest.
        journal.say_from_outside(execution, LogKind.PAUSED, f"Paused by {actor.email or 'the system'}.")
    publish(ExecutionAccepted(execution.id))
    return execution


@transaction.atomic
def resume(*, actor: Actor, execution_id: UUID) -> Execution:
    """Go on. Raises `NotPaused`, `ExecutionEnded`."""
    execution = _locked(actor, execution_id)
    if execution.paused_at is None:
        raise NotPaused
    held = bool(execution.lease_owner)
    changes: dict[str, Any] = {"paused_at": None, "signals": F("signals") + 1}
    if not held:
        changes |= {"due_at": Now()}
    Execution.objects.of(actor).filter(id=execution.id).update(**changes)
    execution.refresh_from_db()
    if not held:
        journal.say_from_outside(execution, LogKind.RESUMED, f"Resumed by {actor.email or 'the system'}.")
    publish(ExecutionAccepted(execution.id))
    return execution


def _locked(actor: Actor, execution_id: UUID) -> Execution:
    require(actor, Permission.WORKFLOW_EXECUTE)
    selectors.get_execution(actor=actor, execution_id=execution_id)
    execution = Execution.objects.of(actor).select_for_update().get(id=execution_id)
    if execution.status not in LIVE:
        raise ExecutionEnded(f"This execution has already ended: {execution.status}.", status=execution.status)
    return execution
