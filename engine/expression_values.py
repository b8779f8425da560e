"""JSON values on their way into and out of an expression: checked, measured, and written as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 100
_INT64 = 2**63


class BadValue(ValueError):
    """A value that an expression can neither read nor give. The text completes a sentence: "holds …"."""


class Measure:
    """Copies a value as plain JSON and sums its size in bytes, roughly what it costs in memory.

    Timestamps become RFC 3339 text with `Z`, durations seconds, keys text. With `ordered`, maps are sorted by key, for
    the maps that CEL makes come in random order. Raises `BadValue` for anything else, for numbers that JSON or 64 bits
    cannot hold, for more than `limit` bytes and for more than 100 levels.
    """

    __slots__ = ("limit", "ordered", "size")

    def __init__(self, limit: int = MAX_BYTES, ordered: bool = False) -> None:
        self.limit = limit
        self.ordered = ordered
        self.size = 0

    def plain(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        self._add(16)
        if value is None or kind is bool:
            return value
        if kind is int:
            return _whole(value)
        if kind is float:
            return _finite(value)
        if depth >= MAX_DEPTH:
            raise BadValue(f"lists or maps nested more than {MAX_DEPTH} deep")
        if kind is list or kind is tuple:
            return [self.plain(each, depth + 1) for each in value]
        if isinstance(value, Mapping):
            return self._map(value, depth)
        return self._other(value, depth)

    def _map(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        copied = {}
        for key, each in value.items():
            copied[self._text(key if type(key) is str else _key(key))] = self.plain(each, depth + 1)
        return dict(sorted(copied.items())) if self.ordered else copied

    def _text(self, value: str) -> str:
        self._add(len(value) + 16)
        if "\0" in value:  # The engine's text, and a database's, ends there.
            raise BadValue("text with a NUL character")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise BadValue("text with a broken character (half of a surrogate pair)") from None
        return value

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, datetime):
            return rfc3339(value)
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, (bool, int, float)):
            return self.plain(int(value) if isinstance(value, int) else float(value), depth)
        if isinstance(value, list | tuple):
            return self.plain(list(value), depth)
        if isinstance(value, (bytes, bytearray)):
            raise BadValue("bytes, which JSON has not; use string(x) or base64 text")
        if type(value).__name__ == "Type":
            raise BadValue("a type; compare it, as in type(x) == int")
        raise BadValue("a value that is not JSON")

    def _add(self, size: int) -> None:
        self.size += size
        if self.size > self.limit:
            raise BadValue(f"more than {self.limit // (1024 * 1024)} MiB")


def _whole(value: int) -> int:
    if -_INT64 <= value < _INT64:
        return value
    raise BadValue("a whole number larger than 64 bits; write it as text")


def _finite(value: float) -> float:
    if math.isfinite(value):
        return value
    raise BadValue("a number that is infinite or not a number (was something divided by zero?)")


def _key(key: Any) -> str:
    if key is True or key is False or type(key) is int or isinstance(key, str):
        return as_text(str.__str__(key) if isinstance(key, str) else key)
    raise BadValue("a map whose keys are not text")


def rfc3339(moment: datetime) -> str:
    """`2026-01-31T08:00:00Z`, in UTC, with microseconds only where there are some. A naive moment is read as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.replace(tzinfo=None).isoformat() + "Z"


def as_text(value: Any) -> str:
    """A JSON value inside longer text: null is empty, 3.0 is "3", maps and lists are compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        return str(value)
    return as_json(value)


def as_json(value: Any, ordered: bool = False) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=ordered, allow_nan=False)
