"""Storing files: both storages alike, replaced under a key, counted, proved when read, and swept after a crash."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.db import connection
from django.utils import timezone

from accounts.models import Organization
from artefacts import selectors, services
from artefacts.errors import FileDamaged, FileNotFound, FileTooLarge, StorageFull
from artefacts.models import Artefact, ArtefactChunk, Purpose, StorageUse
from artefacts.storage import CHUNK_BYTES, FolderStorage, Stream, storage
from engine.ports import Rejected, Unavailable
from executions.gateway import ports_of

pytestmark = pytest.mark.django_db(transaction=True)

BACKENDS = {"folder": "artefacts.storage.FolderStorage", "database": "artefacts.storage.DatabaseStorage"}
BIG = bytes(range(256)) * 4096 + b"the end"  # Four chunks and a bit.


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "folder": tmp_path / "files"}
    settings.STORAGES = {**settings.STORAGES, "artefacts": {"BACKEND": BACKENDS[request.param]}}
    kind: str = request.param
    return kind


@pytest.fixture
def organization(db: None) -> UUID:
    return Organization.objects.create(name="AutoDealer Inc.").pk


def store(organization: UUID, content: bytes = BIG, **more: Any) -> Artefact:
    pieces = [content[at : at + 100_000] for at in range(0, len(content), 100_000)]
    about = {"name": "x.bin", "media_type": "application/octet-stream", "purpose": Purpose.STEP, **more}
    return services.store(organization_id=organization, pieces=about.pop("pieces", pieces), **about)


def content_of(row: Artefact) -> bytes:
    with selectors.opened(row) as file:
        return b"".join(file.pieces())


def places() -> int:
    """Stored files by their bytes, whoever refers to them."""
    kept = storage()
    if isinstance(kept, FolderStorage):
        return sum(each.is_file() for each in kept.folder.rglob("*"))
    return ArtefactChunk.objects.filter(number=0).count()


def use(organization: UUID) -> tuple[int, int]:
    found = selectors.storage_use(organization)
    return found.bytes, found.files


@pytest.mark.parametrize("content", [BIG, b"", b"x", b"y" * CHUNK_BYTES, b"z" * (CHUNK_BYTES * 2)])
def test_what_was_stored_is_read(place: str, organization: UUID, content: bytes) -> None:
    row = store(organization, content)
    assert (row.size, row.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert content_of(row) == content
    assert storage().size(row.storage_key) == len(content)
    assert b"".join(selectors.part(row, 3, 5)) == content[3:8]
    assert use(organization) == (len(content), 1)
    assert places() == 1


def test_a_part_from_anywhere(place: str, organization: UUID) -> None:
    row = store(organization)
    for start, length in ((0, 10), (CHUNK_BYTES - 3, 6), (len(BIG) - 4, 100), (CHUNK_BYTES * 3, CHUNK_BYTES + 7)):
        assert b"".join(selectors.part(row, start, length)) == BIG[start : start + length]


def test_a_key_used_again_replaces_the_file_and_keeps_its_id(place: str, organization: UUID) -> None:
    first = store(organization, b"one", key="execution/node/0")
    second = store(organization, b"two, longer", key="execution/node/0")
    assert second.pk == first.pk
    assert Artefact.objects.of(organization).count() == 1
    assert content_of(Artefact.objects.of(organization).get()) == b"two, longer"
    assert use(organization) == (11, 1)
    assert places() == 1


def test_a_file_too_large_leaves_nothing(place: str, organization: UUID) -> None:
    with pytest.raises(FileTooLarge, match="may have 1,000 bytes"):
        store(organization, max_bytes=1000)
    assert (places(), use(organization), Artefact.objects.of(organization).count()) == (0, (0, 0), 0)


def test_pieces_that_break_off_leave_nothing(place: str, organization: UUID) -> None:
    def pieces() -> Iterator[bytes]:
        yield BIG
        raise RuntimeError("the other side is gone")

    with pytest.raises(RuntimeError, match="the other side is gone"):
        store(organization, pieces=pieces())
    assert (places(), use(organization), Artefact.objects.of(organization).count()) == (0, (0, 0), 0)


def test_deleting_gives_the_room_back(place: str, organization: UUID) -> None:
    store(organization, b"stays")
    rows = Artefact.objects.of(organization).filter(pk=store(organization).pk)
    assert services.forget(rows, organization_id=organization, limit=10) == 1
    assert services.forget(rows, organization_id=organization, limit=10) == 0
    assert (use(organization), places()) == ((5, 1), 1)


def test_of_many_at_once_only_what_fits_is_kept(place: str, organization: UUID, settings: Any) -> None:
    """Three of eight fit."""
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_organization_bytes": 350}
    told: list[str] = []
    together = threading.Barrier(8)

    def run() -> None:
        together.wait(10)
        try:
            store(organization, b"x" * 100)
            told.append("kept")
        except StorageFull:
            told.append("full")
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(told) == ["full"] * 5 + ["kept"] * 3
    assert (use(organization), places()) == ((300, 3), 3)


def test_of_two_with_one_key_one_file_is_left(place: str, organization: UUID) -> None:
    together = threading.Barrier(4)
    ids: list[UUID] = []

    def run() -> None:
        together.wait(10)
        try:
            ids.append(store(organization, b"x" * 100, key="execution/node/0").pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert (use(organization), places()) == ((100, 1), 1)


def damage(row: Artefact, place: str) -> None:
    if place == "folder":
        path = Path(FolderStorage().path(row.storage_key))
        path.write_bytes(b"X" + path.read_bytes()[1:])
    else:
        chunk = ArtefactChunk.objects.get(storage_key=row.storage_key, number=0)
        chunk.data = b"X" + bytes(chunk.data)[1:]
        chunk.save()


def test_a_damaged_file_is_not_given_out(place: str, organization: UUID) -> None:
    row = store(organization)
    damage(row, place)
    with pytest.raises(FileDamaged):
        content_of(row)
    storage().delete(row.storage_key)
    with pytest.raises(FileDamaged):
        content_of(row)


def test_bytes_without_a_file_are_swept_after_a_day(place: str, organization: UUID) -> None:
    row = store(organization)
    kept = storage()
    kept.save("0" * 32, Stream([b"a crash came before the row"]))
    if isinstance(kept, FolderStorage):
        (kept.folder / row.storage_key[:2] / f"{'a' * 32}.part").write_bytes(b"a crash came before the end")
    assert services.forget_orphans(limit=10) == 0
    tomorrow = timezone.now() + dt.timedelta(hours=25)
    assert services.forget_orphans(limit=10, now=tomorrow) == 1
    assert places() == 1
    assert content_of(row) == BIG


def test_only_our_own_names_reach_the_storage(place: str) -> None:
    for name in ("../../etc/passwd", "/etc/passwd", "x", "A" * 32, "0" * 33):
        with pytest.raises(SuspiciousFileOperation):
            storage().open(name)
        with pytest.raises(SuspiciousFileOperation):
            storage().delete(name)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a/b\\c.csv", "c.csv"),
        ("x\r\nSet-Cookie: a=b.csv", "xSet-Cookie: a=b.csv"),
        ("..", "file"),
        ("", "file"),
        ("\u202egpj.exe", "gpj.exe"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("n" * 250, "n" * 200),
    ],
)
def test_a_name_is_made_harmless(given: str, shown: str) -> None:
    assert services.file_name(given) == shown


def test_a_file_whose_time_is_over_is_deleted(place: str, organization: UUID) -> None:
    row, stays = store(organization), store(organization, b"x")
    Artefact.objects.of(organization).filter(pk=row.pk).update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    Artefact.objects.of(organization).filter(pk=stays.pk).update(expires_at=timezone.now() + dt.timedelta(hours=1))
    assert services.forget_expired(limit=10) == 1
    assert (use(organization), places()) == ((1, 1), 1)


# The port that steps are given


def test_a_step_stores_and_reads_its_organizations_files(place: str, organization: UUID) -> None:
    files = ports_of(organization).files
    execution = "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001"
    ids = [files.store("x.csv", "text/csv", [b"a,", text], key=f"{execution}/node/0") for text in (b"1", b"2")]
    assert ids[0] == ids[1]
    found = files.read(ids[0], max_bytes=4)
    assert (found.id, found.name, found.media_type, found.content) == (ids[0], "x.csv", "text/csv", b"a,2")
    with files.open(ids[0]) as file:
        assert (file.size, file.read(2), file.read(), file.read()) == (3, b"a,", b"2", b"")
    row = Artefact.objects.of(organization).get()
    assert (str(row.execution_id), row.purpose) == (execution, "step")


def test_a_step_reads_on_from_where_it_was(place: str, organization: UUID) -> None:
    files, row = ports_of(organization).files, store(organization)
    with files.open(str(row.pk), start=row.size - 10) as file:
        assert (file.read(4), file.read(), file.read()) == (BIG[-10:-6], BIG[-6:], b"")
    with files.open(str(row.pk), start=row.size + 5) as file:
        assert file.read() == b""


def test_what_a_step_cannot_have_is_rejected(place: str, organization: UUID, settings: Any) -> None:
    other = Organization.objects.create(name="Other Motors").pk
    files, row = ports_of(organization).files, store(organization)
    for unknown in (str(store(other).pk), "no id", "", str(UUID(int=0))):
        with pytest.raises(Rejected, match=f"There is no file of the id '{unknown}'"), files.open(unknown):
            pass
    with pytest.raises(Rejected, match="has 1,048,583 bytes; at most 10 are taken"):
        files.read(str(row.pk), max_bytes=10)
    damage(row, place)
    with pytest.raises(Unavailable, match="damaged"):
        files.read(str(row.pk), max_bytes=10_000_000)
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_organization_bytes": row.size + 3}
    with pytest.raises(Rejected, match="this one does not fit"):
        files.store("x", "text/plain", [b"four"], key="k")
    assert use(organization) == (row.size, 1)


def test_an_unknown_file_of_a_person_is_told_in_words(organization: UUID) -> None:
    with pytest.raises(FileNotFound, match="Upload it first"):
        selectors.of_organization(organization, "x' OR 1=1")
    assert StorageUse.objects.of(organization).count() == 0
