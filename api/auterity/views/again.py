"""Running an execution again, with a plan to look at before: `/api/workflows/executions/{id}/retry-plan` and `/retry`."""

from __future__ import annotations

from uuid import UUID

from accounts.errors import NotAuthenticated, TierTooLow
from api.auterity.bodies import again as bodies
from api.auterity.bodies.executions import Accepted
from api.auterity.dialect import AuterityView
from api.auterity.views.executions import accepted
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from executions import again
from executions.errors import EffectsUnknown, ExecutionLive, ExecutionNotFound, PlanStale, RetryRefused
from executions.retry_plan import Mode, PlannedStep, Wish
from workflows.errors import WorkflowInactive, WorkflowNotFound

REFUSALS = (
    NotAuthenticated,
    PermissionDenied,
    TierTooLow,
    ExecutionNotFound,
    ExecutionLive,
    RetryRefused,
    InvalidInput,
    WorkflowNotFound,
    WorkflowInactive,
)


class RetryPlanView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        id="execution_retry_plan",
        summary="Plan running again",
        body=bodies.RetryWish,
        answers={200: bodies.RetryPlanBody},
        raises=REFUSALS,
    )
    def post(self, call: Call[bodies.RetryWish], execution_id: UUID) -> Answer:
        """Which steps would run, which are kept, which effects would be repeated, and what it may cost. Nothing is stored."""
        plan = again.plan(actor=call.actor, execution_id=execution_id, wish=_wish(call.body))
        return Answer(
            bodies.RetryPlanBody(
                plan_version=plan.plan_version,
                execution_id=plan.execution_id,
                mode=plan.mode.value,
                workflow_version=plan.workflow_version,
                steps=[_step(each) for each in plan.steps],
                effects_repeated=[_step(each) for each in plan.repeated],
                unknown_effects=[_step(each) for each in plan.unknown],
                kept_cost_usd=plan.kept_cost_usd,
                estimated_cost_usd=plan.estimated_cost_usd,
                warnings=plan.warnings,
            )
        )


class RetryView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="execution_retry",
        summary="Run again, as a whole or in part",
        body=bodies.Retry,
        answers={202: Accepted},
        raises=[*REFUSALS, PlanStale, EffectsUnknown],
        creates=True,
    )
    def post(self, call: Call[bodies.Retry], execution_id: UUID) -> Answer:
        """A new execution. Kept steps stand in it as they were recorded, and cost nothing; steps whose effect nobody knows are
        refused until they are settled."""
        execution = again.retry(
            actor=call.actor,
            execution_id=execution_id,
            wish=_wish(call.body),
            plan_version=call.body.plan_version,
        )
        return Answer(accepted(execution), 202)


def _wish(body: bodies.RetryWish) -> Wish:
    return Wish(
        mode=Mode(body.mode),
        node_id=body.node_id,
        inputs=body.input_data,
        context=body.context,
        newest=body.version == "newest",
    )


def _step(step: PlannedStep) -> bodies.PlannedStepBody:
    return bodies.PlannedStepBody.model_validate(
        {
            **{name: getattr(step, name) for name in PlannedStep.__slots__ if name != "last_output"},
            "last_output_preview": step.last_output,
        }
    )
