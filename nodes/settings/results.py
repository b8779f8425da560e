"""What `map` hands on: results at hand while they are few, and all of them as a stored file where they are many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import orjson

from engine.node import Step
from nodes.formats.writing import MEDIA_TYPES
from nodes.settings.files import MIB

INLINE_BYTES = 3 * MIB  # of results, as JSON; a step's output may have 4 MiB
MAX_ERRORS = 1_000  # that are listed
ERROR_BYTES = 512 * 1024  # of those, about
_SPARE_BYTES = 16 * MIB  # of results that wait in memory for a file
_READ = 256 * 1024


@dataclass(slots=True)
class Results:
    """Results one after the other. More than 3 MiB of them go to a temporary file, and only the first stay in memory."""

    file: IO[bytes]
    first: list[Any] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0
    _error_bytes: int = 0

    def add(self, result: Any) -> None:
        line = orjson.dumps(result)
        self.size += len(line) + 1
        if self.size <= INLINE_BYTES:
            self.first.append(result)
        self.file.write(line)
        self.file.write(b"\n")

    def fail(self, index: int, message: str) -> None:
        self._error_bytes += len(message)
        if len(self.errors) < MAX_ERRORS and self._error_bytes <= ERROR_BYTES:
            self.errors.append({"index": index, "error": message})

    def told(self, step: Step) -> dict[str, Any]:
        """The output's results. Where they are many, `results` are the first, and `file` has all, as NDJSON."""
        if self.size <= INLINE_BYTES:
            return {"results": self.first, "file": None, "truncated": False}
        self.file.seek(0)
        pieces = iter(lambda: self.file.read(_READ), b"")
        made = step.ports.files.store("results.ndjson", MEDIA_TYPES["ndjson"], pieces, key=f"{step.key}/results")
        return {"results": self.first, "file": made, "truncated": True}


@contextmanager
def collecting() -> Iterator[Results]:
    with tempfile.SpooledTemporaryFile(max_size=_SPARE_BYTES) as file:
        yield Results(file)
