"""Storing and deleting files. Bytes are durable before the row that refers to them is committed, and go after it has gone.

What a crash leaves between the two is bytes that nobody refers to; `forget_orphans` deletes those.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts import quotas
from accounts.limits import Counter
from accounts.quotas import MEBIBYTE
from artefacts import kinds, selectors
from artefacts.errors import FileTooLarge, StorageFull
from artefacts.models import Artefact, Purpose, RetentionRules, StorageUse
from artefacts.storage import Stream, storage
from audit.trail import record
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput

log = structlog.get_logger(__name__)

ORPHAN_AGE = dt.timedelta(hours=24)  # longer than any write takes
LONGEST_NAME = 200


def upload(*, actor: Actor, name: str, declared_type: str, file: IO[bytes], key: str = "") -> Artefact:
    """Store what somebody handed in, under a name of ours and with the type that its bytes have.

    `file` is a real file of the multipart parser's; with a `key` that was used before it takes the place of that
    one. Raises `FileRefused`, `FileTooLarge`, `StorageFull`.
    """
    require(actor, Permission.WORKFLOW_EXECUTE)
    return receive(
        organization_id=actor.organization_id,
        name=name,
        declared_type=declared_type,
        file=file,
        created_by_id=actor.user_id,
        key=key,
    )


def receive(
    *,
    organization_id: UUID,
    name: str,
    declared_type: str,
    file: IO[bytes],
    created_by_id: UUID | None = None,
    key: str = "",
) -> Artefact:
    """As `upload`, for whoever was asked for a file, such as by a form. Whether they were is the caller's to know."""
    _admit(organization_id, kinds.size_of(file))
    shown = file_name(name)
    kind = kinds.agreed(shown, declared_type, file)
    with kinds.safe_copy(kind, file) as pieces:
        return store(
            organization_id=organization_id,
            name=shown,
            media_type=kind.media_type,
            pieces=pieces,
            purpose=Purpose.UPLOAD,
            key=key,
            max_bytes=settings.ARTEFACTS["max_upload_bytes"],
            created_by_id=created_by_id,
        )


def admit_upload(*, actor: Actor, size: int) -> None:
    """Whether a file of about this size may come at all: asked before anything of it is read. Raises as `upload` does."""
    require(actor, Permission.WORKFLOW_EXECUTE)
    _admit(actor.organization_id, size)


def store(
    *,
    organization_id: UUID,
    name: str,
    media_type: str,
    pieces: Iterable[bytes],
    purpose: Purpose,
    key: str = "",
    execution_id: UUID | None = None,
    created_by_id: UUID | None = None,
    max_bytes: int | None = None,
) -> Artefact:
    """Stream bytes in and remember them. Under a `key` used before, the new bytes take the place of the old, the id stays.

    Raises `FileTooLarge` (over `max_bytes`, else the setting), `StorageFull`, and whatever `pieces` raises; then nothing is kept.
    """
    counted = _Counted(pieces, max_bytes or settings.ARTEFACTS["max_file_bytes"])
    place = uuid4().hex
    kept = storage()
    try:
        kept.save(place, Stream(counted))
        made = Artefact(
            organization_id=organization_id,
            name=file_name(name),
            media_type=media_type[:100],
            size=counted.size,
            sha256=counted.digest.hexdigest(),
            storage_key=place,
            purpose=purpose,
            key=key,
            execution_id=execution_id,
            created_by_id=created_by_id,
        )
        return _remember(made)
    except BaseException:
        kept.delete(place)
        raise


def delete(*, actor: Actor, artefact_id: UUID) -> None:
    """Delete a file that somebody uploaded or a step made. Raises `FileNotFound`."""
    require(actor, Permission.WORKFLOW_EXECUTE)
    found = selectors.artefact(actor=actor, artefact_id=artefact_id)
    forget(Artefact.objects.of(actor).filter(pk=found.pk), organization_id=actor.organization_id, limit=1)


def forget(rows: QuerySet[Artefact], *, organization_id: UUID, limit: int) -> int:
    """Delete at most `limit` of one organization's files, in one short transaction. Returns how many."""
    if not rows.exists():
        return 0
    with transaction.atomic():
        found = list(rows.select_for_update().order_by("pk")[:limit])
        deleted, _ = Artefact.objects.of(organization_id).filter(pk__in=[each.pk for each in found]).delete()
        _count(organization_id, size=-sum(each.size for each in found), files=-deleted)
        for each in found:
            transaction.on_commit(_Bytes(each.storage_key).forget)
    return deleted


def forget_expired(*, limit: int) -> int:
    """Delete files whose time is over, whoever's they are. Returns how many."""
    due = selectors.expired(limit)
    return sum(
        forget(Artefact.objects.of(organization).filter(pk=pk), organization_id=organization, limit=1)
        for organization, pk in due
    )


def forget_orphans(*, limit: int, now: dt.datetime | None = None) -> int:
    """Delete bytes that no file has had for a day: a write or a deletion that a crash cut short. Returns how many files."""
    kept = storage()
    find: Any = getattr(kept, "orphans", None)
    if find is None:  # An object store has lifecycle rules of its own.
        return 0
    names = find(before=(now or timezone.now()) - ORPHAN_AGE, limit=limit)
    for name in names:
        kept.delete(name)
    if names:
        log.info("orphaned_files_deleted", files=len(names))
    return len(names)


def check_room(organization_id: UUID, size: int) -> None:
    """Raises `StorageFull` or `QuotaExceeded` where so many bytes more do not fit; storing them counts again."""
    most = settings.ARTEFACTS["max_organization_bytes"]
    used = selectors.storage_use(organization_id).bytes
    if used + size > most:
        raise _full(most, used)
    _check_quota(used, size, _quota(organization_id))


def set_retention(
    *, actor: Actor, execution_days: int, receipt_days: int, upload_days: int | None = None
) -> RetentionRules:
    """Say how many days the organization's records are kept. Raises `InvalidInput`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    given = {"execution_days": execution_days, "receipt_days": receipt_days, "upload_days": upload_days}
    wrong = [
        FieldProblem(name, "This must be from 1 to 3650 days.")
        for name, days in given.items()
        if days is not None and not 1 <= days <= 3650
    ]
    if wrong:
        raise InvalidInput(wrong)
    rules: RetentionRules
    with transaction.atomic():
        rules, _ = RetentionRules.objects.of(actor).update_or_create(
            organization_id=actor.organization_id, defaults=given
        )
        record(
            "retention.changed",
            "change",
            organization_id=actor.organization_id,
            actor=actor,
            severity="medium",
            resource_type="organization",
            resource_id=actor.organization_id,
            details=given,
        )
    return rules


def file_name(given: str) -> str:
    """A name to show: the last part of a path, without signs that end a line or turn text around."""
    last = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    shown = "".join(each for each in last if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
    shown = shown.strip().lstrip(".")
    if len(shown) > LONGEST_NAME:
        stem, dot, extension = shown.rpartition(".")
        shown = stem[: LONGEST_NAME - 1 - len(extension)] + dot + extension if dot and len(extension) < 10 else shown
    return shown[:LONGEST_NAME] or "file"


# -- inside ----------------------------------------------------------------------------------------------------------


def _admit(organization_id: UUID, size: int) -> None:
    most = settings.ARTEFACTS["max_upload_bytes"]
    if size > most:
        raise FileTooLarge(f"A file may have {most:,} bytes.", max_bytes=most)
    check_room(organization_id, size)


@dataclass(slots=True)
class _Counted:
    """Pieces as they pass: measured, hashed, and stopped when they are too many."""

    pieces: Iterable[bytes]
    most: int
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.size += len(piece)
            if self.size > self.most:
                raise FileTooLarge(f"A file may have {self.most:,} bytes; this one has more.", max_bytes=self.most)
            self.digest.update(piece)
            yield piece


@dataclass(frozen=True, slots=True)
class _Bytes:
    name: str

    def forget(self) -> None:
        storage().delete(self.name)


def _remember(made: Artefact) -> Artefact:
    """Insert the row, or put the new bytes under the row that has its key. Whoever comes second finds the first one's row."""
    for attempt in (1, 2):
        try:
            with transaction.atomic():
                earlier = _earlier(made)
                if earlier is None:
                    _count(made.organization_id, size=made.size, files=1)
                    made.save(force_insert=True)
                    return made
                _count(made.organization_id, size=made.size - earlier.size, files=0)
                transaction.on_commit(_Bytes(earlier.storage_key).forget)
                for name in ("name", "media_type", "size", "sha256", "storage_key"):
                    setattr(earlier, name, getattr(made, name))
                earlier.save(update_fields=["name", "media_type", "size", "sha256", "storage_key"])
                return earlier
        except IntegrityError:
            if attempt == 2 or not made.key:
                raise
    raise AssertionError("unreachable")


def _earlier(made: Artefact) -> Artefact | None:
    if not made.key:
        return None
    rows: QuerySet[Artefact] = Artefact.objects.of(made.organization_id).filter(key=made.key)
    return rows.select_for_update().first()


def _count(organization_id: UUID, *, size: int, files: int) -> None:
    """Add to what the organization takes, unless that is too much. One guarded UPDATE: of any number at once none slips by."""
    most = settings.ARTEFACTS["max_organization_bytes"]
    quota = _quota(organization_id) if size > 0 else None
    bound = most if quota is None else min(most, quota * MEBIBYTE)
    rows = StorageUse.objects.of(organization_id)
    StorageUse.objects.of(organization_id).bulk_create(
        [StorageUse(organization_id=organization_id)], ignore_conflicts=True
    )
    fitting = rows.filter(bytes__lte=bound - size) if size > 0 else rows
    if not fitting.update(bytes=F("bytes") + size, files=F("files") + files):
        check_room(organization_id, size)
        raise _full(bound, selectors.storage_use(organization_id).bytes)  # Somebody made room this very moment.
    if quota is not None:
        now = selectors.stored_mebibytes(organization_id)
        quotas.note_level(
            organization_id=organization_id,
            level=Counter.STORAGE_MB,
            before=now - size / MEBIBYTE,
            after=now,
            limit=quota,
        )


def _quota(organization_id: UUID) -> int | None:
    """Mebibytes that the organization's own limit allows; None: no limit."""
    return quotas.limits_of(organization_id).storage_mb


def _check_quota(used: int, size: int, quota: int | None) -> None:
    quotas.check_level(level=Counter.STORAGE_MB, before=used / MEBIBYTE, after=(used + size) / MEBIBYTE, limit=quota)


def _full(most: int, used: int) -> StorageFull:
    return StorageFull(
        f"The organization's files take {used:,} of {most:,} bytes; this one does not fit. Delete some, or keep executions for "
        "fewer days.",
        used_bytes=used,
        max_bytes=most,
    )
