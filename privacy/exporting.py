"""A copy of everything: a ZIP of one NDJSON file a table and the files themselves, made as it is stored, in little memory."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import orjson
from django.db.models import QuerySet
from django.utils import timezone

from artefacts import selectors as artefacts
from artefacts.errors import FileDamaged
from artefacts.models import Artefact
from privacy import rows
from privacy.inventory import TABLES, Table
from privacy.models import DataExport, Subject

KEY = "export/"  # how the key of an export's own file begins
FORMAT = "auterity-data-export"

Say = Callable[[int, int], None]  # percent, rows so far


class _Sink:
    """What `zipfile` writes into, given on as it comes. It cannot be rewound, and `zipfile` knows."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: Any) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        held, self._held = b"".join(self._held), []
        return held


def archive(export: DataExport, say: Say) -> Iterator[bytes]:
    """The ZIP's bytes, piece by piece. `say` is told how far it has come, often enough to serve as a sign of life."""
    sink = _Sink()
    counts: dict[str, int] = {}
    missing: list[str] = []
    about = [each for each in TABLES if _rows(export, each) is not None]
    steps = len(about) + 1
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as target:  # type: ignore[call-overload]  # It only writes.
        for place, table in enumerate(about):
            percent = 100 * place // steps
            for piece in _table(export, table, target, sink, counts):
                say(percent, sum(counts.values()))
                yield piece
        for piece in _files(export, target, sink, missing):
            say(100 * (steps - 1) // steps, sum(counts.values()))
            yield piece
        target.writestr("manifest.json", _manifest(export, counts, missing))
    yield sink.taken()
    say(100, sum(counts.values()))


def _rows(export: DataExport, table: Table) -> QuerySet[Any] | None:
    if export.subject == Subject.ORGANIZATION:
        if table.label == "accounts.User":
            members: QuerySet[Any] = table.model._base_manager.filter(memberships__organization=export.organization_id)
            return members
        return rows.of_organization(table, export.organization_id) if table.owner else None
    return rows.of_person(table, export.user_id) if table.people else None


def _table(
    export: DataExport, table: Table, target: zipfile.ZipFile, sink: _Sink, counts: dict[str, int]
) -> Iterator[bytes]:
    found = _rows(export, table)
    person = export.user_id if export.subject == Subject.PERSON else None
    name = table.model._meta.db_table
    counts[name] = 0
    with target.open(f"{name}.ndjson", "w", force_zip64=True) as file:
        for page in rows.pages(found) if found is not None else ():
            for row in page:
                file.write(rows.line_of(table, row, person=person))
            counts[name] += len(page)
            yield sink.taken()
    yield sink.taken()


def _files(export: DataExport, target: zipfile.ZipFile, sink: _Sink, missing: list[str]) -> Iterator[bytes]:
    found = Artefact.unscoped.exclude(key__startswith=KEY)
    if export.subject == Subject.ORGANIZATION:
        found = found.filter(organization_id=export.organization_id)
    else:
        found = found.filter(created_by_id=export.user_id)
    for page in rows.pages(found):
        for each in page:
            try:
                with artefacts.opened(each) as reading, target.open(_place(each), "w", force_zip64=True) as file:
                    for piece in reading.pieces():
                        file.write(piece)
                        yield sink.taken()
            except FileDamaged:
                missing.append(str(each.pk))
            yield sink.taken()


def _place(file: Artefact) -> str:
    """Its name is the last part of a path already, and shown without signs that turn text around."""
    return f"files/{file.pk}/{file.name}"


def _manifest(export: DataExport, counts: dict[str, int], missing: list[str]) -> bytes:
    about: dict[str, Any] = {
        "format": FORMAT,
        "format_version": 1,
        "subject": export.subject,
        "organization_id": str(export.organization_id),
        "user_id": str(export.user_id),
        "made_at": timezone.now().isoformat(timespec="seconds"),
        "rows": counts,
        "files_missing": missing,
        "left_out": "Passwords, keys, tokens and other secrets never leave; settings that hold one show ********.",
    }
    return orjson.dumps(about, option=orjson.OPT_INDENT_2)


def key_of(export_id: UUID) -> str:
    return f"{KEY}{export_id}"
