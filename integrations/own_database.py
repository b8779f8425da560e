"""Is a customer's connection, by whatever name or road, the database that this product itself lives in?"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db import connection

from engine.ports import Rejected
from integrations.addresses import Address
from integrations.connected import looking_up
from integrations.egress import system_lookup

IDENTITY = (
    "SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text, pg_postmaster_start_time()::text"
)
SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
_REFUSAL = "This is the platform's own database, which no workflow may query."


@dataclass(frozen=True, slots=True)
class Identity:
    """Which database of which server. `system` survives restarts and is shared by replicas; some servers do not tell it."""

    oid: str
    started: str
    system: str

    def is_same(self, other: Identity) -> bool:
        at_one_server = self.started == other.started or (self.system != "" and self.system == other.system)
        return self.oid == other.oid and at_one_server


def refuse_own_address(address: Address, port: int, database: str) -> None:
    """Before a PostgreSQL connection is opened. Raises Rejected."""
    if connection.vendor != "postgresql":
        return
    settings = connection.settings_dict
    if (
        database == settings["NAME"]
        and port == int(settings["PORT"] or 5432)
        and address in _own_addresses(settings["HOST"])
    ):
        raise Rejected(_REFUSAL)


def refuse_own_server(theirs: Identity) -> None:
    """After a PostgreSQL connection was opened, whichever road it took. Raises Rejected."""
    if connection.vendor == "postgresql" and theirs.is_same(_own(str(connection.settings_dict["NAME"]))):
        raise Rejected(_REFUSAL)


def refuse_own_file(path: Path) -> None:
    """Before a SQLite file is opened, links followed. Raises Rejected."""
    if connection.vendor != "sqlite":
        return
    name = str(connection.settings_dict["NAME"])
    ours = Path(name)
    beside = [ours, *(ours.with_name(ours.name + suffix) for suffix in ("-wal", "-shm", "-journal"))]
    if any(each.exists() and each.samefile(path) for each in beside):
        raise Rejected(_REFUSAL)


@lru_cache(maxsize=8)
def _own(_name: str) -> Identity:
    """Asked once a process: it changes only when the server starts anew, and then `system` still tells."""
    with looking_up(), connection.cursor() as cursor:
        cursor.execute(IDENTITY)
        oid, started = cursor.fetchone()
        return Identity(oid, started, _system(cursor))


def _system(cursor: Any) -> str:
    cursor.execute("SELECT has_function_privilege('pg_control_system()', 'execute')")
    if not cursor.fetchone()[0]:
        return ""
    cursor.execute(SYSTEM)
    return str(cursor.fetchone()[0])


def _own_addresses(host: str) -> set[Address]:
    """A socket's folder is this machine."""
    if not host or host.startswith(("/", "@")):
        host = "localhost"
    try:
        return {ipaddress.ip_address(each) for each in system_lookup(host, 0)}
    except OSError:
        return set()
