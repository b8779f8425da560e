"""A customer of the bench: makes workflows over HTTP, starts them, and waits for their end."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from itertools import pairwise
from typing import Any

import psycopg

from tests.load.machine import in_threads, wait_until

CLIENTS = 20
KEPT_ALIVE_SECONDS = 3.0  # the server closes idle connections after five
NODE = {"type": "data-transformation"}


class Client:
    """A plain HTTP client; each thread keeps one connection, as a caller's pool would."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.local = threading.local()
        self.token = ""
        login = {"email": f"bench{time.time_ns()}@example.com", "password": "a long bench password"}
        self.call("POST", "/api/auth/register", {**login, "first_name": "Bench", "last_name": "Mark"})
        self.token = self.call("POST", "/api/auth/login", login)["access_token"]

    def call(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        connection = getattr(self.local, "connection", None)
        if connection is None or time.monotonic() - self.local.used > KEPT_ALIVE_SECONDS:
            connection = self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.local.used = time.monotonic()
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
        }
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {told[:300]!r}")
        return json.loads(told)

    def workflow(self, name: str, nodes: list[dict[str, Any]], pairs: list[tuple[str, str]]) -> str:
        edges = [{"id": f"{a}-{b}", "source_node_id": a, "target_node_id": b} for a, b in pairs]
        made = self.call("POST", "/api/workflows", {"name": name, "definition": {"nodes": nodes, "edges": edges}})
        return str(made["id"])

    def chain(self, length: int) -> str:
        """One step after the other."""
        nodes = [pure(f"n{at}") for at in range(length)]
        return self.workflow("Chain", nodes, [(f"n{at}", f"n{at + 1}") for at in range(length - 1)])

    def fan(self, width: int) -> str:
        """One step, then many side by side, then one that waits for all."""
        nodes = [pure("first"), *(pure(f"n{at}") for at in range(width)), pure("last")]
        pairs = [pair for at in range(width) for pair in (("first", f"n{at}"), (f"n{at}", "last"))]
        return self.workflow("Fan", nodes, pairs)

    def five_pure_nodes(self) -> str:
        nodes: list[dict[str, Any]] = [{"id": "start", "type": "start", "title": "Start"}]
        nodes += [
            {
                "id": f"n{at}",
                **NODE,
                "title": f"Step {at}",
                "config": {"from": "{{ input }}", "set": {f"v{at}": "{{ inputs.amount * 2 }}"}},
            }
            for at in range(1, 5)
        ]
        names = [str(each["id"]) for each in nodes]
        return self.workflow("Bench", nodes, list(pairwise(names)))

    def run(self, workflow: str) -> float:
        """Seconds until the answer says that it has ended, as a synchronous caller sees it."""
        begun = time.monotonic()
        body = {"inputs": {"amount": 21}, "execution_mode": "sync"}
        told = self.call("POST", f"/api/workflows/{workflow}/execute", body)
        if told.get("status") != "completed":
            raise SystemExit(f"A run of the bench ended as {told.get('status')}: {str(told)[:300]}")
        return time.monotonic() - begun

    def execute(self, workflow: str) -> float:
        begun = time.monotonic()
        self.call("POST", f"/api/workflows/{workflow}/execute", {"inputs": {"amount": 21, "customer": "Jane Smith"}})
        return time.monotonic() - begun

    def accept(self, workflow: str, count: int) -> dict[str, float]:
        begun = time.monotonic()
        each = [
            seconds
            for part in in_threads(CLIENTS, lambda: [self.execute(workflow) for _ in range(count // CLIENTS)])
            for seconds in part
        ]
        return {"accepted_per_s": round(count / (time.monotonic() - begun), 1), **percentiles("accept_ms", each)}

    def run_to_end(self, workflow: str, url: str, count: int) -> dict[str, float]:
        with psycopg.connect(url, autocommit=True) as connection:
            before = completed(connection)
            begun = time.monotonic()
            told = self.accept(workflow, count)
            wait_until(lambda: completed(connection) - before >= count)
            return {"executions_per_s": round(count / (time.monotonic() - begun), 1), **told}


def completed(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(sum(completed), 0) FROM workflow_figures").fetchone()
    return int(row[0]) if row else 0


def percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")  # Never beyond what was seen.
    return {f"{name}_p50": round(1000 * cuts[49], 2), f"{name}_p99": round(1000 * cuts[98], 2)}


def pure(name: str) -> dict[str, Any]:
    return {"id": name, **NODE, "title": name, "config": {"set": {"n": "{{ inputs.amount }}"}}}
