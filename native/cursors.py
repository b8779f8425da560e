"""How far a client has come in a collection, as a text that it keeps and cannot read.

A cursor is signed for one person in one organization: another one's does not open. It says when it was made; after as many days
as deletions are remembered it is too old.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.core import signing

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from native.errors import CursorExpired

LONGEST = 64 * 1024  # characters
NIL = UUID(int=0)


@dataclass(frozen=True, order=True, slots=True)
class Key:
    """Where a row stands in the order of changes."""

    moment: dt.datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Place:
    """First a client walks through all rows by id (`walked` is the last one; None before the first), then along their changes.

    Up to `settled` everything was told, and nothing can come any more. What is younger may still be joined by a change of another
    transaction that commits late, so it is looked at again: `known` are marks of those rows that were told, as they were.
    `page` is where a walk along the changes stopped that took more than one answer.
    """

    settled: Key
    walking: bool = False
    walked: UUID | None = None
    page: Key | None = None
    known: dict[UUID, int] = field(default_factory=dict)

    @classmethod
    def at(cls, moment: dt.datetime) -> Self:
        """For whoever has seen everything up to a moment."""
        return cls(Key(moment, NIL))


def written(actor: Actor, stream: str, place: Place) -> str:
    """The text of a place."""
    said = {
        "c": stream,
        "s": _out(place.settled),
        "f": place.walking,
        "w": place.walked.hex if place.walked else None,
        "p": _out(place.page) if place.page else None,
        "k": {each.hex: version for each, version in place.known.items()},
    }
    return signing.dumps(said, salt=_salt(actor), compress=True)


def read(actor: Actor, collection: str, stream: str, text: str) -> Place:
    """The place that a client's cursor stands for. Raises `CursorExpired`, and `InvalidInput` for one that is not theirs."""
    try:
        if len(text) > LONGEST:
            raise ValueError
        said: Any = signing.loads(text, salt=_salt(actor), max_age=settings.NATIVE["tombstones"])
        if said["c"] != stream:
            raise ValueError
        return Place(
            settled=_in(said["s"]),
            walking=bool(said["f"]),
            walked=UUID(said["w"]) if said["w"] else None,
            page=_in(said["p"]) if said["p"] else None,
            known={UUID(each): int(version) for each, version in said["k"].items()},
        )
    except signing.SignatureExpired:
        raise CursorExpired(collection=collection) from None
    except (signing.BadSignature, ValueError, TypeError, KeyError):
        raise InvalidInput.of(
            f"cursors.{collection[:60]}", "This is no cursor of yours for this collection. Start again with null."
        ) from None


def _salt(actor: Actor) -> str:
    return f"native cursor {actor.organization_id} {actor.user_id}"


def _out(key: Key) -> list[str]:
    return [key.moment.isoformat(), key.id.hex]


def _in(said: list[str]) -> Key:
    moment, row_id = said
    return Key(dt.datetime.fromisoformat(moment), UUID(row_id))
