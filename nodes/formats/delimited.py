"""CSV and TSV: rows to maps and back (RFC 4180). Values stay text: a postal code keeps its leading zero."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from engine.expression_values import as_text
from nodes.formats.content import Unreadable

MAX_COLUMNS = 16_384  # as in a spreadsheet
MAX_CELLS = 2_000_000  # of a text that is read at one go; what short rows leave out counts too
MAX_WRITTEN = 10_000_000  # cells that are written in this process
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def parse_delimited(text: str, delimiter: str = ",", header: bool | Sequence[str] = True) -> list[Any]:
    """One map a row, keyed by the header; one list a row where `header` is False; `header` may name the columns itself.

    Raises `Unreadable` naming the row, and for a table of more than 2,000,000 values.
    """
    found: list[Any] = []
    cells = 0
    for each in records(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter, header):
        cells += len(each)
        if cells > MAX_CELLS:
            raise too_wide(MAX_CELLS)
        found.append(each)
    return found


def too_wide(most: int) -> Unreadable:
    return Unreadable(
        f"The table has more than {most:,} values, counting those that short rows leave empty. Leave columns out, or let it "
        "be a stored file, which is gone through row by row."
    )


def records(lines: Iterable[str], delimiter: str, header: bool | Sequence[str]) -> Iterator[Any]:
    """The same, a row at a time. Raises `Unreadable` naming the row."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    names = None if isinstance(header, bool) else list(header)
    rows = 0
    try:
        for row in reader:
            if not row:
                continue
            rows += 1
            if header is False:
                yield row
            elif names is None:
                names = column_names(row)
            else:
                yield _record(names, row, rows)
    except csv.Error as error:
        raise Unreadable(
            f"Line {reader.line_num} of the table cannot be read: {error}. A value that holds quotes, the delimiter or "
            'a line break must be in double quotes, and a double quote inside it written twice ("").'
        ) from error


def write_delimited(
    items: Sequence[Any], delimiter: str = ",", columns: Sequence[str] = (), neutralise: bool = False
) -> str:
    """Maps become rows under a header, lists become rows without one, anything else one column named `value`.

    `neutralise` puts a `'` before text that a spreadsheet would run as a formula. Raises `Unreadable` for a mixture.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    kind, names = table_of(items, columns)
    if kind is dict and not names:
        return ""
    if len(names) * len(items) > MAX_WRITTEN:
        raise too_wide(MAX_WRITTEN)
    if names:
        writer.writerow([cell(name, neutralise) for name in names])
    for item in items:
        writer.writerow([cell(value, neutralise) for value in table_row(item, kind, names)])
    return out.getvalue()


def neutralised(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def table_of(items: Iterable[Any], columns: Sequence[str]) -> tuple[type, list[str]]:
    """What rows a table is made of, and its columns. Raises `Unreadable` for a mixture, and for very many names."""
    found: dict[str, None] = {}
    kind: type | None = None
    for item in items:
        if kind is not None and kind_of(item) is not kind:
            raise mixed()
        kind = kind_of(item)
        if kind is dict and not columns:
            found.update(dict.fromkeys(map(str, item)))
            if len(found) > MAX_COLUMNS:
                raise Unreadable(
                    f"The items have more than {MAX_COLUMNS:,} different names; name the columns you need."
                )
    if kind is dict or kind is None:
        return dict, list(columns) or list(found)
    return kind, (list(columns)[:1] or ["value"]) if kind is object else list(columns)


def kind_of(item: Any) -> type:
    """What a table is made of: maps, lists, or plain values."""
    return dict if isinstance(item, dict) else list if isinstance(item, list) else object


def table_row(item: Any, kind: type, names: Sequence[str]) -> list[Any]:
    if kind is dict:
        return [item.get(name) for name in names]
    return list(item) if kind is list else [item]


def mixed() -> Unreadable:
    return Unreadable(
        "A table is made of maps only, of lists only or of plain values only; these items mix them. "
        "Bring them into one form with a data-transformation step first."
    )


def cell(value: Any, neutralise: bool) -> str:
    """Numbers stay as they are: -5 is no formula, "-5" given as text might be the start of one."""
    text = as_text(value).replace("\x00", "")
    return neutralised(text) if neutralise and isinstance(value, str) else text


def column_names(row: Sequence[str]) -> list[str]:
    """Names that all differ: an empty one becomes `column_3`, a second `price` becomes `price_2`. Raises `Unreadable`."""
    if len(row) > MAX_COLUMNS:
        raise Unreadable(
            f"The table has {len(row):,} columns; at most {MAX_COLUMNS:,} are read. Does the delimiter fit?"
        )
    names: dict[str, None] = {}
    times: dict[str, int] = {}
    for at, given in enumerate(row, start=1):
        name = base = given.strip() or f"column_{at}"
        while name in names:
            times[base] = times.get(base, 1) + 1
            name = f"{base}_{times[base]}"
        names[name] = None
    return list(names)


def _record(names: Sequence[str], row: Sequence[str], number: int) -> dict[str, str]:
    if any(extra.strip() for extra in row[len(names) :]):
        raise Unreadable(
            f"Row {number} has {len(row)} values but there are {len(names)} columns ({', '.join(names[:10])}). "
            "Put values that hold the delimiter in double quotes, or set options.delimiter to the sign the table uses."
        )
    padded = [*row, *[""] * (len(names) - len(row))]
    return dict(zip(names, padded, strict=False))
