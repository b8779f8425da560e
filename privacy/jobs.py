"""Doing what was asked for: one worker at a time takes a row up by pushing its `due_at` on; one that died is taken over."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from accounts.errors import QuotaExceeded
from artefacts import services as artefacts
from artefacts.errors import FileTooLarge, StorageFull
from artefacts.models import Artefact, Purpose
from privacy import erasing, exporting
from privacy.models import DataExport, Erasure, ExportStatus, Subject

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(minutes=2)
SIGN_OF_LIFE = 10.0  # seconds
ATTEMPTS = 5
SETTLED = dt.timedelta(minutes=10)  # after which no process writes for an organization that it still took for active
_FINAL = (StorageFull, QuotaExceeded, FileTooLarge)

_working = threading.Lock()


def tick() -> None:
    """Begin what is due on a thread of its own, unless this process is at it: an export may take minutes."""
    if _anything_due(timezone.now()) and _working.acquire(blocking=False):
        threading.Thread(target=_work, name="privacy", daemon=True).start()


def run_due(*, now: dt.datetime | None = None) -> int:
    """Do everything that is due. Returns how many rows were taken up."""
    done = 0
    moment = now or timezone.now()
    for export in DataExport.unscoped.filter(due_at__lte=moment).order_by("due_at"):
        done += _taken(export, moment) and make(export)
    for erasure in Erasure.objects.filter(due_at__lte=moment).order_by("due_at"):
        done += _taken(erasure, moment) and erase(erasure, now=now)
    return done


def make(export: DataExport) -> bool:
    """Make the copy and store it. What went wrong is tried again, unless trying cannot help."""
    mine = DataExport.unscoped.filter(pk=export.pk, attempts=export.attempts)
    said = time.monotonic()

    def say(percent: int, rows: int) -> None:
        nonlocal said
        if time.monotonic() - said > SIGN_OF_LIFE:
            said = time.monotonic()
            mine.update(due_at=timezone.now() + LEASE, progress=percent, rows=rows)
        export.rows = rows

    mine.update(status=ExportStatus.RUNNING)
    try:
        file = artefacts.store(
            organization_id=export.organization_id,
            name=f"{export.subject}-{export.created_at:%Y-%m-%d}.zip",
            media_type="application/zip",
            pieces=exporting.archive(export, say),
            purpose=Purpose.PAYLOAD,
            key=exporting.key_of(export.pk),
            created_by_id=export.user_id,
            max_bytes=settings.ARTEFACTS["max_organization_bytes"],
        )
    except Exception as error:
        _failed(export, error)
        return True
    until = timezone.now() + settings.PRIVACY["export_kept"]
    Artefact.objects.of(export.organization_id).filter(pk=file.pk).update(expires_at=until)
    mine.update(
        status=ExportStatus.COMPLETED,
        progress=100,
        rows=export.rows,
        due_at=None,
        file_id=file.pk,
        size=file.size,
        error="",
        completed_at=timezone.now(),
        expires_at=until,
        updated_at=timezone.now(),
    )
    log.info("data_exported", export=str(export.pk), subject=export.subject, rows=export.rows, bytes=file.size)
    return True


def erase(erasure: Erasure, *, now: dt.datetime | None = None) -> bool:
    """Delete what is there. An organization is looked at once more later: another process may have written meanwhile."""
    mine = Erasure.objects.filter(pk=erasure.pk, attempts=erasure.attempts)
    mine.filter(started_at=None).update(started_at=timezone.now())
    counts: Counter[str] = Counter(erasure.counts)
    before = _rows_of(counts)
    said = time.monotonic()

    def count(table: str, rows: int) -> None:
        nonlocal said
        if rows:
            counts[table] += rows
        if time.monotonic() - said > SIGN_OF_LIFE:
            said = time.monotonic()
            mine.update(due_at=timezone.now() + LEASE, counts=dict(counts))

    try:
        if erasure.subject == Subject.ORGANIZATION:
            erasing.organization(erasure.subject_id, count)
        else:
            erasing.person(erasure.subject_id, erasure.address, count)
    except Exception as error:
        log.exception("erasure_failed", erasure=str(erasure.pk), error=type(error).__name__)
        mine.update(due_at=timezone.now() + LEASE, counts=dict(counts))
        return True
    again = erasure.subject == Subject.ORGANIZATION and _rows_of(counts) > before
    moment = now or timezone.now()
    ended = {"due_at": moment + SETTLED} if again else {"due_at": None, "finished_at": timezone.now(), "address": ""}
    mine.update(**ended, counts=dict(counts))
    log.info("erased", erasure=str(erasure.pk), subject=erasure.subject, rows=sum(counts.values()), finished=not again)
    return True


# -- inside ----------------------------------------------------------------------------------------------------------


def _rows_of(counts: Counter[str]) -> int:
    """Without the trail, to which its pruning adds."""
    return sum(counts.values()) - counts["audit.AuditEvent"]


def _work() -> None:
    try:
        run_due()
    except Exception as error:
        log.warning("privacy_work_failed", error=type(error).__name__)
    finally:
        connection.close()
        _working.release()


def _anything_due(now: dt.datetime) -> bool:
    return DataExport.unscoped.filter(due_at__lte=now).exists() or Erasure.objects.filter(due_at__lte=now).exists()


def _taken(row: DataExport | Erasure, now: dt.datetime) -> bool:
    """Whether this process is the one that does it: of any number, one UPDATE finds the row as it was read."""
    rows = type(row)._base_manager.filter(pk=row.pk, attempts=row.attempts, due_at=row.due_at)
    if not rows.update(attempts=F("attempts") + 1, due_at=now + LEASE):
        return False
    row.refresh_from_db()
    return True


def _failed(export: DataExport, error: Exception) -> None:
    over = isinstance(error, _FINAL) or export.attempts >= ATTEMPTS
    said = error.message if isinstance(error, _FINAL) else "The copy could not be made. Ask for it again later."
    log.warning("data_export_failed", export=str(export.pk), error=type(error).__name__, over=over)
    rows = DataExport.unscoped.filter(pk=export.pk, attempts=export.attempts)
    if over:
        rows.update(status=ExportStatus.FAILED, due_at=None, error=said[:300], updated_at=timezone.now())
    else:
        rows.update(due_at=timezone.now() + LEASE)
