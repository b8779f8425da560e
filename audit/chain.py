"""Numbering and chaining what was recorded, and proving that nobody changed it since.

A chain's sealer takes the rows that are committed and have no number, oldest first, and gives them the next ones under the lock
of the chain's head. A row whose transaction commits late is taken by a later pass: numbers follow the order of commits, as seen
by sealing, and have no gaps. A hash covers the event, its number and the hash before it (SHA-256 over canonical JSON: keys
sorted, no blanks, UTF-8, times in UTC with microseconds).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection, transaction

from audit import guards
from audit.models import PLATFORM, AuditChain, AuditEvent
from auterity.kernel import sql

BATCH: Final = 500
PRUNED: Final = "audit.pruned"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The hash that a chain had at a number, kept where whoever writes to the database cannot write."""

    chain: UUID
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a chain found. `problem` is one sentence, None where all is as it was recorded.

    `unsealed` events were recorded and have no number yet.
    """

    chain: UUID
    events: int
    unsealed: int
    head: Anchor
    first_broken: int | None = None
    problem: str | None = None

    @property
    def intact(self) -> bool:
        return self.problem is None


def seal_all() -> int:
    """Number and chain whatever waits for it. Returns how many events. Harmless at any time, in any number of processes."""
    waiting = AuditEvent.unscoped.filter(sequence=None).order_by().values_list("chain", flat=True).distinct()
    return sum(seal(chain) for chain in list(waiting))


def seal(chain: UUID) -> int:
    """Number and chain what waits in one chain; a batch a transaction. Returns how many."""
    count = 0
    while done := _seal_some(chain):
        count += done
        if done < BATCH:
            break
    return count


def event_hash(event: AuditEvent, sequence: int, previous_hash: str) -> str:
    """What the event's hash is at that place. Reads the row's stored values: give it a row that was read back."""
    return hashlib.sha256(canonical(event, sequence, previous_hash)).hexdigest()


def canonical(event: AuditEvent, sequence: int, previous_hash: str) -> bytes:
    """The text that is hashed."""
    return orjson.dumps(
        {**content(event), "sequence": sequence, "previous_hash": previous_hash}, option=orjson.OPT_SORT_KEYS
    )


def content(event: AuditEvent) -> dict[str, Any]:
    """Everything an event says, as JSON values; also what an export shows."""
    return {
        "id": str(event.id),
        "organization_id": None if event.organization_id is None else str(event.organization_id),
        "chain": str(event.chain),
        "event_type": event.event_type,
        "action": event.action,
        "outcome": str(event.outcome),
        "severity": str(event.severity),
        "kind": str(event.kind),
        "user_id": None if event.user_id is None else str(event.user_id),
        "session_id": None if event.session_id is None else str(event.session_id),
        "resource_type": event.resource_type,
        "resource_id": event.resource_id,
        "address": event.address,
        "user_agent": event.user_agent,
        "request_id": event.request_id,
        "path": event.path,
        "occurred_at": moment(event.occurred_at),
        "recorded_at": moment(event.created_at),
        "details": event.details,
    }


def moment(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def chains() -> Iterator[UUID]:
    """Every chain there is, the platform's own first."""
    yield from AuditChain.objects.order_by("id").values_list("id", flat=True)


def verify(chain: UUID, *, anchors: tuple[Anchor, ...] = ()) -> Checked:
    """Read the chain from its beginning and compute every hash again. Changes nothing.

    Finds a changed, missing, added or moved event; with `anchors` also an end that was cut off or written anew.
    """
    while True:
        head = AuditChain.objects.filter(pk=chain).first() or AuditChain(id=chain)
        found = _verify_from(head, anchors)
        now = AuditChain.objects.filter(pk=chain).first()
        # What was forgotten by policy while this was read is no problem of the chain's.
        if found.intact or now is None or now.pruned_sequence == head.pruned_sequence:
            return found


def _verify_from(head: AuditChain, anchors: tuple[Anchor, ...]) -> Checked:
    chain = head.pk
    wanted = {each.sequence: each.hash for each in anchors if each.chain == chain}
    at, running, events = head.pruned_sequence, head.pruned_hash, 0
    unsealed = AuditEvent.unscoped.filter(chain=chain, sequence=None).count()

    def found(problem: str | None, broken: int | None = None) -> Checked:
        return Checked(chain, events, unsealed, Anchor(chain, at, running), broken, problem)

    if wanted.get(at, running) != running:
        return found(f"Event {at}, up to which the trail was forgotten, has another hash than the log says.", at)
    if at and not _pruning_is_told(head):
        return found(f"Events up to {at} are gone, and the trail does not tell of it.", at)
    rows = AuditEvent.unscoped.filter(chain=chain, sequence__gt=at, sequence__lte=head.last_sequence)
    for event in rows.order_by("sequence").iterator(chunk_size=BATCH):
        number = at + 1
        if event.sequence != number:
            return found(f"Event {number} is missing.", number)
        if event.previous_hash != running:
            return found(f"Event {number} does not follow the one before it.", number)
        if event_hash(event, number, running) != event.hash:
            return found(f"Event {number} is not what was recorded.", number)
        at, running, events = number, event.hash, events + 1
        if wanted.get(at, running) != running:
            return found(f"Event {at} has another hash than the log says: the trail was written anew.", at)
    if head.anchored_sequence > head.last_sequence:
        return found(f"Event {head.anchored_sequence} was put into the log; the trail ends at {at}.", at + 1)
    if (at, running) != (head.last_sequence, head.last_hash):
        return found(f"The trail ends at {at}; its head says {head.last_sequence}.", at + 1)
    if AuditEvent.unscoped.filter(chain=chain, sequence__gt=at).exists():
        # Events that were sealed while this was read are no problem; the head has risen with them.
        head.refresh_from_db()
        if AuditEvent.unscoped.filter(chain=chain, sequence__gt=head.last_sequence).exists():
            return found("There are events behind the head of the chain.", head.last_sequence + 1)
    beyond = [each for each in wanted if each > at]
    if beyond and not AuditEvent.unscoped.filter(chain=chain, sequence=max(beyond)).exists():
        return found(f"The log knows event {max(beyond)}; the trail ends at {at}: its end was cut off.", at + 1)
    if missing := guards.missing():
        return found(f"The database no longer guards the trail: {', '.join(missing)} is not there.")
    return found(None)


# -- inside --------------------------------------------------------------------------------------------------------------


def _seal_some(chain: UUID) -> int:
    with transaction.atomic():
        head = locked(chain)
        rows = list(AuditEvent.unscoped.filter(chain=chain, sequence=None).order_by("id")[:BATCH])
        if not rows:
            return 0
        sealed = []
        for row in rows:
            number, before = head.last_sequence + 1, head.last_hash
            head.last_sequence, head.last_hash = number, event_hash(row, number, before)
            sealed.append((number, before, head.last_hash, sql.value(row.id)))
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE audit_events SET sequence = %s, previous_hash = %s, hash = %s WHERE id = %s AND sequence IS NULL",
                sealed,
            )
        AuditChain.objects.filter(pk=chain).update(last_sequence=head.last_sequence, last_hash=head.last_hash)
    return len(rows)


def locked(chain: UUID) -> AuditChain:
    """The chain's head, held until the transaction ends."""
    rows = AuditChain.objects.select_for_update().filter(pk=chain)
    if (head := rows.first()) is None:
        AuditChain.objects.bulk_create([AuditChain(id=chain)], ignore_conflicts=True)
        head = rows.get()
    return head


def _pruning_is_told(head: AuditChain) -> bool:
    told = AuditEvent.unscoped.filter(chain=head.pk, event_type=PRUNED).order_by("-id")[:100]
    return any(
        (each.details.get("through"), each.details.get("hash")) == (head.pruned_sequence, head.pruned_hash)
        for each in told
    )


def name_of(chain: UUID) -> str:
    return "platform" if chain == PLATFORM else str(chain)
