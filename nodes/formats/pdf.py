"""The text of PDF files, a page at a time. Only ever opened in the guarded child."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from nodes.formats.content import Unreadable

MAX_PAGES = 10_000


def inspect(file: IO[bytes]) -> None:
    """Raises `Unreadable` unless it is a PDF file whose pages can be found."""
    _opened(file)
    file.seek(0)


def read_pdf(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """{page, text} a page, from 1. A scanned page has no text: ""."""
    for number, page in enumerate(_opened(file).pages, start=1):
        try:
            text = page.extract_text()
        except (PyPdfError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(f"Page {number} of the PDF file cannot be read: {type(error).__name__}.") from error
        yield {"page": number, "text": text}


def _opened(file: IO[bytes]) -> PdfReader:
    file.seek(0)
    if not file.read(1024).lstrip().startswith(b"%PDF-"):
        raise Unreadable("The file is no PDF file.")
    file.seek(0)
    try:
        reader = PdfReader(file, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("The PDF file is protected by a password. Save it without one.")
        pages = len(reader.pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"The PDF file is damaged: {type(error).__name__}.") from error
    if not 1 <= pages <= MAX_PAGES:
        raise Unreadable(f"The PDF file has {pages:,} pages; from 1 to {MAX_PAGES:,} are read.")
    return reader
