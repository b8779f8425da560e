"""Reading: what files there are, what is in them, how much room they take, and how long things are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from accounts.quotas import MEBIBYTE
from artefacts.errors import FileDamaged, FileNotFound
from artefacts.models import Artefact, Purpose, RetentionRules, StorageUse
from artefacts.storage import pieces_of, storage
from auterity.kernel.access import Actor, Permission, require


def artefacts(*, actor: Actor, purpose: str | None = None, execution_id: UUID | None = None) -> QuerySet[Artefact]:
    """The organization's files, newest first; lazily. Needs execution:read."""
    require(actor, Permission.EXECUTION_READ)
    rows = Artefact.objects.of(actor).exclude(purpose=Purpose.PAYLOAD).order_by("-id")
    if purpose is not None:
        rows = rows.filter(purpose=purpose)
    return rows if execution_id is None else rows.filter(execution_id=execution_id)


def artefact(*, actor: Actor, artefact_id: UUID) -> Artefact:
    """One file. Raises `FileNotFound`."""
    found = artefacts(actor=actor).filter(pk=artefact_id).first()
    if found is None:
        raise FileNotFound
    return found


def of_organization(organization_id: UUID, file_id: str) -> Artefact:
    """A file by the id that a workflow names, payloads too. Raises `FileNotFound`, also for what is no id."""
    try:
        found = Artefact.objects.of(organization_id).filter(pk=UUID(file_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise FileNotFound(f"There is no file of the id '{file_id[:80]}'. Upload it first, and give the id it gets.")
    return found


@contextmanager
def opened(row: Artefact, *, start: int = 0) -> Iterator[Reading]:
    """The bytes of a file, to be read once, from its beginning or the byte `start`. Raises `FileDamaged` if missing."""
    try:
        file = storage().open(row.storage_key)
    except FileNotFoundError:
        raise FileDamaged from None
    try:
        yield Reading(row, file, start)
    finally:
        file.close()


class Reading:
    """A file being read. From the beginning, the last piece is given out only if all have the checksum they were stored with."""

    def __init__(self, row: Artefact, file: IO[bytes], start: int = 0) -> None:
        self.name, self.media_type, self.size = row.name, row.media_type, row.size
        self._sha256 = row.sha256
        self._file = file
        self._digest = hashlib.sha256()
        self._whole = not start
        self._left = max(row.size - start, 0)
        if start:
            file.seek(min(start, row.size))

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises `FileDamaged`."""
        wanted = self._left if size < 0 else min(size, self._left)
        held = bytearray()
        while len(held) < wanted:
            piece = self._file.read(wanted - len(held))
            if not piece:
                raise FileDamaged
            held += piece
        self._left -= len(held)
        self._digest.update(held)
        if self._left == 0 and self._whole and self._digest.hexdigest() != self._sha256:
            raise FileDamaged
        return bytes(held)

    def pieces(self) -> Iterator[bytes]:
        return pieces_of(self)  # type: ignore[arg-type]  # It reads as a file does.


def part(row: Artefact, start: int, length: int) -> Iterator[bytes]:
    """`length` bytes from `start` on, a piece at a time. A part has no checksum of its own."""
    file = storage().open(row.storage_key)
    try:
        file.seek(start)
        while length > 0 and (piece := file.read(min(length, 256 * 1024))):
            length -= len(piece)
            yield piece
    finally:
        file.close()


def expired(limit: int) -> list[tuple[UUID, UUID]]:
    """(organization, file) of files whose time is over, whoever's they are."""
    due = Artefact.unscoped.filter(expires_at__lte=timezone.now()).order_by("expires_at")
    return list(due.values_list("organization_id", "pk")[:limit])


def storage_use(organization_id: UUID) -> StorageUse:
    """What an organization's files take."""
    found: StorageUse | None = StorageUse.objects.of(organization_id).first()
    return found or StorageUse(organization_id=organization_id)


def stored_mebibytes(organization_id: UUID) -> float:
    """The same in the unit of the quota."""
    return storage_use(organization_id).bytes / MEBIBYTE


def retention(*, actor: Actor) -> RetentionRules:
    """How long the organization's records are kept. Needs organization:read."""
    require(actor, Permission.ORGANIZATION_READ)
    return retention_of(actor.organization_id)


def retention_of(organization_id: UUID) -> RetentionRules:
    found: RetentionRules | None = RetentionRules.objects.of(organization_id).first()
    return found or RetentionRules(organization_id=organization_id)
