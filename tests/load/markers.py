"""Markers that stand for secrets, every spelling of one, and every place that something may have been written to."""

from __future__ import annotations

import base64
import io
import logging
import secrets
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auterity.kernel.logs import Plain


@dataclass
class Markers:
    """`given` are secrets that somebody types in: nothing may show them. `issued` are ours, told once and kept nowhere."""

    given: dict[str, str] = field(default_factory=dict)
    issued: dict[str, str] = field(default_factory=dict)

    def secret(self, door: str) -> str:
        """A new secret for a door, with signs that URLs and JSON spell otherwise around what is searched for."""
        core = "".join(secrets.choice("ghjkmnpqrstvwxyz") for _ in range(24))
        self.given[door] = core
        return f"Aa1/+{core}=&"

    def told(self, door: str, value: str) -> str:
        """Something of ours: the last 24 of its signs are searched for."""
        self.issued[door] = value.rstrip("=")[-24:]
        return value


def spellings(core: str) -> list[bytes]:
    """As it stands, backwards, in hex, and inside a base64 text of anything before it. Cut, so that no neighbour matters."""
    plain = core.encode()
    found = [plain, plain[::-1], plain.hex().encode(), plain.hex().upper().encode()]
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + plain + b"\0\0").decode()
        cut = text[(8 * offset + 5) // 6 : (8 * (offset + len(plain))) // 6]
        found += [cut.encode(), cut.replace("+", "-").replace("/", "_").encode()]
    return list(dict.fromkeys(found))


def found_in(sinks: dict[str, bytes], wanted: dict[str, str]) -> list[str]:
    """`door in sink (spelling)` for everything that stands where it must not."""
    hits = []
    for door, core in wanted.items():
        for number, spelled in enumerate(spellings(core)):
            hits += [f"{door} in {name} (spelling {number})" for name, content in sinks.items() if spelled in content]
    return hits


# -- where things are written ----------------------------------------------------------------------------------------------


def database() -> dict[str, bytes]:
    """A dump, and where the database is a file, its bytes and those of its log."""
    from django.db import connection

    if connection.vendor == "sqlite":
        name = Path(str(connection.settings_dict["NAME"]))
        files = {each.name: each.read_bytes() for each in name.parent.glob(f"{name.name}*") if each.is_file()}
        with sqlite3.connect(f"file:{name}?mode=ro", uri=True) as opened:
            files["dump"] = "\n".join(opened.iterdump()).encode()
        return files
    return {"dump": _postgres_dump(connection.settings_dict)}


def _postgres_dump(about: dict[str, Any]) -> bytes:
    from django.db import connection

    from tests.load.servers import postgres_binaries

    folder = postgres_binaries()
    program = folder / "pg_dump" if folder is not None else None
    if program is not None and program.exists():
        url = f"postgresql://{about['USER']}:{about['PASSWORD']}@{about['HOST']}:{about['PORT']}/{about['NAME']}"
        return subprocess.run([program, "--dbname", url], check=True, capture_output=True).stdout
    out = io.BytesIO()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            with cursor.cursor.copy(f'COPY "{table}" TO STDOUT') as rows:
                for piece in rows:
                    out.write(bytes(piece))
    return out.getvalue()


def write_ahead_log() -> list[str]:
    """Begins a new segment of the gate's own cluster; which there are already."""
    from django.db import connection

    from tests.load.servers import OWN

    if OWN.cluster is None or connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_switch_wal()")
    return [each.name for each in (OWN.cluster.data / "pg_wal").iterdir()]


def cluster_files(before: list[str]) -> dict[str, bytes]:
    """What the gate's own cluster has on its disk: the log since then, and the tables themselves, compressed or not."""
    from django.db import connection

    from tests.load.servers import OWN

    if OWN.cluster is None or connection.vendor != "postgresql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute(
            "SELECT pg_walfile_name(pg_current_wal_lsn()), oid FROM pg_database WHERE datname = current_database()"
        )
        newest, oid = cursor.fetchone()
    log = [each for each in (OWN.cluster.data / "pg_wal").iterdir() if each.is_file()]
    # The segment that was begun had its file already; those behind the newest are kept for later, and hold old bytes.
    wanted = [each for each in log if each.name <= newest and (each.name not in before or each.name >= max(before))]
    tables = [each for each in (OWN.cluster.data / "base" / str(oid)).iterdir() if each.is_file()]
    return {
        "write-ahead log": b"".join(each.read_bytes() for each in wanted),
        "tables on disk": b"".join(each.read_bytes() for each in tables),
    }


def redis_dump(url: str) -> bytes:
    """Every key with its value: strings, hashes, lists, sets and streams."""
    if not url:
        return b""
    import redis

    readers: dict[bytes, Callable[[Any, bytes], Any]] = {
        b"string": lambda client, key: client.get(key),
        b"hash": lambda client, key: client.hgetall(key),
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"set": lambda client, key: client.smembers(key),
        b"zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
        b"stream": lambda client, key: client.xrange(key),
        b"none": lambda _client, _key: None,  # Its time ran out after it was found.
    }
    with redis.Redis.from_url(url) as client:
        return b"\n".join(key + repr(readers[client.type(key)](client, key)).encode() for key in client.scan_iter())


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """All that is said to any logger, at every level, with tracebacks; but for the library that the clients here speak with."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Plain())  # As the product's own log is written.
    handler.addFilter(lambda record: not record.name.startswith("websockets.client"))
    root = logging.getLogger()
    named = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    levels = {each: each.level for each in (root, *named) if each is root or each.level}
    root.addHandler(handler)
    for each in levels:
        each.setLevel(logging.DEBUG)
    try:
        yield out
    finally:
        root.removeHandler(handler)
        for each, level in levels.items():
            each.setLevel(level)


def files_under(*folders: Path) -> bytes:
    parts = []
    for folder in folders:
        for each in sorted(folder.rglob("*")) if folder.is_dir() else ():
            with suppress(OSError):
                if each.is_file() and each.stat().st_size < 64 * 1024 * 1024:
                    parts.append(each.name.encode() + b"\n" + each.read_bytes())
    return b"\n".join(parts)


def newer_temporary_files(since: float) -> bytes:
    """What was left in the folder for temporary files since then, not looking into other programs' folders."""
    parts = []
    for each in Path(tempfile.gettempdir()).glob("*"):
        with suppress(OSError):
            if each.is_file() and each.stat().st_mtime >= since and each.stat().st_size < 64 * 1024 * 1024:
                parts.append(each.read_bytes())
    return b"\n".join(parts)
