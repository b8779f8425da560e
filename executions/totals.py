"""What an organization's executions add up to, by kept figures and indexes: no million rows are counted."""

from __future__ import annotations

import datetime as dt

from django.db.models import Sum

from auterity.kernel.access import Actor
from auterity.kernel.models import first_id_of
from executions.models import Execution, WorkflowFigures

COUNTED = 100_000  # starts that are counted one by one; beyond it is "at least so many"
_ENDED = ("completed", "failed", "cancelled", "timeout", "seconds")


def ended_of(actor: Actor) -> dict[str, float]:
    """Ended executions by how they ended, and their `seconds` together, of workflows that were deleted too."""
    rows = WorkflowFigures.objects.filter(workflow__organization_id=actor.organization_id)
    return {name: found or 0 for name, found in rows.aggregate(**{name: Sum(name) for name in _ENDED}).items()}


def live_of(actor: Actor) -> int:
    """How many have not ended."""
    return Execution.objects.of(actor).filter(completed_at__isnull=True).count()


def started_since(actor: Actor, moment: dt.datetime) -> int:
    """How many were accepted since a moment; at most `COUNTED`, which then means at least so many."""
    return Execution.objects.of(actor).filter(id__gte=first_id_of(moment)).order_by("-id")[:COUNTED].count()
