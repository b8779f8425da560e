"""Made-up values of a declared shape, for trying a workflow out where a step must not really happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

MAX_DEPTH = 8
MAX_ITEMS = 20
MAX_BYTES = 64 * 1024  # of one sample, about

_BY_FORMAT = {
    "email": "sample@example.com",
    "date": "2026-01-01",
    "date-time": "2026-01-01T09:00:00Z",
    "uri": "https://example.com",
    "uuid": "00000000-0000-7000-8000-000000000000",
}
_BY_TYPE: Mapping[str, Any] = {"string": "sample", "integer": 1, "number": 1.5, "boolean": True, "null": None}
_A_VALUE = 16  # bytes that any value counts as


def of_schema(schema: Any) -> Any:
    """A value that a JSON Schema describes: its own example or first choice where it has one. The same every time.

    What would make it deeper than 8 levels or larger than 64 KiB is null.
    """
    return _Maker().make(schema, 0)


@dataclass(slots=True)
class _Maker:
    left: int = MAX_BYTES

    def make(self, schema: Any, depth: int) -> Any:
        self.left -= _A_VALUE
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH or self.left < 0:
            return None
        for name in ("const", "default"):
            if name in schema:
                return self._given(schema[name])
        for name in ("examples", "enum"):
            if isinstance(schema.get(name), list) and schema[name]:
                return self._given(schema[name][0])
        for name in ("anyOf", "oneOf", "allOf"):
            if isinstance(schema.get(name), list) and schema[name]:
                return self.make(schema[name][0], depth + 1)
        return self._of_type(schema, depth)

    def _given(self, value: Any) -> Any:
        self.left -= len(orjson.dumps(value))
        return value if self.left >= 0 else None

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        said = schema.get("type")
        kind = said[0] if isinstance(said, list) and said else said
        inner = schema.get("properties")
        if kind == "object" or isinstance(inner, Mapping):
            return self._object(inner if isinstance(inner, Mapping) else {}, depth)
        if kind == "array":
            count = schema.get("minItems", 1)
            fair = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_ITEMS
            return [self.make(schema.get("items"), depth + 1) for _ in range(count if fair else 1)]
        if kind == "string":
            return _BY_FORMAT.get(str(schema.get("format")), _BY_TYPE["string"])
        if kind in ("integer", "number"):
            low = schema.get("minimum")
            return low if isinstance(low, int | float) and not isinstance(low, bool) else _BY_TYPE[kind]
        return _BY_TYPE.get(str(kind))

    def _object(self, properties: Mapping[str, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, each in properties.items():
            self.left -= len(str(name))
            if self.left < 0:
                break
            found[str(name)] = self.make(each, depth + 1)
        return found
