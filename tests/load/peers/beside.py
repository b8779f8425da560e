"""All peers, one after the other, each on a database of its own on the same server."""

from __future__ import annotations

import os
from types import ModuleType

from tests.load.machine import own_database
from tests.load.peers import dbos, n8n, prefect
from tests.load.peers.peer import Figures, measure

EXECUTIONS = int(os.environ.get("BENCH_PEER_EXECUTIONS", "500"))  # at twenty at once
PEERS: dict[str, tuple[ModuleType, int]] = {"n8n": (n8n, 1), "dbos": (dbos, 1), "prefect": (prefect, 25)}
Absences = dict[str, str]  # a peer's name, and why it is not there


def install() -> Absences:
    """Before anything is measured, so that nothing is installed beside it."""
    absent = {}
    for name, (peer, _) in PEERS.items():
        try:
            peer.install()
        except Exception as why:  # Whatever it is: the others are measured, and it is told.
            absent[name] = said(why)
    return absent


def measure_all(url: str, absent: Absences) -> tuple[Figures, dict[str, str]]:
    """Their figures by names such as `n8n_per_s`, and their versions. Who cannot be measured is added to `absent`."""
    figures: Figures = {}
    versions = {}
    for name, (peer, slower) in PEERS.items():
        if name in absent:
            continue
        database = own_database(url, f"{os.environ.get('BENCH_DATABASE', 'auterity_bench')}_{name}")
        count = EXECUTIONS // slower
        try:
            with peer.running(database) as running:
                found = measure(running, alone=max(count // 5, 5), each=max(count // 20, 1))
                versions[name] = running.version
        except (Exception, SystemExit) as why:  # As above; waiting in vain ends a bench.
            absent[name] = said(why)
        else:
            figures |= {f"{name}_{figure}": value for figure, value in found.items()}
    return figures, versions


def said(why: BaseException) -> str:
    return f"{type(why).__name__}: {why}".splitlines()[0][:500]
