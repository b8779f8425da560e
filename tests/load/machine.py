"""What a bench needs of the machine: its own limits, processes with their CPU time, a database, and waiting."""

from __future__ import annotations

import os
import signal
import socket
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
CELERY = [sys.executable, "-m", "celery", "-q"]
POOL = ["--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle", "-l", "error"]


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
