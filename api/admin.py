"""The operators' view of answered requests. The answers themselves are not shown: one may hold what is shown only once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from accounts import markup
from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin
from api.models import IdempotencyRecord


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(RecordAdmin):
    list_display = ("created", "endpoint", "key", "status", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("endpoint", "key")
    search_help_text = "Endpoint, key or id"
    deferred = ("body",)
    fields: Any = ("created", "organization", "endpoint", "key", "status", "request_hash", "id")
    readonly_fields = ("created",)

    @admin.display(description="created")
    def created(self, record: IdempotencyRecord) -> str:
        return markup.moment(record.created_at)
