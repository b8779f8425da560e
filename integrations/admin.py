"""The operators' view of stored messages, and of messages owed to customers' addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from accounts import markup
from accounts.operators import AutocompleteFilter, ChoiceFilter, CreatedFilter, KeptAdmin, RecordAdmin
from integrations import services
from integrations.models import (
    Connection,
    DeliveryStatus,
    DmsCustomer,
    DmsIntegration,
    DmsSync,
    DmsVehicle,
    MessageTemplate,
    OutgoingMessage,
    StoredSms,
    WebhookDelivery,
)


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ModelAdmin):
    list_display = ("name", "organization", "subject", "updated_at")
    list_filter = (("organization", AutocompleteFilter),)
    list_filter_submit = True
    list_select_related = ("organization",)
    search_fields = ("name", "subject")
    autocomplete_fields = ("organization",)
    ordering = ("name",)
    readonly_fields = ("id", "created_at", "updated_at")


class DeliveryFilter(ChoiceFilter):
    title = "status"
    parameter_name = "delivery"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        yield from (
            ("owed", "owed"),
            ("retried", "tried again"),
            ("failed", "given up"),
            ("delivered", "delivered"),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "owed":
            return queryset.filter(due_at__isnull=False)
        if self.value() == "retried":
            return queryset.filter(due_at__isnull=False, attempts__gt=0)
        if self.value() in (DeliveryStatus.FAILED, DeliveryStatus.DELIVERED):
            return queryset.filter(status=self.value())
        return queryset


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(RecordAdmin):
    """What was owed to whom, what came of it, and a second chance for what was given up."""

    list_display = (
        "created",
        "address",
        "event",
        "state",
        "attempts",
        "last_status",
        "problem",
        "next_attempt",
        "organization",
    )
    list_filter = (DeliveryFilter, CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("url", "last_error", "event")
    search_help_text = "Address, error or id"
    deferred = ("payload",)
    fields: Any = (
        "state", "url", "event", "attempts", "last_status", "last_error", "next_attempt", "organization", "created",
        "shown", "id",
    )  # fmt: skip
    readonly_fields = ("state", "next_attempt", "created", "shown")
    actions = ["deliver_again"]

    def has_deliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("integrations.change_webhookdelivery")

    @admin.action(description="Deliver again", permissions=["deliver"])
    def deliver_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        again = services.deliver_again(delivery_ids=queryset.values_list("pk", flat=True))
        level = messages.SUCCESS if again else messages.WARNING
        self.message_user(request, f"{again} deliveries are due again; only those given up can be.", level)

    @admin.display(description="created")
    def created(self, delivery: WebhookDelivery) -> str:
        return markup.moment(delivery.created_at)

    @admin.display(description="address")
    def address(self, delivery: WebhookDelivery) -> SafeString:
        return markup.excerpt(delivery.url, 60)

    @admin.display(description="status")
    def state(self, delivery: WebhookDelivery) -> SafeString:
        return markup.state(delivery.status)

    @admin.display(description="last error")
    def problem(self, delivery: WebhookDelivery) -> SafeString:
        return markup.excerpt(delivery.last_error)

    @admin.display(description="next attempt")
    def next_attempt(self, delivery: WebhookDelivery) -> str:
        if delivery.due_at is None:
            return markup.NOTHING
        wait = (delivery.due_at - timezone.now()).total_seconds()
        return f"in {markup.span(wait)}" if wait > 0 else f"due for {markup.span(-wait)}"

    @admin.display(description="payload")
    def shown(self, delivery: WebhookDelivery) -> SafeString:
        return markup.json_block(delivery.payload, "Payload")


@admin.register(Connection)
class ConnectionAdmin(KeptAdmin):
    """Which systems an organization connected. Operators can switch one off; nothing here shows or takes a secret."""

    list_display = ("name", "type", "organization", "disabled", "used", "updated_at")
    list_filter = ("type", "disabled", ("organization", AutocompleteFilter))
    list_filter_submit = True
    list_select_related = ("organization",)
    search_fields = ("name", "type")
    ordering = ("name",)
    fields: Any = (
        "name",
        "type",
        "organization",
        "disabled",
        "shown",
        "secrets",
        "used",
        "created_at",
        "updated_at",
        "id",
    )
    readonly_fields = ("name", "type", "organization", "shown", "secrets", "used", "created_at", "updated_at", "id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description="settings")
    def shown(self, connection: Connection) -> SafeString:
        return markup.json_block(connection.config, "Settings")

    @admin.display(description="credentials stored")
    def secrets(self, connection: Connection) -> str:
        return ", ".join(connection.credential_names) or markup.NOTHING

    @admin.display(description="last used")
    def used(self, connection: Connection) -> str:
        return markup.moment(connection.last_used_at) if connection.last_used_at else markup.NOTHING


@admin.register(StoredSms)
class StoredSmsAdmin(RecordAdmin):
    """Text messages that were kept because no SMS provider is set up."""

    list_display = ("created", "recipient", "sender", "excerpt", "organization")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("recipient", "text", "key")
    search_help_text = "Number, text or id"
    fields: Any = ("created", "recipient", "sender", "text", "media_urls", "key", "organization", "id")
    readonly_fields = ("created",)

    @admin.display(description="created")
    def created(self, sms: StoredSms) -> str:
        return markup.moment(sms.created_at)

    @admin.display(description="text")
    def excerpt(self, sms: StoredSms) -> SafeString:
        return markup.excerpt(sms.text, 80)


@admin.register(OutgoingMessage)
class OutgoingMessageAdmin(RecordAdmin):
    """Mails and text messages that clients gave us to send, and what became of each."""

    list_display = ("created", "channel", "provider", "state", "excerpt", "attempts", "problem", "organization")
    list_filter = ("status", "channel", CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("subject", "sender", "provider_message_id", "error")
    search_help_text = "Subject, sender, the provider's id, error or id"
    deferred = ("content",)
    fields: Any = (
        "state", "channel", "provider", "connection_id", "sender", "recipients", "subject", "attempts", "in_doubt",
        "next_attempt", "error", "provider_message_id", "answered", "cost", "currency", "organization", "created_by",
        "created", "settled_at", "id",
    )  # fmt: skip
    readonly_fields = ("state", "next_attempt", "answered", "created")

    @admin.display(description="created")
    def created(self, message: OutgoingMessage) -> str:
        return markup.moment(message.created_at)

    @admin.display(description="status")
    def state(self, message: OutgoingMessage) -> SafeString:
        return markup.state(message.status)

    @admin.display(description="subject")
    def excerpt(self, message: OutgoingMessage) -> SafeString:
        return markup.excerpt(message.subject or ", ".join(map(str, message.recipients)), 60)

    @admin.display(description="error")
    def problem(self, message: OutgoingMessage) -> SafeString:
        return markup.excerpt(message.error)

    @admin.display(description="next attempt")
    def next_attempt(self, message: OutgoingMessage) -> str:
        return markup.moment(message.due_at) if message.due_at else markup.NOTHING

    @admin.display(description="what the provider answered")
    def answered(self, message: OutgoingMessage) -> SafeString:
        return markup.json_block(message.provider_response, "Answer")


@admin.register(DmsIntegration)
class DmsIntegrationAdmin(RecordAdmin):
    """Which DMS an organization reads. Nothing here shows or takes a secret."""

    list_display = ("created", "provider", "address", "organization", "last_synced_at")
    list_filter = ("provider", CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("provider", "configuration")
    search_help_text = "Provider, address or id"
    fields: Any = (
        "provider", "organization", "shown", "auth_type", "secrets", "endpoints", "synced_to", "last_synced_at", "created",
        "updated_at", "id",
    )  # fmt: skip
    readonly_fields = ("shown", "secrets", "created")

    @admin.display(description="created")
    def created(self, row: DmsIntegration) -> str:
        return markup.moment(row.created_at)

    @admin.display(description="address")
    def address(self, row: DmsIntegration) -> SafeString:
        return markup.excerpt(str(row.configuration.get("base_url", "")), 60)

    @admin.display(description="settings")
    def shown(self, row: DmsIntegration) -> SafeString:
        return markup.json_block(row.configuration, "Settings")

    @admin.display(description="credentials stored")
    def secrets(self, row: DmsIntegration) -> str:
        return ", ".join(row.credential_names) or markup.NOTHING


@admin.register(DmsSync)
class DmsSyncAdmin(RecordAdmin):
    """Each reading of a DMS, how far it came, and why it failed or waits."""

    list_display = ("created", "integration", "state", "customers_synced", "vehicles_synced", "skipped", "problem")
    list_filter = ("status", CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("integration",)
    search_fields = ("error_message",)
    search_keys = ("id", "integration_id")
    search_help_text = "Error, id, or the integration's id"
    fields: Any = (
        "state", "integration", "organization", "entities", "since", "customers_synced", "vehicles_synced", "skipped",
        "attempts", "due_at", "error_message", "created_by", "created", "completed_at", "id",
    )  # fmt: skip
    readonly_fields = ("state", "created")

    @admin.display(description="created")
    def created(self, sync: DmsSync) -> str:
        return markup.moment(sync.created_at)

    @admin.display(description="status")
    def state(self, sync: DmsSync) -> SafeString:
        return markup.state(sync.status)

    @admin.display(description="error")
    def problem(self, sync: DmsSync) -> SafeString:
        return markup.excerpt(sync.error_message or "")


@admin.register(DmsCustomer)
class DmsCustomerAdmin(RecordAdmin):
    list_display = ("dms_customer_id", "first_name", "last_name", "email", "organization", "last_updated")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("dms_customer_id", "first_name", "last_name", "email", "phone")
    search_help_text = "Name, e-mail, telephone or id"


@admin.register(DmsVehicle)
class DmsVehicleAdmin(RecordAdmin):
    list_display = ("dms_vehicle_id", "vin", "year", "make", "model", "organization", "last_updated")
    list_filter = (CreatedFilter, ("organization", AutocompleteFilter))
    list_select_related = ("organization",)
    search_fields = ("dms_vehicle_id", "vin", "make", "model")
    search_help_text = "VIN, make, model or id"
