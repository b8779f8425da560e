"""Values as raw SQL sends and reads them: what the ORM would convert, for the few statements that are written out."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

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
