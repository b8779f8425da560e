"""What a bench needs of the machine: its own limits, processes with their CPU time, a database, and waiting."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[2]
CELERY = [sys.executable, "-m", "celery", "-q"]
ENDED = (FileNotFoundError, ProcessLookupError)  # What /proc says of a process that has ended since.
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
def process(command: list[str], environment: dict[str, str], **opened: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process while it is wanted. `opened` is for `Popen`, such as where its output goes."""
    running = subprocess.Popen(command, **{"cwd": ROOT, "env": environment, **opened})
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(40)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            raise


def cpu_seconds(*processes: subprocess.Popen[bytes]) -> float:
    """User and system time of the processes and of those they started, by the operating system's accounts."""
    ticks = 0
    for pid in family(*processes):
        with suppress(*ENDED):
            ticks += sum(int(each) for each in stat(pid)[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(*processes: subprocess.Popen[bytes]) -> float:
    """MiB in use by the processes and those they started; what several share is counted once."""
    kib = 0
    for pid in family(*processes):
        with suppress(*ENDED):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kib += sum(int(each.split()[1]) for each in lines if each.startswith("Pss:"))
    return round(kib / 1024, 1)


def family(*processes: subprocess.Popen[bytes]) -> list[int]:
    """The processes, and whatever they started that still runs."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(*ENDED):
            parents[int(folder.name)] = int(stat(int(folder.name))[1])
    found = [each.pid for each in processes]
    for pid in found:  # It grows while it is walked.
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def stat(pid: int) -> list[str]:
    """/proc/PID/stat after the name: its state, its parent ..., and from 11 on its ticks and those of ended children."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def in_threads(count: int, work: Callable[[], object]) -> list:  # type: ignore[type-arg]
    """What each of so many threads returns. Raises what one of them raises."""
    with ThreadPoolExecutor(count) as pool:
        return [each.result() for each in [pool.submit(work) for _ in range(count)]]


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


def first_answer(port: int, path: str = "/") -> None:
    """Waits until a web server answers, whatever it says."""

    def answered() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().status > 0
        except OSError:
            return False

    wait_until(answered)


def wait_until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("The bench waited in vain.")
        time.sleep(0.01)
