"""The operators' view of data rights: what was asked for, how far it is, and calling an erasure off."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin
from privacy import services
from privacy.errors import ErasureNotFound
from privacy.models import DataExport, Erasure


@admin.register(DataExport)
class DataExportAdmin(RecordAdmin):
    list_display = ("created_at", "subject", "status", "progress", "rows", "user", "organization")
    list_filter = ("subject", "status", ("organization", AutocompleteFilter), CreatedFilter)
    list_select_related = ("user", "organization")
    search_fields = ("organization__name",)
    fields = (
        "subject", "user", "organization", "created_at", "status", "progress", "rows", "attempts", "due_at", "size", "error",
        "completed_at", "expires_at", "id",
    )  # fmt: skip


@admin.register(Erasure)
class ErasureAdmin(RecordAdmin):
    list_display = ("created_at", "subject", "subject_id", "due_at", "started_at", "finished_at", "cancelled_at")
    list_filter = ("subject", CreatedFilter)
    search_fields = ("subject_id",)
    fields = (
        "subject", "subject_id", "requested_by", "created_at", "due_at", "attempts", "started_at", "finished_at",
        "cancelled_at", "counts", "id",
    )  # fmt: skip
    actions = ("call_off",)

    def has_call_off_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    @admin.action(description="Call these erasures off, where they have not begun", permissions=["call_off"])
    def call_off(self, request: HttpRequest, rows: QuerySet[Erasure]) -> None:
        kept = 0
        for subject_id in rows.values_list("subject_id", flat=True):
            try:
                services.call_off(subject_id=subject_id)
                kept += 1
            except ErasureNotFound:
                continue
        self.message_user(request, f"{kept} erasures were called off.", messages.SUCCESS)
