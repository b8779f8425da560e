"""Which columns hold sealed texts. Rotation re-seals each of them; one that is not told here keeps old keys alive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Holder:
    """A binary column of an organization's rows; empty where nothing is stored."""

    model: Any
    column: str

    @property
    def name(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def place_of(self, row_id: UUID) -> str:
        return place(self.model._meta.db_table, row_id, self.column)


def place(table: str, row_id: UUID, column: str) -> str:
    """What a sealed text is bound to beside its organization: copied elsewhere it opens nothing."""
    return f"{table}/{row_id}/{column}"


class Holders:
    def __init__(self) -> None:
        self._all: dict[str, Holder] = {}

    def add(self, model: Any, column: str) -> None:
        """Called once a column, in the `ready` of the app whose it is."""
        holder = Holder(model, column)
        if holder.name in self._all:
            raise ValueError(f"{holder.name} is already known to hold sealed texts.")
        self._all[holder.name] = holder

    def __iter__(self) -> Iterator[Holder]:
        return iter(self._all.values())


HOLDERS = Holders()
