"""A person's own preferences as clients copy and change them: one row, which is always there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from auterity.kernel.access import Actor
from native.collections import Json, Writable, Written
from native.errors import RowNotFound
from preferences import selectors, services
from preferences.keys import GROUPS, effective
from preferences.models import PreferenceSheet
from preferences.services import Chosen


class Preferences(Writable):
    """A change names some of them, in groups; null goes back to the default. To create is to change what is there, and to delete
    is to go back to the defaults in everything."""

    name = stream = "preferences"
    listed = False
    attributes = {}

    def rows(self, actor: Actor) -> QuerySet[Any]:
        services.opened(actor)
        return selectors.own_sheets(actor)

    def changed(self, actor: Actor, since: dt.datetime) -> QuerySet[Any]:
        return selectors.own_sheets(actor).filter(updated_at__gte=since)

    def version(self, row: PreferenceSheet) -> int:
        return row.version

    def whole(self, actor: Actor, rows: Sequence[PreferenceSheet]) -> list[Json]:
        return [effective(each.chosen) for each in rows]

    def create(self, actor: Actor, data: Mapping[str, Any]) -> Written:
        return _written(services.choose(actor=actor, wanted=_named(data)))

    def update(
        self, actor: Actor, row_id: UUID, base: int, data: Mapping[str, Any], *, yours_win: bool | None
    ) -> Written:
        _check_own(actor, row_id)
        return _written(services.choose(actor=actor, wanted=_named(data), base=base, yours_win=yours_win))

    def delete(self, actor: Actor, row_id: UUID, base: int, *, yours_win: bool | None) -> Written:
        _check_own(actor, row_id)
        return _written(services.reset(actor=actor, base=base, yours_win=yours_win))

    def current(self, actor: Actor, row_id: UUID) -> tuple[int, Json]:
        row = selectors.sheet(actor)
        return row.version, effective(row.chosen)


def _check_own(actor: Actor, row_id: UUID) -> None:
    if services.opened(actor).id != row_id:
        raise RowNotFound


def _named(data: Mapping[str, Any]) -> dict[str, Any]:
    """The groups; a client may send what else it copied."""
    return {name: value for name, value in data.items() if name in GROUPS or isinstance(value, Mapping)}


def _written(done: Chosen) -> Written:
    reason = "version_mismatch" if done.disputed else ""
    return Written(done.sheet.id, done.sheet.version, done.taken or not reason, done.disputed, reason)
