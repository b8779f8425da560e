"""The operators' view of templates."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from accounts import markup
from accounts.operators import CreatedFilter, RecordAdmin
from templates_app.models import TemplateParameter, TemplateReview, TemplateVersion, WorkflowTemplate
from workflows.secrets import without_secrets


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
    list_filter = ("category", "is_public", "is_active", ("deleted_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("name", "description", "=slug", "=id")
    fields = (
        "name", "description", "category", "is_public", "is_active", "preview_image",
        "id", "slug", "organization", "tags", "version", "usage_count", "created_by", "created_at", "updated_at",
        "deleted_at", "shown_definition",
    )  # fmt: skip
    readonly_fields = (
        "id", "slug", "organization", "tags", "version", "usage_count", "created_by", "created_at", "updated_at",
        "deleted_at", "shown_definition",
    )  # fmt: skip
    inlines = (ReadOnlyParameters,)

    @admin.display(description="definition")
    def shown_definition(self, template: WorkflowTemplate) -> SafeString:
        return markup.json_block(without_secrets(template.definition), "Definition")

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


@admin.register(TemplateVersion)
class TemplateVersionAdmin(RecordAdmin):
    """What each template was. Versions are only read."""

    list_display = ("template", "number", "created", "created_by")
    list_filter = (CreatedFilter,)
    list_select_related = ("template", "created_by")
    search_fields = ("template__name",)
    search_help_text = "The template's name, or an id"
    deferred = ("definition", "parameters")
    fields: Any = ("template", "number", "created", "created_by", "shown_parameters", "shown_definition", "id")
    readonly_fields = ("created", "shown_parameters", "shown_definition")

    @admin.display(description="created")
    def created(self, version: TemplateVersion) -> str:
        return markup.moment(version.created_at)

    @admin.display(description="parameters")
    def shown_parameters(self, version: TemplateVersion) -> SafeString:
        return markup.json_block(version.parameters, "Parameters")

    @admin.display(description="definition")
    def shown_definition(self, version: TemplateVersion) -> SafeString:
        return markup.json_block(without_secrets(version.definition), "Definition")


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
