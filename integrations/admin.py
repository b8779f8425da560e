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
from integrations.models import Connection, DeliveryStatus, MessageTemplate, StoredSms, WebhookDelivery


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
