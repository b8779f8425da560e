"""Stored connections, stored messages (those without an organization come with the product), and messages that were written."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import Tenant, TenantManager, TenantOwned


class MessageTemplateManager(TenantManager["MessageTemplate"]):
    """An organization sees its own templates and the built-in ones, and nobody else's."""

    def of(self, tenant: Tenant | UUID) -> models.QuerySet[MessageTemplate]:
        organization_id = tenant if isinstance(tenant, UUID) else tenant.organization_id
        return MessageTemplate.unscoped.filter(Q(organization_id=organization_id) | Q(organization=None))


class MessageTemplate(Timestamped):
    """What `email-sender` names by `template` (001). Its texts may hold `{{ }}` of the node's `template_data`."""

    organization = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: built in, for every organization that has none of this name.",
    )
    name = models.CharField(max_length=100)
    subject = models.CharField(max_length=500)
    text = models.TextField()
    html = models.TextField(blank=True, default="")

    unscoped: ClassVar[models.Manager[MessageTemplate]] = models.Manager()
    objects: ClassVar[MessageTemplateManager] = MessageTemplateManager()

    class Meta:
        db_table = "message_templates"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="message_templates_name"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(organization=None), name="message_templates_builtin_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(TenantOwned, Timestamped):
    """One message owed to a customer's address. `due_at` is the next attempt; null once delivered or given up.

    `id` is the webhook-id of every attempt, so that a receiver recognises a repeat.
    """

    url = models.TextField()
    event = models.CharField(max_length=100)
    payload = JsonText()
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")

    class Meta:
        db_table = "webhook_deliveries"
        default_manager_name = "unscoped"
        verbose_name_plural = "webhook deliveries"
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="webhook_deliveries_due")]

    def __str__(self) -> str:
        return f"{self.event} to {self.url}"


class Connection(TenantOwned, Timestamped):
    """One system of the organization's own that workflows may use by its id. What is secret is in `sealed` alone."""

    name = models.CharField(max_length=100)
    type = models.CharField(max_length=40)
    config = JsonText()
    sealed = models.BinaryField(default=b"", editable=False)
    credential_names = JsonText(help_text="Which credentials are stored; their values are sealed.")
    disabled = models.BooleanField(default=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "connections"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="connections_name")]

    def __str__(self) -> str:
        return f"{self.name} ({self.type})"


class StoredSms(TenantOwned, Identified):
    """A text message that was kept instead of sent, because no SMS provider is set up. One a key."""

    key = models.CharField(max_length=255)
    recipient = models.CharField(max_length=20)
    sender = models.CharField(max_length=50, blank=True, default="")
    text = models.TextField()
    media_urls = JsonText()

    class Meta:
        db_table = "stored_sms"
        default_manager_name = "unscoped"
        verbose_name = "stored text message"
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="stored_sms_key")]

    def __str__(self) -> str:
        return f"to {self.recipient}"
