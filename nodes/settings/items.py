"""The items that `map` goes through: a list at hand, or a stored file of which one item at a time is in memory."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, cast

import orjson

from engine.house_ports import FileReader
from engine.node import Step
from nodes.formats.content import Unreadable
from nodes.formats.json_stream import stream_json
from nodes.formats.stored import opened
from nodes.formats.writing import MEDIA_TYPES
from nodes.settings.files import MIB, file_id

MAX_ITEM = 4 * MIB  # bytes of one line
_READ = 256 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next item is: its number from 0, and in a file its first byte, else its number again."""

    index: int = 0
    offset: int = 0


_BEGINNING = Place()


@dataclass(slots=True)
class Found:
    """An item, its number, and the place after it."""

    index: int
    item: Any
    after: Place


@dataclass(frozen=True, slots=True)
class Source:
    """`held`, a list at hand, or `file`, the id of one: NDJSON, or JSON of which a list's elements are the items."""

    held: list[Any] | None = None
    file: str = ""

    def walk(self, step: Step, start: Place = _BEGINNING) -> Iterator[Found]:
        """From `start` on. Raises `Unreadable`, and what reading a file raises."""
        if self.held is not None:
            for index in range(start.index, len(self.held)):
                yield Found(index, self.held[index], Place(index + 1, index + 1))
            return
        with step.ports.files.open(self.file, start=start.offset) as file:
            yield from _lines(file, start)

    def all(self, step: Step) -> Iterator[Found]:
        """From the beginning to the end, at one go: the bytes are copied first, so that nothing is held open meanwhile."""
        if self.held is not None:
            yield from self.walk(step)
            return
        with opened(step, self.file) as (_name, copy):
            if _is_array(copy):
                for index, item in enumerate(stream_json(io.TextIOWrapper(copy, "utf-8-sig", errors="replace"))):
                    yield Found(index, item, Place(index + 1))
            else:
                yield from _lines(cast("FileReader", copy), _BEGINNING)

    def in_lines(self, step: Step) -> Source:
        """The same with a file's items in lines, so that going on in the middle is possible."""
        if self.held is not None:
            return self
        with opened(step, self.file) as (_name, copy):
            if not _is_array(copy):
                return self
            items = stream_json(io.TextIOWrapper(copy, "utf-8-sig", errors="replace"))
            lines = (orjson.dumps(item) + b"\n" for item in items)
            made = step.ports.files.store("items.ndjson", MEDIA_TYPES["ndjson"], lines, key=f"{step.key}/lines")
        return Source(file=made)


def source_of(given: Any) -> Source | None:
    """The items that a value is or names: a list, a file's id, or what `file-processor` puts out; None for anything else."""
    if isinstance(given, list):
        return Source(given)
    named = file_id(given) if isinstance(given, str | dict) else ""
    if named:
        return Source(file=named)
    if isinstance(given, dict) and isinstance(given.get("items"), list):
        return Source(given["items"])
    return None


def _is_array(file: IO[bytes]) -> bool:
    """Whether a file begins as a JSON list does. It is at its beginning before and after."""
    file.seek(0)
    head = file.read(1024).removeprefix(codecs.BOM_UTF8).lstrip()
    file.seek(0)
    return head.startswith(b"[")


def _lines(file: FileReader, start: Place) -> Iterator[Found]:
    """The items of NDJSON; blank lines are none. Raises `Unreadable` naming the item."""
    index, offset = start.index, start.offset
    rest = b""
    while True:
        piece = file.read(_READ)
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if not piece and rest:
            lines, rest = [rest], b""
        if len(rest) > MAX_ITEM:
            raise Unreadable(f"The item {index} has more than {MAX_ITEM // MIB} MiB.")
        for line in lines:
            offset += len(line) + 1
            bare = line.strip() if start.offset or index else line.removeprefix(codecs.BOM_UTF8).strip()
            if bare:
                yield Found(index, _value(bare, index), Place(index + 1, offset))
                index += 1
        if not piece:
            return


def _value(line: bytes, index: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unreadable(
            f"The item {index} is not JSON: {error}. A file of items has one JSON value a line, or is one JSON list; read "
            "other formats with a file-processor first."
        ) from None
