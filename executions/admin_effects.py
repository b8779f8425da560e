"""The operators' view of steps and of their effects, with the buttons that settle what nobody knows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts import markup
from accounts.asking import asks, note_of
from accounts.operators import NewestWith, RecordAdmin
from auterity.kernel.errors import DomainError
from executions import effects
from executions.admin_actor import operator_in
from executions.admin_records import execution_link
from executions.models import EffectState, ExecutionStep, StepStatus

WHOLE = 500_000  # characters of one value that a step's own page shows


class StepFilter(NewestWith):
    parameter_name = "state"
    column = "status"
    values = tuple(StepStatus.values)


class EffectFilter(NewestWith):
    """Those in doubt have an index of their own."""

    title = "effect"
    parameter_name = "effect"
    column = "effect"
    values = tuple(EffectState.values)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == EffectState.UNKNOWN:
            return queryset.filter(effect=EffectState.UNKNOWN)
        return super().queryset(request, queryset)


class ExecutionStepAdmin(RecordAdmin):
    """Steps, and the ledger of what they did outside: what nobody knows is settled here, after a look at the other side."""

    list_display = (
        "node_name",
        "node_type",
        "shown_state",
        "outside",
        "run",
        "attempt",
        "started",
        "duration",
        "problem",
    )
    list_filter = (StepFilter, EffectFilter)
    search_fields = ("node_id", "node_name", "error_message")
    search_keys = ("execution_id",)
    search_help_text = "Node, error or execution id"
    deferred = ("input_data", "output_data", "taken")
    fields: Any = (
        "run", "node_name", "node_id", "node_type", "iteration", "shown_state", "attempt", "started", "duration", "error_code",
        "error_message", "port", "due_at", "effect", "receipt", "kept_from", "tokens", "cost_usd", "input", "output",
    )  # fmt: skip
    readonly_fields = ("run", "shown_state", "started", "duration", "input", "output")
    actions = ("happened", "did_not_happen")

    @admin.display(description="execution")
    def run(self, step: ExecutionStep) -> SafeString:
        return execution_link(step)

    @admin.display(description="state")
    def shown_state(self, step: ExecutionStep) -> SafeString:
        return markup.state(step.status)

    @admin.display(description="effect")
    def outside(self, step: ExecutionStep) -> SafeString | str:
        return markup.state(step.effect) if step.effect else markup.NOTHING

    @admin.display(description="started")
    def started(self, step: ExecutionStep) -> str:
        return markup.moment(step.started_at)

    @admin.display(description="duration")
    def duration(self, step: ExecutionStep) -> str:
        return markup.span((step.completed_at - step.started_at).total_seconds() if step.completed_at else None)

    @admin.display(description="error")
    def problem(self, step: ExecutionStep) -> SafeString:
        return markup.excerpt(step.error_message)

    @admin.display(description="input")
    def input(self, step: ExecutionStep) -> SafeString:
        return markup.json_block(step.input_data, "Input", limit=WHOLE)

    @admin.display(description="output")
    def output(self, step: ExecutionStep) -> SafeString:
        return markup.json_block(step.output_data, "Output", limit=WHOLE)

    # -- effects in doubt ----------------------------------------------------------------------------------------------

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("executions.change_executionstep")

    @admin.action(description="Settle: it happened", permissions=["settle"])
    @asks(
        "Say so only after a look at the other side. The step counts as done and is never performed again.",
        note="How you know",
    )
    def happened(self, request: HttpRequest, queryset: QuerySet[ExecutionStep]) -> None:
        self._settle(request, queryset, happened=True)

    @admin.action(description="Settle: it did not happen", permissions=["settle"])
    @asks(
        "Say so only after a look at the other side. Running the step again then does it for the first time.",
        note="How you know",
    )
    def did_not_happen(self, request: HttpRequest, queryset: QuerySet[ExecutionStep]) -> None:
        self._settle(request, queryset, happened=False)

    def _settle(self, request: HttpRequest, chosen: QuerySet[ExecutionStep], *, happened: bool) -> None:
        word = "it happened" if happened else "it did not happen"
        for step in chosen.select_related("execution"):
            try:
                actor = operator_in(request, step.execution.organization_id)
                effects.settle(actor=actor, effect_id=step.pk, happened=happened, note=note_of(request))
            except DomainError as error:
                self.message_user(request, f"{step}: {error.message}", messages.ERROR)
            else:
                self.log_change(request, step, f"Settled: {word}.")
                self.message_user(request, f"{step}: settled, {word}.", messages.SUCCESS)
