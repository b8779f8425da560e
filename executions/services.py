"""Starting, cancelling and repeating executions. An execution is accepted once its row is committed, and not before."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction

from accounts.models import User
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Permission, Role, require
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.events import publish
from auterity.kernel.models import uuid7
from engine.graph import InvalidDefinition
from engine.ports import Rejected
from executions import admission, journal, selectors
from executions.accept import insert
from executions.errors import ExecutionEnded
from executions.events import ExecutionAccepted
from executions.models import LIVE, Execution, ExecutionStatus, Origin
from integrations.egress import check_url
from workflows import services as workflows
from workflows.errors import WorkflowBusy, WorkflowInactive
from workflows.models import Workflow
from workflows.plans import plan_of


@transaction.atomic
def start(
    *,
    actor: Actor,
    workflow_id: UUID,
    inputs: dict[str, Any],
    context: dict[str, Any] | None = None,
    webhook_url: str = "",
    rerun_of: UUID | None = None,
    origin: Origin = Origin.CALL,
) -> Execution:
    """Accept a run of the workflow's newest version. Nothing has run yet when this returns.

    Raises `WorkflowNotFound`, `WorkflowInactive` (also when its graph cannot run), `InvalidInput`, and what
    `admission.admit` raises when there is too much to do.
    """
    version_id = workflows.runnable_version(actor=actor, workflow_id=workflow_id)
    _check_input("input_data", inputs)
    _check_input("context", context or {})
    if webhook_url:
        try:
            check_url(webhook_url)
        except Rejected as error:
            raise InvalidInput.of("webhook_url", error.message) from error
    timeout = timeout_of(version_id)
    execution = Execution(
        id=uuid7(),
        organization_id=actor.organization_id,
        workflow_id=workflow_id,
        version_id=version_id,
        input_data=inputs,
        context=context or {},
        created_by_id=actor.user_id,
        webhook_url=webhook_url,
        rerun_of=rerun_of,
        origin=origin,
        lane=plan_of(version_id).lane,
        status=ExecutionStatus.PENDING,
    )
    admission.admit(
        organization_id=actor.organization_id, workflow_id=workflow_id, execution_id=execution.id, origin=origin
    )
    insert([execution], [timeout])
    publish(ExecutionAccepted(execution.id))
    return execution


def cancel(*, actor: Actor, execution_id: UUID) -> Execution:
    """End a live execution at once, in whatever state it is. Raises `ExecutionEnded` when it had already ended."""
    require(actor, Permission.WORKFLOW_EXECUTE)
    execution = selectors.get_execution(actor=actor, execution_id=execution_id)
    who = f"Cancelled by {actor.email}." if actor.email else "Cancelled."
    if not journal.end_from_outside(
        execution=execution, status=ExecutionStatus.CANCELLED, code="CANCELLED", message=who
    ):
        execution.refresh_from_db()
        raise ExecutionEnded(f"This execution has already ended: {execution.status}.", status=execution.status)
    return execution


def run_again(*, actor: Actor, execution_id: UUID) -> Execution:
    """A new run of the workflow's newest version with the inputs of an earlier one."""
    earlier = selectors.get_execution(actor=actor, execution_id=execution_id)
    return start(
        actor=actor,
        workflow_id=earlier.workflow_id,
        inputs=earlier.input_data,
        context=earlier.context,
        webhook_url=earlier.webhook_url,
        rerun_of=earlier.id,
        origin=Origin.AGAIN,
    )


def accept(execution: Execution) -> None:
    """Store a run of the version that it names, in the caller's transaction. Raises `InvalidInput`, `WorkflowInactive`."""
    check_inputs(execution.input_data, execution.context)
    execution.lane = plan_of(execution.version_id).lane
    admission.admit(
        organization_id=execution.organization_id,
        workflow_id=execution.workflow_id,
        execution_id=execution.id,
        origin=Origin(execution.origin),
    )
    insert([execution], [timeout_of(execution.version_id)])
    publish(ExecutionAccepted(execution.id))


def check_inputs(inputs: dict[str, Any], context: dict[str, Any]) -> None:
    """Raises `InvalidInput` for what is too large, or cannot be kept."""
    _check_input("input_data", inputs)
    _check_input("context", context)


@transaction.atomic
def delete_workflow(*, actor: Actor, workflow_id: UUID, version: int | None = None) -> None:
    """Delete a workflow unless one of its executions is live. Raises `WorkflowBusy`; for a stale `version`, `RevisionConflict`.

    The lock waits for starts that are being stored, and lets later ones wait and find it deleted.
    """
    require(actor, Permission.WORKFLOW_DELETE)
    Workflow.objects.of(actor).select_for_update().filter(id=workflow_id).first()
    if Execution.objects.of(actor).filter(workflow_id=workflow_id, status__in=LIVE).exists():
        raise WorkflowBusy
    workflows.delete_workflow(actor=actor, workflow_id=workflow_id, version=version)


# -- inside ----------------------------------------------------------------------------------------------------------


def timeout_of(version_id: UUID) -> float:
    """Seconds a run of this version may take. Compiling here means that what is accepted can run."""
    try:
        plan = plan_of(version_id)
    except InvalidDefinition as error:
        raise WorkflowInactive(
            f"The workflow's definition cannot run: {error}. Mend it and save it again.",
            problems=[{"field": each.place, "message": each.message} for each in error.problems],
        ) from error
    return min(
        plan.timeout or settings.ENGINE["execution_timeout_seconds"], settings.ENGINE["execution_timeout_seconds"]
    )


def _check_input(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise InvalidInput.of(name, "This must be an object.")
    limit = settings.ENGINE["max_input_bytes"]
    try:
        size = len(orjson.dumps(value))
    except TypeError as error:
        raise InvalidInput.of(name, f"This holds a value that cannot be kept: {error}.") from error
    if size > limit:
        told = f"This may have {limit:,} bytes; it has {size:,}."
        raise InvalidInput.of(name, f"{told} Upload it with POST /api/files and pass the file's id.")


def operator(*, user: User, organization_id: UUID) -> Actor:
    """An operator of the platform acting inside one organization with its admin's rights. Raises unless the user is staff."""
    if not user.is_staff:
        raise PermissionDenied
    return Actor(user.id, organization_id, Role.ADMIN, ROLE_PERMISSIONS[Role.ADMIN], user.email)


def owner_of(workflow: Workflow) -> Actor:
    """The system acting for a workflow that starts by itself: in its organization, as who made it, to run and read runs only.

    The workflow belongs to the organization, so it goes on when its maker has left.
    """
    may = frozenset({Permission.EXECUTION_READ, Permission.WORKFLOW_EXECUTE})
    return Actor(workflow.created_by_id, workflow.organization_id, Role.MEMBER, may)


def started_by(parent: Execution) -> Actor:
    """The system acting for a run that starts further runs: inside its organization, to run and read runs only."""
    may = frozenset({Permission.EXECUTION_READ, Permission.WORKFLOW_EXECUTE})
    return Actor(parent.created_by_id or parent.id, parent.organization_id, Role.MEMBER, may)
