"""Outgoing webhooks: owed in the transaction that made them true, delivered at least once, signed as Standard Webhooks.

A delivery is a due row like an execution: claimed by pushing `due_at` ahead, so a worker that dies simply leaves it due again.
Receivers verify with the organization's signing secret (`signing_secret`) and recognise a repeat by `webhook-id`.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import random
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from auterity.kernel.events import publish
from engine.ports import HttpCall, PortFailure
from integrations.events import WebhookGivenUp
from integrations.http import GuardedHttp
from integrations.models import DeliveryStatus, WebhookDelivery

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 10
CLAIM_SECONDS = 60.0
TIMEOUT_SECONDS = 15.0
GONE = 410
EXECUTION_ENDED = "execution.ended"

Owed = tuple[UUID, str, dict[str, Any]]


def enqueue_results(owed: Sequence[Owed]) -> None:
    """Owe each (organization, url, data) its message, inside the caller's transaction."""
    now = timezone.now()
    WebhookDelivery.unscoped.bulk_create(
        WebhookDelivery(
            organization_id=organization_id,
            url=url,
            event=EXECUTION_ENDED,
            payload={"type": EXECUTION_ENDED, "timestamp": now.isoformat().replace("+00:00", "Z"), "data": data},
            due_at=now,
        )
        for organization_id, url, data in owed
    )


def owe(organization_id: UUID, url: str, event: str, data: dict[str, Any]) -> None:
    """Owe an address one message of any kind, inside the caller's transaction."""
    now = timezone.now()
    payload = {"type": event, "timestamp": now.isoformat().replace("+00:00", "Z"), "data": data}
    WebhookDelivery(organization_id=organization_id, url=url, event=event, payload=payload, due_at=now).save()


def deliver_due() -> bool:
    """Attempt the delivery that has been due longest. Returns whether there was one."""
    delivery = _claim()
    if delivery is None:
        return False
    connection.close()  # Nothing of the database is held while the receiver takes its time.
    try:
        answer = GuardedHttp().call(_call(delivery), timeout=TIMEOUT_SECONDS)
        status, error = answer.status, "" if 200 <= answer.status < 300 else f"The receiver answered {answer.status}."
    except PortFailure as failure:
        status, error = None, failure.message
    except Exception as defect:
        # Counted as an attempt, so that a message that cannot be sent is given up and holds up no other.
        log.exception("delivery_crashed", delivery=str(delivery.id))
        status, error = None, f"The message could not be sent ({type(defect).__name__}). This is a defect of ours."
    _record(delivery, status, error)
    return True


def signing_secret(organization_id: UUID) -> str:
    """The secret an organization verifies our signatures with, in Standard Webhooks' form (`whsec_` and base64)."""
    return "whsec_" + base64.b64encode(_key(organization_id)).decode()


def sign(organization_id: UUID, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks, "Signature scheme")."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(organization_id), signed, hashlib.sha256)).decode()


def _key(organization_id: UUID) -> bytes:
    return hmac.digest(settings.VAULT_KEYS[-1].encode(), f"webhooks:{organization_id}".encode(), hashlib.sha256)


def _claim() -> WebhookDelivery | None:
    now = timezone.now()
    due = WebhookDelivery.unscoped.filter(due_at__lte=now).order_by("due_at")
    if not due.exists():  # Most looks find nothing; only a writer takes SQLite's one lock.
        return None
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        delivery: WebhookDelivery | None = due.first()
        if delivery is not None:
            delivery.attempts += 1
            delivery.due_at = now + dt.timedelta(seconds=CLAIM_SECONDS)
            delivery.save(update_fields=["attempts", "due_at", "updated_at"])
    return delivery


def _call(delivery: WebhookDelivery) -> HttpCall:
    body = orjson.dumps(delivery.payload)
    timestamp = int(timezone.now().timestamp())
    return HttpCall(
        key=str(delivery.id),
        method="POST",
        url=delivery.url,
        headers={
            "content-type": "application/json",
            "user-agent": "Auterity-Webhooks/1.0",
            "webhook-id": str(delivery.id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(delivery.organization_id, str(delivery.id), timestamp, body),
        },
        body=body,
    )


def _record(delivery: WebhookDelivery, status: int | None, error: str) -> None:
    delivery.last_status, delivery.last_error = status, error[:2000]
    if not error:
        delivery.status, delivery.due_at = DeliveryStatus.DELIVERED, None
    elif status == GONE or delivery.attempts >= MAX_ATTEMPTS:
        delivery.status, delivery.due_at = DeliveryStatus.FAILED, None
    else:
        wait = min(5 * 4 ** (delivery.attempts - 1), 12 * 3600) * random.uniform(0.8, 1.2)  # noqa: S311  Spreads retries; no secret.
        delivery.due_at = timezone.now() + dt.timedelta(seconds=wait)
    delivery.save(update_fields=["status", "due_at", "last_status", "last_error", "updated_at"])
    if delivery.status == DeliveryStatus.FAILED:
        host = urlsplit(delivery.url).hostname or ""
        publish(WebhookGivenUp(delivery.organization_id, delivery.id, host, delivery.attempts, delivery.last_error))
