"""Which files are taken from outside: the sign a file begins with, its extension and the type it is sent as must agree.

What can hide something is opened in the guarded child before it is stored: a workbook is unpacked and measured, the pages of a
PDF file are found, a picture is made anew.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from artefacts.errors import FileRefused
from artefacts.storage import pieces_of
from auterity.kernel.errors import TemporarilyUnavailable
from engine.ports import Unavailable
from nodes.formats.content import Unreadable
from nodes.formats.guarded import guarded
from nodes.formats.job import Job

HEAD = 64 * 1024
INSPECTION_SECONDS = 20.0
UNSAID = {"", "application/octet-stream", "binary/octet-stream"}  # A client that does not know claims nothing.

_MARKUP = re.compile(rb"<(?:!doctype|!entity|html|script|svg|iframe|body|head)\b", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class FileKind:
    """`looks` decides by the first 64 KiB. `opened` files pass through the guarded child; of a picture the new one is kept."""

    name: str
    media_type: str
    extensions: tuple[str, ...]
    also_sent_as: tuple[str, ...]
    looks: Callable[[bytes], bool]
    opened: bool = False
    remade: bool = False


def _begins(*signs: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signs)


def _text(head: bytes) -> bool:
    """No sign that only programs, pictures and archives hold."""
    return head.startswith(_UTF16) or not _CONTROL.search(head)


def _bare(head: bytes) -> bytes:
    return head.removeprefix(codecs.BOM_UTF8).lstrip()


def _data(head: bytes) -> bool:
    """Text that no browser would take for a page."""
    return _text(head) and not _MARKUP.match(_bare(head))


def _json(head: bytes) -> bool:
    return _text(head) and _bare(head)[:1] in (
        b"{",
        b"[",
        b'"',
        b"-",
        b"t",
        b"f",
        b"n",
        *(b"%d" % n for n in range(10)),
    )


def _xml(head: bytes) -> bool:
    if head.startswith(_UTF16):
        head = head.decode("utf-16", "replace").encode()
    return _text(head) and _bare(head).startswith(b"<") and not _MARKUP.search(head)


_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KINDS = (
    FileKind("csv", "text/csv", ("csv",), ("text/plain", "application/csv", "application/vnd.ms-excel"), _data),
    FileKind("tsv", "text/tab-separated-values", ("tsv", "tab"), ("text/plain", "text/csv"), _data),
    FileKind("text", "text/plain", ("txt", "log", "md"), ("text/markdown", "text/x-log"), _data),
    FileKind("json", "application/json", ("json",), ("text/json", "text/plain"), _json),
    FileKind(
        "ndjson",
        "application/x-ndjson",
        ("ndjson", "jsonl"),
        ("application/json", "application/jsonl", "application/ndjson", "text/plain"),
        _json,
    ),
    FileKind("xml", "application/xml", ("xml", "adf"), ("text/xml", "text/plain"), _xml),
    FileKind("mail", "message/rfc822", ("eml",), ("text/plain",), _data),
    FileKind("pdf", "application/pdf", ("pdf",), ("application/x-pdf",), _begins(b"%PDF-"), opened=True),
    FileKind("xlsx", _SHEET, ("xlsx",), (), _begins(b"PK\x03\x04"), opened=True),
    FileKind("png", "image/png", ("png",), (), _begins(b"\x89PNG\r\n\x1a\n"), remade=True),
    FileKind(
        "jpeg", "image/jpeg", ("jpg", "jpeg"), ("image/jpg", "image/pjpeg"), _begins(b"\xff\xd8\xff"), remade=True
    ),
    FileKind("gif", "image/gif", ("gif",), (), _begins(b"GIF87a", b"GIF89a"), remade=True),
    FileKind(
        "webp", "image/webp", ("webp",), (), lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", remade=True
    ),
)
_BY_EXTENSION = {extension: kind for kind in _KINDS for extension in kind.extensions}
EXTENSIONS = tuple(_BY_EXTENSION)
# In the order in which bytes without a name are taken for one: what has a sign of its own first, then the narrower texts.
_GUESSED = (
    *(each for each in _KINDS if each.opened or each.remade),
    _BY_EXTENSION["xml"],
    _BY_EXTENSION["txt"],
)


def agreed(name: str, declared_type: str, file: IO[bytes]) -> FileKind:
    """The kind a file's name, declared type and first bytes agree on. Raises `FileRefused`."""
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    kind = _BY_EXTENSION.get(extension)
    if kind is None:
        raise FileRefused(
            f"Files with the extension '{extension[:20]}' are not taken. Those with one of these are: {', '.join(EXTENSIONS)}.",
            extension=extension[:20],
        )
    sent_as = declared_type.partition(";")[0].strip().lower()
    if sent_as not in (*UNSAID, kind.media_type, *kind.also_sent_as):
        raise FileRefused(
            f"The file's name says {kind.name}, but it was sent as {sent_as[:100]}. Send it as {kind.media_type}.",
            extension=extension,
            declared_type=sent_as[:100],
        )
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    if not head:
        raise FileRefused("The file is empty.")
    if not kind.looks(head):
        raise FileRefused(f"The file's name says {kind.name}, but its content is something else.", extension=extension)
    return kind


def named(name: str, file: IO[bytes]) -> str:
    """The name, with the extension of the kind that the bytes have where it has none that is known. `agreed` decides then.

    Bytes that could be several kinds of text are plain text, unless they look like XML.
    """
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if extension in _BY_EXTENSION:
        return name
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    kind = next((each for each in _GUESSED if head and each.looks(head)), None)
    return name if kind is None else f"{name}.{kind.extensions[0]}"


@contextmanager
def safe_copy(kind: FileKind, file: IO[bytes]) -> Iterator[Iterator[bytes]]:
    """The bytes to keep of a file, once the guarded child has opened what must be opened.

    Raises `FileRefused`, or `TemporarilyUnavailable` where the child was ended from outside.
    """
    if not (kind.opened or kind.remade):
        file.seek(0)
        yield pieces_of(file)
        return
    with tempfile.TemporaryFile() as made:
        try:
            with guarded(Job("inspect", format=kind.name), file, seconds=INSPECTION_SECONDS) as work:
                for piece in work.pieces():
                    made.write(piece)
        except Unreadable as error:
            raise FileRefused(error.message) from error
        except Unavailable as error:
            raise TemporarilyUnavailable(error.message) from error
        kept = made if kind.remade else file
        kept.seek(0)
        yield pieces_of(kept)


def size_of(file: IO[bytes]) -> int:
    """Bytes of a file."""
    size = file.seek(0, 2)
    file.seek(0)
    return size
