"""The operators' view of stored files, what they add up to, and how long each organization keeps its records."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from accounts import markup
from accounts.operators import AutocompleteFilter, CreatedFilter, ReadOnlyAdmin, RecordAdmin
from artefacts.models import Artefact, RetentionRules, StorageUse


@admin.register(Artefact)
class ArtefactAdmin(RecordAdmin):
    """What there is, never what is in it: files hold customers' data."""

    list_display = ("created", "shown_name", "media_type", "length", "purpose", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("name",)
    search_keys = ("id", "execution_id")
    search_help_text = "Name, id or execution id"
    fields: Any = (
        "name", "media_type", "length", "sha256", "purpose", "execution_id", "key", "organization", "created_by", "created",
        "expires_at", "id",
    )  # fmt: skip
    readonly_fields = ("created", "length")

    @admin.display(description="created")
    def created(self, row: Artefact) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="name")
    def shown_name(self, row: Artefact) -> SafeString:
        return markup.excerpt(row.name, 60)

    @admin.display(description="size")
    def length(self, row: Artefact) -> str:
        return filesizeformat(row.size)


@admin.register(StorageUse)
class StorageUseAdmin(ReadOnlyAdmin):
    list_display = ("organization", "length", "files")
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    ordering = ("-bytes",)

    @admin.display(description="size", ordering="bytes")
    def length(self, row: StorageUse) -> str:
        return filesizeformat(row.bytes)


@admin.register(RetentionRules)
class RetentionRulesAdmin(ModelAdmin):
    """An organization without a row keeps executions 90 days, receipts 30 days, and uploads until they are deleted."""

    list_display = ("organization", "execution_days", "receipt_days", "upload_days", "updated_at")
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
    autocomplete_fields = ("organization",)
    readonly_fields = ("updated_at",)
