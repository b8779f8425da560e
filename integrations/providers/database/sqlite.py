"""SQLite files that the operator puts into one folder: opened read-only, every action passed by an authorizer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from django.conf import settings
from pydantic import Field

from engine.ports import NotConfigured, PortFailure, Query, Rejected, Rows, TimedOut, Unavailable
from integrations.connection_types import NoCredentials, Settings, connection_type
from integrations.databases import check_consent, limited
from integrations.egress import Deadline
from integrations.forbidden_functions import forbidden
from integrations.own_database import refuse_own_file
from integrations.rows import gather
from integrations.statement import read_statement

STEPS = 1000  # of SQLite's machine between two looks at the clock
MAX_VALUE_BYTES = 4 * 1024 * 1024
_RECURSIVE = 33  # SQLITE_RECURSIVE, which Python's module does not name
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, _RECURSIVE}
_WRITING = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_TRANSACTION}
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
}


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
        """Raises Rejected, TimedOut or Unavailable (the file is locked)."""
        check_consent(query, allow_write=self._config.allow_write)
        statement = read_statement(query.sql, "sqlite", query.parameters, write=query.write)
        deadline = limited(query, statement_timeout_ms=self._config.statement_timeout_ms, timeout=timeout)
        rows = min(query.max_rows, self._config.max_rows)
        with self._session(deadline, write=statement.writes) as session:
            if statement.writes:
                session.execute("BEGIN IMMEDIATE")
            cursor = session.execute(
                statement.text(lambda _number, _value: "?"), [_value(each) for each in statement.values]
            )
            columns = [each[0] for each in cursor.description or ()]
            found = gather(columns, cursor, max_rows=rows)
            if not statement.writes:
                return found
            affected = max(0, cursor.rowcount)
            session.execute("COMMIT")
            return Rows(found.rows, found.truncated, affected)

    @contextmanager
    def _session(self, deadline: Deadline, *, write: bool) -> Iterator[sqlite3.Connection]:
        path = self._path()
        address = f"file:{quote(str(path))}?mode={'rw' if write else 'ro'}"
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=max(0.0, deadline.left()), isolation_level=None)
            ) as session:
                for limit, value in _LIMITS.items():
                    session.setlimit(limit, value)
                session.set_authorizer(_Authorizer(write=write))
                session.set_progress_handler(lambda: deadline.left() <= 0, STEPS)
                yield session
        except (sqlite3.Error, OverflowError) as error:
            raise _failure(error, late=deadline.left() <= 0) from None

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


class _Authorizer:
    """Asked by SQLite for everything a statement would do. What is not named here is denied."""

    def __init__(self, *, write: bool) -> None:
        self._allowed = _READING | _WRITING if write else _READING

    def __call__(self, action: int, first: str | None, second: str | None, *_where: Any) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if forbidden(second or "", "sqlite") else sqlite3.SQLITE_OK
        return sqlite3.SQLITE_OK if action in self._allowed else sqlite3.SQLITE_DENY


def _value(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value


def _failure(error: Exception, *, late: bool) -> PortFailure:
    code = getattr(error, "sqlite_errorname", "")
    if late or code == "SQLITE_INTERRUPT":
        return TimedOut("The statement took too long and was stopped; nothing was changed.")
    if code in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        return Unavailable("The file is locked by somebody who writes to it.")
    if code == "SQLITE_AUTH":
        return Rejected("The statement does something that is not allowed here.", code=code)
    if code == "SQLITE_READONLY":
        return Rejected("The statement tried to change data in a read-only file.", code=code)
    return Rejected(f"SQLite refused: {str(error)[:300].rstrip('.')}.", code=code)
