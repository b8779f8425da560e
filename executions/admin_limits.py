"""The operators' view of what organizations may run at once, and of brakes, with the button that releases one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from accounts import markup
from accounts.models import User
from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin
from executions import brakes
from executions.models import WorkflowBrake


class RunLimitsAdmin(ModelAdmin):
    """One row for an organization whose limits differ from the platform's."""

    list_display = ("organization", "concurrent_runs", "queued_runs", "starts_per_minute")
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    search_help_text = "Organization's name"
    autocomplete_fields = ("organization",)
    fields = ("organization", "concurrent_runs", "queued_runs", "starts_per_minute")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("organization",) if obj is not None else ()


class WorkflowBrakeAdmin(RecordAdmin):
    """Workflows whose automatic starts are refused, or were."""

    list_display = ("workflow_link", "state", "reason", "since", "ends", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization")
    search_fields = ("workflow__name", "message")
    search_keys = ("id", "workflow_id")
    search_help_text = "Workflow's name or id, or message"
    related = ("workflow", "organization")
    fields: Any = (
        "workflow_link", "state", "reason", "message", "since", "ends", "run", "released", "released_by", "organization", "id",
    )  # fmt: skip
    readonly_fields = ("workflow_link", "state", "since", "ends", "run", "released")
    actions = ["release"]

    @admin.display(description="workflow")
    def workflow_link(self, brake: WorkflowBrake) -> SafeString:
        return markup.link(brake.workflow)

    @admin.display(description="state")
    def state(self, brake: WorkflowBrake) -> str:
        return "released" if brake.released_at is not None or brake.until <= timezone.now() else "braked"

    @admin.display(description="since")
    def since(self, brake: WorkflowBrake) -> str:
        return markup.moment(brake.created_at)

    @admin.display(description="until")
    def ends(self, brake: WorkflowBrake) -> str:
        return markup.moment(brake.until)

    @admin.display(description="released")
    def released(self, brake: WorkflowBrake) -> str:
        return markup.moment(brake.released_at)

    @admin.display(description="execution")
    def run(self, brake: WorkflowBrake) -> SafeString:
        if brake.tripped_by is None:
            return SafeString(markup.NOTHING)
        return markup.link_to("executions", "execution", brake.tripped_by, markup.short_id(brake.tripped_by))

    def has_release_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("executions.change_workflowbrake")

    @admin.action(description="Release", permissions=["release"])
    def release(self, request: HttpRequest, queryset: QuerySet[WorkflowBrake]) -> None:
        assert isinstance(request.user, User), "only operators come here"  # noqa: S101  For the checker.
        for brake in queryset:
            if brakes.release(brake=brake, by=request.user.email):
                self.log_change(request, brake, "Released.")
                self.message_user(request, f"{brake.workflow}: released.", messages.SUCCESS)
            else:
                self.message_user(request, f"{brake.workflow}: this brake had ended already.", messages.WARNING)
