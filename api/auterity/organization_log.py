"""The one order in which the clients of an organization hear of its journal lines, in whichever processes they are (decision 37).

The log is a table of numbered batches, of which each process appends the next one if no other has. It says which lines come after
which, and the journal what they say. This module is the database's side of it; `organization_feed` follows it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from api.models import LineBatch, StreamMark
from auterity.kernel.live import Fact
from executions.live import fact_of
from executions.organization_lines import lines_at

HOURS = 24
KEPT_LINES = 50_000  # of a quiet organization's, however old: 1,000 frames of a client that hears one line in fifty
PAGE_BATCHES = 50
PAGE_LINES = 2_000

Entry = Any  # [execution_id, first seq, last seq] | {"alert": fact} | {"filter": stream_id} | {"gap": [[execution_id, seq], ...]}
Event = tuple[str, Fact]  # ("line" or "alert", what it says)
Place = tuple[str, int]  # an execution, a sequence number


class Lost(Exception):
    """What the log names cannot be read any more: it was pruned, or an execution was deleted."""


@dataclass(frozen=True, slots=True)
class Batch:
    number: int
    total: int
    at: dt.datetime
    entries: Sequence[Entry] = field(repr=False)

    def runs(self) -> Iterator[tuple[str, int, int]]:
        """Lines of one execution that follow one another."""
        for each in self.entries:
            if isinstance(each, list):
                yield each[0], each[1], each[2]

    def named(self, what: str) -> list[Any]:
        """Of the entries that are no lines: each `alert`, `filter` or `gap`."""
        return [each[what] for each in self.entries if isinstance(each, dict) and what in each]


def newest(organization_id: UUID) -> Batch | None:
    row = LineBatch.objects.of(organization_id).order_by("-number").first()
    return None if row is None else _batch(row)


def after(organization_id: UUID, number: int, *, limit: int = PAGE_BATCHES) -> list[Batch]:
    """The next batches, in order."""
    rows = LineBatch.objects.of(organization_id).filter(number__gt=number).order_by("number")
    return [_batch(row) for row in rows[:limit]]


def since(organization_id: UUID, moment: dt.datetime) -> list[Batch]:
    rows = LineBatch.objects.of(organization_id).filter(created_at__gte=moment).order_by("number")
    return [_batch(row) for row in rows]


def append(organization_id: UUID, batch: Batch, marks: Sequence[StreamMark] = ()) -> bool:
    """Make this the next batch, together with these marks. False, and nothing done, when another process was first."""
    row = LineBatch(
        organization_id=organization_id, number=batch.number, total=batch.total, entries=list(batch.entries)
    )
    rows = LineBatch.objects.of(organization_id)
    with transaction.atomic():
        rows.bulk_create([row], ignore_conflicts=True)
        if not rows.filter(pk=row.pk).exists():
            return False
        if marks:
            # A mark that stands there already says the same, but for the filter, which is another one from here on.
            StreamMark.objects.of(organization_id).bulk_create(
                marks, update_conflicts=True, update_fields=["filter"], unique_fields=["stream", "number"]
            )
    return True


def page(organization_id: UUID, number: int) -> list[tuple[Batch, list[Event]]]:
    """Some of the batches after a number, as many as are read at once, with what they tell; [] at the end. Raises `Lost`."""
    batches = after(organization_id, number)
    if [each.number for each in batches] != list(range(number + 1, number + 1 + len(batches))):
        raise Lost(number)
    first = batches[0].total if batches else 0
    batches = [each for each in batches if each is batches[0] or each.total - first <= PAGE_LINES]
    return list(zip(batches, told(organization_id, batches, {}), strict=True))


def told(organization_id: UUID, batches: Sequence[Batch], heard: Mapping[Place, Fact]) -> list[list[Event]]:
    """What each batch tells, from what was heard already and else from the journal. Raises `Lost`."""
    wanted: dict[str, tuple[int, int]] = {}
    for batch in batches:
        for execution_id, first, last in batch.runs():
            absent = [seq for seq in range(first, last + 1) if (execution_id, seq) not in heard]
            if absent:
                low, high = wanted.get(execution_id, (absent[0], absent[-1]))
                wanted[execution_id] = (min(low, absent[0]), max(high, absent[-1]))
    read: dict[Place, Fact] = {}
    for line in lines_at(organization_id, [(UUID(each), *span) for each, span in wanted.items()]) if wanted else ():
        read[str(line.execution_id), line.seq] = fact_of(line)
    return [list(_events(batch, heard, read)) for batch in batches]


def forgotten_batches(organization_id: UUID, now: dt.datetime) -> QuerySet[LineBatch]:
    """Batches of more than a day ago that are not among the newest lines."""
    rows: QuerySet[LineBatch] = LineBatch.objects.of(organization_id)
    total = rows.order_by("-number").values_list("total", flat=True).first() or 0
    return rows.filter(created_at__lt=now - dt.timedelta(hours=HOURS), total__lt=total - KEPT_LINES)


# -- inside ----------------------------------------------------------------------------------------------------------


def _batch(row: LineBatch) -> Batch:
    return Batch(row.number, row.total, row.created_at, row.entries)


def _events(batch: Batch, heard: Mapping[Place, Fact], read: Mapping[Place, Fact]) -> Iterable[Event]:
    for entry in batch.entries:
        if isinstance(entry, list):
            execution_id, first, last = entry
            for seq in range(first, last + 1):
                fact = heard.get((execution_id, seq)) or read.get((execution_id, seq))
                if fact is None:
                    raise Lost(batch.number)
                yield "line", fact
        elif "alert" in entry:
            yield "alert", entry["alert"]
        elif "gap" in entry:
            raise Lost(batch.number)
