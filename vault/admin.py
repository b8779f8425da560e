"""The operators' view of data keys: which there are, never what they are."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.asking import asks
from accounts.operators import AutocompleteFilter, ReadOnlyAdmin
from vault import services
from vault.models import DataKey


@admin.register(DataKey)
class DataKeyAdmin(ReadOnlyAdmin):
    list_display = ("organization", "number", "server_key", "created_at", "retired_at")
    list_filter = (("organization", AutocompleteFilter),)
    list_filter_submit = True
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    ordering = ("organization", "-number")
    fields = ("organization", "number", "server_key", "created_at", "retired_at", "id")
    actions = ("rotate",)

    def has_rotate_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    @admin.action(description="Begin a new key for these organizations", permissions=["rotate"])
    @asks("All that is sealed for these organizations is sealed anew under a new key. Nothing has to stop meanwhile.")
    def rotate(self, request: HttpRequest, rows: QuerySet[DataKey]) -> None:
        organizations = set(rows.values_list("organization_id", flat=True))
        moved = sum(services.rotate(organization_id=each).moved for each in organizations)
        self.message_user(
            request,
            f"{len(organizations)} organizations have a new key; {moved} secrets are under it.",
            messages.SUCCESS,
        )
