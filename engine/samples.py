"""Made-up values of a declared shape, for trying a workflow out where a step must not really happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 8
MAX_ITEMS = 20

_BY_FORMAT = {
    "email": "sample@example.com",
    "date": "2026-01-01",
    "date-time": "2026-01-01T09:00:00Z",
    "uri": "https://example.com",
    "uuid": "00000000-0000-7000-8000-000000000000",
}
_BY_TYPE: Mapping[str, Any] = {"string": "sample", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def of_schema(schema: Any, depth: int = 0) -> Any:
    """A value that a JSON Schema describes: its own example or first choice where it has one. The same every time."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    for name in ("examples", "enum"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list) and schema[name]:
            return of_schema(schema[name][0], depth + 1)
    return _of_type(schema, depth)


def _of_type(schema: Mapping[str, Any], depth: int) -> Any:
    said = schema.get("type")
    kind = said[0] if isinstance(said, list) and said else said
    if kind == "object" or isinstance(schema.get("properties"), Mapping):
        inner = schema.get("properties")
        return {str(name): of_schema(each, depth + 1) for name, each in inner.items()} if inner else {}
    if kind == "array":
        count = schema.get("minItems", 1)
        count = count if isinstance(count, int) and 0 <= count <= MAX_ITEMS else 1
        return [of_schema(schema.get("items"), depth + 1)] * count
    if kind == "string":
        return _BY_FORMAT.get(str(schema.get("format")), _BY_TYPE["string"])
    if kind in ("integer", "number"):
        low = schema.get("minimum")
        return low if isinstance(low, int | float) and not isinstance(low, bool) else _BY_TYPE[kind]
    return _BY_TYPE.get(str(kind))
