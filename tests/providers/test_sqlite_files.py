"""SQLite files in the operator's folder: which are opened, and that no statement takes the worker down or keeps it busy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from engine.ports import NotConfigured, Rejected, TimedOut, Unavailable, Unknown
from integrations.providers.database import sqlite
from tests.providers.database_servers import sqlite_file
from tests.providers.test_databases import COUNT, ask, permitted, state

__all__ = ["permitted"]  # A fixture.

pytestmark = [pytest.mark.usefixtures("permitted"), pytest.mark.django_db]


def test_no_folder_no_files(settings: Any, tmp_path: Path) -> None:
    server = sqlite_file(tmp_path)
    settings.SQLITE_DIR = ""
    with pytest.raises(NotConfigured, match="AUTERITY_SQLITE_DIR"):
        ask(server, "SELECT 1")


@pytest.mark.parametrize(
    "file",
    ["../outside.db", "/etc/passwd", "link.db", "missing.db", "folder", ".", "cars.db/..", "a\x01b", "file:cars.db"],
)
def test_files_outside_the_folder_are_as_missing(settings: Any, tmp_path: Path, file: str) -> None:
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    server = sqlite_file(tmp_path)
    (tmp_path / "cars.db").rename(tmp_path / "outside.db")
    (inside / "link.db").symlink_to(tmp_path / "outside.db")
    settings.SQLITE_DIR = str(inside)
    with pytest.raises(Rejected, match="There is no file"):
        ask(server, "SELECT 1", file=file)


def test_a_file_behind_a_hard_link_is_ours_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = sqlite_file(tmp_path)
    ours = tmp_path / "ours.sqlite3"
    with closing(sqlite3.connect(ours)) as made:
        made.execute("CREATE TABLE cars (id integer)")
    (tmp_path / "innocent.db").hardlink_to(ours)
    if connection.vendor != "sqlite":
        pytest.skip("our own database is no file here")
    monkeypatch.setitem(connection.settings_dict, "NAME", str(ours))
    for file in ("ours.sqlite3", "innocent.db"):
        with pytest.raises(Rejected, match="platform's own database"):
            ask(server, "SELECT * FROM cars", file=file)


def test_a_locked_file_is_busy(tmp_path: Path) -> None:
    server = sqlite_file(tmp_path)
    with closing(sqlite3.connect(tmp_path / "cars.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises((Unavailable, TimedOut)):
            ask(server, COUNT, statement_timeout_ms=100)
        holder.execute("ROLLBACK")
    assert ask(server, COUNT).rows[0]["n"] == 3


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT trim(hex(zeroblob(1000000)), replace(hex(randomblob(150000)), '0', '1') || '0') AS x",
        "SELECT instr(hex(zeroblob(1900000)), substr(hex(zeroblob(1000000)), 1, 1900000) || '1') AS x",
    ],
)
def test_one_step_of_the_machine_that_would_take_hours_is_ended(tmp_path: Path, sql: str) -> None:
    """SQLite looks at no clock inside a function: only a process can be killed."""
    server = sqlite_file(tmp_path)
    with pytest.raises(TimedOut, match="stopped; nothing was changed"):
        ask(server, sql, statement_timeout_ms=200)
    assert len(state(server)) == 3


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + ", ".join(f"hex(randomblob(1900000)) AS c{at}" for at in range(600)),
        "SELECT max(" + ", ".join(["hex(randomblob(1900000))"] * 100) + ") || max("
        + ", ".join(["hex(randomblob(1900000))"] * 100) + ") AS x",
    ],
)  # fmt: skip
def test_a_row_of_gigabytes_ends_the_statement_and_not_the_worker(tmp_path: Path, sql: str) -> None:
    with pytest.raises(Rejected, match=r"needs more than 512 MiB|too big"):
        ask(sqlite_file(tmp_path), sql)


def test_a_child_that_is_lost_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of a change; a read may simply be tried again."""
    server = sqlite_file(tmp_path)
    monkeypatch.setattr(sqlite, "_exchange", lambda child, request, deadline: child.kill() or (child.wait() and b""))
    with pytest.raises(Unavailable, match="ended from outside"):
        ask(server, "SELECT 1 AS x")
    with pytest.raises(Unknown, match="may have been made"):
        ask(server, "DELETE FROM cars", write=True, allow_write=True)
    monkeypatch.undo()
    assert len(state(server)) == 3
