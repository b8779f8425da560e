"""What changed in a collection since a client last asked, in the order in which it changed.

Rows are ordered by the moment they changed. A transaction that takes long commits a moment that is already past: so the newest
part of the order, as long as any transaction may take, is looked at again each time, and what was told of it is not told twice.
"""

from __future__ import annotations

import datetime as dt
import zlib
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Q

from auterity.kernel.access import Actor
from native.collections import Collection
from native.cursors import NIL, Key, Place

MOST_KNOWN = 256  # rows of the newest part that a cursor remembers; beyond, one may be told twice
_ROUNDING = dt.timedelta(milliseconds=1)  # SQLite's own clock writes milliseconds, ours microseconds


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as they are now, where the client is after them, and whether there are more."""

    rows: list[Any]
    place: Place
    more: bool


def page(*, actor: Actor, collection: Collection, place: Place | None, limit: int, now: dt.datetime) -> Page:
    """The next rows of a collection. Without a place from the beginning: then what is deleted is not told."""
    place = Place(Key(now - collection.lag, NIL), walking=True) if place is None else place
    return _walked(actor, collection, place, limit) if place.walking else _changed(actor, collection, place, limit, now)


def _walked(actor: Actor, collection: Collection, place: Place, limit: int) -> Page:
    rows = collection.rows(actor).order_by("id")
    found = list((rows if place.walked is None else rows.filter(id__gt=place.walked))[: limit + 1])
    taken, more = found[:limit], len(found) > limit
    young = {each.id: _mark(collection, each) for each in taken if collection.moment(each) > place.settled.moment}
    known = _newest({**place.known, **young})
    walked = taken[-1].id if more else None
    return Page(taken, replace(place, walking=more, walked=walked, known=known), more)


def _changed(actor: Actor, collection: Collection, place: Place, limit: int, now: dt.datetime) -> Page:
    start = place.page or place.settled
    settled, last = place.settled, start
    taken: list[Any] = []
    seen: dict[UUID, int] = {}
    more = False
    for row in _after(actor, collection, start, limit + len(place.known) + 1):
        key, mark = Key(collection.moment(row), row.id), _mark(collection, row)
        if key <= start:
            continue
        if place.known.get(row.id) != mark:
            if len(taken) == limit:
                more = True
                break
            taken.append(row)
        last = key
        if key.moment <= now - collection.lag:
            settled = key
        else:
            seen[row.id] = mark
    kept = place.known if more or place.page else {}
    known = _newest({**kept, **seen})
    return Page(taken, Place(settled, page=last if more else None, known=known), more)


def _after(actor: Actor, collection: Collection, start: Key, most: int) -> list[Any]:
    name = collection.moment_field
    rows = collection.changed(actor, start.moment - _ROUNDING)
    about = Q(**{f"{name}__gt": start.moment}) | Q(
        **{f"{name}__gte": start.moment - _ROUNDING, f"{name}__lte": start.moment + _ROUNDING}, id__gt=start.id
    )
    return list(rows.filter(about).order_by(name, "id")[:most])


def _mark(collection: Collection, row: Any) -> int:
    """Another one whenever the row changed."""
    return zlib.crc32(f"{collection.version(row)} {collection.moment(row).isoformat()}".encode())


def _newest(known: dict[UUID, int]) -> dict[UUID, int]:
    return dict(islice(known.items(), max(0, len(known) - MOST_KNOWN), None))
