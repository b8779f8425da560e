"""The few things PostgreSQL and SQLite write differently. The database's clock is the only clock of a lease."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from auterity.kernel.sql import fetch as fetch
from auterity.kernel.sql import moment as moment
from auterity.kernel.sql import uuid as uuid
from auterity.kernel.sql import value as value


def _postgres() -> bool:
    return connection.vendor == "postgresql"


def now() -> str:
    """This moment, even inside a transaction that began earlier."""
    return "clock_timestamp()" if _postgres() else "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')"


def later(seconds: str) -> str:
    """This moment plus a number of seconds (a column or placeholder); NULL stays NULL."""
    if _postgres():
        return f"clock_timestamp() + ({seconds})::float8 * interval '1 second'"
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', ({seconds}) || ' seconds')"


def moved_on(column: str, *, since: str) -> str:
    """A moment, later by the time that has passed since another column's; itself where that one is NULL."""
    if _postgres():
        return f"CASE WHEN {since} IS NULL THEN {column} ELSE {column} + (clock_timestamp() - {since}) END"
    passed = f"((julianday('now') - julianday({since})) * 86400.0) || ' seconds'"
    later_on = f"strftime('%%Y-%%m-%%d %%H:%%M:%%f000', {column}, {passed})"
    return f"CASE WHEN {since} IS NULL THEN {column} ELSE {later_on} END"


def skip_locked() -> str:
    """Leave rows that somebody else works on. SQLite has one writer at a time, so nothing can be locked."""
    return "FOR UPDATE SKIP LOCKED" if _postgres() else ""


def ids(items: Iterable[UUID]) -> tuple[str, list[Any]]:
    """`(%s, %s, …)` and its parameters."""
    values = [value(item) for item in items]
    return f"({', '.join(['%s'] * len(values))})", values


def update_many(
    table: str,
    *,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    assign: str,
    where: str,
    returning: Sequence[str] = ("id",),
) -> list[tuple[Any, ...]]:
    """One UPDATE for many rows; returns columns of those it changed.

    `columns` are (name, PostgreSQL type) of `rows`, read as `v.name`; the table is `t`.
    """
    names = ", ".join(name for name, _ in columns)
    if _postgres():
        line = "(" + ", ".join(f"%s::{kind}" for _, kind in columns) + ")"
        source = f"(VALUES {', '.join([line] * len(rows))}) AS v({names})"
        head, told = "", ", ".join(f"t.{name}" for name in returning)
    else:
        line = "(" + ", ".join(["%s"] * len(columns)) + ")"
        head = f"WITH v({names}) AS (VALUES {', '.join([line] * len(rows))}) "
        source, told = "v", ", ".join(returning)
    text = f"{head}UPDATE {table} AS t SET {assign} FROM {source} WHERE {where} RETURNING {told}"  # noqa: S608  Every part is ours; values are parameters.
    return fetch(text, [value(item) for row in rows for item in row])
