"""DBOS on PostgreSQL: a workflow of five steps, called by threads of its own process, which is the shortest way it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.load.peers.install import FOLDER, plain_environment, python_environment
from tests.load.peers.peer import Peer, program

PACKAGES = ("dbos==3.4.0",)


def install() -> None:
    python_environment("dbos", *PACKAGES)


@contextmanager
def running(url: str) -> Iterator[Peer]:
    environment = plain_environment(PEER_DATABASE=url)
    python = FOLDER / "dbos" / "bin" / "python"
    with program("dbos_steps", python, environment) as five, psycopg.connect(url, autocommit=True) as connection:

        def saved() -> int:
            row = connection.execute("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'").fetchone()
            return int(row[0]) if row else 0

        yield Peer(version=five.version, processes=(five.process,), run=five.work, saved=saved)
