"""The operators' pages: releases of the clients, which they keep, and what clients sent, which they look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts.operators import AutocompleteFilter, CreatedFilter, RecordAdmin
from native.models import Release, SentFile, SyncedChange


@admin.register(Release)
class ReleaseAdmin(ModelAdmin):
    """A release is offered from `released_at` on, to as many of a hundred installations as its rollout says."""

    list_display = (
        "version",
        "platform",
        "arch",
        "channel",
        "rollout_percent",
        "minimum_version",
        "released_at",
        "withdrawn_at",
    )
    list_filter = ("platform", "channel", "arch")
    search_fields = ("version", "notes_markdown")
    ordering = ("-released_at",)
    fieldsets = (
        (None, {"fields": (("platform", "arch", "channel"), ("version", "minimum_version"), "notes_markdown")}),
        ("Offered", {"fields": (("rollout_percent", "released_at", "withdrawn_at"),)}),
        ("File", {"fields": ("download_url", ("size_bytes", "sha256"), "signature")}),
    )

    def formfield_for_dbfield(self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.URLField):
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(SyncedChange)
class SyncedChangeAdmin(RecordAdmin):
    list_display = ("created_at", "collection", "row_id", "version", "user", "organization")
    list_filter = ("collection", ("organization", AutocompleteFilter), CreatedFilter)
    list_select_related = ("user", "organization")
    search_keys = ("id", "row_id", "change_id")
    search_fields = ("collection",)
    fields = ("collection", "row_id", "given_id", "version", "change_id", "user", "organization", "created_at", "id")


@admin.register(SentFile)
class SentFileAdmin(RecordAdmin):
    list_display = ("created_at", "purpose", "file", "user", "organization")
    list_filter = ("purpose", ("organization", AutocompleteFilter), CreatedFilter)
    list_select_related = ("user", "organization", "file")
    search_keys = ("id", "file_id")
    search_fields = ("purpose",)
    fields = ("purpose", "file", "client_upload_id", "user", "organization", "created_at", "id")
