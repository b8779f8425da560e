"""Stored files through the guarded child: items of a file, and files of items. What is large goes on as a file of its own."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import IO, Any

from engine.node import Step
from nodes.formats.content import MIB
from nodes.formats.guarded import guarded
from nodes.formats.job import Job, Report
from nodes.formats.writing import EXTENSIONS, MEDIA_TYPES, check_spread, write

INLINE_BYTES = MIB  # of items, as JSON, that a step's output holds; all of them are in the file beside it
TEXT_BYTES = 256 * 1024  # of written text that a step's output holds
PIECE_BYTES = 256 * 1024
_SPARE = 2.0  # seconds kept of a step's time for what comes after the child


@dataclass(frozen=True, slots=True)
class Found:
    """What was read. `file` is the id of an NDJSON file of all items where `items` holds only the first ones."""

    items: list[Any]
    report: Report
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What was written: as text in `content`, or as the stored file of the id `file`."""

    content: str | None
    file: str | None
    size: int
    report: Report = field(default_factory=Report)


class Clock:
    """The time that is left of a step."""

    def __init__(self, step: Step) -> None:
        self._until = time.monotonic() + step.timeout - _SPARE

    @property
    def left(self) -> float:
        return max(self._until - time.monotonic(), 1.0)


@contextmanager
def opened(step: Step, file_id: str) -> Iterator[tuple[str, IO[bytes]]]:
    """The name of a stored file, and its bytes as a temporary file that a child can be given."""
    with tempfile.TemporaryFile() as copy:
        with step.ports.files.open(file_id) as stored:
            while piece := stored.read(PIECE_BYTES):
                copy.write(piece)
            name = stored.name
        yield name, copy


def read_items(step: Step, job: Job, file: IO[bytes], clock: Clock, *, most: int) -> Found:
    """The items of a file: the first `most` that fit into 1 MiB, and all of them as a file where those are not all."""
    with guarded(replace(job, task="read"), file, seconds=clock.left) as work:
        pieces = work.pieces()
        head = bytearray()
        for piece in pieces:
            head += piece
            if len(head) > INLINE_BYTES:
                break
        else:
            lines = head.split(b"\n")[:-1]
            if len(lines) <= most:
                return Found([json.loads(line) for line in lines], work.report)
        made = step.ports.files.store(
            _renamed(job.name, "ndjson"),
            MEDIA_TYPES["ndjson"],
            chain([bytes(head)], pieces),
            key=f"{step.key}/items",
        )
        whole_lines = bytes(head[:INLINE_BYTES]).split(b"\n")[:-1]
        return Found([json.loads(line) for line in islice(whole_lines, most)], work.report, made)


def write_file(step: Step, job: Job, file: IO[bytes], clock: Clock, name: str) -> Made:
    """The items of a stored file, written anew as another one."""
    with guarded(replace(job, task="write"), file, seconds=clock.left) as work:
        measured = _Measured(work.pieces())
        made = _store(step, job, measured, name)
        return Made(None, made, measured.size, work.report)


def write_items(step: Step, job: Job, items: Sequence[Any], name: str) -> Made:
    """Items at hand, written: as text where it is short and no `name` asks for a file."""
    report = Report()
    check_spread(items, job)
    with tempfile.SpooledTemporaryFile(max_size=MIB) as out:
        write(lambda: iter(items), replace(job, task="write"), out, report)
        size = out.tell()
        out.seek(0)
        if not name and job.target != "xlsx" and size <= TEXT_BYTES:
            return Made(out.read().decode(), None, size, report)
        return Made(None, _store(step, job, iter(lambda: out.read(PIECE_BYTES), b""), name), size, report)


@dataclass(slots=True)
class _Measured:
    pieces: Iterator[bytes]
    size: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.size += len(piece)
            yield piece


def _store(step: Step, job: Job, pieces: Iterable[bytes], name: str) -> str:
    return step.ports.files.store(
        name or _renamed(job.name or "items", EXTENSIONS.get(job.target, job.target)),
        MEDIA_TYPES[job.target],
        pieces,
        key=f"{step.key}/written",
    )


def _renamed(name: str, extension: str) -> str:
    stem, dot, old = name.rpartition(".")
    return f"{stem if dot and len(old) <= 6 else name or 'items'}.{extension}"


def as_file(content: bytes) -> IO[bytes]:
    """Bytes at hand as a file that a child can be given. The caller closes it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  Handed on.
    file.write(content)
    return file
