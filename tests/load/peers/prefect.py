"""Prefect on PostgreSQL: its server, and a flow of five tasks that reports to it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.load.machine import free_port
from tests.load.peers.install import FOLDER, plain_environment, python_environment
from tests.load.peers.peer import Peer, program, server, wait_until_ready

PACKAGES = ("prefect==3.8.8", "fastapi<0.150")  # Its server does not start with a later FastAPI, though it allows it.
SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "ERROR",
}


def install() -> None:
    python_environment("prefect", *PACKAGES)


@contextmanager
def running(url: str) -> Iterator[Peer]:
    folder, port = FOLDER / "prefect" / "bin", free_port()
    api = f"http://127.0.0.1:{port}/api"
    environment = plain_environment(**SETTINGS, PREFECT_API_URL=api)
    environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url.replace("postgresql:", "postgresql+asyncpg:", 1)
    command = [str(folder / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with server("prefect", command, environment) as main:
        wait_until_ready("prefect", main, lambda: healthy(api))  # It makes its tables first.
        with program("prefect_flow", folder / "python", environment) as flow:
            yield Peer(
                version=flow.version,
                processes=(main, flow.process),
                run=flow.work,
                saved=lambda: completed(api),
            )


def healthy(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=10) as answer:
            return bool(json.load(answer))
    except (urllib.error.URLError, OSError):
        return False


def completed(api: str) -> int:
    """Flow runs that ended well; the rows of their tasks follow a little later."""
    wanted = json.dumps({"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}).encode()
    asked = urllib.request.Request(f"{api}/flow_runs/count", wanted, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return int(json.load(answer))
