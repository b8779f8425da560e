"""From bytes or text of unknown origin to text, and which format a text is in."""

from __future__ import annotations

import codecs
import csv
import io
import json

MIB = 1_048_576
_WIDE = ("utf-16", "utf-32", "utf_16", "utf_32")


class Unreadable(Exception):
    """The content cannot be read. `message` is a sentence that says what is wrong and how to mend it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def decode(data: bytes, declared: str | None = None) -> str:
    """Bytes as text. UTF-8 wherever they are valid UTF-8, else the declared charset, else Windows-1252.

    Senders mislabel: "iso-8859-1" is read as Windows-1252, as every browser does.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    charset = (declared or "").strip().strip("\"'").lower()
    if charset in ("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"):
        charset = "cp1252"
    order = (charset, "utf-8-sig") if charset.startswith(_WIDE) else ("utf-8-sig", charset)
    for each in order:
        try:
            text = data.decode(each or "utf-8")
            text.encode()  # Some that Python takes for charsets, such as unicode_escape, give halves of characters.
        except (UnicodeError, LookupError):
            continue
        return text
    return data.decode("cp1252", errors="replace")


def check_size(content: str | bytes, limit: int, what: str) -> None:
    """Raises `Unreadable` when the content is longer than `limit` bytes of UTF-8."""
    size = len(content)
    if isinstance(content, str) and limit // 4 < size <= limit:
        size = len(content.encode(errors="replace"))
    if size > limit:
        raise Unreadable(
            f"The {what} is {size / MIB:.1f} MiB long; at most {limit / MIB:g} MiB is read. Send it in smaller parts."
        )


def detect(text: str) -> str:
    """The format of a text: json, ndjson, xml, tsv, csv, or text when it is none of these. ADF is told apart before."""
    head = text.lstrip("\ufeff \t\r\n")
    if head.startswith("%PDF"):
        return "pdf"
    if head.startswith("PK\x03\x04"):
        return "xlsx"
    if head.startswith(("{", "[")):
        return _which_json(head)
    if head.startswith("<"):
        return "xml"
    delimiter = sniff_delimiter(text)
    if delimiter == "\t":
        return "tsv"
    return "csv" if delimiter else "text"


def _which_json(text: str) -> str:
    """NDJSON when the first of several lines is a value of its own. What is neither is told by the JSON reader."""
    first, _, rest = text.partition("\n")
    if not rest.strip():
        return "json"
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return "json"
    return "ndjson"


def sniff_delimiter(text: str) -> str:
    """The sign that splits the first two records into equally many values (at least two), or "" when none does."""
    best, most = "", 1
    for delimiter in ",;\t|":
        widths = _widths(text, delimiter)
        if widths and widths[0] > most and all(width == widths[0] for width in widths):
            best, most = delimiter, widths[0]
    return best


def _widths(text: str, delimiter: str) -> list[int]:
    rows = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    widths: list[int] = []
    try:
        for row in rows:
            if row:
                widths.append(len(row))
            if len(widths) == 2:
                break
    except csv.Error:
        return []
    return widths
