"""The trail as a file: NDJSON, from which the chain can be checked by anybody, or CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from audit import chain
from audit.models import AuditEvent

FORMATS: Final = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
COLUMNS: Final = (
    "sequence", "occurred_at", "recorded_at", "event_type", "action", "outcome", "severity", "kind", "user_id", "session_id",
    "resource_type", "resource_id", "address", "user_agent", "request_id", "path", "details", "id", "organization_id", "chain",
    "previous_hash", "hash",
)  # fmt: skip
_PIECE: Final = 200  # events in one piece of the stream
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def pieces(events: Iterable[AuditEvent], form: str) -> Iterator[bytes]:
    """The file, a piece at a time. `form` is one of `FORMATS`."""
    lines = _ndjson(events) if form == "ndjson" else _csv(events)
    held: list[bytes] = []
    for line in lines:
        held.append(line)
        if len(held) == _PIECE:
            yield b"".join(held)
            held.clear()
    if held:
        yield b"".join(held)


def line(event: AuditEvent) -> dict[str, Any]:
    """Everything about an event; `content` and its place in the chain."""
    return {
        **chain.content(event),
        "sequence": event.sequence,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }


def harmless(cell: Any) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV Injection): what begins like one gets an apostrophe."""
    if cell is None:
        return ""
    said = cell if isinstance(cell, str) else str(cell) if isinstance(cell, int) else orjson.dumps(cell).decode()
    return f"'{said}" if isinstance(cell, str) and said.lstrip(" ").startswith(_FORMULA) else said


# -- inside --------------------------------------------------------------------------------------------------------------


def _ndjson(events: Iterable[AuditEvent]) -> Iterator[bytes]:
    for event in events:
        yield orjson.dumps(line(event), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _csv(events: Iterable[AuditEvent]) -> Iterator[bytes]:
    yield _row(list(COLUMNS))
    for event in events:
        row = line(event)
        yield _row([harmless(row[name]) for name in COLUMNS])


def _row(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()
