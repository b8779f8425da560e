"""n8n in regular mode on PostgreSQL: a published workflow of a webhook and four Set nodes, of which every execution is saved."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.load.machine import free_port, in_threads
from tests.load.peers.install import FOLDER, node, node_modules, plain_environment, run
from tests.load.peers.peer import Peer, server, wait_until_ready

VERSION, BEFORE, NODE = "2.40.7", "2026-09-27", 24  # Its packages as they were then: later ones of others need not fit.
WORKFLOW = "benchFiveNodes00"
SETTINGS = {
    "DB_TYPE": "postgresdb",
    "DB_POSTGRESDB_POOL_SIZE": "10",  # Its default is 2; it shall not wait for connections here.
    "EXECUTIONS_MODE": "regular",
    "EXECUTIONS_DATA_SAVE_ON_SUCCESS": "all",
    "N8N_LISTEN_ADDRESS": "127.0.0.1",
    "N8N_LOG_LEVEL": "warn",
    # Nothing is sent anywhere.
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_DIAGNOSTICS_CONFIG_FRONTEND": "",
    "N8N_DIAGNOSTICS_CONFIG_BACKEND": "",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "EXTERNAL_FRONTEND_HOOKS_URLS": "",
}


def install() -> None:
    node(NODE)
    node_modules("n8n", f"n8n@{VERSION}", before=BEFORE)


@contextmanager
def running(url: str) -> Iterator[Peer]:
    """Imported and published by its command line, then started anew, so that its start finds its tables there."""
    command = [str(node(NODE)), str(FOLDER / "n8n" / "node_modules" / "n8n" / "bin" / "n8n")]
    port = free_port()
    environment = {**plain_environment(**SETTINGS, **database(url)), "N8N_PORT": str(port)}
    environment["N8N_RUNNERS_BROKER_PORT"] = str(free_port())
    environment["PATH"] = f"{node(NODE).parent}{os.pathsep}{environment['PATH']}"
    written = FOLDER / "n8n-workflow.json"
    written.write_text(json.dumps([five_nodes()]))
    run([*command, "import:workflow", f"--input={written}"], FOLDER, environment)
    run([*command, "publish:workflow", f"--id={WORKFLOW}"], FOLDER, environment)
    with server("n8n", [*command, "start"], environment) as main, psycopg.connect(url, autocommit=True) as connection:
        ready_s = wait_until_ready("n8n", main, lambda: status(port, "GET", "/healthz/readiness") == 200)
        wait_until_ready("n8n", main, lambda: status(port, "POST", "/webhook/accepted") == 200)
        wait_until_ready("n8n", main, lambda: completed(connection) == 1)
        yield Peer(
            version=VERSION,
            processes=(main,),
            run=lambda callers, each: calls(port, "answered", callers, each),
            accept=lambda callers, each: calls(port, "accepted", callers, each),
            saved=lambda: completed(connection) - 1,
            ready_s=ready_s,
        )


def database(url: str) -> dict[str, str]:
    told = conninfo_to_dict(url)
    names = {"host": "HOST", "port": "PORT", "dbname": "DATABASE", "user": "USER", "password": "PASSWORD"}
    return {f"DB_POSTGRESDB_{names[name]}": str(value) for name, value in told.items() if name in names}


def five_nodes() -> dict[str, Any]:
    """One of two webhooks, of which one answers at the end and one at once, then the four Set nodes."""
    nodes: list[dict[str, Any]] = [
        {
            "id": path,
            "name": path,
            "type": "n8n-nodes-base.webhook",
            "typeVersion": 2,
            "position": [0, 200 * at],
            "webhookId": path,
            "parameters": {"httpMethod": "POST", "path": path, "responseMode": mode, "options": {}},
        }
        for at, (path, mode) in enumerate((("answered", "lastNode"), ("accepted", "onReceived")))
    ]
    for at in range(1, 5):
        twice = {"id": f"v{at}", "name": f"v{at}", "type": "number", "value": "={{ $json.body.amount * 2 }}"}
        nodes.append(
            {
                "id": f"n{at}",
                "name": f"n{at}",
                "type": "n8n-nodes-base.set",
                "typeVersion": 3.4,
                "position": [200 * at, 0],
                "parameters": {"assignments": {"assignments": [twice]}, "includeOtherFields": True, "options": {}},
            }
        )
    pairs = [("answered", "n1"), ("accepted", "n1"), ("n1", "n2"), ("n2", "n3"), ("n3", "n4")]
    return {
        "id": WORKFLOW,
        "name": "Bench",
        "active": False,
        "nodes": nodes,
        "connections": {a: {"main": [[{"node": b, "type": "main", "index": 0}]]} for a, b in pairs},
        "settings": {"executionOrder": "v1", "saveDataSuccessExecution": "all"},
    }


def calls(port: int, path: str, callers: int, each: int) -> list[float]:
    """What each call took, over one kept connection a caller."""

    def caller() -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        took = []
        for _ in range(each):
            begun = time.monotonic()
            connection.request("POST", f"/webhook/{path}", json.dumps({"amount": 21}), JSON)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != 200 or (path == "answered" and b'"v4":42' not in told):
                raise RuntimeError(f"n8n answered {answer.status} {told[:300]!r}")
            took.append(time.monotonic() - begun)
        return took

    return [seconds for part in in_threads(callers, caller) for seconds in part]


JSON = {"Content-Type": "application/json"}


def status(port: int, method: str, path: str) -> int:
    """The answer's, or 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with suppress(OSError, http.client.HTTPException, socket.timeout):
        connection.request(method, path, json.dumps({"amount": 21}) if method == "POST" else None, JSON)
        return connection.getresponse().status
    return 0


def completed(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM execution_entity WHERE status = 'success'").fetchone()
    return int(row[0]) if row else 0
