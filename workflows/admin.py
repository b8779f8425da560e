"""The operators' view of definitions. They are drawn elsewhere; `executions.admin` adds what needs executions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts import markup
from accounts.operators import AutocompleteFilter, ChoiceFilter, ReadOnlyAdmin, RecordAdmin
from workflows.live import shown_edit
from workflows.merge import EDITS
from workflows.models import (
    Schedule,
    Workflow,
    WorkflowComment,
    WorkflowOperation,
    WorkflowParticipant,
    WorkflowSecret,
    WorkflowTestCase,
    WorkflowVersion,
)
from workflows.secrets import masked, without_secrets

Json = dict[str, Any]


class ActiveFilter(ChoiceFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> Iterator[tuple[str, str]]:
        yield from (("active", "active"), ("inactive", "inactive"), ("deleted", "deleted"))

    def queryset(self, request: Any, queryset: Any) -> Any:
        if self.value() == "deleted":
            return queryset.exclude(deleted_at=None)
        if self.value() in ("active", "inactive"):
            return queryset.filter(deleted_at=None, is_active=self.value() == "active")
        return queryset


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    list_display: Any = ("name", "organization", "version", "is_active", "updated")
    list_filter = (ActiveFilter, ("organization", AutocompleteFilter))
    list_filter_submit = True
    list_select_related = ("organization",)
    search_fields = ("name", "=id")
    search_help_text = "Name or id"
    ordering = ("-id",)
    fields: Any = (
        "name", "description", "category", "organization_link", "is_active", "newest_version", "published_version", "versions",
        "template_id", "created_by", "created", "updated", "deleted_at", "id",
    )  # fmt: skip
    readonly_fields: Any = ("organization_link", "newest_version", "versions", "created", "updated")

    @admin.display(description="organization")
    def organization_link(self, workflow: Workflow) -> SafeString:
        return markup.link(workflow.organization)

    @admin.display(description="newest version")
    def newest_version(self, workflow: Workflow) -> Any:
        found = WorkflowVersion.unscoped.filter(workflow=workflow).order_by("-number").defer("definition").first()
        if found is None:
            return markup.NOTHING
        more = workflow.version - found.number
        return markup.link(found, f"Version {found.number}" + (f" and {more} edits since" if more else ""))

    @admin.display(description="all versions")
    def versions(self, workflow: Workflow) -> SafeString:
        return markup.listing("workflows", "workflowversion", "All versions", workflow__id__exact=workflow.pk)

    @admin.display(description="created", ordering="id")
    def created(self, workflow: Workflow) -> str:
        return markup.moment(workflow.created_at)

    @admin.display(description="updated", ordering="updated_at")
    def updated(self, workflow: Workflow) -> str:
        return markup.moment(workflow.updated_at)


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(RecordAdmin):
    list_display = ("version", "organization", "created_by", "created", "short_checksum")
    list_filter = (("workflow", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization", "created_by")
    search_fields = ("workflow__name",)
    search_keys = ("id", "workflow_id")
    search_help_text = "Workflow's name or id"
    deferred = ("definition",)
    fields: Any = (
        "workflow_link", "number", "organization", "created_by", "created", "note", "published_by", "published_at", "checksum",
        "nodes", "edges", "whole",
    )  # fmt: skip
    readonly_fields = ("workflow_link", "created", "nodes", "edges", "whole")

    @admin.display(description="version")
    def version(self, version: WorkflowVersion) -> str:
        return f"{version.workflow.name} v{version.number}"

    @admin.display(description="workflow")
    def workflow_link(self, version: WorkflowVersion) -> SafeString:
        return markup.link(version.workflow)

    @admin.display(description="created")
    def created(self, version: WorkflowVersion) -> str:
        return markup.moment(version.created_at)

    @admin.display(description="checksum")
    def short_checksum(self, version: WorkflowVersion) -> str:
        return version.checksum[:12]

    @admin.display(description="nodes")
    def nodes(self, version: WorkflowVersion) -> SafeString:
        found = _objects(version.definition, "nodes")
        rows = [
            (
                each.get("id", ""),
                each.get("type", ""),
                each.get("title", ""),
                markup.json_block(masked(each), "Settings"),
            )
            for each in found[: markup.SHOWN_ROWS]
        ]
        return markup.table(("Id", "Type", "Title", "Settings"), rows, of=len(found))

    @admin.display(description="edges")
    def edges(self, version: WorkflowVersion) -> SafeString:
        found = _objects(version.definition, "edges")
        rows = [
            (
                each.get("source_node_id", ""),
                each.get("source_port") or "out",
                each.get("target_node_id", ""),
                each.get("condition") or markup.NOTHING,
            )
            for each in found[: markup.SHOWN_ROWS]
        ]
        return markup.table(("From", "Port", "To", "Condition"), rows, of=len(found))

    @admin.display(description="definition")
    def whole(self, version: WorkflowVersion) -> SafeString:
        return markup.json_block(without_secrets(version.definition), "Definition", limit=200_000)


@admin.register(WorkflowTestCase)
class WorkflowTestCaseAdmin(RecordAdmin):
    """What a workflow promises. It is written where the workflow is drawn."""

    list_display = ("name", "workflow_link", "passed", "last_version", "last_run", "organization")
    list_filter = (("workflow", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization")
    search_fields = ("name", "workflow__name")
    search_keys = ("id", "workflow_id")
    search_help_text = "Its name, or the workflow's name or id"
    deferred = ("input_data", "context", "pinned", "mocks", "assertions", "last_result")
    related = ("workflow", "organization", "created_by")
    fields: Any = (
        "name", "workflow_link", "organization", "created_by", "expected_status", "claims", "given", "passed", "last_version",
        "last_run", "told", "id",
    )  # fmt: skip
    readonly_fields = ("workflow_link", "claims", "given", "passed", "last_run", "told")

    @admin.display(description="workflow")
    def workflow_link(self, case: WorkflowTestCase) -> SafeString:
        return markup.link(case.workflow)

    @admin.display(description="passed", boolean=True)
    def passed(self, case: WorkflowTestCase) -> bool | None:
        return case.last_passed

    @admin.display(description="last run")
    def last_run(self, case: WorkflowTestCase) -> str:
        return markup.moment(case.last_run_at)

    @admin.display(description="assertions")
    def claims(self, case: WorkflowTestCase) -> SafeString:
        return markup.json_block(case.assertions, "Assertions")

    @admin.display(description="given")
    def given(self, case: WorkflowTestCase) -> SafeString:
        parts = {name: getattr(case, name) for name in ("input_data", "context", "pinned", "mocks")}
        return markup.json_block(parts, "Given")

    @admin.display(description="what the last run told")
    def told(self, case: WorkflowTestCase) -> SafeString:
        return markup.json_block(case.last_result, "Result")


class DueFilter(ChoiceFilter):
    title = "state"
    parameter_name = "due"

    def lookups(self, request: Any, model_admin: Any) -> Iterator[tuple[str, str]]:
        yield from (("on", "on"), ("off", "off"))

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(due_at__isnull=self.value() == "off") if self.value() in ("on", "off") else queryset


@admin.register(Schedule)
class ScheduleAdmin(RecordAdmin):
    """What runs by the clock, and when next. It is changed by changing the workflow."""

    list_display = ("workflow_link", "node_id", "when", "next_run", "last_run", "organization")
    list_filter = (DueFilter, ("workflow", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization")
    search_fields = ("workflow__name", "node_id")
    search_keys = ("id", "workflow_id")
    search_help_text = "Workflow's name or id, or node"
    deferred = ("inputs",)
    related = ("workflow", "organization")
    fields: Any = (
        "workflow_link", "node_id", "organization", "when", "next_run", "last_run", "fires", "shown_rule", "shown_inputs", "id",
    )  # fmt: skip
    readonly_fields = ("workflow_link", "when", "next_run", "last_run", "fires", "shown_rule", "shown_inputs")

    @admin.display(description="workflow")
    def workflow_link(self, schedule: Schedule) -> SafeString:
        return markup.link(schedule.workflow)

    @admin.display(description="rule")
    def when(self, schedule: Schedule) -> str:
        rule = schedule.rule
        return (
            f"{rule['cron']} ({rule.get('timezone', 'UTC')})"
            if rule.get("cron")
            else f"every {markup.span(rule.get('every_seconds'))}"
        )

    @admin.display(description="next run")
    def next_run(self, schedule: Schedule) -> str:
        return markup.moment(schedule.due_at)

    @admin.display(description="last run")
    def last_run(self, schedule: Schedule) -> str:
        return markup.moment(schedule.last_fired_at)

    @admin.display(description="runs")
    def fires(self, schedule: Schedule) -> SafeString:
        return markup.listing("executions", "schedulefire", "Its runs", schedule__id__exact=schedule.pk)

    @admin.display(description="rule as stored")
    def shown_rule(self, schedule: Schedule) -> SafeString:
        return markup.json_block(schedule.rule, "Rule")

    @admin.display(description="inputs")
    def shown_inputs(self, schedule: Schedule) -> SafeString:
        return markup.json_block(schedule.inputs, "Inputs")


@admin.register(WorkflowSecret)
class WorkflowSecretAdmin(ReadOnlyAdmin):
    """Which secrets there are, never what they are."""

    list_display = ("id", "organization", "created_at")
    list_filter = (("organization", AutocompleteFilter),)
    list_filter_submit = True
    list_select_related = ("organization",)
    search_fields = ("id",)
    ordering = ("-id",)
    fields = ("id", "organization", "created_at")


@admin.register(WorkflowOperation)
class WorkflowOperationAdmin(RecordAdmin):
    """What was done to a workflow, one revision after another."""

    list_display = ("workflow_link", "revision", "operation", "subject", "user", "created", "organization")
    list_filter = (("workflow", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization", "user")
    search_fields = ("workflow__name",)
    search_keys = ("id", "workflow_id")
    search_help_text = "Workflow's name or id"
    deferred = ("data", "before")
    related = ("workflow", "organization", "user")
    fields: Any = (
        "workflow_link", "revision", "version", "organization", "user", "created", "operation", "subject", "act", "target",
        "cause", "client_op_id", "connection", "told", "id",
    )  # fmt: skip
    readonly_fields = ("workflow_link", "created", "told")

    @admin.display(description="workflow")
    def workflow_link(self, row: WorkflowOperation) -> SafeString:
        return markup.link(row.workflow)

    @admin.display(description="at")
    def created(self, row: WorkflowOperation) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="what it changed")
    def told(self, row: WorkflowOperation) -> SafeString:
        shown = shown_edit(row) if row.operation in EDITS else row.data
        return markup.json_block(shown, "Change")


@admin.register(WorkflowParticipant)
class WorkflowParticipantAdmin(RecordAdmin):
    """Who has a workflow open, or had until a moment ago."""

    list_display = ("workflow_link", "user", "can_edit", "seen", "organization")
    list_filter = (("workflow", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization", "user")
    search_fields = ("workflow__name",)
    search_keys = ("id", "workflow_id")
    search_help_text = "Workflow's name or id"
    related = ("workflow", "organization", "user")
    fields: Any = ("workflow_link", "user", "organization", "connection", "color", "can_edit", "seen", "id")
    readonly_fields = ("workflow_link", "seen")

    @admin.display(description="workflow")
    def workflow_link(self, row: WorkflowParticipant) -> SafeString:
        return markup.link(row.workflow)

    @admin.display(description="last seen")
    def seen(self, row: WorkflowParticipant) -> str:
        return markup.moment(row.seen_at)


@admin.register(WorkflowComment)
class WorkflowCommentAdmin(RecordAdmin):
    """What people say about a workflow while they make it."""

    list_display = ("workflow_link", "node_id", "created_by", "created", "resolved", "organization")
    list_filter = (("workflow", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization", "created_by")
    search_fields = ("workflow__name",)
    search_keys = ("id", "workflow_id")
    search_help_text = "Workflow's name or id"
    related = ("workflow", "organization", "created_by", "resolved_by", "parent")
    fields: Any = (
        "workflow_link", "node_id", "parent", "organization", "created_by", "created", "edited_at", "body", "resolved_by",
        "resolved_at", "deleted_at", "id",
    )  # fmt: skip
    readonly_fields = ("workflow_link", "created", "resolved")

    @admin.display(description="workflow")
    def workflow_link(self, row: WorkflowComment) -> SafeString:
        return markup.link(row.workflow)

    @admin.display(description="written")
    def created(self, row: WorkflowComment) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="resolved", boolean=True)
    def resolved(self, row: WorkflowComment) -> bool:
        return row.resolved_at is not None


def _objects(definition: Any, part: str) -> list[Json]:
    """What a definition holds under a name; an old or damaged one may hold anything."""
    found = definition.get(part) if isinstance(definition, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
