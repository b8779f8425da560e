"""The operators' view of preferences: that somebody has some, and how often they changed."""

from __future__ import annotations

from django.contrib import admin

from accounts.operators import AutocompleteFilter, RecordAdmin
from preferences.models import PreferenceSheet


@admin.register(PreferenceSheet)
class PreferenceSheetAdmin(RecordAdmin):
    list_display = ("updated_at", "user", "version", "organization")
    list_filter = (("organization", AutocompleteFilter),)
    list_select_related = ("user", "organization")
    search_fields = ("user__email",)
    fields = ("user", "organization", "version", "chosen", "created_at", "updated_at", "id")
