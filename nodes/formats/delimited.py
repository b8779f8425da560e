"""CSV and TSV: rows to maps and back (RFC 4180). Values stay text: a postal code keeps its leading zero."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from engine.expression_values import as_text
from nodes.formats.content import Unreadable

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def parse_delimited(text: str, delimiter: str = ",", header: bool | Sequence[str] = True) -> list[Any]:
    """One map a row, keyed by the header; one list a row where `header` is False; `header` may name the columns itself.

    Raises `Unreadable` naming the row.
    """
    return list(records(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter, header))


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
    for row in _rows(items, columns):
        writer.writerow([cell(value, neutralise) for value in row])
    return out.getvalue()


def neutralised(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _rows(items: Sequence[Any], columns: Sequence[str]) -> list[list[Any]]:
    kinds = {kind_of(item) for item in items}
    if len(kinds) > 1:
        raise mixed()
    kind = kinds.pop() if kinds else dict
    names = list(columns)
    if kind is dict:
        names = names or list(dict.fromkeys(str(name) for item in items for name in item))
        if not names:
            return []
    elif kind is object:
        names = [columns[0] if columns else "value"]
    return [*([names] if names else []), *(table_row(item, kind, names) for item in items)]


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
    """Names that all differ: an empty one becomes `column_3`, a second `price` becomes `price_2`."""
    names: list[str] = []
    taken: set[str] = set()
    for at, given in enumerate(row, start=1):
        base = given.strip() or f"column_{at}"
        name = next(each for number in count(1) if (each := base if number == 1 else f"{base}_{number}") not in taken)
        taken.add(name)
        names.append(name)
    return names


def _record(names: Sequence[str], row: Sequence[str], number: int) -> dict[str, str]:
    if any(extra.strip() for extra in row[len(names) :]):
        raise Unreadable(
            f"Row {number} has {len(row)} values but there are {len(names)} columns ({', '.join(names[:10])}). "
            "Put values that hold the delimiter in double quotes, or set options.delimiter to the sign the table uses."
        )
    padded = [*row, *[""] * (len(names) - len(row))]
    return dict(zip(names, padded, strict=False))
