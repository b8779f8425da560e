"""Requests that look like an attack, counted in process memory and put into the audit trail a few seconds later.

One event a source, kind and flush, whatever the number of requests: nobody fills the trail by sending rubbish. What is counted:
refusals for want of a right, refusals by rate limits, and addresses that hold what injections are made of.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from audit.models import Kind
from audit.trail import record

log = structlog.get_logger(__name__)

MOST_SOURCES: Final = 5_000
INJECTION, DENIED, LIMITED = "request.injection", "request.denied", "request.rate_limited"
_HOW_BAD: Final = {INJECTION: "medium", DENIED: "low", LIMITED: "low"}
_PATTERNS: Final = {
    "path traversal": re.compile(r"(?:^|[/\\=])\.\.(?:[/\\]|$)|/etc/(?:passwd|shadow)\b|\bboot\.ini\b", re.IGNORECASE),
    "SQL": re.compile(
        r"\bunion\b\s+(?:all\s+)?select\b|['\"]\s*(?:or|and)\s+['\"\d][^&]{0,20}=|;\s*(?:drop|alter|truncate)\s+table\b"
        r"|\b(?:pg_sleep|benchmark|waitfor\s+delay|information_schema)\b", re.IGNORECASE,
    ),
    "markup": re.compile(r"<\s*(?:script|iframe|svg|img)\b|\bjavascript:|\bon(?:error|load)\s*=", re.IGNORECASE),
    "template": re.compile(r"\$\{jndi:|\{\{.{0,40}(?:__class__|config|self)\b|<%.{0,40}%>", re.IGNORECASE),
    "command": re.compile(r"[;|`]\s*(?:cat|curl|wget|nc|bash|sh|id|whoami)\b|\$\((?:id|whoami|curl|wget)\b", re.IGNORECASE),
    "NUL": re.compile(r"\x00"),
}  # fmt: skip
_LONGEST: Final = 4000


@dataclass(frozen=True, slots=True)
class Source:
    """Whose requests they are, as far as anybody knows."""

    kind: str
    organization_id: UUID | None
    user_id: UUID | None
    address: str


@dataclass(slots=True)
class Count:
    number: int = 0
    path: str = ""
    user_agent: str = ""
    request_id: str = ""
    subject: set[str] = field(default_factory=set)


class Watch:
    """The counts of one process."""

    def __init__(self) -> None:
        self._counts: dict[Source, Count] = {}
        self._lock = threading.Lock()
        self._left_out = 0

    def note(self, source: Source, *, path: str, user_agent: str = "", request_id: str = "", subject: str = "") -> None:
        with self._lock:
            if source not in self._counts and len(self._counts) >= MOST_SOURCES:
                self._left_out += 1
                return
            count = self._counts.setdefault(source, Count())
            count.number += 1
            count.path, count.user_agent, count.request_id = path, user_agent, request_id
            if subject:
                count.subject.add(subject)

    def flush(self) -> int:
        """Put what was counted into the trail. Returns how many events that made."""
        with self._lock:
            counts, self._counts = self._counts, {}
            left_out, self._left_out = self._left_out, 0
        if left_out:
            log.warning("requests_not_watched", count=left_out)
        return sum(_tell(source, count) for source, count in counts.items())


WATCH: Final = Watch()


def injections_in(text: str) -> list[str]:
    """Which kinds of injection a path with its query looks like; what is encoded twice is read twice."""
    said = text[:_LONGEST]
    for _ in range(2):
        said = unquote_plus(said)
    return [name for name, pattern in _PATTERNS.items() if pattern.search(said)]


def _tell(source: Source, count: Count) -> bool:
    try:
        with transaction.atomic():
            record(
                source.kind, "request", organization_id=source.organization_id, user_id=source.user_id,
                kind=Kind.USER if source.user_id else Kind.OUTSIDE, outcome="denied", severity=_HOW_BAD[source.kind],
                address=source.address, user_agent=count.user_agent, request_id=count.request_id,
                details={"count": count.number, "path": count.path, "subject": ", ".join(sorted(count.subject))},
            )  # fmt: skip
    except IntegrityError:
        return False  # The organization is gone.
    return True
