"""The product in a process of its own, as a customer's server runs it: its settings, its own data, its own worker."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import psycopg
from pytest_httpserver import HTTPServer

from tests.api.serving import free_port
from tests.identity.provider import CLIENT, SECRET, Provider

ROOT = Path(__file__).resolve().parents[2]
_SERVE = [sys.executable, "manage.py", "serve"]
_PREPARE = [sys.executable, "-m", "tests.contract.prepare"]
_CELERY = [sys.executable, "-m", "celery", "-q", "-A", "auterity.celery"]


@dataclass(frozen=True)
class Product:
    """A started product: where it is, the people in it (`prepare.py`), and the folder where its mails end."""

    url: str
    people: dict[str, Any]
    outbox: Path


def outside_settings(outside: HTTPServer, google: Provider) -> dict[str, str]:
    """What an operator sets who has a model and lets people sign in with Google."""
    return {
        "OPENAI_API_KEY": "sk-stage",
        "OPENAI_BASE_URL": outside.url_for("/v1"),
        "AUTERITY_EGRESS_ALLOW": f"127.0.0.1,localhost:{google.server.port}",
        "AUTERITY_GOOGLE_CLIENT_ID": CLIENT,
        "AUTERITY_GOOGLE_CLIENT_SECRET": SECRET,
        "AUTERITY_GOOGLE_ISSUER": google.issuer,
    }


@contextmanager
def product(**more: str) -> Iterator[Product]:
    """Started and stopped, on SQLite; on a PostgreSQL database of its own where DATABASE_URL names a server."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="auterity-contract-") as folder, _database() as services:
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")},
            "DJANGO_SETTINGS_MODULE": "auterity.settings.base",
            "AUTERITY_DATA_DIR": folder,
            "AUTERITY_RATE_LIMITS": "off",  # hundreds of calls a minute are played; the limits have tests of their own
            "AUTERITY_EGRESS_ALLOW": "127.0.0.1",
            "PORT": str(port),
            **services,
            **more,
        }
        prepared = subprocess.run(_PREPARE, cwd=ROOT, env=environment, capture_output=True, check=False)
        assert prepared.returncode == 0, prepared.stderr.decode()[-2000:]
        commands = [_SERVE]
        if services:
            commands.append([*_CELERY, "worker", "--pool", "threads", "--concurrency", "2", "-l", "warning"])
            commands.append([*_CELERY, "beat", "-l", "warning", "-s", f"{folder}/beat"])
        with Path(folder, "log").open("wb") as log:
            running = [subprocess.Popen(each, cwd=ROOT, env=environment, stdout=log, stderr=log) for each in commands]
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, running[0], Path(folder, "log"))
            yield Product(url, json.loads(prepared.stdout), Path(folder, "outbox"))
        finally:
            for each in running:
                each.terminate()
            for each in running:
                each.wait(40)


@contextmanager
def _database() -> Iterator[dict[str, str]]:
    """Where PostgreSQL and Redis are, for a product that has them; the database is new and is dropped at the end."""
    server = os.environ.get("DATABASE_URL", "")
    if not server:
        yield {}
        return
    name = f"contract_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        address = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        yield {"DATABASE_URL": address, "REDIS_URL": os.environ["REDIS_URL"]}
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 300
    while True:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if httpx2.get(f"{url}/api/auth/me", timeout=5).status_code == 401:
                return
        except httpx2.TransportError:
            assert time.monotonic() < until, log.read_text()[-2000:]
        time.sleep(0.1)
