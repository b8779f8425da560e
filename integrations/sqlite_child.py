"""The child that runs one statement in a SQLite file: read-only unless told otherwise, every action passed by an authorizer.

SQLite looks at its clock between the steps of its machine, but one step (`trim`, `instr`, `json_patch` over large texts) may take
hours, and one row gigabytes. So a statement runs in a process that can be killed, of `MEMORY_BYTES` at most.

Says one byte once it is ready, reads a request as JSON until the end of its standard input, and answers in JSON. Run as
`python -m integrations.sqlite_child`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import time
from contextlib import closing
from typing import Any
from urllib.parse import quote

import orjson

from engine.ports import Rejected
from integrations.forbidden_functions import forbidden
from integrations.rows import gather

MEMORY_BYTES = 512 * 1024 * 1024
STEPS = 1000  # of SQLite's machine between two looks at the clock
MAX_VALUE_BYTES = 4 * 1024 * 1024
MAX_TEMPORARY = 512 * 1024 * 1024  # bytes of one temporary file, and by which a file may grow
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

Json = dict[str, Any]


class Authorizer:
    """Asked by SQLite for everything a statement would do. What is not named here is denied."""

    def __init__(self, *, write: bool) -> None:
        self._allowed = _READING | _WRITING if write else _READING

    def __call__(self, action: int, first: str | None, second: str | None, *_where: Any) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if forbidden(second or "", "sqlite") else sqlite3.SQLITE_OK
        return sqlite3.SQLITE_OK if action in self._allowed else sqlite3.SQLITE_DENY


def answer(request: Json) -> Json:
    """`{rows, truncated, affected}`, or what went wrong: `{refused: sentence}`, `{memory: true}` or `{error, code, late}`."""
    until = time.monotonic() + request["seconds"]
    try:
        return _run(request, until)
    except Rejected as refusal:
        return {"refused": refusal.message}
    except MemoryError:
        return {"memory": True}
    except (sqlite3.Error, OverflowError) as error:
        code = getattr(error, "sqlite_errorname", "")
        return {"error": str(error)[:300], "code": code, "late": time.monotonic() >= until}


def _run(request: Json, until: float) -> Json:
    write = request["write"]
    address = f"file:{quote(request['path'])}?mode={'rw' if write else 'ro'}"
    with closing(sqlite3.connect(address, uri=True, timeout=request["seconds"], isolation_level=None)) as session:
        for limit, value in _LIMITS.items():
            session.setlimit(limit, value)
        session.set_authorizer(Authorizer(write=write))
        session.set_progress_handler(lambda: time.monotonic() >= until, STEPS)
        if write:
            session.execute("BEGIN IMMEDIATE")
        cursor = session.execute(request["sql"], request["values"])
        found = gather([each[0] for each in cursor.description or ()], cursor, max_rows=request["max_rows"])
        affected = max(0, cursor.rowcount) if write else None
        if write:
            session.execute("COMMIT")
        return {"rows": found.rows, "truncated": found.truncated, "affected": affected}


def _limit(request: Json) -> None:
    seconds = int(request["seconds"]) + 2
    growing = os.stat(request["path"]).st_size if request["write"] else 0
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (growing + MAX_TEMPORARY, growing + MAX_TEMPORARY))


def main() -> None:
    with open(0, "rb", closefd=False) as told, open(1, "wb", closefd=False) as out:
        out.write(b"\n")
        out.flush()
        request = json.load(told)
        _limit(request)
        out.write(orjson.dumps(answer(request)))


if __name__ == "__main__":
    main()
