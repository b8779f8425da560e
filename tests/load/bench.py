"""`make bench`: executions per second beside what this machine can do at most, all measured in one run.

Started by scripts/services.py with DATABASE_URL and REDIS_URL set. Absolute figures drift with the machine; quote the ratios.
Prints one JSON line last, for keeping.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[2]
EXECUTIONS = int(os.environ.get("BENCH_EXECUTIONS", "2000"))
CLIENTS = 20
KEPT_ALIVE_SECONDS = 3.0  # the server closes idle connections after five
NODE = {"type": "data-transformation"}
CELERY = [sys.executable, "-m", "celery", "-q"]
POOL = ["--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle", "-l", "error"]


def main() -> None:
    url = own_database(os.environ["DATABASE_URL"], "auterity_bench")
    limits = {
        "commits_per_s_1": commits(url, 1),
        "commits_per_s_8": commits(url, 8),
        "celery_noops_per_s": celery_noops(),
    }
    environment = {**os.environ, "DATABASE_URL": url, "AUTERITY_DATA_DIR": str(ROOT / ".data" / "bench")}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "-v0", "--no-input"], cwd=ROOT, env=environment, check=True
    )
    port = free_port()
    serve = [sys.executable, "manage.py", "serve", "--port", str(port)]
    work = [*CELERY, "-A", "auterity.celery", "worker", *POOL]
    with process(serve, environment) as server:
        wait_for_port(port)
        client = Client(port)
        workflow = client.five_pure_nodes()
        with process(work, environment) as worker:
            client.run_to_end(workflow, url, 200)  # Warm: plans compiled, connections open.
            one = one_at_a_time(client, workflow, 100)
            cpu = cpu_seconds(server, worker)
            loaded = client.run_to_end(workflow, url, EXECUTIONS)
            loaded["cpu_ms_each"] = round(1000 * (cpu_seconds(server, worker) - cpu) / EXECUTIONS, 2)
        accepted = client.accept(workflow, EXECUTIONS)
    with process(work, environment) as worker:
        backlog = drain(url, worker)
    tell(limits, one, loaded, accepted, backlog)


# -- the machine's limits ----------------------------------------------------------------------------------------------


def commits(url: str, clients: int, seconds: float = 3.0) -> float:
    """One-row commits per second, by pgbench where it is installed, else by as many threads of ours."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_rows (id bigserial PRIMARY KEY, v int)")
    script = ROOT / ".data" / "bench.sql"
    script.parent.mkdir(exist_ok=True)
    script.write_text("INSERT INTO bench_rows (v) VALUES (1);\n")
    command = ["pgbench", "-n", "-f", str(script), "-c", str(clients), "-T", str(int(seconds)), url]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return float(next(line for line in told.splitlines() if line.startswith("tps")).split("=")[1].split()[0])
    except FileNotFoundError:
        return sum(in_threads(clients, lambda: insert_for(url, seconds))) / seconds


def insert_for(url: str, seconds: float) -> int:
    until, count = time.monotonic() + seconds, 0
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < until:
            connection.execute("INSERT INTO bench_rows (v) VALUES (1)")
            count += 1
    return count


def celery_noops(count: int = 1000) -> float:
    """Plain Celery: tasks that do nothing, enqueued first, then carried out by one worker."""
    from tests.load.noop import app, done

    app.control.purge()
    counter = done()
    counter.delete("bench:noops")
    for _ in range(count):
        app.send_task("noop")
    with process([*CELERY, "-A", "tests.load.noop", "worker", *POOL], dict(os.environ)):
        wait_until(lambda: int(counter.get("bench:noops") or 0) >= 50)
        begun, first = time.monotonic(), int(counter.get("bench:noops") or 0)
        wait_until(lambda: int(counter.get("bench:noops") or 0) >= count)
        return round((count - first) / (time.monotonic() - begun), 1)


# -- ours ----------------------------------------------------------------------------------------------------------------


class Client:
    """A plain HTTP client; each thread keeps one connection, as a caller's pool would."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.local = threading.local()
        self.token = ""
        login = {"email": f"bench{time.time_ns()}@example.com", "password": "a long bench password"}
        self.call("POST", "/api/auth/register", {**login, "first_name": "Bench", "last_name": "Mark"})
        self.token = self.call("POST", "/api/auth/login", login)["access_token"]

    def call(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
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

    def five_pure_nodes(self) -> str:
        nodes: list[dict[str, object]] = [{"id": "start", "type": "start", "title": "Start"}]
        nodes += [
            {
                "id": f"n{at}",
                **NODE,
                "title": f"Step {at}",
                "config": {"from": "{{ input }}", "set": {f"v{at}": "{{ inputs.amount * 2 }}"}},
            }
            for at in range(1, 5)
        ]
        edges = [
            {"id": f"e{at}", "source_node_id": nodes[at]["id"], "target_node_id": nodes[at + 1]["id"]}
            for at in range(4)
        ]
        made = self.call("POST", "/api/workflows", {"name": "Bench", "definition": {"nodes": nodes, "edges": edges}})
        return str(made["id"])

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


def one_at_a_time(client: Client, workflow: str, count: int) -> dict[str, float]:
    """Accept to completed, one by one, as a synchronous caller sees it."""
    each = []
    for _ in range(count):
        begun = time.monotonic()
        client.call("POST", f"/api/workflows/{workflow}/execute", {"inputs": {"amount": 21}, "execution_mode": "sync"})
        each.append(time.monotonic() - begun)
    return percentiles("alone_ms", each)


def drain(url: str, worker: subprocess.Popen[bytes]) -> dict[str, float]:
    """How fast one worker empties a backlog, from its first completion on."""
    with psycopg.connect(url, autocommit=True) as connection:
        left = pending(connection)
        wait_until(lambda: pending(connection) < left)
        begun, first, cpu = time.monotonic(), pending(connection), cpu_seconds(worker)
        wait_until(lambda: pending(connection) == 0)
        seconds = time.monotonic() - begun
        return {
            "backlog_per_s": round(first / seconds, 1),
            "backlog_cpu_ms_each": round(1000 * (cpu_seconds(worker) - cpu) / first, 2),
        }


def completed(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(sum(completed), 0) FROM workflow_figures").fetchone()
    return int(row[0]) if row else 0


def pending(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM workflow_executions WHERE due_at IS NOT NULL").fetchone()
    return int(row[0]) if row else 0


# -- telling -------------------------------------------------------------------------------------------------------------


def tell(
    limits: dict[str, float],
    one: dict[str, float],
    loaded: dict[str, float],
    accepted: dict[str, float],
    backlog: dict[str, float],
) -> None:
    rate, drained = loaded["executions_per_s"], backlog["backlog_per_s"]
    print(f"\n{EXECUTIONS:,} executions of 5 pure nodes, {CLIENTS} clients, 1 web process, 1 worker process\n")
    rows = [
        ("HTTP accepted to recorded as completed", f"{rate:,.0f} /s", f"{loaded['cpu_ms_each']} CPU-ms each"),
        ("accept, under that load", f"{loaded['accept_ms_p50']:.1f} ms p50", f"{loaded['accept_ms_p99']:.1f} ms p99"),
        (
            "accept, no worker running",
            f"{accepted['accepted_per_s']:,.0f} /s",
            f"{accepted['accept_ms_p50']:.1f} / {accepted['accept_ms_p99']:.1f} ms",
        ),
        (
            "accept to completed, one at a time",
            f"{one['alone_ms_p50']:.1f} ms p50",
            f"{one['alone_ms_p99']:.1f} ms p99",
        ),
        ("from a backlog", f"{drained:,.0f} /s", f"{backlog['backlog_cpu_ms_each']} CPU-ms each"),
        (
            "machine: one-row commits, 1 client",
            f"{limits['commits_per_s_1']:,.0f} /s",
            f"backlog is {drained / limits['commits_per_s_1']:.2f} of it",
        ),
        (
            "machine: one-row commits, 8 clients",
            f"{limits['commits_per_s_8']:,.0f} /s",
            f"backlog is {drained / limits['commits_per_s_8']:.2f} of it",
        ),
        (
            "machine: plain Celery no-op tasks",
            f"{limits['celery_noops_per_s']:,.0f} /s",
            f"backlog is {drained / limits['celery_noops_per_s']:.2f} of it",
        ),
    ]
    for what, figure, beside in rows:
        print(f"  {what:<40} {figure:>16}   {beside}")
    print(json.dumps({**limits, **one, **loaded, **accepted, **backlog}))


def percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {f"{name}_p50": round(1000 * cuts[49], 2), f"{name}_p99": round(1000 * cuts[98], 2)}


# -- processes -------------------------------------------------------------------------------------------------------------


@contextmanager
def process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(40)


def cpu_seconds(*processes: subprocess.Popen[bytes]) -> float:
    """User and system time of the processes so far, by the operating system's accounts."""
    ticks = 0
    for each in processes:
        fields = Path(f"/proc/{each.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def in_threads(count: int, work: Callable[[], object]) -> list:  # type: ignore[type-arg]
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def own_database(url: str, name: str) -> str:
    """A fresh database on the same server."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listening)


def wait_until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("The bench waited in vain.")
        time.sleep(0.01)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
