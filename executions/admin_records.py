"""The operators' view of what executions left behind: log lines, and what a workflow's runs add up to. Only read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts import markup
from accounts.operators import SEARCHED, AutocompleteFilter, CreatedFilter, NewestWith, ReadOnlyAdmin, RecordAdmin
from executions.models import (
    ExecutionLog,
    ExecutionStep,
    ScheduleFire,
    WebhookReceipt,
    Worker,
    WorkflowFigures,
)
from executions.presence import LATELY


class LevelFilter(NewestWith):
    title = f"level, of the newest {SEARCHED:,}"
    parameter_name = "grade"
    column = "level"
    values = ("info", "warning", "error")


def execution_link(row: ExecutionStep | ExecutionLog) -> SafeString:
    return markup.link_to("executions", "execution", row.execution_id, markup.short_id(row.execution_id))


class ExecutionLogAdmin(RecordAdmin):
    list_display = ("at", "coloured_level", "run", "node_id", "kind", "text")
    list_filter = (CreatedFilter, LevelFilter, ("organization", AutocompleteFilter))
    search_fields = ("message", "node_id")
    search_keys = ("id", "execution_id")
    search_help_text = "Message, node or execution id"
    deferred = ("data",)
    fields: Any = (
        "at",
        "run",
        "seq",
        "coloured_level",
        "kind",
        "node_id",
        "message",
        "status",
        "progress",
        "details",
        "id",
    )
    readonly_fields = ("at", "run", "coloured_level", "details")

    @admin.display(description="moment")
    def at(self, line: ExecutionLog) -> str:
        return markup.moment(line.created_at)

    @admin.display(description="level")
    def coloured_level(self, line: ExecutionLog) -> SafeString:
        return markup.state(line.level)

    @admin.display(description="execution")
    def run(self, line: ExecutionLog) -> SafeString:
        return execution_link(line)

    @admin.display(description="message")
    def text(self, line: ExecutionLog) -> SafeString:
        return markup.excerpt(line.message, 120)

    @admin.display(description="details")
    def details(self, line: ExecutionLog) -> SafeString:
        return markup.json_block(line.data, "Details")


class ScheduleFireAdmin(RecordAdmin):
    list_display = ("moment", "schedule_link", "run", "created", "organization")
    list_filter = (CreatedFilter, ("schedule", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("schedule__workflow", "organization")
    search_fields = ("schedule__workflow__name", "schedule__node_id")
    search_keys = ("id", "schedule_id", "execution_id")
    search_help_text = "Workflow's name, node, or id"
    related = ("schedule__workflow", "organization")
    fields: Any = ("moment", "schedule_link", "run", "organization", "created", "id")
    readonly_fields = ("moment", "schedule_link", "run", "created")

    @admin.display(description="moment")
    def moment(self, fire: ScheduleFire) -> str:
        return markup.moment(fire.fire_at)

    @admin.display(description="schedule")
    def schedule_link(self, fire: ScheduleFire) -> SafeString:
        return markup.link(fire.schedule, f"{fire.schedule.workflow.name}: {fire.schedule.node_id}")

    @admin.display(description="execution")
    def run(self, fire: ScheduleFire) -> SafeString | str:
        if fire.execution_id is None:
            return markup.NOTHING
        return markup.link_to("executions", "execution", fire.execution_id, markup.short_id(fire.execution_id))

    @admin.display(description="fired")
    def created(self, fire: ScheduleFire) -> str:
        return markup.moment(fire.created_at)


class WebhookReceiptAdmin(RecordAdmin):
    list_display = ("created", "workflow_link", "node_id", "run", "organization")
    list_filter = (CreatedFilter, ("workflow", AutocompleteFilter), ("organization", AutocompleteFilter))
    list_select_related = ("workflow", "organization")
    search_fields = ("workflow__name", "node_id")
    search_keys = ("id", "workflow_id", "execution_id")
    search_help_text = "Workflow's name, node, or id"
    related = ("workflow", "organization")
    fields: Any = ("created", "workflow_link", "node_id", "run", "organization", "key", "id")
    readonly_fields = ("created", "workflow_link", "run")

    @admin.display(description="came")
    def created(self, receipt: WebhookReceipt) -> str:
        return markup.moment(receipt.created_at)

    @admin.display(description="workflow")
    def workflow_link(self, receipt: WebhookReceipt) -> SafeString:
        return markup.link(receipt.workflow)

    @admin.display(description="execution")
    def run(self, receipt: WebhookReceipt) -> SafeString:
        return markup.link_to("executions", "execution", receipt.execution_id, markup.short_id(receipt.execution_id))


class WorkflowFiguresAdmin(ReadOnlyAdmin):
    list_display = ("workflow", "completed", "failed", "timeout", "cancelled", "average")
    list_select_related = ("workflow",)
    search_fields = ("workflow__name",)
    ordering = ("-failed",)

    @admin.display(description="average duration")
    def average(self, figures: WorkflowFigures) -> str:
        ended = figures.completed + figures.failed + figures.cancelled + figures.timeout
        return markup.span(figures.seconds / ended) if ended else markup.NOTHING


class WorkerAdmin(ReadOnlyAdmin):
    """Worker processes, as each notes every ten seconds that it is there."""

    list_display = ("owner", "state", "started", "looked", "claimed", "version")
    search_fields = ("owner",)
    ordering = ("-looked_at",)
    fields: Any = ("owner", "state", "started", "looked", "claimed", "version")
    readonly_fields = ("state", "started", "looked", "claimed")

    @admin.display(description="state")
    def state(self, worker: Worker) -> SafeString:
        ago = (timezone.now() - worker.looked_at).total_seconds()
        return markup.state("running" if ago <= LATELY else "failed")

    @admin.display(description="started")
    def started(self, worker: Worker) -> str:
        return markup.moment(worker.started_at)

    @admin.display(description="looked for work")
    def looked(self, worker: Worker) -> str:
        return markup.moment(worker.looked_at)

    @admin.display(description="took up a run")
    def claimed(self, worker: Worker) -> str:
        return markup.moment(worker.claimed_at)
