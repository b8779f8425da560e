"""Where the bytes are: a folder on this machine, or the database that every machine reaches (decision 13).

Both are Django storages, named in `settings.STORAGES["artefacts"]`, so that an object store's storage can take their place. Names
are made by us. A name is written once, whole and durably, before anybody refers to it.
"""

from __future__ import annotations

import datetime as dt
import io
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db.models import Exists, OuterRef

from artefacts.models import Artefact, ArtefactChunk

CHUNK_BYTES = 256 * 1024
DELETED_AT_ONCE = 64  # chunks a statement deletes: 16 MiB

_NAME = re.compile(r"[0-9a-f]{32}")


def storage() -> Storage:
    """The storage that the settings name."""
    return storages["artefacts"]


class Stream(File):
    """Bytes that come in pieces, as Django's storages take them."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__(io.BytesIO())
        self._pieces = pieces

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield from self._pieces


class FolderStorage(Storage):
    """Files in a folder of this machine, 256 subfolders. A file appears under its name only once it is on the disk."""

    def __init__(self, location: str | Path | None = None) -> None:
        self._given = location

    @property
    def folder(self) -> Path:
        return Path(self._given or settings.ARTEFACTS["folder"])

    def path(self, name: str) -> str:
        return str(self.folder / checked(name)[:2] / name)

    def _open(self, name: str, mode: str = "rb") -> File:
        return File(Path(self.path(name)).open("rb"))

    def _save(self, name: str, content: File) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        try:
            with part.open("xb") as file:
                for piece in content.chunks():
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        for folder in (path.parent, self.folder):
            _sync_folder(folder)
        return name

    def delete(self, name: str) -> None:
        Path(self.path(name)).unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        return Path(self.path(name)).exists()

    def size(self, name: str) -> int:
        return Path(self.path(name)).stat().st_size

    def orphans(self, *, before: dt.datetime, limit: int) -> list[str]:
        """Names written before that moment that no artefact has; what a crash left half written is deleted here."""
        found: list[str] = []
        for folder in sorted(self.folder.glob("[0-9a-f][0-9a-f]")):
            old = [each for each in folder.iterdir() if _modified(each) < before.timestamp()]
            for each in old:
                if each.suffix == ".part":
                    each.unlink(missing_ok=True)
            names = [each.name for each in old if _NAME.fullmatch(each.name)]
            used = set(Artefact.unscoped.filter(storage_key__in=names).values_list("storage_key", flat=True))
            found += [name for name in names if name not in used]
            if len(found) >= limit:
                break
        return found[:limit]


class DatabaseStorage(Storage):
    """Files in the database, in pieces of 256 KiB that are written and read one at a time."""

    def _open(self, name: str, mode: str = "rb") -> File:
        return File(io.BufferedReader(ChunkReader(checked(name), self.size(name)), CHUNK_BYTES))

    def _save(self, name: str, content: File) -> str:
        number = -1
        for number, piece in enumerate(_even(content.chunks())):
            ArtefactChunk.objects.create(storage_key=checked(name), number=number, data=piece)
        if number < 0:  # An empty file has a piece too, by which it is known to exist.
            ArtefactChunk.objects.create(storage_key=checked(name), number=0, data=b"")
        return name

    def delete(self, name: str) -> None:
        rows = ArtefactChunk.objects.filter(storage_key=checked(name))
        while ids := list(rows.order_by("-number").values_list("pk", flat=True)[:DELETED_AT_ONCE]):
            ArtefactChunk.objects.filter(pk__in=ids).delete()

    def exists(self, name: str) -> bool:
        return ArtefactChunk.objects.filter(storage_key=checked(name), number=0).exists()

    def size(self, name: str) -> int:
        last = ArtefactChunk.objects.filter(storage_key=checked(name)).order_by("-number").first()
        if last is None:
            raise FileNotFoundError(name)
        return last.number * CHUNK_BYTES + len(last.data)

    def orphans(self, *, before: dt.datetime, limit: int) -> list[str]:
        """Names begun before that moment that no artefact has."""
        known = Artefact.unscoped.filter(storage_key=OuterRef("storage_key"))
        begun = ArtefactChunk.objects.filter(~Exists(known), number=0, created_at__lt=before)
        return list(begun.order_by("created_at").values_list("storage_key", flat=True)[:limit])


class ChunkReader(io.RawIOBase):
    """A file in the database as a seekable stream; it holds one piece at a time."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._at = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        number, offset = divmod(self._at, CHUNK_BYTES)
        if self._held[0] != number:
            data = ArtefactChunk.objects.filter(storage_key=self._name, number=number).values_list("data", flat=True)
            self._held = (number, bytes(data.get()))
        piece = self._held[1][offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def checked(name: str) -> str:
    """A name of ours. Raises `SuspiciousFileOperation` for any other: none ever comes from a client."""
    if not _NAME.fullmatch(name):
        raise SuspiciousFileOperation("This is no name of a stored file.")
    return name


def pieces_of(file: IO[bytes], size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """What is left of a file, a piece at a time."""
    while piece := file.read(size):
        yield piece


def _even(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of CHUNK_BYTES, the last one shorter."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _sync_folder(folder: Path) -> None:
    """A rename is durable once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
