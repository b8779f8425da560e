"""XLSX workbooks: rows of one sheet to items. Only ever opened in the guarded child, and only after its real size is known."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from nodes.formats.content import MIB, Unreadable
from nodes.formats.delimited import column_names
from nodes.formats.writing import MAX_ROWS

MAX_ENTRIES = 2000
MAX_INFLATED = 1024 * MIB  # bytes of all parts together, counted, not believed
MAX_STRINGS = 128 * MIB  # bytes of the table of texts, which is held in memory
MAX_RATIO = 200  # how many times larger a part may be than it is packed, once it is over 16 MiB
_LARGE = 16 * MIB
_STRINGS = "xl/sharedStrings.xml"


def inspect(file: IO[bytes]) -> None:
    """Raises `Unreadable` unless it is a workbook without macros that stays of a fair size when unpacked."""
    try:
        with zipfile.ZipFile(file) as archive:
            _inspect(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise Unreadable(f"The workbook is damaged or encrypted: {type(error).__name__}.") from error
    finally:
        file.seek(0)


def _inspect(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    names = [each.filename for each in entries]
    if len(entries) > MAX_ENTRIES or len(set(names)) != len(names):
        raise Unreadable("The workbook has too many parts, or two of one name; it is no workbook a spreadsheet wrote.")
    if "xl/workbook.xml" not in names or "[Content_Types].xml" not in names:
        raise Unreadable("The file is a ZIP archive, but no XLSX workbook.")
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise Unreadable("The workbook holds macros. Save it without them, as .xlsx.")
    total = 0
    for entry in entries:
        size = 0
        with archive.open(entry) as part:
            while piece := part.read(MIB):
                size += len(piece)
                total += len(piece)
                blown = size > _LARGE and size > entry.compress_size * MAX_RATIO
                if total > MAX_INFLATED or blown or (entry.filename == _STRINGS and size > MAX_STRINGS):
                    raise Unreadable(
                        f"The workbook's part {entry.filename[:80]} unpacks to far more than a workbook holds (over "
                        f"{size // MIB} MiB). It is refused; save the sheet as CSV."
                    )


def read_workbook(file: IO[bytes], *, sheet: str, header: bool | Sequence[str]) -> Iterator[Any]:
    """One map a row under the header, as with CSV. `sheet` is a name or a number from 1; else the first one that is shown.

    Numbers and yes/no stay what they are; moments become text as in ISO 8601; formulas are the values they were saved with.
    """
    inspect(file)
    if not openpyxl.DEFUSEDXML:
        raise Unreadable("Workbooks are not read on a server without defusedxml.")
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except (InvalidFileException, KeyError, ValueError) as error:
        raise Unreadable(f"The workbook cannot be read: {error}.") from error
    chosen = _chosen(book, sheet)
    chosen.reset_dimensions()  # What the sheet says of its size is not to be believed.
    names = None if isinstance(header, bool) else list(header)
    for number, given in enumerate(chosen.iter_rows(values_only=True), start=1):
        if number > MAX_ROWS:  # Rows that are left out are counted too, and a file can leave out thousands of millions.
            raise Unreadable(f"The sheet goes beyond row {MAX_ROWS:,}, which no spreadsheet can. Save it as CSV.")
        row = [_plain(value) for value in given]
        while row and row[-1] is None:
            row.pop()
        if not row:
            continue
        if header is False:
            yield row
        elif names is None:
            names = column_names(["" if value is None else str(value) for value in row])
        else:
            yield _record(names, row, number)


def _chosen(book: Any, wanted: str) -> Any:
    sheets = book.worksheets
    for at, each in enumerate(sheets, start=1):
        if wanted and wanted in (each.title, str(at)):
            return each
    shown = next((each for each in sheets if each.sheet_state == "visible"), None)
    if wanted or shown is None:
        there = ", ".join(each.title for each in sheets[:20]) or "none"
        raise Unreadable(f"The workbook has no sheet '{wanted}'. Its sheets are: {there}.")
    return shown


def _record(names: list[str], row: list[Any], number: int) -> dict[str, Any]:
    if len(row) > len(names):
        raise Unreadable(
            f"Row {number} of the sheet has {len(row)} values but there are {len(names)} columns "
            f"({', '.join(names[:10])}). Give every column a heading."
        )
    return dict(zip(names, [*row, *[None] * (len(names) - len(row))], strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
