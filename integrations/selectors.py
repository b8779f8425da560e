"""Reading: connections, message templates, and which provider stands behind a port."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.models import first_id_of
from engine.ports import EmailPort, SmsPort
from integrations.errors import ConnectionNotFound, MessageTemplateNotFound
from integrations.models import (
    Connection,
    DeliveryStatus,
    DmsSync,
    MessageStatus,
    MessageTemplate,
    OutgoingMessage,
    SyncStatus,
    WebhookDelivery,
)
from integrations.registry import PROVIDERS
from integrations.sms import sms_by_url


def list_connections(*, actor: Actor, type: str = "") -> QuerySet[Connection]:
    """The organization's connections by name, of one type if it is given."""
    require(actor, Permission.INTEGRATION_READ)
    found = Connection.objects.of(actor).order_by("name", "id")
    return found.filter(type=type) if type else found


def get_connection(*, actor: Actor, connection_id: UUID, lock: bool = False) -> Connection:
    """One connection of the organization. Raises `ConnectionNotFound`."""
    require(actor, Permission.INTEGRATION_READ)
    rows = Connection.objects.of(actor)
    found = (rows.select_for_update(no_key=True) if lock else rows).filter(id=connection_id).first()
    if not isinstance(found, Connection):
        raise ConnectionNotFound
    return found


def message_template(*, organization_id: UUID, name: str) -> MessageTemplate:
    """The organization's own template of this name, else the built-in one. Raises `MessageTemplateNotFound`."""
    found = {each.organization_id: each for each in MessageTemplate.objects.of(organization_id).filter(name=name)}
    if not found:
        raise MessageTemplateNotFound(name, message_template_names(organization_id=organization_id))
    return found.get(organization_id) or found[None]


def message_template_names(*, organization_id: UUID) -> list[str]:
    """Every name the organization may use, in order."""
    names = MessageTemplate.objects.of(organization_id).values_list("name", flat=True)
    return sorted(set(names))


def given_up_since(moment: dt.datetime) -> QuerySet[WebhookDelivery]:
    """Messages of every organization that were given up since a moment. Retries end within a day and a half of the message."""
    young = first_id_of(moment - dt.timedelta(days=2))
    found: QuerySet[WebhookDelivery] = WebhookDelivery.unscoped.filter(
        id__gte=young, status=DeliveryStatus.FAILED, updated_at__gte=moment
    )
    return found


def messages_failed_since(moment: dt.datetime) -> QuerySet[OutgoingMessage]:
    """Mails and text messages of every organization, taken since a moment, that failed."""
    found: QuerySet[OutgoingMessage] = OutgoingMessage.unscoped.filter(
        id__gte=first_id_of(moment), status=MessageStatus.FAILED
    )
    return found


def syncs_failed_since(moment: dt.datetime) -> QuerySet[DmsSync]:
    """Readings of a DMS, of every organization, begun since a moment, that failed."""
    found: QuerySet[DmsSync] = DmsSync.unscoped.filter(id__gte=first_id_of(moment), status=SyncStatus.FAILED)
    return found


def email_port() -> EmailPort:
    """SMTP when AUTERITY_SMTP_URL is set, else the outbox folder. Raises NotConfigured for an unusable URL."""
    port: EmailPort
    if settings.SMTP_URL:
        port = PROVIDERS.get("email", "smtp").create({"url": settings.SMTP_URL, "sender": settings.MAIL_FROM})
    else:
        port = PROVIDERS.get("email", "outbox").create({"folder": settings.OUTBOX_DIR, "sender": settings.MAIL_FROM})
    return port


def sms_port(organization_id: UUID) -> SmsPort:
    """The provider that AUTERITY_SMS_URL names, else messages are kept for operators to see. Raises NotConfigured."""
    port: SmsPort
    if settings.SMS_URL:
        port = sms_by_url(settings.SMS_URL)
    else:
        port = PROVIDERS.get("sms", "outbox").create({"organization_id": organization_id})
    return port
