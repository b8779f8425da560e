"""The journal of a whole organization, for those who put its lines into one order. The callers have proved who may see them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from uuid import UUID

from django.db.models import Min, Q

from auterity.kernel.models import first_id_of
from executions.models import ExecutionLog

IN_ONE_QUERY = 100

Place = tuple[UUID, int, int]  # an execution, and the first and the last of its sequence numbers


def lines_at(organization_id: UUID, places: Iterable[Place]) -> list[ExecutionLog]:
    """The lines at these places, in no order; those of executions that were deleted are missing."""
    found: list[ExecutionLog] = []
    every = list(places)
    for at in range(0, len(every), IN_ONE_QUERY):
        wanted = Q()
        for execution_id, first, last in every[at : at + IN_ONE_QUERY]:
            wanted |= Q(execution_id=execution_id, seq__gte=first, seq__lte=last)
        found += ExecutionLog.objects.of(organization_id).filter(wanted)
    return found


def made_after(organization_id: UUID, line_id: UUID, *, limit: int) -> list[tuple[UUID, UUID, int]]:
    """The next lines by their ids, which is about the order in which they were made: id, execution, sequence number."""
    rows = ExecutionLog.objects.of(organization_id).filter(id__gt=line_id).order_by("id")
    return list(rows.values_list("id", "execution_id", "seq")[:limit])


def count_since(organization_id: UUID, since: dt.datetime, *, most: int) -> int:
    """How many lines were made since a moment; counted no further than `most`."""
    return ExecutionLog.objects.of(organization_id).filter(id__gte=first_id_of(since))[:most].count()


def first_seqs(organization_id: UUID, execution_ids: Iterable[UUID], since: dt.datetime) -> dict[UUID, int]:
    """For each of these executions the first line that was made since a moment."""
    rows = ExecutionLog.objects.of(organization_id).filter(execution_id__in=execution_ids, id__gte=first_id_of(since))
    return dict(rows.values("execution_id").annotate(first=Min("seq")).values_list("execution_id", "first"))
