"""The operators' view of the audit trail and of what security keeps. The trail is looked at and checked, never written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts import markup
from accounts.asking import asks, note_of
from accounts.models import User
from accounts.operators import AutocompleteFilter, ChoiceFilter, CreatedFilter, ReadOnlyAdmin, RecordAdmin
from audit import chain
from audit.models import AuditChain, AuditEvent
from executions.admin_actor import operator_in
from security import services
from security.models import (
    ENDED,
    AlertRule,
    DetectorRun,
    IncidentEntry,
    IncidentNumbers,
    IncidentStatus,
    SecurityIncident,
    Threat,
    TierUpgrade,
)
from security.selectors import name_of


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
        "who",
        "address",
    )
    list_filter = (CreatedFilter, "severity", "outcome", "kind", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("event_type", "resource_id", "address", "request_id")
    search_keys = ("id", "user_id", "session_id")
    search_help_text = "Event type, resource, address, request, or an id"
    deferred = ("details",)
    actions = ("verify",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        person = User.objects.filter(pk=OuterRef("user_id")).values("email")
        return super().get_queryset(request).annotate(email=Subquery(person))

    @admin.display(description="who")
    def who(self, event: Any) -> SafeString | str:
        """By the address that the account has now; of one that is gone by its id."""
        if event.user_id is None:
            return markup.NOTHING
        return markup.link_to("accounts", "user", event.user_id, event.email) if event.email else str(event.user_id)

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


class StandingFilter(ChoiceFilter):
    title = "status"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("unsettled", "not settled"), *((each.value, each.label.lower()) for each in IncidentStatus)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "unsettled":
            return queryset.exclude(status__in=ENDED)
        return queryset.filter(status=self.value()) if self.value() in IncidentStatus.values else queryset


@admin.register(SecurityIncident)
class SecurityIncidentAdmin(RecordAdmin):
    """Operators work on one in its organization, as its admins do: what they say is in its timeline and in the trail."""

    list_display = (
        "reference",
        "shown_severity",
        "shown_status",
        "title",
        "category",
        "source",
        "opened",
        "organization",
    )
    list_filter = (StandingFilter, CreatedFilter, "severity", "source", ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("title", "description")
    related = ("organization", "reported_by", "assigned_to")
    fields: Any = (
        "reference", "title", "description", "category", "shown_severity", "shown_status", "source", "organization",
        "reported_by", "assigned_to", "people", "about", "events", "told", "opened", "occurred_at", "resolved_at", "id",
    )  # fmt: skip
    readonly_fields = ("reference", "shown_severity", "shown_status", "people", "about", "events", "told", "opened")
    actions = ("investigate", "resolve", "dismiss")

    @admin.display(description="severity")
    def shown_severity(self, incident: SecurityIncident) -> SafeString:
        return markup.state(incident.severity)

    @admin.display(description="status")
    def shown_status(self, incident: SecurityIncident) -> SafeString:
        return markup.state(incident.status)

    @admin.display(description="opened")
    def opened(self, incident: SecurityIncident) -> str:
        return markup.moment(incident.created_at)

    @admin.display(description="affected people")
    def people(self, incident: SecurityIncident) -> SafeString:
        rows = User.objects.filter(pk__in=incident.affected_users).order_by("email")[: markup.SHOWN_ROWS]
        return _links(markup.link(each) for each in rows)

    @admin.display(description="affected things")
    def about(self, incident: SecurityIncident) -> str:
        return " ".join([incident.resource_type, *map(str, incident.resource_ids)]).strip() or markup.NOTHING

    @admin.display(description="evidence")
    def events(self, incident: SecurityIncident) -> SafeString:
        found = AuditEvent.unscoped.filter(pk__in=incident.evidence).order_by("id")[: markup.SHOWN_ROWS]
        rows = [(markup.moment(each.created_at), markup.link(each, each.event_type), each.address) for each in found]
        return markup.table(("At", "Event", "Address"), rows)

    @admin.display(description="timeline")
    def told(self, incident: SecurityIncident) -> SafeString:
        lines = incident.timeline.select_related("user").order_by("at", "id")[: markup.SHOWN_ROWS]
        rows = [(markup.moment(each.at), name_of(each.user), each.action, each.note) for each in lines]
        return markup.table(("At", "Who", "What", "Note"), rows)

    def has_work_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("security.change_securityincident")

    @admin.action(description="Investigate", permissions=["work"])
    def investigate(self, request: HttpRequest, queryset: QuerySet[SecurityIncident]) -> None:
        self._move(request, queryset, IncidentStatus.INVESTIGATING)

    @admin.action(description="Resolve", permissions=["work"])
    @asks("The organization's admins see these incidents as resolved, and read your note.", note="What was done")
    def resolve(self, request: HttpRequest, queryset: QuerySet[SecurityIncident]) -> None:
        self._move(request, queryset, IncidentStatus.RESOLVED)

    @admin.action(description="Dismiss as false alarm", permissions=["work"])
    @asks("The organization's admins see these incidents as false alarms, and read your note.", note="Why it was none")
    def dismiss(self, request: HttpRequest, queryset: QuerySet[SecurityIncident]) -> None:
        self._move(request, queryset, IncidentStatus.FALSE_POSITIVE)

    def _move(self, request: HttpRequest, chosen: QuerySet[SecurityIncident], status: IncidentStatus) -> None:
        for each in chosen:
            actor = operator_in(request, each.organization_id)
            services.change_incident(actor=actor, incident_id=each.pk, status=status, note=note_of(request))
            self.log_change(request, each, f"Now {status.label.lower()}.")
            self.message_user(request, f"{each}: {status.label.lower()}.", messages.SUCCESS)


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


def _links(found: Iterable[SafeString]) -> SafeString:
    return format_html_join(", ", "{}", ((each,) for each in found)) or SafeString(markup.NOTHING)


def _verify(page: Any, request: HttpRequest, chains: set[Any]) -> None:
    for each in sorted(chains):
        found = chain.verify(each)
        said = f"{chain.name_of(each)}: {found.events} events, {found.problem or 'as they were recorded'}"
        page.message_user(request, said, messages.SUCCESS if found.intact else messages.ERROR)
