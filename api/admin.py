"""The operators' view of answered requests, of tickets for sockets and of clients' streams. Answers are not shown: one may hold
what is shown once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from accounts import markup
from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin
from api.models import IdempotencyRecord, KeptStream, LineBatch, SocketTicket, StreamMark


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


@admin.register(KeptStream)
class KeptStreamAdmin(RecordAdmin):
    list_display = ("created", "client_id", "user", "seen_at", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization", "user")
    search_fields = ("client_id",)
    search_help_text = "Client id or id"
    fields: Any = ("created", "organization", "user", "client_id", "owner", "seen_at", "rights", "id")
    readonly_fields = ("created",)

    @admin.display(description="created")
    def created(self, stream: KeptStream) -> str:
        return markup.moment(stream.created_at)


@admin.register(LineBatch)
class LineBatchAdmin(RecordAdmin):
    list_display = ("created", "number", "total", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("number",)
    search_help_text = "Number or id"
    deferred = ("entries",)
    fields: Any = ("created", "organization", "number", "total", "entries", "id")
    readonly_fields = ("created",)

    @admin.display(description="created")
    def created(self, batch: LineBatch) -> str:
        return markup.moment(batch.created_at)


@admin.register(StreamMark)
class StreamMarkAdmin(RecordAdmin):
    list_display = ("created", "stream_id", "number", "seq", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_keys = ("id", "stream_id")
    search_fields = ("stream__client_id",)
    search_help_text = "Client, stream or id"
    deferred = ("filter",)
    fields: Any = ("created", "organization", "stream_id", "number", "seq", "filter", "id")
    readonly_fields = ("created",)

    @admin.display(description="created")
    def created(self, mark: StreamMark) -> str:
        return markup.moment(mark.created_at)
