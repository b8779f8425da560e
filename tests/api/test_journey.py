"""One person's whole way through a product that was just installed: embedded, its own process, nothing mocked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect

from tests.api.graphs import EXECUTE, FOLLOW_UP, LOGIN, REGISTRATION
from tests.api.serving import Socket, free_port
from tests.api.shapes import EXECUTION, wrong

ROOT = Path(__file__).resolve().parents[2]


class Installed:
    """The product in a folder of its own. It can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        services = {"DATABASE_URL", "REDIS_URL", "AUTERITY_BROKER_URL", "DJANGO_SETTINGS_MODULE"}
        kept = {name: value for name, value in os.environ.items() if name not in services}
        self._environment = {**kept, "AUTERITY_DATA_DIR": str(folder)}
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._run("manage.py", "migrate", "-v", "0")

    def _run(self, *arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=self._environment, check=True, timeout=60)

    def start(self) -> None:
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment)
        until = time.monotonic() + 30
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{self.port}/api/auth/me", timeout=5)
                return
            except httpx2.TransportError:
                assert time.monotonic() < until, "the server did not start"
                time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> int:
        assert self._process is not None
        (self._process.kill if kill else self._process.terminate)()
        return self._process.wait(30)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    product = Installed(tmp_path / "data")
    product.start()
    yield product
    product.stop(kill=True)


def client(product: Installed, token: str = "") -> httpx2.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.Client(base_url=f"http://127.0.0.1:{product.port}", headers=headers, timeout=30, trust_env=False)


def test_from_registration_to_a_sent_mail_and_over_a_crash(installed: Installed) -> None:
    with client(installed) as anyone:
        assert anyone.get("/docs").status_code == 200
        assert anyone.post("/api/auth/register", json=REGISTRATION).status_code == 201
        tokens = anyone.post("/api/auth/login", json=LOGIN).json()
    token = tokens["access_token"]
    with client(installed, token) as john:
        workflow = john.post("/api/workflows", json=FOLLOW_UP).json()
        request = {name: EXECUTE[name] for name in ("input_data", "execution_mode")}
        answer = john.post(f"/api/workflows/{workflow['id']}/execute", json=request, headers={"Idempotency-Key": "j-1"})
        assert answer.status_code == 202
        run = answer.json()["execution_id"]
        address = f"ws://127.0.0.1:{installed.port}/ws/executions/{run}?token={token}&last_seq=0"
        with connect(address, proxy=None) as connection:
            frames = Socket(connection).until_ended()
        assert frames[0]["type"] == "execution_snapshot"
        assert frames[-1]["status"] == "completed"
        found = john.get(f"/api/workflows/executions/{run}").json()
        assert wrong(found, EXECUTION) == []
        assert [(each["step_id"], each["status"]) for each in found["steps"]] == [
            ("start", "completed"),
            ("send_email", "completed"),
        ]
        mails = [each.read_text() for each in (installed.folder / "outbox").rglob("*.eml")]
        assert sum("To: customer@example.com" in each for each in mails) == 1
        assert john.get(f"/api/logs?execution_id={run}").json()["total"] == frames[-1]["seq"]

        installed.stop(kill=True)
        installed.start()

        again = john.post(f"/api/workflows/{workflow['id']}/execute", json=request, headers={"Idempotency-Key": "j-1"})
        assert again.json()["execution_id"] == run
        assert john.get(f"/api/workflows/executions/{run}").json() == found
        second = john.post(f"/api/workflows/{workflow['id']}/execute", json={**request, "execution_mode": "sync"})
        assert (second.status_code, second.json()["status"]) == (200, "completed")
        assert john.post("/api/auth/logout", json={"refresh_token": tokens["refresh_token"]}).status_code == 204
        assert john.get("/api/auth/me").status_code == 401
    assert installed.stop() in (0, -signal.SIGTERM)  # uvicorn ends in good order, then passes the signal on.
