"""The collections that native clients read and keep copies of. Adding one is one class and one line that registers it.

A name of 003 that the product has no records for is simply not there: asking for it is answered with what is.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from uuid import UUID

from django.db.models import QuerySet

from auterity.kernel.access import Actor
from native.errors import UnknownCollection

Json = dict[str, Any]
LAG = dt.timedelta(minutes=2)  # longer than any transaction may take

ConflictPolicy = Literal["server_wins", "merge", "reject"]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a change. `disputed` are the fields that both sides changed; `taken` says whether anything was stored.

    `reason` is set where it was a conflict: version_mismatch, deleted_on_server or merge_failed.
    """

    row_id: UUID
    version: int
    taken: bool = True
    disputed: tuple[str, ...] = ()
    reason: str = ""


class Collection(ABC):
    """How one collection is read. `stream` names its rows: two collections of the same rows share their cursors."""

    name: ClassVar[str]
    stream: ClassVar[str]
    listed: ClassVar[bool] = True  # by native/api/data
    endless: ClassVar[bool] = False  # grows without end, so it is not counted
    policy: ClassVar[ConflictPolicy] = "reject"
    moment_field: ClassVar[str] = "updated_at"
    lag: ClassVar[dt.timedelta] = LAG
    chunk: ClassVar[int] = 200  # rows that are read at once
    attributes: ClassVar[Mapping[str, Callable[[Any], Any]]]  # what a list shows of a row

    @abstractmethod
    def rows(self, actor: Actor) -> QuerySet[Any]:
        """What the actor sees, newest first. Raises `PermissionDenied`."""

    @abstractmethod
    def changed(self, actor: Actor, since: dt.datetime) -> QuerySet[Any]:
        """At least what changed since a moment, deleted rows too, with the column `moment_field`."""

    def since(self, actor: Actor, moment: dt.datetime) -> QuerySet[Any]:
        """Of `rows` those that changed since a moment."""
        return self.rows(actor).filter(**{f"{self.moment_field}__gte": moment})

    def moment(self, row: Any) -> dt.datetime:
        """When a row changed last."""
        found: dt.datetime = getattr(row, self.moment_field)
        return found

    @abstractmethod
    def version(self, row: Any) -> int:
        """A number that rises with every change of the row."""

    def is_deleted(self, row: Any) -> bool:
        return False

    def listing(self, rows: Sequence[Any], names: Sequence[str] | None = None) -> list[Json]:
        """The attributes of rows for a list, or those of some names."""
        chosen = [(name, of) for name, of in self.attributes.items() if names is None or name in names]
        return [{name: of(row) for name, of in chosen} for row in rows]

    def whole(self, actor: Actor, rows: Sequence[Any]) -> list[Json]:
        """The attributes of rows for a copy."""
        return self.listing(rows)


class Writable(Collection):
    """One that clients may change. `yours_win` says whose value counts where both changed a field; None: nothing is stored."""

    policy = "merge"

    @abstractmethod
    def create(self, actor: Actor, data: Mapping[str, Any]) -> Written:
        """Store a new row. Raises `InvalidInput` or `PermissionDenied`."""

    @abstractmethod
    def update(
        self, actor: Actor, row_id: UUID, base: int, data: Mapping[str, Any], *, yours_win: bool | None
    ) -> Written:
        """Change a row that the client knew at version `base`."""

    @abstractmethod
    def delete(self, actor: Actor, row_id: UUID, base: int, *, yours_win: bool | None) -> Written:
        """Delete a row that the client knew at version `base`."""

    @abstractmethod
    def current(self, actor: Actor, row_id: UUID) -> tuple[int, Json]:
        """The version and the attributes of a row as it is now; of a deleted one nothing but its version."""


class Collections:
    """The collections there are."""

    def __init__(self) -> None:
        self._all: dict[str, Collection] = {}

    def add(self, collection: Collection) -> Collection:
        if collection.name in self._all:
            raise ValueError(f"The collection {collection.name} is registered already.")
        self._all[collection.name] = collection
        return collection

    def listed(self, name: str) -> Collection:
        """One for a list. Raises `UnknownCollection`."""
        found = self._all.get(name)
        if found is None or not found.listed:
            raise _unknown(name, [each.name for each in self if each.listed])
        return found

    def get(self, name: str) -> Collection:
        """Raises `UnknownCollection`."""
        found = self._all.get(name)
        if found is None:
            raise _unknown(name, list(self._all))
        return found

    def writable(self, name: str) -> Writable:
        """Raises `UnknownCollection`, also for one that clients only read."""
        found = self.get(name)
        if not isinstance(found, Writable):
            there = [each.name for each in self if isinstance(each, Writable)]
            raise UnknownCollection(
                f"The collection '{name}' is read only. Those with changes are {', '.join(there)}.", collections=there
            )
        return found

    def __iter__(self) -> Iterator[Collection]:
        return iter(self._all.values())


COLLECTIONS = Collections()


def _unknown(name: str, there: list[str]) -> UnknownCollection:
    said = f"There is no collection '{name[:60]}'" if name else "Name a collection"
    return UnknownCollection(f"{said}; there are {', '.join(there)}.", collections=there)
