"""CSV and TSV: rows to maps and back (RFC 4180). Values stay text: a postal code keeps its leading zero."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import count
from typing import Any

from engine.expression_values import as_text
from nodes.formats.content import Unreadable

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def parse_delimited(text: str, delimiter: str = ",", header: bool | Sequence[str] = True) -> list[Any]:
    """One map a row, keyed by the header; one list a row where `header` is False; `header` may name the columns itself.

    Raises `Unreadable` naming the row.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in reader if row)
    except csv.Error as error:
        raise Unreadable(
            f"Line {reader.line_num} of the table cannot be read: {error}. A value that holds quotes, the delimiter or "
            'a line break must be in double quotes, and a double quote inside it written twice ("").'
        ) from error
    if header is False:
        return rows
    names = _column_names(rows.pop(0) if rows else []) if header is True else list(header)
    return [_record(names, row, number) for number, row in enumerate(rows, start=2 if header is True else 1)]


def write_delimited(
    items: Sequence[Any], delimiter: str = ",", columns: Sequence[str] = (), neutralise: bool = False
) -> str:
    """Maps become rows under a header, lists become rows without one, anything else one column named `value`.

    `neutralise` puts a `'` before text that a spreadsheet would run as a formula. Raises `Unreadable` for a mixture.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    for row in _rows(items, columns):
        writer.writerow([_cell(value, neutralise) for value in row])
    return out.getvalue()


def neutralised(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _rows(items: Sequence[Any], columns: Sequence[str]) -> list[list[Any]]:
    kinds = {dict if isinstance(item, dict) else list if isinstance(item, list) else object for item in items}
    if len(kinds) > 1:
        raise Unreadable(
            "A table is made of maps only, of lists only or of plain values only; these items mix them. "
            "Bring them into one form with a data-transformation step first."
        )
    if kinds == {list}:
        return [*([list(columns)] if columns else []), *items]
    if kinds == {object}:
        return [[columns[0] if columns else "value"], *([item] for item in items)]
    names = list(columns) or list(dict.fromkeys(str(name) for item in items for name in item))
    return [names, *([item.get(name) for name in names] for item in items)] if names else []


def _cell(value: Any, neutralise: bool) -> str:
    """Numbers stay as they are: -5 is no formula, "-5" given as text might be the start of one."""
    text = as_text(value).replace("\x00", "")
    return neutralised(text) if neutralise and isinstance(value, str) else text


def _column_names(row: Sequence[str]) -> list[str]:
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
