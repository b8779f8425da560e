"""Executions of every organization at once, for operators. Each question goes through an index, whatever the table's size."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from accounts.operators import first_id_of
from executions import slots
from executions.models import (
    LIVE,
    EffectState,
    Execution,
    ExecutionStatus,
    ExecutionStep,
    WorkflowBrake,
    WorkflowFigures,
)

FAILED = (ExecutionStatus.FAILED, ExecutionStatus.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed, and whose it is: who started it, else its workflow's maker."""

    execution_id: UUID
    organization_id: UUID
    workflow_id: UUID
    workflow_name: str
    owner_id: UUID
    message: str


def failures_of(ids: Iterable[UUID]) -> list[Failure]:
    """Those that failed or timed out, in the order they were accepted. A run whose end its parent hears of is the parent's."""
    own = Q(parent_id__isnull=True) | Q(detached=True)
    rows = Execution.unscoped.filter(own, id__in=list(ids), status__in=FAILED).order_by("id")
    return [
        Failure(identity, organization_id, workflow_id, name, started_by or made_by, message)
        for identity, organization_id, workflow_id, name, started_by, made_by, message in rows.values_list(
            "id",
            "organization_id",
            "workflow_id",
            "workflow__name",
            "created_by_id",
            "workflow__created_by_id",
            "error_message",
        )
    ]


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


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """Executions that have not ended: `due` for a worker and held by none, `leased` by one, `waiting` for people, a date or
    other runs, `paused`, and `parked` in their workflow's line. And brakes that are on."""

    due: int
    leased: int
    waiting: int
    paused: int
    parked: int
    brakes: int


def engine_counts() -> EngineCounts:
    """By the index of executions that have not ended."""
    paused, parked = Q(paused_at__isnull=False), Q(parked_at__isnull=False)
    found = Execution.unscoped.filter(completed_at__isnull=True).aggregate(
        due=Count("id", filter=Q(lease_owner="", due_at__lte=timezone.now())),
        leased=Count("id", filter=~Q(lease_owner="")),
        waiting=Count("id", filter=Q(lease_owner="", waiting_since__isnull=False) & ~paused),
        paused=Count("id", filter=paused),
        parked=Count("id", filter=parked & ~paused),
    )
    return EngineCounts(**found, brakes=braked().count())


def braked() -> QuerySet[WorkflowBrake]:
    """Brakes that are on, the newest first."""
    found: QuerySet[WorkflowBrake] = WorkflowBrake.unscoped.filter(released_at=None, until__gt=timezone.now())
    return found.order_by("-id")


def effects_in_doubt() -> QuerySet[ExecutionStep]:
    """Steps of which nobody knows whether they took effect, the newest first."""
    return ExecutionStep.objects.filter(effect=EffectState.UNKNOWN).order_by("-id")


def ended_in_all() -> dict[str, int]:
    """Ended executions of everybody, by how they ended."""
    names = ("completed", "failed", "cancelled", "timeout")
    found = WorkflowFigures.objects.aggregate(**{name: Sum(name) for name in names})
    return {name: found[name] or 0 for name in names}


def oldest_due_seconds() -> float:
    """How long the longest-due execution has been due without a worker claiming it or renewing its lease; 0 when none is.

    Organizations that are not active do not count."""
    oldest = slots.oldest_due()
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0
