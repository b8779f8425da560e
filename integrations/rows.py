"""Rows of any database as JSON values, with an end to how many and how much.

Exact things stay exact: a decimal is text, because a number of JSON would round it (`double(row.price)` makes one of it).
Moments are ISO 8601, durations seconds, bytes base64; not-a-number and infinity are null.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from engine.ports import Rejected, Rows

MAX_BYTES = 3 * 1024 * 1024  # of one answer; a step's output may have 4 MiB
_EXACT = 2**63


def gather(columns: Sequence[str], found: Iterable[Sequence[Any]], *, max_rows: int) -> Rows:
    """The first rows, up to `max_rows` and MAX_BYTES; `truncated` says that there were more. Reads one row ahead."""
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise Rejected(f"Two columns are called {twice[0]}; give one another name with AS.")
    kept: list[Mapping[str, Any]] = []
    size = 0
    for values in found:
        if len(kept) >= max_rows:
            return Rows(kept, truncated=True)
        row = dict(zip(columns, map(as_json, values), strict=True))
        size += len(orjson.dumps(row))
        if size > MAX_BYTES:
            return Rows(kept, truncated=True)
        kept.append(row)
    return Rows(kept)


def as_json(value: Any) -> Any:
    """One value of a database as JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return value if -_EXACT <= value < _EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else None
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(each) for each in value]
    return str(value)
