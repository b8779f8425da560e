"""Executions of every organization at once, for operators. Each question goes through an index, whatever the table's size."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts.operators import first_id_of
from executions import slots
from executions.models import LIVE, Execution, ExecutionStatus, WorkflowFigures

FAILED = (ExecutionStatus.FAILED, ExecutionStatus.TIMEOUT)


def in_status(found: QuerySet[Any], *wanted: ExecutionStatus) -> QuerySet[Any]:
    """Those in one of several states. The failed are sought in the workflows whose figures count some."""
    if all(each in LIVE for each in wanted):
        return found.filter(status__in=wanted, completed_at__isnull=True)
    if ExecutionStatus.COMPLETED in wanted:
        return found.filter(status__in=wanted)  # Most are, so the newest are soon found.
    counting = Q()
    for each in wanted:
        counting |= Q(**{f"{each.value}__gt": 0})
    return found.filter(
        status__in=wanted, workflow_id__in=WorkflowFigures.objects.filter(counting).values("workflow_id")
    )


def failed_since(moment: dt.datetime) -> QuerySet[Execution]:
    """Those accepted since a moment that failed or timed out."""
    found: QuerySet[Execution] = in_status(Execution.unscoped.filter(id__gte=first_id_of(moment)), *FAILED)
    return found


def live_counts() -> dict[str, int]:
    """How many are pending and running now."""
    counted = Execution.unscoped.filter(completed_at__isnull=True).values_list("status").annotate(count=Count("id"))
    return {**dict.fromkeys((each.value for each in LIVE), 0), **dict(counted)}


def oldest_due_seconds() -> float:
    """How long the longest-due execution has been due without a worker claiming it or renewing its lease; 0 when none is.

    Organizations that are not active do not count."""
    oldest = slots.oldest_due()
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0
