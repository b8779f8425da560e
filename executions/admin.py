"""The operators' view of executions: what is wrong with one, and the buttons that mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import NullIf
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts import markup
from accounts.asking import ask, asks, is_confirmed
from accounts.operators import AutocompleteFilter, ChoiceFilter, CreatedFilter, RecordAdmin
from auterity.kernel.errors import DomainError
from executions import control, services
from executions.admin_actor import operator_in
from executions.admin_effects import ExecutionStepAdmin
from executions.admin_limits import RunLimitsAdmin, WorkflowBrakeAdmin
from executions.admin_records import (
    ExecutionLogAdmin,
    ScheduleFireAdmin,
    WebhookReceiptAdmin,
    WorkerAdmin,
    WorkflowFiguresAdmin,
)
from executions.admin_waits import OpenQuestionAdmin, QuestionAnswerAdmin, ReceivedEventAdmin
from executions.everywhere import FAILED, in_status
from executions.models import (
    Execution,
    ExecutionLog,
    ExecutionStatus,
    ExecutionStep,
    OpenQuestion,
    QuestionAnswer,
    ReceivedEvent,
    RunLimits,
    ScheduleFire,
    WebhookReceipt,
    Worker,
    WorkflowBrake,
    WorkflowFigures,
)
from executions.page import duration_of, glance, page_of
from workflows import services as workflows
from workflows.admin import WorkflowAdmin
from workflows.errors import DefinitionRefused
from workflows.models import Workflow

FAILURES_SEARCHED = 2_000

CANCELLING = "The run ends where it is and goes on no more. What its steps have done stays done."
REPEATING = "A new run begins from the start, with the same inputs. What its steps do outside is done once more."

Act = Callable[[HttpRequest, Execution], Execution]


class StatusFilter(ChoiceFilter):
    title = "status"
    parameter_name = "status"
    broken = "broken"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        yield self.broken, "failed or timeout"
        yield from ((each.value, each.value) for each in ExecutionStatus)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen == self.broken:
            return in_status(queryset, *FAILED)
        return in_status(queryset, ExecutionStatus(chosen)) if chosen in ExecutionStatus.values else queryset


@admin.register(Execution)
class ExecutionAdmin(RecordAdmin):
    """A page to read, and two buttons that act through the services as the operator inside the execution's organization."""

    change_form_template = "admin/executions/execution.html"
    list_display = (
        "run",
        "workflow_name",
        "organization",
        "state",
        "progress_bar",
        "started",
        "duration",
        "attempts",
        "waiting",
    )
    list_filter = (StatusFilter, CreatedFilter, ("workflow", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization")
    search_fields = ("workflow__name", "error_message")
    search_keys = ("id", "workflow_id")
    search_help_text = "Id, workflow or error"
    deferred = ("input_data", "context", "output_data", "webhook_url")
    related = ("workflow", "organization", "version", "created_by")
    actions = ["cancel_selected", "run_selected_again"]

    def search_text(self, queryset: QuerySet[Execution], term: str) -> QuerySet[Execution]:
        """By the workflow's name, and by the error of the newest failed ones."""
        named = list(Workflow.unscoped.filter(name__icontains=term).order_by("-id").values_list("id", flat=True)[:100])
        ended = in_status(queryset, *FAILED, ExecutionStatus.CANCELLED).order_by("-id").values("id")[:FAILURES_SEARCHED]
        about = Q(error_message__icontains=term) | Q(error_code__iexact=term)
        erring = list(Execution.unscoped.filter(about, id__in=ended).values_list("id", flat=True))
        wanted = Q(workflow_id__in=named)
        return queryset.filter(wanted | Q(id__in=erring) if erring else wanted)

    def get_fieldsets(self, request: HttpRequest, obj: Execution | None = None) -> list[Any]:
        return []  # The template lays out `page_of` instead.

    # -- what is shown -----------------------------------------------------------------------------------------------

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        execution = kwargs["obj"]
        return super().render_change_form(
            request,
            {
                **context,
                "title": "Execution",
                "page": page_of(execution),
                "may_operate": self.has_operate_permission(request),
            },
            *args,
            **kwargs,
        )

    @admin.display(description="execution")
    def run(self, execution: Execution) -> SafeString:
        return markup.short_id(execution.id)

    @admin.display(description="workflow")
    def workflow_name(self, execution: Execution) -> str:
        return execution.workflow.name

    @admin.display(description="status")
    def state(self, execution: Execution) -> SafeString:
        return markup.state(execution.status)

    @admin.display(description="progress")
    def progress_bar(self, execution: Execution) -> SafeString:
        colour = markup.COLOURS.get(execution.status, "neutral")
        return markup.bar(execution.progress, colour=colour, title=f"{execution.progress:.0f} %")

    @admin.display(description="started")
    def started(self, execution: Execution) -> str:
        return markup.moment(execution.started_at)

    @admin.display(description="duration")
    def duration(self, execution: Execution) -> SafeString:
        return markup.unbroken(markup.span(duration_of(execution, timezone.now())))

    @admin.display(description="waiting")
    def waiting(self, execution: Execution) -> SafeString:
        return markup.unbroken(glance(execution, timezone.now()))

    # -- what can be done --------------------------------------------------------------------------------------------

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("executions.change_execution")

    def get_urls(self) -> list[URLPattern]:
        buttons = [
            ("cancel", self._cancel, "The execution is cancelled.", CANCELLING),
            ("pause", self._pause, "The execution begins no further step until it is resumed.", ""),
            ("resume", self._resume, "The execution goes on.", ""),
            ("run_again", self._run_again, "This is the new execution; it repeats the one you came from.", REPEATING),
        ]
        own = [
            path(
                f"<uuid:execution_id>/{name}/",
                self.admin_site.admin_view(self._button(name, act, done, warning)),
                name=f"executions_execution_{name}",
            )
            for name, act, done, warning in buttons
        ]
        return own + super().get_urls()

    def _button(self, name: str, act: Act, done: str, warning: str) -> Callable[..., HttpResponse]:
        """A view that acts on POST only, asks first where there is a warning, and says a refusal in its own words."""

        def view(request: HttpRequest, execution_id: UUID) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            if not self.has_operate_permission(request):
                raise PermissionDenied
            execution = self.get_object(request, str(execution_id))
            if execution is None:
                return self._get_obj_does_not_exist_redirect(request, self.opts, str(execution_id))
            page = reverse("admin:executions_execution_change", args=[execution.pk])
            if warning and not is_confirmed(request):
                title = name.replace("_", " ").capitalize()
                return ask(self, request, title=title, warning=warning, rows=[execution], count=1, back=page)
            try:
                execution = act(request, execution)
                self.message_user(request, done, messages.SUCCESS)
            except DomainError as error:
                self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:executions_execution_change", args=[execution.pk]))

        return view

    def _cancel(self, request: HttpRequest, execution: Execution) -> Execution:
        services.cancel(actor=operator_in(request, execution.organization_id), execution_id=execution.id)
        self.log_change(request, execution, "Cancelled.")
        return execution

    def _pause(self, request: HttpRequest, execution: Execution) -> Execution:
        control.pause(actor=operator_in(request, execution.organization_id), execution_id=execution.id)
        self.log_change(request, execution, "Paused.")
        return execution

    def _resume(self, request: HttpRequest, execution: Execution) -> Execution:
        control.resume(actor=operator_in(request, execution.organization_id), execution_id=execution.id)
        self.log_change(request, execution, "Resumed.")
        return execution

    def _run_again(self, request: HttpRequest, execution: Execution) -> Execution:
        again = services.run_again(actor=operator_in(request, execution.organization_id), execution_id=execution.id)
        self.log_change(request, execution, f"Run again as {again.id}.")
        return again

    @admin.action(description="Cancel", permissions=["operate"])
    @asks(CANCELLING)
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Execution]) -> None:
        self._each(request, queryset, self._cancel, "cancelled")

    @admin.action(description="Run again", permissions=["operate"])
    @asks(REPEATING)
    def run_selected_again(self, request: HttpRequest, queryset: QuerySet[Execution]) -> None:
        self._each(request, queryset, self._run_again, "run again")

    def _each(self, request: HttpRequest, chosen: QuerySet[Execution], act: Act, done: str) -> None:
        count = 0
        for execution in chosen:
            try:
                act(request, execution)
                count += 1
            except DomainError as error:
                self.message_user(request, f"{execution.id}: {error.message}", messages.ERROR)
        if count:
            self.message_user(request, f"{count} executions {done}.", messages.SUCCESS)


admin.site.register(ExecutionStep, ExecutionStepAdmin)
admin.site.register(ExecutionLog, ExecutionLogAdmin)
admin.site.register(ScheduleFire, ScheduleFireAdmin)
admin.site.register(WebhookReceipt, WebhookReceiptAdmin)
admin.site.register(WorkflowFigures, WorkflowFiguresAdmin)
admin.site.register(Worker, WorkerAdmin)
admin.site.register(OpenQuestion, OpenQuestionAdmin)
admin.site.register(QuestionAnswer, QuestionAnswerAdmin)
admin.site.register(ReceivedEvent, ReceivedEventAdmin)
admin.site.register(RunLimits, RunLimitsAdmin)
admin.site.register(WorkflowBrake, WorkflowBrakeAdmin)
admin.site.unregister(Workflow)


@admin.register(Workflow)
class WorkflowWithRunsAdmin(WorkflowAdmin):
    """A workflow with what its executions add up to, and its switch, which acts inside its organization."""

    list_display = ("name", "organization", "version", "is_active", "completed", "failed", "average", "updated")
    fields = (*WorkflowAdmin.fields[:7], "completed", "failed", "average", "executions", *WorkflowAdmin.fields[7:])
    readonly_fields = (*WorkflowAdmin.readonly_fields, "completed", "failed", "average", "executions")
    actions = ["activate", "deactivate"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workflow]:
        figures = WorkflowFigures.objects.filter(workflow_id=OuterRef("id"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                runs_completed=Subquery(figures.values("completed")),
                runs_failed=Subquery(figures.values(sum=F("failed") + F("timeout"))),
                runs_mean=Subquery(
                    figures.values(
                        mean=F("seconds") / NullIf(F("completed") + F("failed") + F("cancelled") + F("timeout"), 0)
                    )
                ),
            )
        )

    @admin.display(description="completed", ordering="runs_completed")
    def completed(self, workflow: Any) -> int:
        return workflow.runs_completed or 0

    @admin.display(description="failed", ordering="runs_failed")
    def failed(self, workflow: Any) -> int:
        return workflow.runs_failed or 0

    @admin.display(description="average duration", ordering="runs_mean")
    def average(self, workflow: Any) -> str:
        return markup.span(workflow.runs_mean)

    @admin.display(description="executions")
    def executions(self, workflow: Workflow) -> SafeString:
        return markup.listing("executions", "execution", "Its executions", workflow__id__exact=workflow.pk)

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("workflows.change_workflow")

    @admin.action(description="Activate", permissions=["switch"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        self._switch(request, queryset, active=True)

    @admin.action(description="Deactivate", permissions=["switch"])
    @asks("Nothing starts these workflows any more: no person, no schedule, no webhook. Runs under way go on.")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        self._switch(request, queryset, active=False)

    def _switch(self, request: HttpRequest, chosen: QuerySet[Workflow], *, active: bool) -> None:
        word = "activated" if active else "deactivated"
        for workflow in chosen:
            try:
                actor = operator_in(request, workflow.organization_id)
                workflows.set_active(actor=actor, workflow_id=workflow.id, active=active)
            except DefinitionRefused as error:
                places = "; ".join(f"{each.field}: {each.message}" for each in error.problems[:5])
                self.message_user(request, f"{workflow}: {error.message} {places}", messages.ERROR)
            except DomainError as error:
                self.message_user(request, f"{workflow}: {error.message}", messages.ERROR)
            else:
                self.log_change(request, workflow, word.capitalize() + ".")
                self.message_user(request, f"{workflow}: {word}.", messages.SUCCESS)
