"""The operators' view of what runs wait for: open questions, what was answered, and events that came in. Only read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts import markup
from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin
from executions.models import OpenQuestion, QuestionAnswer, ReceivedEvent


class OpenQuestionAdmin(RecordAdmin):
    list_display = ("title", "reason", "state", "run", "created", "due", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("title", "node_id", "event")
    search_keys = ("id", "execution_id", "workflow_id")
    search_help_text = "Title, node, event or id"
    related = ("organization",)
    fields: Any = (
        "title", "message", "reason", "state", "run", "node_id", "event", "asked", "roles", "public", "not_author", "created",
        "due", "organization", "id",
    )  # fmt: skip
    readonly_fields = ("state", "run", "created", "due", "asked")

    @admin.display(description="state")
    def state(self, question: OpenQuestion) -> SafeString:
        return markup.state("waiting" if question.closed_at is None else "completed")

    @admin.display(description="execution")
    def run(self, question: OpenQuestion) -> SafeString:
        return markup.link_to("executions", "execution", question.execution_id, markup.short_id(question.execution_id))

    @admin.display(description="asked")
    def created(self, question: OpenQuestion) -> str:
        return markup.moment(question.created_at)

    @admin.display(description="until")
    def due(self, question: OpenQuestion) -> str:
        return markup.moment(question.due_at) if question.due_at else str(markup.NOTHING)

    @admin.display(description="people")
    def asked(self, question: OpenQuestion) -> SafeString:
        return markup.json_block(question.people, "People")


class QuestionAnswerAdmin(RecordAdmin):
    list_display = ("created", "question", "email", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("question", "organization")
    search_fields = ("email",)
    search_keys = ("id", "question_id")
    search_help_text = "Address or id"
    related = ("question", "organization")
    deferred = ("data",)
    fields: Any = ("created", "question", "email", "said", "organization", "id")
    readonly_fields = ("created", "said")

    @admin.display(description="answered")
    def created(self, answer: QuestionAnswer) -> str:
        return markup.moment(answer.created_at)

    @admin.display(description="answer")
    def said(self, answer: QuestionAnswer) -> SafeString:
        return markup.json_block(answer.data, "Answer")


class ReceivedEventAdmin(RecordAdmin):
    list_display = ("created", "name", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("name",)
    search_keys = ("id",)
    search_help_text = "Name or id"
    related = ("organization",)
    deferred = ("data",)
    fields: Any = ("created", "name", "said", "organization", "id")
    readonly_fields = ("created", "said")

    @admin.display(description="came")
    def created(self, event: ReceivedEvent) -> str:
        return markup.moment(event.created_at)

    @admin.display(description="data")
    def said(self, event: ReceivedEvent) -> SafeString:
        return markup.json_block(event.data, "Data")
