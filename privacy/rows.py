"""Rows by the inventory: whose they are, in pages by key, and as what leaves the house."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from django.db.models import BinaryField, Q, QuerySet

from privacy.inventory import Table
from workflows.secrets import MASK, veiled

PAGE = 500
_REFERENCE = re.compile(rb'"sealed:[0-9a-f-]{36}"')
_DRAWN = frozenset({"definition", "data", "before"})  # columns with nodes in them
_TRACE = ("created_at", "organization_id", "name", "operation")


def of_organization(table: Table, organization_id: UUID) -> QuerySet[Any]:
    rows: QuerySet[Any] = table.model._base_manager.filter(**{table.owner: organization_id})
    return rows


def of_person(table: Table, user_id: UUID, *, goes: bool = False) -> QuerySet[Any]:
    """Rows that refer to a person; with `goes` only those that go with them."""
    paths = [each.path for each in table.people if each.goes or not goes]
    about = Q(pk__in=[])
    for path in paths:
        about |= Q(**{path: user_id})
    rows: QuerySet[Any] = table.model._base_manager.filter(about)
    return rows


def pages(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """All of them by their key, without an open cursor: others may write meanwhile."""
    last: Any = None
    while True:
        page = list((rows if last is None else rows.filter(pk__gt=last)).order_by("pk")[:PAGE])
        if not page:
            return
        yield page
        last = page[-1].pk


def line_of(table: Table, row: Any, *, person: UUID | None = None) -> bytes:
    """A row as JSON, without what is hidden, secrets masked; of a person's only a trace where it is about more than them."""
    whole = person is None or any(each.whole and _leads(row, each.path, person) for each in table.people)
    shown = {}
    for field in row._meta.concrete_fields:
        name = field.attname
        if (
            field.name in table.hidden
            or isinstance(field, BinaryField)
            or not (whole or field.primary_key or name in _TRACE)
        ):
            continue
        value = getattr(row, name)
        shown[name] = veiled(value) if field.name in _DRAWN else value
    line = orjson.dumps(
        shown, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
    )
    return _REFERENCE.sub(b'"' + MASK.encode() + b'"', line)


def _leads(row: Any, path: str, person: UUID) -> bool:
    at = row
    *way, last = path.split("__")
    for each in way:
        at = getattr(at, each)
    return at is not None and (getattr(at, last) if last in ("pk", "user_id") else getattr(at, f"{last}_id")) == person
