"""The operators' view of AI usage. The ledger is only read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts import markup
from accounts.operators import AutocompleteFilter, CreatedFilter, KeptAdmin, RecordAdmin
from ai.models import AiUsage, CustomModel


@admin.register(AiUsage)
class AiUsageAdmin(RecordAdmin):
    list_display = (
        "created",
        "organization",
        "provider",
        "model",
        "prompt_tokens",
        "completion_tokens",
        "cost_usd",
        "run",
    )
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("provider", "model", "node_id")
    search_keys = ("id", "execution_id")
    search_help_text = "Provider, model, node or execution id"
    fields: Any = (
        "created", "organization", "run", "node_id", "provider", "model", "prompt_tokens", "completion_tokens", "cost_usd",
        "duration_ms", "id",
    )  # fmt: skip
    readonly_fields = ("created", "run")

    @admin.display(description="created")
    def created(self, usage: AiUsage) -> str:
        return markup.moment(usage.created_at)

    @admin.display(description="execution")
    def run(self, usage: AiUsage) -> SafeString | str:
        if usage.execution_id is None:
            return markup.NOTHING
        return markup.link_to("executions", "execution", usage.execution_id, markup.short_id(usage.execution_id))


@admin.register(CustomModel)
class CustomModelAdmin(KeptAdmin):
    """Models that organizations registered. Operators can switch a version off."""

    list_display = ("model_id", "version", "organization", "is_active", "created_at")
    list_filter = ("is_active", ("organization", AutocompleteFilter))
    list_filter_submit = True
    list_select_related = ("organization",)
    search_fields = ("model_id", "version")
    ordering = ("model_id", "-id")
    fields: Any = ("model_id", "version", "organization", "description", "is_active", "connection", "created_at", "id")
    readonly_fields = ("model_id", "version", "organization", "description", "connection", "created_at", "id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
