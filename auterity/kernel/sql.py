"""Values as raw SQL sends and reads them: what the ORM would convert, for the few statements that are written out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection


def value(item: Any) -> Any:
    """A parameter as this database stores it."""
    if connection.vendor == "postgresql":
        return item
    if isinstance(item, UUID):
        return item.hex
    if isinstance(item, dt.datetime):
        return item.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return item


def uuid(item: Any) -> UUID:
    return item if isinstance(item, UUID) else UUID(item)


def moment(item: Any) -> dt.datetime:
    """A timestamp column that is never null, read by raw SQL: aware and in UTC."""
    found: dt.datetime = item if isinstance(item, dt.datetime) else dt.datetime.fromisoformat(item)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def fetch(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Execute one of the few statements that every request or every run asks, and fetch its rows.

    PostgreSQL plans it once for each connection (decision 0043): planning a join of six tables takes it twenty times as long
    as answering. The text must be one of a few; whoever listens to statements or counts them still hears each.
    """
    with connection.cursor() as cursor:  # Also sees to it that the connection is there.
        if connection.vendor != "postgresql" or connection.execute_wrappers or connection.queries_logged:
            cursor.execute(text, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as bound:
        return bound.execute(text, values, prepare=True).fetchall()
