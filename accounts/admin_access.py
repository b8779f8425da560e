"""The operators' view of an organization's own roles and of API keys, with the button to revoke a key."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import keys
from accounts.asking import asks
from accounts.models import ApiKey, CustomRole
from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin


@admin.register(CustomRole)
class CustomRoleAdmin(RecordAdmin):
    list_display = ("name", "organization", "created_at", "updated_at")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name")
    search_help_text = "Name, organization's name or id"
    related = ("organization", "made_by")
    fields: Any = ("name", "description", "organization", "permissions", "made_by", "created_at", "updated_at", "id")


@admin.register(ApiKey)
class ApiKeyAdmin(RecordAdmin):
    """Which key it is cannot be seen."""

    list_display = (
        "name",
        "last_four",
        "user",
        "organization",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization", "user")
    search_fields = ("name", "user__email", "organization__name")
    search_help_text = "Name, whose it is, organization's name or id"
    related = ("organization", "user", "made_by")
    fields: Any = (
        "name", "last_four", "organization", "user", "made_by", "scopes", "networks", "created_at", "expires_at",
        "last_used_at", "revoked_at", "revoke_reason", "id",
    )  # fmt: skip
    actions = ["revoke"]

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    @admin.action(description="Revoke", permissions=["manage"])
    @asks(
        "Programs that use these keys are refused at once. A revoked key never works again; its owner has to make another."
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        with transaction.atomic():
            chosen = ApiKey.unscoped.filter(pk__in=queryset.values("pk"))
            ended = keys.end(chosen, reason="revoked by an operator", now=timezone.now())
        self.message_user(request, f"{ended} keys revoked.", messages.SUCCESS)
