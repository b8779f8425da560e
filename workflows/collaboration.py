"""Several people edit one draft: each edit is stored before it is acknowledged, and nobody's is overwritten unseen.

The workflow's row is the lock: edits of one workflow are applied one after another, so that revisions have no gaps; those of
different workflows do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput
from workflows import disputes, edits, undoing
from workflows.drafts import state_of
from workflows.errors import EditConflict
from workflows.log import record_edits
from workflows.merge import EDITS, State, Step, applied
from workflows.models import Workflow, WorkflowOperation
from workflows.sealing import sealed_change
from workflows.versions import MAX_DEFINITION_BYTES, keep_now_and_then, locked

MAX_OP_ID = 64  # characters


@dataclass(frozen=True, slots=True)
class Edit:
    """One operation as a client sends it.

    `base_revision` is what its sender had seen: a field that somebody else changed after it is a conflict, unless `force`.
    `connection` is the socket it came by.
    """

    operation: str
    data: Any
    client_op_id: str | None = None
    base_revision: int | None = None
    force: bool = False
    connection: UUID | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """What was stored: the operation that was asked for first, then what it brought about. `repeated`: it was stored before."""

    operations: tuple[WorkflowOperation, ...]
    repeated: bool = False


@transaction.atomic
def edit(*, actor: Actor, workflow_id: UUID, edit: Edit) -> Edited:
    """Apply one operation to the draft. One that came before under its `client_op_id` is answered with what was stored then.

    Raises `InvalidInput`, `EditConflict` (nothing is changed then), `WorkflowNotFound` and `PermissionDenied`.
    """
    require(actor, Permission.WORKFLOW_UPDATE)
    _check_edit(edit)
    workflow = locked(actor, workflow_id)
    earlier = _earlier(actor, workflow, edit.client_op_id)
    if earlier is not None:
        return earlier
    if edit.base_revision is not None and edit.base_revision > workflow.revision:
        raise InvalidInput.of("base_revision", f"The draft has come to revision {workflow.revision} only.")
    state = state_of(workflow)
    try:
        steps = [_sealed(actor, each) for each in edits.read(state, edit.operation, edit.data)]
        if edit.base_revision is not None and not edit.force:
            disputes.check(actor, workflow, state, steps[0], edit.base_revision)
    except EditConflict as conflict:
        raise disputes.told(workflow, conflict) from conflict
    return _stored(actor, workflow, state, steps, client_op_id=edit.client_op_id, connection=edit.connection)


@transaction.atomic
def undo(
    *,
    actor: Actor,
    workflow_id: UUID,
    revision: int | None = None,
    redo: bool = False,
    client_op_id: str | None = None,
    connection: UUID | None = None,
) -> Edited:
    """Take back the actor's own last operation, or the one of a revision, or with `redo` what was taken back last.

    It becomes an operation of its own. Raises `NothingToUndo`, and `EditConflict` where others have changed since what it would
    bring back.
    """
    require(actor, Permission.WORKFLOW_UPDATE)
    _check_op_id(client_op_id)
    workflow = locked(actor, workflow_id)
    earlier = _earlier(actor, workflow, client_op_id)
    if earlier is not None:
        return earlier
    target = undoing.target_of(actor, workflow, revision, redo=redo)
    state = state_of(workflow)
    try:
        steps = undoing.steps_back(workflow, state, target)
    except EditConflict as conflict:
        raise disputes.told(workflow, conflict) from conflict
    act = "redo" if redo else "undo"
    return _stored(
        actor, workflow, state, steps, client_op_id=client_op_id, connection=connection, act=act, target=target
    )


# -- inside ----------------------------------------------------------------------------------------------------------


def _stored(actor: Actor, workflow: Workflow, state: State, steps: Sequence[Step], **more: Any) -> Edited:
    after = applied(state, steps)
    if after.size > MAX_DEFINITION_BYTES and after.size > state.size:
        raise InvalidInput.of(
            "data", f"A definition may have {MAX_DEFINITION_BYTES:,} bytes; this would have {after.size:,}."
        )
    rows = record_edits(actor, workflow, steps, after, **more)
    keep_now_and_then(workflow, after)
    return Edited(tuple(rows))


def _sealed(actor: Actor, step: Step) -> Step:
    return replace(step, data=sealed_change(actor.organization_id, step.data))


def _earlier(actor: Actor, workflow: Workflow, client_op_id: str | None) -> Edited | None:
    if client_op_id is None:
        return None
    rows = WorkflowOperation.objects.of(actor).filter(workflow=workflow)
    found = rows.filter(user_id=actor.user_id, client_op_id=client_op_id).first()
    return None if found is None else Edited((found,), repeated=True)


def _check_edit(edit: Edit) -> None:
    if edit.operation not in EDITS:
        raise InvalidInput.of("operation", f"This is one of {', '.join(EDITS)}.")
    if not isinstance(edit.data, dict):
        raise InvalidInput.of("data", "This must be an object.", "required")
    _check_op_id(edit.client_op_id)


def _check_op_id(client_op_id: str | None) -> None:
    if client_op_id is not None and not (1 <= len(client_op_id) <= MAX_OP_ID and client_op_id.isprintable()):
        raise InvalidInput.of("client_op_id", f"This is text of 1 to {MAX_OP_ID} printable characters.")
