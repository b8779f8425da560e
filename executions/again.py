"""Running again: as a whole, from what failed, or from a step. What is done is kept; what would be repeated is said before."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from auterity.kernel.access import Actor
from auterity.kernel.models import uuid7
from executions import journal, selectors, services
from executions.errors import EffectsUnknown, PlanStale
from executions.keeping import Kept
from executions.models import EffectState, Execution, ExecutionStatus, LogKind, Origin, StepStatus
from executions.payloads import Payloads, size_of
from executions.records import StepRow, add_steps
from executions.retry_plan import Planning, RetryPlan, Wish


def plan(*, actor: Actor, execution_id: UUID, wish: Wish) -> RetryPlan:
    """What `retry` would do now. Nothing is stored.

    Raises `ExecutionNotFound`, `ExecutionLive`, `RetryRefused`, `InvalidInput`, `WorkflowNotFound`, `WorkflowInactive`.
    """
    earlier = selectors.get_execution(actor=actor, execution_id=execution_id)
    return Planning(actor, earlier, wish).plan()


@transaction.atomic
def retry(*, actor: Actor, execution_id: UUID, wish: Wish, plan_version: str | None = None) -> Execution:
    """Accept the new run together with the records that it keeps.

    Raises as `plan`, and `PlanStale` when the plan that was looked at is no longer what a fresh one gives, `EffectsUnknown`.
    """
    selectors.get_execution(actor=actor, execution_id=execution_id)
    earlier = Execution.objects.of(actor).select_for_update().get(id=execution_id)
    making = Planning(actor, earlier, wish)
    fresh = making.plan()
    if plan_version is not None and plan_version != fresh.plan_version:
        raise PlanStale(given=plan_version, current=fresh.plan_version)
    if fresh.unknown:
        raise EffectsUnknown(
            "Nobody knows whether these steps took effect; settle them first: "
            + ", ".join(f"'{each.node_name}'" for each in fresh.unknown[:10]),
            effects=[
                {"id": each.effect_id, "node_id": each.node_id, "key": f"{execution_id}/{each.node_id}/0"}
                for each in fresh.unknown
            ],
        )
    execution = Execution(
        id=uuid7(),
        organization_id=actor.organization_id,
        workflow_id=earlier.workflow_id,
        version_id=making.version_id,
        input_data=making.inputs,
        context=making.context,
        created_by_id=actor.user_id,
        webhook_url=earlier.webhook_url,
        rerun_of=earlier.id,
        origin=Origin.AGAIN,
        status=ExecutionStatus.PENDING,
    )
    services.accept(execution)
    add_steps([_copy(each, earlier, execution) for each in making.kept])
    if making.kept:
        journal.say_from_outside(
            execution,
            LogKind.NOTE,
            f"{len(making.kept)} steps are kept from the execution {earlier.id}; the others run again.",
        )
    return execution


# -- inside ----------------------------------------------------------------------------------------------------------


def _copy(kept: Kept, earlier: Execution, execution: Execution) -> StepRow:
    """The record as it stands in the new run, where it costs nothing. A large output becomes a file of the new run's own."""
    row = kept.row
    stored, payloads = row.output_data, Payloads(execution.organization_id, execution.id)
    if kept.output is not None:
        stored = payloads.keep(kept.output, key=f"{row.node_id}/0")
    elif size_of(stored) is not None:
        value = Payloads(earlier.organization_id, earlier.id).load(stored)
        stored = payloads.keep(value, key=f"{row.node_id}/0")
    return StepRow(
        execution_id=execution.id,
        node_id=row.node_id,
        node_name=row.node_name,
        node_type=row.node_type,
        status=StepStatus.COMPLETED if row.effect == EffectState.SETTLED_DONE else row.status,
        started_at=row.started_at,
        attempt=row.attempt,
        input_data=row.input_data,
        output_data=stored,
        port=kept.port,
        taken=None if kept.taken is None else list(kept.taken),
        error_code="" if row.effect == EffectState.SETTLED_DONE else row.error_code,
        error_message="" if row.effect == EffectState.SETTLED_DONE else row.error_message,
        completed_at=row.completed_at,
        effect=row.effect,
        receipt=row.receipt,
        kept_from=None if kept.anew else row.kept_from or row.execution_id,
    )
