"""Sending what `outgoing` accepted: each message once, as far as its provider lets anybody know.

An attempt is noted before it is made. Where its end was never recorded (a worker died, or no answer came), the provider is
asked what became of the message; one that cannot tell leaves it failed and unrepeated, and says so.
"""

from __future__ import annotations

import base64
from decimal import Decimal, InvalidOperation
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone

from engine.ports import (
    Attachment,
    EmailPort,
    Mail,
    MailReceipt,
    PortFailure,
    Sms,
    SmsPort,
    SmsReceipt,
    Unavailable,
    Unknown,
)
from integrations.connected import connected
from integrations.due import backoff, claim
from integrations.models import Channel, MessageStatus, OutgoingMessage
from integrations.outgoing import CONSOLE
from integrations.registry import PROVIDERS
from integrations.selectors import email_port, sms_port

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 8
TIMEOUT_SECONDS = 30.0
CLAIM_SECONDS = 180.0  # longer than a look-up and an attempt together
FIRST_WAIT, LONGEST_WAIT = 5.0, 3600.0  # seconds between attempts


def dispatch_due() -> bool:
    """Attempt the message that has been due longest. Returns whether there was one."""
    doubtful: list[bool] = []

    def begin(row: OutgoingMessage) -> float:
        doubtful.append(row.in_doubt)
        row.attempts += 1
        row.in_doubt = True
        return CLAIM_SECONDS

    message = claim(OutgoingMessage.unscoped.all(), begin=begin)
    if message is None:
        return False
    if message.attempts > MAX_ATTEMPTS:
        told = "The workers that tried to send it never came back."
        _settle(message, MessageStatus.FAILED, f"{told} It may have been sent, and was not sent again.")
        return True
    connection.close()  # Nothing of the database is held while the provider takes its time.
    try:
        receipt = _handed_over(message, doubtful=doubtful[-1])
    except PortFailure as failure:
        _note_failure(message, failure, doubtful=doubtful[-1])
    except Exception as defect:
        # Not repeated: nobody knows how far it came.
        log.exception("dispatch_crashed", message=str(message.id))
        _settle(message, MessageStatus.FAILED, f"The message could not be sent ({type(defect).__name__}).")
    else:
        _note_receipt(message, receipt)
    return True


def _handed_over(message: OutgoingMessage, *, doubtful: bool) -> MailReceipt | SmsReceipt:
    """The provider's receipt. Raises Rejected, Unavailable or Unknown."""
    if message.channel == Channel.EMAIL:
        mail, email = _mail(message), _email_port(message)
        return (email.find(mail.key) if doubtful else None) or email.send(mail, timeout=TIMEOUT_SECONDS)
    sms, port = _sms(message), _sms_port(message)
    return (port.find(sms, timeout=TIMEOUT_SECONDS) if doubtful else None) or port.send(sms, timeout=TIMEOUT_SECONDS)


def _email_port(message: OutgoingMessage) -> EmailPort:
    port: EmailPort
    if message.connection_id is not None:
        port = _connected(message)
    elif message.provider == CONSOLE:
        config = {"folder": settings.OUTBOX_DIR, "sender": settings.MAIL_FROM}
        port = PROVIDERS.get("email", "outbox").create(config)
    else:
        port = email_port()
    return port


def _sms_port(message: OutgoingMessage) -> SmsPort:
    port: SmsPort
    if message.connection_id is not None:
        port = _connected(message)
    elif message.provider == CONSOLE:
        port = PROVIDERS.get("sms", "outbox").create({"organization_id": message.organization_id})
    else:
        port = sms_port(message.organization_id)
    return port


def _connected(message: OutgoingMessage) -> Any:
    return connected(
        organization_id=message.organization_id, kind=message.channel, connection_id=str(message.connection_id)
    )


def _mail(message: OutgoingMessage) -> Mail:
    content = message.content
    return Mail(
        key=_key(message),
        to=content["to"],
        cc=content["cc"],
        bcc=content["bcc"],
        sender=message.sender,
        subject=message.subject,
        text=content["text"],
        html=content["html"],
        attachments=[
            Attachment(each["filename"], each["content_type"], base64.b64decode(each["content_base64"]))
            for each in content["attachments"]
        ],
    )


def _sms(message: OutgoingMessage) -> Sms:
    return Sms(
        key=_key(message),
        to=message.recipients[0],
        text=message.content["text"],
        sender=message.sender,
        media_urls=message.content["media_urls"],
        asked_at=message.created_at.isoformat(),
    )


def _key(message: OutgoingMessage) -> str:
    return f"message/{message.id}"


def _note_failure(message: OutgoingMessage, failure: PortFailure, *, doubtful: bool) -> None:
    """Unavailable: nothing was done, so again later. Unknown: it is looked up once more, and then left. Rejected: for good."""
    lookable = isinstance(failure, Unknown) and message.attempts < 2
    if (isinstance(failure, Unavailable) or lookable) and message.attempts < MAX_ATTEMPTS:
        wait = backoff(message.attempts, first=FIRST_WAIT, most=LONGEST_WAIT)
        _record(message, due_at=timezone.now() + wait, in_doubt=lookable or doubtful, error=failure.message[:2000])
        return
    told = f"{failure.message} It was not sent again." if isinstance(failure, Unknown) else failure.message
    _settle(message, MessageStatus.FAILED, told, {"code": failure.code, "message": failure.message})


def _note_receipt(message: OutgoingMessage, receipt: MailReceipt | SmsReceipt) -> None:
    response: dict[str, Any] = {
        "provider": receipt.provider,
        "message_id": receipt.message_id,
        "status": receipt.status,
    }
    more: dict[str, Any] = {"provider_message_id": receipt.message_id[:255]}
    if isinstance(receipt, SmsReceipt) and receipt.cost is not None:
        response |= {"cost": receipt.cost, "currency": receipt.currency}
        more |= {"cost": _money(receipt.cost), "currency": receipt.currency[:3]}
    _settle(message, receipt.status, "", response, **more)


def _settle(
    message: OutgoingMessage, status: str, error: str, response: dict[str, Any] | None = None, **more: Any
) -> None:
    """Nothing more is attempted. What it said stays; the bytes of its attachments go."""
    attachments = [
        {"filename": each["filename"], "content_type": each["content_type"]}
        for each in message.content.get("attachments", ())
    ]
    kept = {**message.content, **({"attachments": attachments} if attachments else {})}
    now = timezone.now()
    _record(
        message,
        status=status,
        error=error[:2000],
        provider_response=response,
        content=kept,
        due_at=None,
        in_doubt=False,
        settled_at=now,
        **more,
    )


def _record(message: OutgoingMessage, **changes: Any) -> None:
    """Only while the claim is ours: whoever has taken the message up since has raised `attempts`."""
    mine = OutgoingMessage.unscoped.filter(pk=message.pk, attempts=message.attempts, due_at__isnull=False)
    mine.update(updated_at=timezone.now(), **changes)


def _money(amount: float) -> Decimal | None:
    try:
        return Decimal(str(amount)).quantize(Decimal("0.000001"))
    except InvalidOperation:
        return None
