"""One exchange with a client that worked offline: what it changed is stored, then it is told what others changed.

Each change is a transaction of its own, together with the note that it was stored: whatever happens in between, one that was
answered is stored, and one that comes again is not stored twice.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from auterity.kernel.access import Actor, Scope, require_scope
from auterity.kernel.errors import DomainError, InvalidInput, TemporarilyUnavailable
from auterity.kernel.models import first_id_of
from devices import selectors as devices
from devices.services import synced
from native import cursors, selectors
from native.collections import COLLECTIONS, Collection, Json, Writable, Written
from native.cursors import Place
from native.errors import ChangeIdReused, RowExists
from native.models import SyncedChange

log = structlog.get_logger(__name__)

MOST_BYTES = 8 * 1024 * 1024  # of changes in one answer, about


class Policy(StrEnum):
    """Whose value counts where both sides changed a field."""

    SERVER_WINS = "server_wins"
    CLIENT_WINS = "client_wins"
    MANUAL = "manual"


YOURS_WIN = {Policy.SERVER_WINS: False, Policy.CLIENT_WINS: True, Policy.MANUAL: None}


@dataclass(frozen=True, slots=True)
class Change:
    """What a client did to one row. `base` is the version it saw; `id` may be one that the client made up for a new row."""

    change_id: UUID
    collection: str
    op: str  # create, update or delete
    id: UUID
    base: int | None
    data: Json


@dataclass(frozen=True, slots=True)
class Applied:
    change_id: UUID
    row_id: UUID
    version: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """`server_data` is what was stored when the change came; nothing for what is deleted."""

    change_id: UUID
    row_id: UUID
    reason: str
    server_version: int
    server_data: Json
    client_data: Json
    fields: tuple[str, ...]
    resolution: str


@dataclass(frozen=True, slots=True)
class Rejected:
    change_id: UUID
    error: DomainError


@dataclass(frozen=True, slots=True)
class Told:
    """A row as it is now. `data` is empty for one that is deleted."""

    collection: str
    row_id: UUID
    deleted: bool
    version: int
    data: Json
    moment: dt.datetime


@dataclass(slots=True)
class Exchange:
    """What an exchange came to. `cursors` holds None for a collection that was not begun for want of room."""

    applied: list[Applied] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    cursors: dict[str, str | None] = field(default_factory=dict)
    more: bool = False
    now: dt.datetime = field(default_factory=timezone.now)


@dataclass(frozen=True, slots=True)
class _Asked:
    collection: Collection
    text: str | None
    place: Place | None


def exchange(
    *,
    actor: Actor,
    given: Mapping[str, str | None],
    changes: Sequence[Change],
    limit: int,
    policy: Policy,
    device_id: UUID | None = None,
) -> Exchange:
    """Store the changes, then tell at most `limit` rows of the collections that `given` has cursors of.

    Before anything is stored: raises `UnknownCollection`, `CursorExpired`, `InvalidInput` for a cursor that is not the actor's,
    `PermissionDenied` for a collection they may not read, and `DeviceNotFound` for a device that is not theirs.
    """
    require_scope(actor, Scope.DATA_READ)
    if device_id is not None:
        devices.get(actor, device_id)
    asked = [_asked(actor, name, text) for name, text in given.items()]
    for change in changes:
        COLLECTIONS.get(change.collection)
    done = Exchange()
    for change in changes:
        _sort(done, _applied(actor, change, policy))
    _tell(actor, done, asked, limit)
    synced(actor=actor)
    return done


def forgotten(organization_id: UUID, now: dt.datetime) -> QuerySet[Any]:
    """Notes of changes that no client sends again: older than any cursor that is good."""
    before = first_id_of(now - settings.NATIVE["tombstones"])
    rows: QuerySet[Any] = SyncedChange.objects.of(organization_id).filter(pk__lt=before)
    return rows


# -- storing ---------------------------------------------------------------------------------------------------------


class _NotTaken(Exception):
    """No error: it undoes the transaction."""

    def __init__(self, written: Written) -> None:
        super().__init__()
        self.written = written


def _applied(actor: Actor, change: Change, policy: Policy) -> Applied | Conflict | Rejected:
    try:
        require_scope(actor, Scope.DATA_WRITE)
        return _once(actor, change, policy)
    except DomainError as error:
        return Rejected(change.change_id, error)
    except (OperationalError, InterfaceError):
        log.warning("synced_change_not_stored", change_id=str(change.change_id), exc_info=True)
        return Rejected(change.change_id, TemporarilyUnavailable())


def _once(actor: Actor, change: Change, policy: Policy) -> Applied | Conflict:
    digest = _digest(change)
    earlier = _earlier(actor, change, digest)
    if earlier is not None:
        return earlier
    collection = COLLECTIONS.writable(change.collection)
    before: Json = {}
    note = SyncedChange(
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        change_id=change.change_id,
        collection=change.collection,
        given_id=change.id,
        row_id=change.id,
        digest=digest,
    )
    try:
        with transaction.atomic():
            note.save(force_insert=True)  # Whoever sends the same meanwhile waits here.
            if change.op != "create" and policy is Policy.CLIENT_WINS:
                before = _stored(actor, collection, _named(actor, change))
            written = _write(actor, collection, change, policy)
            if not written.taken:
                raise _NotTaken(written)
            note.row_id, note.version = written.row_id, written.version
            note.save(update_fields=["row_id", "version"])
    except _NotTaken as undone:
        written = undone.written
    except IntegrityError:
        earlier = _earlier(actor, change, digest)
        if earlier is None:
            raise
        return earlier
    if not written.reason:
        return Applied(change.change_id, written.row_id, written.version)
    return _conflict(actor, collection, change, written, policy, before)


def _write(actor: Actor, collection: Writable, change: Change, policy: Policy) -> Written:
    if change.op == "create":
        if _named(actor, change) != change.id:
            raise RowExists
        return collection.create(actor, change.data)
    if change.base is None:
        raise InvalidInput.of("base_version", "Say which version was changed.", "required")
    row_id, yours_win = _named(actor, change), YOURS_WIN[policy]
    if change.op == "delete":
        return collection.delete(actor, row_id, change.base, yours_win=yours_win)
    return collection.update(actor, row_id, change.base, change.data, yours_win=yours_win)


def _conflict(
    actor: Actor, collection: Writable, change: Change, written: Written, policy: Policy, before: Json
) -> Conflict:
    if written.taken:
        resolution = "client_kept" if policy is Policy.CLIENT_WINS else "merged"
    else:
        resolution = "server_kept" if policy is Policy.SERVER_WINS else "needs_manual"
    return Conflict(
        change_id=change.change_id,
        row_id=written.row_id,
        reason=written.reason,
        server_version=written.version,
        server_data=before or _stored(actor, collection, written.row_id),
        client_data=change.data,
        fields=written.disputed,
        resolution=resolution,
    )


def _stored(actor: Actor, collection: Writable, row_id: UUID) -> Json:
    try:
        return collection.current(actor, row_id)[1]
    except DomainError:
        return {}


def _named(actor: Actor, change: Change) -> UUID:
    """The row's id, where the client knows it by the one that it made up."""
    made = SyncedChange.objects.of(actor).filter(
        user_id=actor.user_id, collection=change.collection, given_id=change.id
    )
    found: UUID | None = made.exclude(row_id=F("given_id")).values_list("row_id", flat=True).first()
    return found or change.id


def _earlier(actor: Actor, change: Change, digest: str) -> Applied | None:
    rows = SyncedChange.objects.of(actor).filter(user_id=actor.user_id, change_id=change.change_id)
    found: SyncedChange | None = rows.first()
    if found is None:
        return None
    if found.digest != digest:
        raise ChangeIdReused
    return Applied(change.change_id, found.row_id, found.version, repeated=True)


def _digest(change: Change) -> str:
    said = [change.collection, change.op, change.id.hex, change.base, change.data]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _sort(done: Exchange, outcome: Applied | Conflict | Rejected) -> None:
    if isinstance(outcome, Applied):
        done.applied.append(outcome)
    elif isinstance(outcome, Conflict):
        done.conflicts.append(outcome)
    else:
        done.rejected.append(outcome)


# -- telling ---------------------------------------------------------------------------------------------------------


def _asked(actor: Actor, name: str, text: str | None) -> _Asked:
    collection = COLLECTIONS.get(name)
    collection.rows(actor)  # Who may not read it is told before anything is stored.
    place = None if text is None else cursors.read(actor, name, collection.stream, text)
    return _Asked(collection, text, place)


def _tell(actor: Actor, done: Exchange, asked: Sequence[_Asked], limit: int) -> None:
    room, left = MOST_BYTES, limit
    for each in asked:
        place, more, begun = each.place, True, False
        while more and left > 0 and room > 0:
            most = min(left, each.collection.chunk)
            page = selectors.page(actor=actor, collection=each.collection, place=place, limit=most, now=done.now)
            told = _shown(actor, each.collection, page.rows)
            done.told += told
            left -= len(told)
            room -= sum(len(orjson.dumps(one.data)) for one in told)
            place, more, begun = page.place, page.more, True
        done.more = done.more or more
        known = cursors.written(actor, each.collection.stream, place) if begun and place is not None else each.text
        done.cursors[each.collection.name] = known


def _shown(actor: Actor, collection: Collection, rows: Sequence[Any]) -> list[Told]:
    return [
        Told(
            collection=collection.name,
            row_id=row.id,
            deleted=collection.is_deleted(row),
            version=collection.version(row),
            data={} if collection.is_deleted(row) else data,
            moment=collection.moment(row),
        )
        for row, data in zip(rows, collection.whole(actor, rows), strict=True)
    ]
