"""SQLite files that the operator puts into one folder: opened read-only unless a step may write, in a child process."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from pydantic import Field

from engine.ports import NotConfigured, PortFailure, Query, Rejected, Rows, TimedOut, Unavailable, Unknown
from integrations.connection_types import NoCredentials, Settings, connection_type
from integrations.databases import check_consent, limited
from integrations.egress import Deadline
from integrations.own_database import refuse_own_file
from integrations.sqlite_child import MEMORY_BYTES

START_SECONDS = 20.0
GRACE = 0.5  # seconds that a child has beyond the statement's own, before it is killed
_BY_ITS_LIMITS = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS}  # How a library dies that gets no memory.
_LATE = "The statement took too long and was stopped; nothing was changed."
_TOO_MUCH_MEMORY = f"The statement needs more than {MEMORY_BYTES // 2**20} MiB of memory; select less."


class Config(Settings):
    file: str = Field(
        min_length=1, max_length=255, pattern=r"^[^\x00]+$", description="A file in the operator's folder."
    )
    statement_timeout_ms: int = Field(
        default=10_000, ge=100, le=300_000, description="How long one statement may take."
    )
    max_rows: int = Field(default=1000, ge=1, le=10_000, description="The most rows one query returns.")
    allow_write: bool = Field(
        default=False, description="Whether steps may change rows; else the file is opened read-only."
    )


@connection_type("sqlite", kind="database", title="SQLite file", config=Config, credentials=NoCredentials)
class Sqlite:
    """`DatabasePort`."""

    def __init__(self, config: Config, credentials: NoCredentials) -> None:
        del credentials
        self._config = config

    def check(self, *, timeout: float) -> str:
        """Opens the file and counts its tables."""
        [row] = self.query(
            Query("SELECT count(*) AS tables FROM sqlite_master WHERE type = 'table'"), timeout=timeout
        ).rows
        return f"The file can be read; it has {row['tables']} tables."

    def query(self, query: Query, *, timeout: float) -> Rows:
        """Raises Rejected, TimedOut, Unavailable (the file is locked), or Unknown when a writing child was lost."""
        check_consent(query, allow_write=self._config.allow_write)
        from integrations.statement import read_statement  # The parser takes long to load, and few processes need it.

        statement = read_statement(query.sql, "sqlite", query.parameters, write=query.write)
        request = {
            "path": str(self._path()),
            "write": statement.writes,
            "sql": statement.text(lambda _number, _value: "?"),
            "values": [_value(each) for each in statement.values],
            "max_rows": min(query.max_rows, self._config.max_rows),
        }
        told = self._ask(request, timeout)
        if "rows" not in told:
            raise _failure(told)
        return Rows(told["rows"], told["truncated"], told["affected"])

    def _ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        """What a child of its own says. The statement's time begins once the child is ready."""
        with _child() as child:
            try:
                _until_ready(child)
                deadline = limited(Query(""), statement_timeout_ms=self._config.statement_timeout_ms, timeout=timeout)
                said = _exchange(child, request, deadline)
            finally:
                child.kill()
        if said is None:
            raise (
                Unknown("The statement was killed; the change may have been made.")
                if request["write"]
                else TimedOut(_LATE)
            )
        try:
            told: dict[str, Any] = json.loads(said)
        except ValueError:
            raise _without_a_word(child.returncode or child.wait(), write=request["write"]) from None
        return told

    def _path(self) -> Path:
        """The file, links followed. Raises Rejected for one outside the folder, in the same words as for a missing one."""
        if not settings.SQLITE_DIR:
            raise NotConfigured(
                "This server opens no SQLite files; its operator can name a folder in AUTERITY_SQLITE_DIR."
            )
        folder = Path(settings.SQLITE_DIR).resolve()
        try:
            path = (folder / self._config.file).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            path = folder
        if not path.is_relative_to(folder) or not path.is_file():
            raise Rejected(f"There is no file {self._config.file[:100]!r} in the folder for SQLite files.")
        refuse_own_file(path)
        return path


# -- inside ----------------------------------------------------------------------------------------------------------


def _child() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join([root, *(each for each in sys.path if each)])
    return subprocess.Popen(
        [sys.executable, "-m", "integrations.sqlite_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        bufsize=0,
        start_new_session=True,  # Ctrl-C is for the server, which ends its steps in its own time.
    )


def _until_ready(child: subprocess.Popen[bytes]) -> None:
    if child.stdout is None:
        raise AssertionError("unreachable: the child's output is a pipe")
    poll = select.poll()
    poll.register(child.stdout, select.POLLIN)
    if not poll.poll(START_SECONDS * 1000) or child.stdout.read(1) != b"\n":
        raise Unavailable("The process that reads SQLite files could not be started. Try again.")


def _exchange(child: subprocess.Popen[bytes], request: dict[str, Any], deadline: Deadline) -> bytes | None:
    """The child's answer; None where it had to be killed because it was late."""
    seconds = max(0.0, deadline.left())
    try:
        said, _ = child.communicate(json.dumps({**request, "seconds": seconds}).encode(), timeout=seconds + GRACE)
    except subprocess.TimeoutExpired:
        return None
    return said


def _without_a_word(code: int, *, write: bool) -> Exception:
    if code == -signal.SIGXCPU and not write:
        return TimedOut(_LATE)
    if -code in _BY_ITS_LIMITS:
        return Rejected(_TOO_MUCH_MEMORY)
    if write:
        return Unknown("The process that ran the statement was lost; the change may have been made.")
    return Unavailable("The process that ran the statement was ended from outside. Try again.")


def _value(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value


def _failure(told: dict[str, Any]) -> PortFailure:
    code = told.get("code", "")
    if "refused" in told:
        return Rejected(told["refused"])
    if "memory" in told:
        return Rejected(_TOO_MUCH_MEMORY)
    if told["late"] or code == "SQLITE_INTERRUPT":
        return TimedOut(_LATE)
    if code in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        return Unavailable("The file is locked by somebody who writes to it.")
    if code == "SQLITE_AUTH":
        return Rejected("The statement does something that is not allowed here.", code=code)
    if code == "SQLITE_READONLY":
        return Rejected("The statement tried to change data in a read-only file.", code=code)
    return Rejected(f"SQLite refused: {told['error'].rstrip('.')}.", code=code)
