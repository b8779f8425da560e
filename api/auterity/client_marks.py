"""What is kept of clients' streams in the database: whose they are, and marks to count their frames from (decision 37)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from api.auterity.client_filter import Filter
from api.models import KeptStream, LineBatch, StreamMark
from auterity.kernel.access import Actor

STREAM_DAYS = 7  # that a client may stay away
STREAMS_OF_ONE = 100  # client_ids of one person, the newest


@dataclass(frozen=True, slots=True)
class Mark:
    """Before batch `number` the stream had come to `seq`, and went on with `filter`."""

    number: int
    seq: int
    filter: Filter


@dataclass(frozen=True, slots=True)
class Claimed:
    """A client's stream from before: which connection had it, and its newest mark, if it still has one."""

    stream_id: UUID
    owner: str
    mark: Mark | None


def claim(*, actor: Actor, client_id: str, owner: str) -> Claimed | None:
    """The client's stream, for a new connection. None when it has none, or when it may not see the same any more."""
    with transaction.atomic():
        row = _of(actor, client_id).select_for_update().first()
        if row is None or row.rights != _rights(actor):
            return None
        before, row.owner, row.seen_at = row.owner, owner, timezone.now()
        row.save(update_fields=["owner", "seen_at"])
    newest = StreamMark.objects.of(actor).filter(stream_id=row.id).order_by("-number").first()
    return Claimed(row.id, before, None if newest is None else _mark(newest))


def begin(*, actor: Actor, client_id: str, owner: str, mark: Mark) -> tuple[UUID | None, str]:
    """A new stream for this client, which begins with this mark; the one it had is forgotten.

    Returns its id, and the connection that had the other one. No id: another process has begun one at the same moment.
    """
    with transaction.atomic():
        earlier = _of(actor, client_id).select_for_update().first()
        if earlier is not None:
            earlier.delete()
        row = KeptStream(
            organization_id=actor.organization_id,
            user_id=actor.user_id,
            client_id=client_id,
            rights=_rights(actor),
            owner=owner,
            seen_at=timezone.now(),
        )
        KeptStream.objects.of(actor).bulk_create([row], ignore_conflicts=True)
        if not KeptStream.objects.of(actor).filter(pk=row.pk).exists():
            return None, ""
        rows_of([(actor.organization_id, row.id, mark)])[0].save(force_insert=True)
        own = KeptStream.objects.of(actor).filter(user_id=actor.user_id).order_by("-seen_at")
        surplus = list(own.values_list("pk", flat=True)[STREAMS_OF_ONE : STREAMS_OF_ONE * 2])
        if surplus:
            KeptStream.objects.of(actor).filter(pk__in=surplus).delete()
    return row.id, "" if earlier is None else earlier.owner


def rows_of(marks: Iterable[tuple[UUID, UUID, Mark]]) -> list[StreamMark]:
    """Rows for marks of streams: organization, stream, mark."""
    return [
        StreamMark(
            organization_id=organization_id,
            stream_id=stream_id,
            number=mark.number,
            seq=mark.seq,
            filter=mark.filter.kept(),
        )
        for organization_id, stream_id, mark in marks
    ]


def write(organization_id: UUID, marks: Sequence[StreamMark]) -> None:
    """Shorten the way from which frames are counted. What is there already says the same."""
    StreamMark.objects.of(organization_id).bulk_create(marks, ignore_conflicts=True)


def last_before(organization_id: UUID, stream_id: UUID, seq: int) -> Mark | None:
    """The newest mark from which the frame after `seq` can be counted."""
    rows = StreamMark.objects.of(organization_id).filter(stream_id=stream_id, seq__lte=seq)
    row = rows.order_by("-number").first()
    return None if row is None else _mark(row)


def between(organization_id: UUID, stream_id: UUID, first: int, last: int) -> dict[int, Mark]:
    """The stream's marks before these batches, by number."""
    rows = StreamMark.objects.of(organization_id).filter(stream_id=stream_id, number__gte=first, number__lte=last)
    return {row.number: _mark(row) for row in rows}


def anybody(organization_id: UUID) -> bool:
    """Whether any client could ask for what it missed."""
    return KeptStream.objects.of(organization_id).exists()


def still_here(organization_id: UUID, stream_ids: Iterable[UUID]) -> None:
    KeptStream.objects.of(organization_id).filter(pk__in=list(stream_ids)).update(seen_at=timezone.now())


def forgotten_streams(organization_id: UUID, now: dt.datetime) -> QuerySet[KeptStream]:
    """Streams of clients that did not come back."""
    rows: QuerySet[KeptStream] = KeptStream.objects.of(organization_id)
    return rows.filter(seen_at__lt=now - dt.timedelta(days=STREAM_DAYS))


def forgotten_marks(organization_id: UUID, now: dt.datetime) -> QuerySet[StreamMark]:
    """Marks before batches that are gone."""
    oldest = LineBatch.objects.of(organization_id).aggregate(oldest=Min("number"))["oldest"] or 0
    rows: QuerySet[StreamMark] = StreamMark.objects.of(organization_id)
    return rows.filter(number__lt=oldest)


# -- inside ----------------------------------------------------------------------------------------------------------


def _of(actor: Actor, client_id: str) -> QuerySet[KeptStream]:
    rows: QuerySet[KeptStream] = KeptStream.objects.of(actor)
    return rows.filter(user_id=actor.user_id, client_id=client_id)


def _rights(actor: Actor) -> str:
    return hashlib.sha256(" ".join(sorted(actor.permissions)).encode()).hexdigest()


def _mark(row: StreamMark) -> Mark:
    return Mark(row.number, row.seq, Filter.of_kept(row.filter))
