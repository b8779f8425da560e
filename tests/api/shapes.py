"""The contract's type language (`contract/FORMAT.md`): whether a value is what a document says it is."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and str(UUID(value)) == value


def _is_moment(value: Any) -> bool:
    return isinstance(value, str) and bool(_MOMENT.fullmatch(value)) and bool(dt.datetime.fromisoformat(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS: dict[str, Any] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "uuid": _is_uuid,
    "email": lambda value: isinstance(value, str) and "@" in value,
    "datetime": _is_moment,
    "object": lambda value: isinstance(value, dict),
    "any": lambda value: True,
}


def wrong(value: Any, kind: Any, place: str = "$") -> list[str]:
    """Where a value differs from its documented kind; empty when nowhere. Keys that no document names are fine."""
    if isinstance(kind, Mapping):
        if not isinstance(value, dict):
            return [f"{place} is {value!r}, not an object"]
        lacking = [f"{place}.{name} is missing" for name in kind if name not in value]
        return lacking + [
            each for name in kind if name in value for each in wrong(value[name], kind[name], f"{place}.{name}")
        ]
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{place} is {value!r}, not a list"]
        return [each for at, item in enumerate(value) for each in wrong(item, kind[0], f"{place}[{at}]")]
    name, _, nullable = kind.partition("|")
    if name.startswith("enum("):
        kind, nullable = kind.removesuffix("|null"), "null" if kind.endswith("|null") else ""
        fits = value in kind.removeprefix("enum(").removesuffix(")").split("|")
    else:
        fits = value is not None and _KINDS[name](value)
    return [] if fits or (value is None and nullable == "null") else [f"{place} is {value!r}, not {kind}"]


PAGINATION = {"page": "integer", "limit": "integer", "total": "integer", "total_pages": "integer"}
PAGE = {
    "total": "integer",
    "page": "integer",
    "page_size": "integer",
    "total_pages": "integer",
    "pagination": PAGINATION,
}
STATUS = "enum(pending|running|completed|failed|cancelled|timeout)"
NODE = {
    "id": "string",
    "type": "string",
    "position": {"x": "number", "y": "number"},
    "title": "string",
    "config": "object",
    "inputs": ["object"],
    "outputs": ["object"],
    "data": {"label": "string"},
}
EDGE = {
    "id": "string",
    "source_node_id": "string",
    "source_port": "string",
    "target_node_id": "string",
    "target_port": "string",
    "type": "enum(data|control|conditional)",
    "source": "string",
    "target": "string",
}
USER = {
    "id": "uuid",
    "email": "email",
    "first_name": "string",
    "last_name": "string",
    "company": "string|null",
    "is_active": "boolean",
    "created_at": "datetime",
    "roles": ["string"],
}
WORKFLOW = {
    "id": "uuid",
    "name": "string",
    "description": "string|null",
    "definition": {"nodes": [NODE], "edges": [EDGE]},
    "is_active": "boolean",
    "created_at": "datetime",
    "updated_at": "datetime",
    "created_by": "uuid",
    "version": "integer",
    "organization_id": "uuid",
    "nodes": [NODE],
    "edges": [EDGE],
    "variables": ["object"],
    "triggers": ["object"],
    "settings": "object",
}
WORKFLOW_SUMMARY = {
    "id": "uuid",
    "name": "string",
    "description": "string|null",
    "is_active": "boolean",
    "created_at": "datetime",
    "execution_count": "integer",
    "last_execution": "datetime|null",
}
STATS = {
    "total_executions": "integer",
    "successful_executions": "integer",
    "failed_executions": "integer",
    "average_duration": "number",
}
ACCEPTED = {
    "execution_id": "uuid",
    "workflow_id": "uuid",
    "status": "enum(pending|running)",
    "started_at": "datetime|null",
    "created_at": "datetime",
    "input_data": "object",
}
STEP = {
    "step_id": "string",
    "node_id": "string",
    "node_name": "string",
    "status": "enum(pending|running|completed|failed|cancelled|timeout|skipped)",
    "started_at": "datetime|null",
    "completed_at": "datetime|null",
    "duration_ms": "number|null",
}
METRICS = {
    "total_duration_ms": "number",
    "ai_processing_time_ms": "number",
    "api_calls_count": "integer",
    "tokens_used": "integer",
    "cost_estimate": "number",
}
EXECUTION_SUMMARY = {
    "id": "uuid",
    "workflow_id": "uuid",
    "status": STATUS,
    "progress": "number",
    "started_at": "datetime|null",
    "completed_at": "datetime|null",
    "duration": "number|null",
    "created_by": "uuid",
    "created_at": "datetime",
}
EXECUTION = {
    **EXECUTION_SUMMARY,
    "input_data": "object",
    "output_data": "object|null",
    "error_message": "string|null",
    "steps": [STEP],
    "metrics": METRICS,
}
LOG = {
    "id": "uuid",
    "execution_id": "uuid",
    "workflow_id": "uuid",
    "node_id": "string|null",
    "level": "enum(debug|info|warning|error)",
    "message": "string",
    "data": "object|null",
    "created_at": "datetime",
}
STATUS_FRAME = {
    "type": "enum(execution_status)",
    "execution_id": "uuid",
    "workflow_id": "uuid",
    "status": STATUS,
    "progress": "number",
    "timestamp": "datetime",
    "seq": "integer",
}
