"""Writing: the built-in message templates, and a second chance for deliveries that were given up."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from integrations.builtin_templates import BUILTIN
from integrations.models import DeliveryStatus, MessageTemplate, WebhookDelivery


def ensure_builtin_templates() -> int:
    """Store the built-in templates that are missing; one that an operator changed stays. Returns how many it made."""
    with transaction.atomic():
        stored = set(MessageTemplate.unscoped.filter(organization=None).values_list("name", flat=True))
        missing = [
            MessageTemplate(name=each.name, subject=each.subject, text=each.text, html=each.html)
            for each in BUILTIN
            if each.name not in stored
        ]
        # Two servers may start at once; whoever comes second finds the unique name taken and leaves it.
        MessageTemplate.unscoped.bulk_create(missing, ignore_conflicts=True)
    return len(missing)


def deliver_again(*, delivery_ids: Iterable[UUID]) -> int:
    """Make deliveries that were given up due now, with all their attempts anew. Returns how many it made due.

    For the operators' site, whatever the organization; one that is still owed or was delivered stays as it is.
    """
    given_up = WebhookDelivery.unscoped.filter(pk__in=list(delivery_ids), status=DeliveryStatus.FAILED)
    return given_up.update(status=DeliveryStatus.PENDING, due_at=timezone.now(), attempts=0, updated_at=timezone.now())
