"""Clients that start executions and keep a list of what they were promised: accepted, refused, or nobody knows."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

PATIENCE = 120.0  # seconds for which an unknown outcome is asked again


class Caller:
    """One customer's HTTP client. Every start carries a key of its own, so an unknown outcome is resolved by asking again."""

    def __init__(self, actor: Any, ports: list[int]) -> None:
        from accounts.models import User

        self._ports = ports
        self._turn = 0
        self._token = ""
        email = User.objects.get(id=actor.user_id).email
        status, told = self._insist("/api/auth/login", {"email": email, "password": "correct horse 9"}, "")
        assert status == 200, told
        self._token = told["access_token"]
        self.answers: Counter[int] = Counter()
        self.unknown = 0

    def start(self, workflow_id: UUID, inputs: dict[str, Any], key: str) -> UUID | None:
        """The execution that was promised, or None when it was refused for good."""
        status, told = self._insist(f"/api/workflows/{workflow_id}/execute", {"inputs": inputs}, key)
        return UUID(told["execution_id"]) if status == 202 else None

    def _insist(self, path: str, body: dict[str, Any], key: str) -> tuple[int, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            self._turn += 1
            port = self._ports[self._turn % len(self._ports)]
            try:
                status, told = post(
                    port, path, body, {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
                )
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                status, told = 0, None
            if self._token:
                self.answers[status] += 1
                self.unknown += status == 0 or status >= 500
            if 0 < status < 500 and status not in (409, 429):
                return status, told
            if time.monotonic() > until:
                raise AssertionError(f"{path} answered {status} for {PATIENCE:.0f} seconds: {told}")
            time.sleep(0.1)


def post(port: int, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
    """One request on a connection of its own, as a balancer that must not reuse a closing one sends it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        sent = {name: value for name, value in headers.items() if value not in ("", "Bearer ")}
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **sent})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class Promised:
    """The list that the database is held against at the end: which number was promised to become which execution."""

    def __init__(self) -> None:
        self.accepted: dict[int, UUID] = {}
        self.unknown: list[int] = []
        self.refused: list[int] = []
        self._lock = threading.Lock()

    def note(self, number: int, start: Callable[[], UUID | None]) -> None:
        """Start number so-and-so. An error of the database leaves open whether it was accepted."""
        from django.db import InterfaceError, OperationalError, connection

        try:
            made = start()
        except (OperationalError, InterfaceError):
            connection.close()
            with self._lock:
                self.unknown.append(number)
            time.sleep(0.1)
            return
        with self._lock:
            if made is None:
                self.refused.append(number)
            else:
                self.accepted[number] = made

    def resolve(self, rows: dict[int, list[UUID]]) -> tuple[int, int]:
        """Read back what nobody knew. Returns how many of those were accepted, and how many numbers run more than once."""
        read_back = 0
        for number in self.unknown:
            if number in rows:
                self.accepted[number] = rows[number][0]
                read_back += 1
        return read_back, sum(len(each) - 1 for each in rows.values())
