"""Reading: message templates, and which provider stands behind a port."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from engine.ports import EmailPort
from integrations.errors import MessageTemplateNotFound
from integrations.models import MessageTemplate
from integrations.registry import PROVIDERS


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


def email_port() -> EmailPort:
    """SMTP when AUTERITY_SMTP_URL is set, else the outbox folder. Raises NotConfigured for an unusable URL."""
    port: EmailPort
    if settings.SMTP_URL:
        port = PROVIDERS.get("email", "smtp").create({"url": settings.SMTP_URL, "sender": settings.MAIL_FROM})
    else:
        port = PROVIDERS.get("email", "outbox").create({"folder": settings.OUTBOX_DIR, "sender": settings.MAIL_FROM})
    return port
