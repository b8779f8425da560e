"""Reading the trail: searched by filters, newest first, paged by the time-ordered key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from audit.models import AuditChain, AuditEvent
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.models import first_id_of

MOST_A_PAGE: Final = 200
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; empty means anything. `event_type` may end in `.*`, for all that begins so. Times are of recording."""

    event_type: str = ""
    action: str = ""
    outcome: str = ""
    severity: str = ""
    user_id: UUID | None = None
    session_id: UUID | None = None
    resource_type: str = ""
    resource_id: str = ""
    address: str = ""
    request_id: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def condition(self) -> Q:
        named = (
            "action",
            "outcome",
            "severity",
            "user_id",
            "session_id",
            "resource_type",
            "resource_id",
            "address",
            "request_id",
        )
        found = Q(**{name: given for name in named if (given := getattr(self, name)) not in ("", None)})
        if self.event_type.endswith(".*"):
            found &= Q(event_type__startswith=self.event_type[:-1])
        elif self.event_type:
            found &= Q(event_type=self.event_type)
        if self.since is not None:
            found &= Q(id__gte=_first(self.since))
        if self.until is not None:
            found &= Q(id__lt=_first(self.until))
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """One page. `cursor` asks for the next one; None at the end."""

    events: list[AuditEvent]
    cursor: UUID | None


def search(*, actor: Actor, wanted: Wanted, cursor: UUID | None = None, limit: int = 50) -> Found:
    """A page of the organization's trail, newest first. Needs audit:read."""
    require(actor, Permission.AUDIT_READ)
    rows = AuditEvent.objects.of(actor).filter(wanted.condition()).order_by("-id")
    if cursor is not None:
        rows = rows.filter(id__lt=cursor)
    limit = max(1, min(limit, MOST_A_PAGE))
    events = list(rows[: limit + 1])
    return Found(events[:limit], events[limit - 1].id if len(events) > limit else None)


def events_of(organization_id: UUID, wanted: Wanted) -> QuerySet[AuditEvent]:
    """What the product itself looks at in one organization's trail, lazily; no permission is asked."""
    rows: QuerySet[AuditEvent] = AuditEvent.objects.of(organization_id)
    return rows.filter(wanted.condition())


def walk(rows: QuerySet[AuditEvent], *, most: int | None = None) -> Iterator[AuditEvent]:
    """Rows oldest first, a chunk a query: nothing is held open between, however long the reader takes."""
    after, given = None, 0
    rows = rows.order_by("id")
    while True:
        size = _CHUNK if most is None else min(_CHUNK, most - given)
        chunk = list((rows if after is None else rows.filter(id__gt=after))[:size]) if size > 0 else []
        yield from chunk
        given += len(chunk)
        if len(chunk) < _CHUNK:
            return
        after = chunk[-1].id


def anywhere(wanted: Wanted) -> QuerySet[AuditEvent]:
    """Everybody's trails, for operators and detectors."""
    return AuditEvent.unscoped.filter(wanted.condition())


def heads() -> QuerySet[AuditChain]:
    return AuditChain.objects.order_by("id")


def _first(moment: dt.datetime) -> UUID:
    """A time without an offset is taken for UTC."""
    return first_id_of(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
