"""What executions did outside, and settling what nobody could tell: `/api/workflows/executions/{id}/effects`, `/api/effects`."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import effects as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from executions import effects
from executions.effects import Entry
from executions.errors import (
    AlreadyAnswered,
    EffectKnown,
    EffectNotFound,
    EffectUnderWay,
    ExecutionNotFound,
    QuestionClosed,
)


class ExecutionEffectsView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        id="execution_effect_list",
        summary="What an execution did outside",
        answers={200: bodies.Effects},
        raises=[NotAuthenticated, PermissionDenied, ExecutionNotFound],
    )
    def get(self, call: Call[None], execution_id: UUID) -> Answer:
        """The side effects of its steps in the order they began, and what is known of each."""
        found = effects.list_effects(actor=call.actor, execution_id=execution_id)
        return Answer(bodies.Effects(execution_id=execution_id, effects=[_effect(each) for each in found]))


class EffectsView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        id="effect_list",
        summary="Effects of which nobody knows what became",
        query=bodies.EffectQuery,
        answers={200: bodies.EffectPage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Across the organization's executions, newest first."""
        rows, page = cut(effects.list_unknown(actor=call.actor), call.query, default_size=self.edition.page_size)
        return Answer(bodies.EffectPage(effects=[_effect(each) for each in effects.entries(call.actor, rows)], **page))


class SettleView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="effect_settle",
        summary="Say what became of an effect",
        body=bodies.Settle,
        answers={200: bodies.EffectBody},
        raises=[
            *(NotAuthenticated, PermissionDenied, EffectNotFound, InvalidInput),
            *(EffectKnown, EffectUnderWay, AlreadyAnswered, QuestionClosed),
        ],
    )
    def post(self, call: Call[bodies.Settle], effect_id: int) -> Answer:
        """For managers and admins, once. An execution that asks goes on with the answer; of one that has ended, a later run
        keeps the step when it happened and performs it when it did not."""
        entry = effects.settle(actor=call.actor, effect_id=effect_id, happened=call.body.happened, note=call.body.note)
        return Answer(_effect(entry))


def _effect(entry: Entry) -> bodies.EffectBody:
    return bodies.EffectBody.model_validate(asdict(entry))
