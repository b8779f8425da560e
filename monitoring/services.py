"""Writing: adding up the ledger of AI calls, and forgetting figures that are no longer kept."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Organization
from ai.models import AiUsage
from monitoring.models import AiFigures, RequestBucket, SystemAlert
from monitoring.recording import EPOCH
from monitoring.selectors import ai_sum, is_old

SETTLED = dt.timedelta(minutes=10)  # longer than any transaction lasts: no older row can still appear
ALERTS_KEPT = dt.timedelta(days=90)
BATCH = 1000


def add_up_ai_calls() -> int:
    """Bring the figures of every organization up to ten minutes ago. Returns how many calls were added.

    Harmless when several processes do it at once, or one dies on the way: a figure and how far it goes are one row.
    """
    return sum(_add_up(each) for each in list(Organization.objects.order_by("pk").values_list("pk", flat=True)))


def forget_figures() -> int:
    """Delete the platform's own figures and alerts that are no longer kept; some at a time. Returns how many."""
    now = timezone.now()
    doomed: list[QuerySet[Any]] = [
        RequestBucket.objects.filter(is_old(now)),
        SystemAlert.objects.filter(resolved_at__lt=now - ALERTS_KEPT),
    ]
    count = 0
    for rows in doomed:
        chosen = list(rows.values_list("pk", flat=True)[:BATCH])
        count += rows.filter(pk__in=chosen).delete()[0] if chosen else 0
    return count


def _add_up(organization_id: UUID) -> int:
    until = timezone.now() - SETTLED
    known = AiFigures.objects.of(organization_id).values_list("until", flat=True).first() or EPOCH
    if not AiUsage.objects.of(organization_id).filter(created_at__gte=known, created_at__lt=until).exists():
        return 0
    AiFigures.objects.of(organization_id).bulk_create(
        [AiFigures(organization_id=organization_id, until=EPOCH)], ignore_conflicts=True
    )
    with transaction.atomic():
        kept = AiFigures.objects.of(organization_id).select_for_update().get()
        rows = AiUsage.objects.of(organization_id).filter(created_at__gte=kept.until, created_at__lt=until)
        calls, tokens, cost = ai_sum(rows)
        kept.until = max(kept.until, until)
        kept.calls, kept.tokens, kept.cost_usd = kept.calls + calls, kept.tokens + tokens, kept.cost_usd + cost
        kept.save(update_fields=["until", "calls", "tokens", "cost_usd"])
    return calls
