"""The operators' view of the audit trail and of what security keeps. The trail is looked at and checked, never written."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.operators import AutocompleteFilter, CreatedFilter, ReadOnlyAdmin, RecordAdmin
from audit import chain
from audit.models import AuditChain, AuditEvent
from security.models import (
    AlertRule,
    DetectorRun,
    IncidentEntry,
    IncidentNumbers,
    SecurityIncident,
    Threat,
    TierUpgrade,
)


@admin.register(AuditEvent)
class AuditEventAdmin(RecordAdmin):
    list_display = (
        "created_at",
        "organization",
        "event_type",
        "action",
        "outcome",
        "severity",
        "kind",
        "user_id",
        "address",
    )
    list_filter = (CreatedFilter, "severity", "outcome", "kind", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("event_type", "resource_id", "address", "request_id")
    search_keys = ("id", "user_id", "session_id")
    search_help_text = "Event type, resource, address, request, or an id"
    deferred = ("details",)
    actions = ("verify",)

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @admin.action(description="Verify the chains of these events", permissions=["verify"])
    def verify(self, request: HttpRequest, rows: QuerySet[AuditEvent]) -> None:
        _verify(self, request, set(rows.values_list("chain", flat=True)))


@admin.register(AuditChain)
class AuditChainAdmin(ReadOnlyAdmin):
    list_display = ("id", "last_sequence", "pruned_sequence", "anchored_sequence", "short_hash")
    search_fields = ("id",)
    ordering = ("id",)
    actions = ("verify",)

    @admin.display(description="newest hash")
    def short_hash(self, row: AuditChain) -> SafeString:
        return format_html("<code>{}</code>", row.last_hash[:16])

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @admin.action(description="Verify these chains", permissions=["verify"])
    def verify(self, request: HttpRequest, rows: QuerySet[AuditChain]) -> None:
        _verify(self, request, set(rows.values_list("pk", flat=True)))


@admin.register(SecurityIncident)
class SecurityIncidentAdmin(RecordAdmin):
    list_display = ("reference", "organization", "title", "category", "severity", "status", "source", "created_at")
    list_filter = (CreatedFilter, "severity", "status", "source", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("title", "description")


@admin.register(IncidentEntry)
class IncidentEntryAdmin(RecordAdmin):
    list_display = ("at", "incident", "user", "action")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("incident", "user")
    search_fields = ("user__email", "note")


@admin.register(Threat)
class ThreatAdmin(RecordAdmin):
    list_display = ("type", "source", "organization", "status", "score", "events", "first_seen_at", "last_seen_at")
    list_filter = (CreatedFilter, "type", "status", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("source", "address")


@admin.register(AlertRule)
class AlertRuleAdmin(ReadOnlyAdmin):
    list_display = ("name", "organization", "metric", "operator", "threshold", "enabled", "last_fired_at")
    list_filter = ("metric", "enabled", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("name",)


@admin.register(TierUpgrade)
class TierUpgradeAdmin(RecordAdmin):
    list_display = ("user", "organization", "target", "status", "created_at", "expires_at", "granted_at")
    list_filter = (CreatedFilter, "target", "status", ("organization", AutocompleteFilter))
    list_select_related = ("user", "organization")
    search_fields = ("user__email",)


@admin.register(IncidentNumbers)
class IncidentNumbersAdmin(ReadOnlyAdmin):
    list_display = ("organization", "last")
    search_fields = ("organization__name",)
    list_select_related = ("organization",)
    ordering = ("organization",)


@admin.register(DetectorRun)
class DetectorRunAdmin(ReadOnlyAdmin):
    list_display = ("name", "last_run_at")
    search_fields = ("name",)
    ordering = ("name",)


def _verify(page: Any, request: HttpRequest, chains: set[Any]) -> None:
    for each in sorted(chains):
        found = chain.verify(each)
        said = f"{chain.name_of(each)}: {found.events} events, {found.problem or 'as they were recorded'}"
        page.message_user(request, said, messages.SUCCESS if found.intact else messages.ERROR)
