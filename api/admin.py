"""The operators' view of answered requests and of tickets for sockets. Answers are not shown: one may hold what is shown once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from accounts import markup
from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin
from api.models import IdempotencyRecord, SocketTicket


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(RecordAdmin):
    list_display = ("created", "endpoint", "key", "status", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("endpoint", "key")
    search_help_text = "Endpoint, key or id"
    deferred = ("sealed",)
    fields: Any = ("created", "organization", "endpoint", "key", "status", "request_hash", "id")
    readonly_fields = ("created",)

    @admin.display(description="created")
    def created(self, record: IdempotencyRecord) -> str:
        return markup.moment(record.created_at)


@admin.register(SocketTicket)
class SocketTicketAdmin(RecordAdmin):
    list_display = ("created", "path", "expires_at", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("path",)
    search_help_text = "Path or id"
    fields: Any = ("created", "organization", "path", "session_id", "expires_at", "access_until", "id")
    readonly_fields = ("created",)

    @admin.display(description="created")
    def created(self, ticket: SocketTicket) -> str:
        return markup.moment(ticket.created_at)
