"""Why an execution is where it is: `/api/workflows/executions/{id}/explain`."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from api.auterity.bodies import explain as bodies
from api.auterity.dialect import AuterityView
from api.auterity.views.executions import READING
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from executions import selectors
from executions.explain import explanation_of


class ExplainView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        id="execution_explain",
        summary="Why an execution is where it is",
        answers={200: bodies.ExplanationBody},
        raises=READING,
    )
    def get(self, call: Call[None], execution_id: UUID) -> Answer:
        """What it waits for and until when, who holds it, or how it ended, what mends it, and where its time went."""
        execution = selectors.get_execution(actor=call.actor, execution_id=execution_id)
        return Answer(bodies.ExplanationBody.model_validate(asdict(explanation_of(execution))))
