"""Storing executions that are accepted: rows with moments of the database's own clock, due at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from executions import sql
from executions.models import Execution

_NAMES = (
    "id", "organization_id", "workflow_id", "version_id", "status", "input_data", "context", "created_by_id", "webhook_url",
    "rerun_of", "origin", "lane", "parent_id", "parent_node", "parent_item", "detached", "body", "depth",
)  # fmt: skip
_CONSTANT = {
    "error_code": "''",
    "error_message": "''",
    "lease_owner": "''",
    "progress": "0",
    "fence": "0",
    "attempts": "0",
}
_CONSTANT |= {"seq": "0"}


def insert(executions: Sequence[Execution], timeouts: Sequence[float]) -> set[UUID]:
    """Insert what is not there yet; a child run that exists already is left as it is. Returns the ids that were inserted.

    `timeouts` are the seconds each may take.
    """
    names = ", ".join((*_NAMES, *_CONSTANT, "created_at", "due_at", "deadline_at"))
    line = ", ".join((*["%s"] * len(_NAMES), *_CONSTANT.values(), sql.now(), sql.now(), sql.later("%s")))
    values = [
        each
        for row, timeout in zip(executions, timeouts, strict=True)
        for each in (*map(sql.value, _values(row)), timeout)
    ]
    text = (
        f"INSERT INTO workflow_executions ({names}) VALUES {', '.join([f'({line})'] * len(executions))} "  # noqa: S608  Every part is ours; values are parameters.
        "ON CONFLICT DO NOTHING RETURNING id, created_at, deadline_at"
    )
    stored = {sql.uuid(identity): moments for identity, *moments in sql.fetch(text, values)}
    for row in executions:
        if row.id in stored:
            row.created_at, row.deadline_at = map(sql.moment, stored[row.id])
            row._state.adding = False
    return set(stored)


def _values(row: Execution) -> list[Any]:
    values = {name: getattr(row, name) for name in _NAMES}
    for name in ("input_data", "context"):
        values[name] = orjson.dumps(values[name]).decode()
    for name in ("status", "origin"):
        values[name] = str(values[name])
    values["lane"] = int(values["lane"])
    return list(values.values())
