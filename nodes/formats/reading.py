"""Files to items, one at a time: whatever the size of a file, one item of it is in memory. Runs in the guarded child."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from io import FileIO
from typing import IO, Any
from zoneinfo import ZoneInfo

from nodes.formats.adf import parse_adf
from nodes.formats.adf_document import looks_like_adf
from nodes.formats.content import MIB, Unreadable, check_size, decode, detect, sniff_delimiter
from nodes.formats.delimited import records
from nodes.formats.job import Job, Report
from nodes.formats.json_stream import stream_json
from nodes.formats.json_text import load_json
from nodes.formats.xml import stream_xml

HEAD = 64 * 1024  # bytes by which a format is found out
MAX_LINE = 4 * MIB  # characters of a line, or of one item
MAX_ADF = MIB

_BY_NAME = {"csv": "csv", "tsv": "tsv", "ndjson": "ndjson", "jsonl": "ndjson", "xlsx": "xlsx", "pdf": "pdf"}


def read(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    """The items of a file, from its beginning; `report` gets the format and what was left out. Raises `Unreadable`."""
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    report.format = job.format if job.format != "auto" else _found_out(job.name, head)
    report.problems.clear()
    yield from _READERS[report.format](job, file, report)


def _found_out(name: str, head: bytes) -> str:
    """By the sign a file begins with, then by its name, then by how its text looks."""
    if head.startswith(b"%PDF-"):
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    by_name = _BY_NAME.get(name.rpartition(".")[2].lower())
    if by_name in ("csv", "tsv", "ndjson"):
        return by_name
    text = decode(head)
    is_json = text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
    return "adf" if not is_json and looks_like_adf(text) else detect(text)


def _text(file: FileIO) -> IO[str]:
    """The file as text from its beginning: UTF-8 where all of it is, else UTF-16 by its mark, else Windows-1252."""
    file.seek(0)
    mark = file.read(2)
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        charset = "utf-16"
    else:
        charset = "utf-8-sig" if _is_utf8(file) else "cp1252"
    file.seek(0)
    raw = FileIO(file.fileno(), closefd=False)
    return io.TextIOWrapper(io.BufferedReader(raw, MIB), encoding=charset, errors="replace", newline="")


def _is_utf8(file: FileIO) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(MIB):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _lines(file: FileIO) -> Iterator[str]:
    text = _text(file)
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise Unreadable(f"Line {number} is longer than {MAX_LINE:,} characters.")
        yield line


def _csv(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    delimiter = job.delimiter
    if not delimiter and job.format == "auto":
        file.seek(0)
        delimiter = sniff_delimiter(decode(file.read(HEAD)))
    return _delimited(_lines(file), delimiter or ",", job)


def _tsv(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    return _delimited(_lines(file), "\t", job)


def _delimited(lines: Iterator[str], delimiter: str, job: Job) -> Iterator[Any]:
    csv.field_size_limit(MAX_LINE)
    header = job.header if isinstance(job.header, bool) else list(job.header)
    return records(lines, delimiter, header)


def _json(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    return stream_json(_text(file))


def _ndjson(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    for number, line in enumerate(_lines(file), start=1):
        if line.strip():
            yield load_json(line, f"Line {number}", number)


def _plain(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    for line in _lines(file):
        yield line.rstrip("\r\n")


def _xml(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    return stream_xml(file, job.path)


def _adf(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    content = file.read(MAX_ADF + 1)
    check_size(content, MAX_ADF, "lead")
    leads = parse_adf(content, ZoneInfo(job.timezone) if job.timezone else None)
    report.problems = leads.problems
    return iter(leads.items)


def _xlsx(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    from nodes.formats.workbook import read_workbook  # Loaded where it is needed: every child would pay for it.

    return read_workbook(file, sheet=job.sheet, header=job.header)


def _pdf(job: Job, file: FileIO, report: Report) -> Iterator[Any]:
    from nodes.formats.pdf import read_pdf  # As above.

    return read_pdf(file)


_READERS: dict[str, Callable[[Job, FileIO, Report], Iterator[Any]]] = {
    "csv": _csv,
    "tsv": _tsv,
    "json": _json,
    "ndjson": _ndjson,
    "text": _plain,
    "xml": _xml,
    "adf": _adf,
    "xlsx": _xlsx,
    "pdf": _pdf,
}
FORMATS = tuple(_READERS)
