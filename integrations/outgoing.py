"""Mails and text messages that clients give us to send (000, "Communication Providers").

A message is stored in the transaction that accepts it, and sent by a worker (`dispatch`): what was answered with 202 is sent
once, or failed and says why.
"""

from __future__ import annotations

import html as markup
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput
from engine.expressions import ExpressionError, Scope, compile_template
from integrations import selectors
from integrations.connection_types import CONNECTION_TYPES
from integrations.errors import MessageNotFound, MessageTemplateNotFound, ProviderNotConfigured
from integrations.models import Channel, Connection, OutgoingMessage

CONSOLE = "console"  # keeps a message for operators to see, and sends nothing


@dataclass(frozen=True, slots=True)
class File:
    """000, EmailAttachment; the content as the client wrote it, checked base64."""

    filename: str
    content_type: str
    content_base64: str


@dataclass(frozen=True, slots=True)
class Email:
    """000, EmailRequest. With a `template_id` the stored message says what `subject`, `text` and `html` leave out."""

    provider: str
    to: Sequence[str]
    sender: str
    subject: str
    text: str = ""
    html: str = ""
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    template_id: str = ""
    template_data: Mapping[str, Any] | None = None
    attachments: Sequence[File] = ()
    connection_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TextMessage:
    """000, SMSRequest."""

    provider: str
    to: str
    sender: str
    text: str
    media_urls: Sequence[str] = ()
    connection_id: UUID | None = None


@transaction.atomic
def accept_email(*, actor: Actor, email: Email) -> OutgoingMessage:
    """Store a mail that is to be sent. Raises `InvalidInput` or `ProviderNotConfigured`; nothing is called."""
    require(actor, Permission.COMMUNICATION_SEND)
    subject, text, html = _written(actor, email)
    if not (text.strip() or html.strip()):
        raise InvalidInput.of("content", "Give text or html, or the name of a stored message.", "required")
    if any(sign in subject for sign in "\r\n\x00"):
        raise InvalidInput.of("subject", "A subject is one line; take the line breaks out of the values in it.")
    return _store(
        actor,
        Channel.EMAIL,
        email.provider,
        email.connection_id,
        sender=email.sender,
        recipients=list(dict.fromkeys([*email.to, *email.cc, *email.bcc])),
        subject=subject,
        content={
            "to": list(email.to),
            "cc": list(email.cc),
            "bcc": list(email.bcc),
            "text": text,
            "html": html,
            "attachments": [
                {"filename": each.filename, "content_type": each.content_type, "content_base64": each.content_base64}
                for each in email.attachments
            ],
        },
    )


@transaction.atomic
def accept_sms(*, actor: Actor, sms: TextMessage) -> OutgoingMessage:
    """Store a text message that is to be sent. Raises `InvalidInput` or `ProviderNotConfigured`; nothing is called."""
    require(actor, Permission.COMMUNICATION_SEND)
    return _store(
        actor,
        Channel.SMS,
        sms.provider,
        sms.connection_id,
        sender=sms.sender,
        recipients=[sms.to],
        content={"text": sms.text, "media_urls": list(sms.media_urls)},
    )


def owe_email(*, organization_id: UUID, to: str, subject: str, text: str) -> OutgoingMessage:
    """Owe somebody a mail of the product's own, inside the caller's transaction. Without a mail server it goes to the console."""
    message = OutgoingMessage(
        organization_id=organization_id,
        channel=Channel.EMAIL,
        provider="smtp" if settings.SMTP_URL else CONSOLE,
        sender=settings.MAIL_FROM,
        recipients=[to],
        subject=" ".join(subject.split())[:200],
        content={"to": [to], "cc": [], "bcc": [], "text": text, "html": "", "attachments": []},
        due_at=timezone.now(),
    )
    message.save(force_insert=True)
    return message


def list_messages(*, actor: Actor, channel: str | None = None, status: str | None = None) -> QuerySet[OutgoingMessage]:
    """The organization's messages, newest first, without what they say. Needs communication:send."""
    require(actor, Permission.COMMUNICATION_SEND)
    rows = OutgoingMessage.objects.of(actor).defer("content").order_by("-id")
    wanted = {"channel": channel, "status": status}
    return rows.filter(**{name: value for name, value in wanted.items() if value is not None})


def get_message(*, actor: Actor, message_id: UUID) -> OutgoingMessage:
    """One message, with what it says. Raises `MessageNotFound`."""
    require(actor, Permission.COMMUNICATION_SEND)
    found = OutgoingMessage.objects.of(actor).filter(id=message_id).first()
    if not isinstance(found, OutgoingMessage):
        raise MessageNotFound
    return found


def _store(actor: Actor, channel: Channel, provider: str, connection_id: UUID | None, **about: Any) -> OutgoingMessage:
    message = OutgoingMessage(
        organization_id=actor.organization_id,
        created_by_id=actor.user_id,
        channel=channel,
        provider=provider,
        connection_id=_connection(actor, channel, provider, connection_id),
        due_at=timezone.now(),
        **about,
    )
    message.save(force_insert=True)
    return message


def _connection(actor: Actor, channel: Channel, provider: str, wanted: UUID | None) -> UUID | None:
    """The organization's connection that sends it; None where the server's own settings do, or nothing is sent.

    Raises `ProviderNotConfigured` where neither is set up, and `InvalidInput` for a connection that is none of the provider.
    """
    if provider == CONSOLE:
        return None
    fitting = [each for each in CONNECTION_TYPES.names(channel) if each == provider]
    rows = Connection.objects.of(actor).filter(type__in=fitting, disabled=False).order_by("-id")
    if wanted is not None and not rows.filter(id=wanted).exists():
        raise InvalidInput.of("connection_id", f"There is no connection of type {provider} with this id.")
    found = wanted or rows.values_list("id", flat=True).first()
    if found is None and not _server_has(channel, provider):
        raise ProviderNotConfigured(provider, connectable=bool(fitting))
    chosen: UUID | None = found
    return chosen


def _server_has(channel: Channel, provider: str) -> bool:
    """Whether the server's own settings name this provider, for organizations without a connection of their own."""
    if channel == Channel.EMAIL:
        return provider == "smtp" and bool(settings.SMTP_URL)
    return bool(settings.SMS_URL) and settings.SMS_URL.partition("://")[0] == provider


def _written(actor: Actor, email: Email) -> tuple[str, str, str]:
    """Subject, text and HTML. What the client writes goes before what the stored message says."""
    if not email.template_id:
        return email.subject, email.text, email.html
    try:
        stored = selectors.message_template(organization_id=actor.organization_id, name=email.template_id)
    except MessageTemplateNotFound as error:
        raise InvalidInput.of("template_id", error.message) from None
    data = dict(email.template_data or {})
    return (
        email.subject or _rendered(stored.subject, data),
        email.text or _rendered(stored.text, data),
        email.html or _rendered(stored.html, data, escape=True),
    )


def _rendered(template: str, data: dict[str, Any], *, escape: bool = False) -> str:
    try:
        value = compile_template(template).render(Scope(inputs=data, input=data), markup.escape if escape else None)
    except ExpressionError as error:
        raise InvalidInput.of("template_data", f"The stored message cannot be filled in: {error.message}") from None
    return value if isinstance(value, str) else str(value)
