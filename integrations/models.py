"""Stored connections, stored messages (those without an organization come with the product), and messages that were written."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.conf import settings
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


class Channel(models.TextChoices):
    EMAIL = "email"
    SMS = "sms"


class MessageStatus(models.TextChoices):
    """000, EmailResponse and SMSResponse. `queued`: nobody has said yet that it went out."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"


class OutgoingMessage(TenantOwned, Timestamped):
    """A mail or a text message that a client gave us to send. `due_at` is the next attempt; null once it is settled.

    `in_doubt`: an attempt began whose end is not recorded, so the provider is asked before it is tried again.
    """

    channel = models.CharField(max_length=5, choices=Channel.choices)
    provider = models.CharField(max_length=40)
    connection_id = models.UUIDField(null=True, blank=True)
    sender = models.CharField(max_length=320)
    recipients = JsonText(help_text="Everybody it goes to.")
    subject = models.TextField(blank=True, default="")
    content = JsonText(help_text="What is sent. The bytes of attachments go once it is settled.")
    status = models.CharField(max_length=10, choices=MessageStatus.choices, default=MessageStatus.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    in_doubt = models.BooleanField(default=False)
    provider_message_id = models.CharField(max_length=255, blank=True, default="")
    provider_response = JsonText(null=True, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    error = models.TextField(blank=True, default="")
    settled_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        db_table = "outgoing_messages"
        default_manager_name = "unscoped"
        indexes = [
            models.Index(fields=["organization", "-id"], name="messages_by_organization"),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="messages_due"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} by {self.provider}"


class DmsIntegration(TenantOwned, Timestamped):
    """A dealership management system of the organization's (000, DMSIntegration). What is secret is in `sealed` alone."""

    provider = models.CharField(max_length=20)
    configuration = JsonText(help_text="000, DMSConfiguration.")
    auth_type = models.CharField(max_length=20)
    refresh = JsonText(null=True, blank=True, help_text="Where an OAuth 2 token comes from.")
    sealed = models.BinaryField(default=b"", editable=False)
    credential_names = JsonText(help_text="Which credentials are stored; their values are sealed.")
    endpoints = JsonText(help_text="000, DMSEndpoints.")
    tokens = models.FloatField(default=0, editable=False, help_text="Requests that may be made at `refilled_at`.")
    refilled_at = models.DateTimeField(null=True, blank=True, editable=False)
    synced_to = JsonText(default=dict, help_text="For each entity, up to which change everything is stored.")
    last_synced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "dms_integrations"
        default_manager_name = "unscoped"
        verbose_name = "DMS integration"
        indexes = [models.Index(fields=["organization", "-id"], name="dms_by_organization")]

    def __str__(self) -> str:
        return f"{self.provider} {self.id}"


class SyncStatus(models.TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class DmsSync(TenantOwned, Timestamped):
    """One reading of a DMS. `due_at` is when a worker may take it up; null once it has ended. One at a time each.

    `cursor` is how far it came, so that a worker that takes it over begins at the page where the other one stopped.
    """

    integration = models.ForeignKey(DmsIntegration, on_delete=models.CASCADE, related_name="syncs")
    entities = JsonText()
    since = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=SyncStatus.choices, default=SyncStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Since the last page that was stored.")
    fence = models.PositiveIntegerField(
        default=0, help_text="Raised by each claim; a worker that lost it writes nothing."
    )
    due_at = models.DateTimeField(null=True, blank=True)
    cursor = JsonText(default=dict)
    customers_synced = models.PositiveIntegerField(default=0)
    vehicles_synced = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(
        default=0, help_text="Records that could not be read, or were older than ours."
    )
    error_message = models.TextField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        db_table = "dms_syncs"
        default_manager_name = "unscoped"
        verbose_name = "DMS sync"
        constraints = [
            models.UniqueConstraint(
                fields=["integration"], condition=Q(status__in=["pending", "running"]), name="dms_syncs_one_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="dms_syncs_due")]

    def __str__(self) -> str:
        return f"sync {self.id}"


class DmsCustomer(TenantOwned, Timestamped):
    """000, CustomerData: what the DMS knows of a customer. An older `last_updated` never overwrites a newer one."""

    integration = models.ForeignKey(DmsIntegration, on_delete=models.CASCADE, related_name="customers")
    dms_customer_id = models.CharField(max_length=200)
    first_name = models.CharField(max_length=200, blank=True, default="")
    last_name = models.CharField(max_length=200, blank=True, default="")
    email = models.CharField(max_length=320, blank=True, default="")
    phone = models.CharField(max_length=50, blank=True, default="")
    address = JsonText(null=True, blank=True)
    preferences = JsonText(null=True, blank=True)
    last_updated = models.DateTimeField()

    class Meta:
        db_table = "dms_customers"
        default_manager_name = "unscoped"
        verbose_name = "DMS customer"
        constraints = [models.UniqueConstraint(fields=["integration", "dms_customer_id"], name="dms_customers_id")]
        indexes = [models.Index(fields=["integration", "last_name", "first_name", "id"], name="dms_customers_by_name")]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.dms_customer_id


class DmsVehicle(TenantOwned, Timestamped):
    """000, Vehicle. It may arrive with its customer or by itself; `dms_customer_id` is whose it is, where the DMS says."""

    integration = models.ForeignKey(DmsIntegration, on_delete=models.CASCADE, related_name="vehicles")
    dms_vehicle_id = models.CharField(max_length=200)
    dms_customer_id = models.CharField(max_length=200, blank=True, default="")
    vin = models.CharField(max_length=50, blank=True, default="")
    year = models.PositiveIntegerField(null=True, blank=True)
    make = models.CharField(max_length=100, blank=True, default="")
    model = models.CharField(max_length=100, blank=True, default="")
    trim = models.CharField(max_length=100, blank=True, default="")
    mileage = models.FloatField(null=True, blank=True)
    purchase_date = models.CharField(max_length=40, blank=True, default="")
    last_service_date = models.CharField(max_length=40, blank=True, default="")
    last_updated = models.DateTimeField()

    class Meta:
        db_table = "dms_vehicles"
        default_manager_name = "unscoped"
        verbose_name = "DMS vehicle"
        constraints = [models.UniqueConstraint(fields=["integration", "dms_vehicle_id"], name="dms_vehicles_id")]
        indexes = [models.Index(fields=["integration", "dms_customer_id"], name="dms_vehicles_by_customer")]

    def __str__(self) -> str:
        return f"{self.make} {self.model}".strip() or self.dms_vehicle_id
