"""The operators' view of alerts and of the figures behind the pages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts import markup
from accounts.operators import AutocompleteFilter, ChoiceFilter, CreatedFilter, ReadOnlyAdmin, RecordAdmin
from monitoring.models import AiFigures, OrganizationRequestBucket, RequestBucket, RunBucket, SystemAlert


class OpenFilter(ChoiceFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), ("resolved", "resolved")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(resolved_at__isnull=self.value() == "open") if self.value() else queryset


@admin.register(SystemAlert)
class SystemAlertAdmin(RecordAdmin):
    list_display = ("opened", "shown_severity", "component", "said", "resolved")
    list_filter = (OpenFilter, CreatedFilter)
    search_fields = ("component", "message")
    fields: Any = ("opened", "shown_severity", "rule", "component", "message", "last_seen", "resolved", "id")
    readonly_fields = ("opened", "shown_severity", "last_seen", "resolved")

    @admin.display(description="since")
    def opened(self, row: SystemAlert) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="severity")
    def shown_severity(self, row: SystemAlert) -> SafeString:
        return markup.state(row.severity)

    @admin.display(description="what is wrong")
    def said(self, row: SystemAlert) -> SafeString:
        return markup.excerpt(row.message, 100)

    @admin.display(description="last seen so")
    def last_seen(self, row: SystemAlert) -> str:
        return markup.moment(row.seen_at)

    @admin.display(description="resolved")
    def resolved(self, row: SystemAlert) -> str:
        return markup.moment(row.resolved_at)


class BucketAdmin(RecordAdmin):
    """Figures as they are added up; pages and the API show what they come to."""

    list_filter: Any = ("span",)
    search_fields: Any = ("organization__name",)
    search_keys = ()


@admin.register(RequestBucket)
class RequestBucketAdmin(BucketAdmin):
    list_display = ("at", "span", "dialect", "method", "route", "status", "le", "count", "ms")
    search_fields = ("route",)


@admin.register(OrganizationRequestBucket)
class OrganizationRequestBucketAdmin(BucketAdmin):
    list_display = ("at", "span", "organization", "dialect", "status", "le", "count", "ms")
    list_filter = ("span", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)


@admin.register(RunBucket)
class RunBucketAdmin(BucketAdmin):
    list_display = ("at", "span", "organization", "status", "count")
    list_filter = ("span", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)


@admin.register(AiFigures)
class AiFiguresAdmin(ReadOnlyAdmin):
    list_display = ("organization", "calls", "tokens", "cost_usd", "until")
    list_select_related = ("organization",)
    search_fields = ("organization__name",)
