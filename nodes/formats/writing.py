"""Items to files, one at a time. Runs in the guarded child."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import IO, Any
from xml.sax.saxutils import escape

from engine.expression_values import as_text
from nodes.formats.content import Unreadable
from nodes.formats.delimited import MAX_WRITTEN, cell, table_of, table_row, too_wide
from nodes.formats.job import Job, Report

Items = Callable[[], Iterator[Any]]  # can be gone through more than once

MAX_ROWS = 1_048_576  # a sheet's
MAX_CELL = 32_767  # characters of a sheet's cell
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "text": "text/plain; charset=utf-8",
    "xml": "application/xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
EXTENSIONS = {"text": "txt"}


def write(items: Items, job: Job, out: IO[bytes], report: Report) -> None:
    """Write all items in the format `job.target`, and count them. Raises `Unreadable`."""
    _WRITERS[job.target](items, job, out, report)
    report.format = job.target


def check_spread(items: Sequence[Any], job: Job) -> None:
    """Items at hand are written in this process: a few names and many short maps must not become a huge table.

    Raises `Unreadable`.
    """
    if job.target in ("csv", "tsv", "xlsx") and len(table_of(items, job.columns)[1]) * len(items) > MAX_WRITTEN:
        raise too_wide(MAX_WRITTEN)


def _counted(items: Iterable[Any], report: Report) -> Iterator[Any]:
    for item in items:
        report.count += 1
        yield item


def _delimited(items: Items, job: Job, out: IO[bytes], report: Report) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", errors="replace", newline="", write_through=True)
    writer = csv.writer(text, delimiter="\t" if job.target == "tsv" else job.delimiter or ",", lineterminator="\r\n")
    for row in _rows(items, job, report):
        writer.writerow([cell(value, job.neutralise) for value in row])
    text.flush()
    text.detach()


def _rows(items: Items, job: Job, report: Report) -> Iterator[list[Any]]:
    """The header, where there is one, and a row an item. The columns of maps are looked for in a first pass."""
    kind, names = table_of(items(), job.columns)
    if names:
        yield names
    for item in _counted(items(), report):
        yield table_row(item, kind, names)


def _json(items: Items, job: Job, out: IO[bytes], report: Report) -> None:
    out.write(b"[")
    for at, item in enumerate(_counted(items(), report)):
        out.write(b",\n" if at else b"\n")
        out.write(_encoded(item))
    out.write(b"\n]\n")


def _ndjson(items: Items, job: Job, out: IO[bytes], report: Report) -> None:
    for item in _counted(items(), report):
        out.write(_encoded(item) + b"\n")


def _text(items: Items, job: Job, out: IO[bytes], report: Report) -> None:
    for item in _counted(items(), report):
        out.write(as_text(item).encode("utf-8", "replace") + b"\n")


def _encoded(item: Any) -> bytes:
    return json.dumps(item, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _xml(items: Items, job: Job, out: IO[bytes], report: Report) -> None:
    """What `parse` reads back: `@name` becomes an attribute, `#text` the text, a list an element several times."""
    root, name = _element_name(job.root), _element_name(job.item)
    out.write(_DECLARATION)
    out.write(f"<{root}>\n".encode())
    for item in _counted(items(), report):
        out.write("".join(chain(_element(name, item), "\n")).encode("utf-8", "replace"))
    out.write(f"</{root}>\n".encode())


def _element(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        inner = {str(key): each for key, each in value.items()}
        attributes = "".join(
            f' {_element_name(key[1:])}="{_escaped(as_text(each))}"'
            for key, each in inner.items()
            if key.startswith("@")
        )
        yield f"<{name}{attributes}>"
        for key, each in inner.items():
            if key == "#text":
                yield _escaped(as_text(each))
            elif not key.startswith("@"):
                for one in each if isinstance(each, list) else [each]:
                    yield from _element(_element_name(key), one)
        yield f"</{name}>"
    elif isinstance(value, list):
        yield f"<{name}>"
        for each in value:
            yield from _element("item", each)
        yield f"</{name}>"
    else:
        yield f"<{name}/>" if value is None else f"<{name}>{_escaped(as_text(value))}</{name}>"


def _escaped(text: str) -> str:
    return escape(_NO_XML.sub("", text), {'"': "&quot;"})


def _element_name(given: str) -> str:
    """A name XML allows: other signs become `_`."""
    name = re.sub(r"[^\w.-]", "_", given, flags=re.ASCII)
    return name if _NAME.fullmatch(name) else f"_{name}"


def _xlsx(items: Items, job: Job, out: IO[bytes], report: Report) -> None:
    from openpyxl import Workbook  # Loaded where it is needed: every child would pay for it.
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet(job.sheet[:31] or "Items")
    for number, row in enumerate(_rows(items, job, report), start=1):
        if number > MAX_ROWS:
            raise Unreadable(f"A sheet has at most {MAX_ROWS:,} rows. Write csv, or split the items.")
        cells: list[Any] = []
        for value in row:
            made = WriteOnlyCell(sheet, value=_cell_value(value))
            if isinstance(made.value, str):
                made.data_type = "s"  # Text stays text: what begins with = is no formula.
            cells.append(made)
        sheet.append(cells)
    book.save(out)


def _cell_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or abs(value) < 10**15 else str(value)
    return _NO_XML.sub("", as_text(value))[:MAX_CELL]


_WRITERS: dict[str, Callable[[Items, Job, IO[bytes], Report], None]] = {
    "csv": _delimited,
    "tsv": _delimited,
    "json": _json,
    "ndjson": _ndjson,
    "text": _text,
    "xml": _xml,
    "xlsx": _xlsx,
}
