"""The child that opens files from outside: what it is given, what it may take, and how its end is told."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from engine.ports import Unavailable
from nodes.formats.content import Unreadable
from nodes.formats.guarded import MEMORY_BYTES, guarded
from nodes.formats.job import Job


@pytest.fixture
def rows() -> Iterator[IO[bytes]]:
    """Too many for a pipe, so that the child waits for its reader."""
    with tempfile.TemporaryFile() as file:
        file.write(b"a,b\n" + b"1,2\n" * 500_000)
        yield file


def limit_of(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith(name)).removeprefix(name).split()[0]


def test_it_has_the_file_and_limits_and_nothing_else(rows: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTERITY_SECRET_KEY", "marker-4711")
    with guarded(Job("read", format="csv"), rows, seconds=60) as work:
        assert next(work.pieces()).startswith(b'{"a":"1","b":"2"}\n')
        pid = work._process.pid
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert {each.partition(b"=")[0] for each in environment.split(b"\0") if each} <= {
            b"PYTHONPATH",
            b"PYTHONDONTWRITEBYTECODE",
            b"LC_CTYPE",
        }
        assert limit_of(pid, "Max address space") == str(MEMORY_BYTES)
        assert limit_of(pid, "Max file size") == "0"
        assert limit_of(pid, "Max cpu time") == "60"
        opened = {os.readlink(f"/proc/{pid}/fd/{each}").partition(":")[0] for each in os.listdir(f"/proc/{pid}/fd")}
        assert {each for each in opened if not each.startswith("/tmp/")} <= {"pipe", "/dev/null"}


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_ended_from_outside_it_says_nothing_of_the_file(rows: IO[bytes], by: signal.Signals) -> None:
    with guarded(Job("read", format="csv"), rows, seconds=60) as work:
        pieces = work.pieces()
        next(pieces)
        os.kill(work._process.pid, by)
        with pytest.raises(Unavailable, match="ended from outside"):
            list(pieces)


def test_who_stops_reading_leaves_no_child_behind(rows: IO[bytes]) -> None:
    with guarded(Job("read", format="csv"), rows, seconds=60) as work:
        next(work.pieces())
    assert work._process.returncode is not None
    assert not Path(f"/proc/{work._process.pid}").exists()


def test_a_child_that_cannot_begin_is_our_defect(rows: IO[bytes]) -> None:
    with guarded(Job("read", format="nix"), rows, seconds=60) as work, pytest.raises(Unreadable, match="KeyError"):
        list(work.pieces())
