"""The operators' view of templates."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from templates_app.models import TemplateParameter, TemplateReview, WorkflowTemplate


class ReadOnlyParameters(TabularInline):
    """Parameters belong to their definition: they change with the catalogue's file, or through the API."""

    model = TemplateParameter
    extra = 0
    fields = readonly_fields = ("name", "type", "label", "required", "default_value")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(WorkflowTemplate)
class WorkflowTemplateAdmin(ModelAdmin):
    """What an organization's template says about itself can be mended here; one of the catalogue only be switched off.

    Nothing is deleted: workflows name the template they came from.
    """

    list_display = ("name", "category", "organization", "is_public", "is_active", "version", "usage_count")
    list_filter = ("category", "is_public", "is_active")
    list_select_related = ("organization",)
    search_fields = ("name", "description", "=slug", "=id")
    fields = (
        "name", "description", "category", "is_public", "is_active", "preview_image",
        "id", "slug", "organization", "tags", "version", "usage_count", "created_by", "created_at", "updated_at",
        "definition",
    )  # fmt: skip
    readonly_fields = (
        "id", "slug", "organization", "tags", "version", "usage_count", "created_by", "created_at", "updated_at",
        "definition",
    )  # fmt: skip
    inlines = (ReadOnlyParameters,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkflowTemplate]:
        found: QuerySet[WorkflowTemplate] = WorkflowTemplate.unscoped.order_by("name")
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: WorkflowTemplate | None = None) -> tuple[str, ...]:
        in_files = ("name", "description", "category", "is_public") if obj is not None and obj.slug else ()
        return (*in_files, *self.readonly_fields)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TemplateReview)
class TemplateReviewAdmin(ModelAdmin):
    list_display = ("template", "user", "rating", "updated_at")
    list_filter = ("rating",)
    list_select_related = ("template", "user")
    search_fields = ("template__name", "comment")
    fields = ("template", "user", "rating", "comment", "created_at", "updated_at")
    readonly_fields = ("template", "user", "rating", "created_at", "updated_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
