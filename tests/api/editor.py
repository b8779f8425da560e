"""An editor on a real socket: it keeps what is not acknowledged, comes back after every cut, and sends it again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import Any

import orjson
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from tests.workflows.replica import Replica

Json = dict[str, Any]


class Editor:
    """One person's editor in a thread of its own. `replaying` ones catch up by `last_seq`, the others by the snapshot alone."""

    def __init__(self, port: int, path: str, token: str, name: str, *, replaying: bool) -> None:
        self.replica = Replica()
        self.refused: list[Json] = []
        self.acknowledged: dict[str, int] = {}
        self._to_send: deque[Json] = deque()
        self._waiting: dict[str, Json] = {}
        self._address = f"ws://127.0.0.1:{port}{path}"
        self._token, self._name, self._replaying = token, name, replaying
        self._count = 0
        self._stopped = False
        self.connections = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Editor:
        self._thread.start()
        return self

    def __exit__(self, *_about: object) -> None:
        self._stopped = True
        self._thread.join(15)

    def edit(self, operation: str, data: Json, **more: Any) -> None:
        self._count += 1
        message = {"type": "workflow_collaboration", "operation": operation, "data": data, **more}
        self._to_send.append({**message, "client_op_id": f"{self._name}-{self._count}"})

    @property
    def idle(self) -> bool:
        """Whether everything was answered."""
        return not self._to_send and not self._waiting

    def _run(self) -> None:
        while not self._stopped:
            with contextlib.suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError, EOFError):
                self._connected()
            time.sleep(0.01)

    def _connected(self) -> None:
        started = self._replaying and self.replica.seq > 0
        address = self._address + (f"?last_seq={self.replica.seq}" if started else "")
        headers = {"Authorization": f"Bearer {self._token}"}
        with connect(address, additional_headers=headers, proxy=None, open_timeout=5, max_size=None) as connection:
            self.connections += 1
            if started:
                connection.recv(timeout=5)  # The snapshot: what was missed comes next, one frame after another.
            self._follow(connection, until="replay_done" if started else "collaboration_snapshot")
            for message in list(self._waiting.values()):
                connection.send(orjson.dumps(message).decode())
            while not self._stopped:
                self._speak(connection)
                with contextlib.suppress(TimeoutError):
                    self._take(orjson.loads(connection.recv(timeout=0.02)))

    def _follow(self, connection: ClientConnection, until: str) -> None:
        """Take the frames up to the first one of a type."""
        kind = ""
        while kind != until:
            frame = orjson.loads(connection.recv(timeout=5))
            kind = frame["type"]
            self._take(frame)

    def _speak(self, connection: ClientConnection) -> None:
        if self._to_send and len(self._waiting) < 4:
            message = self._to_send[0]
            self._waiting[message["client_op_id"]] = message
            self._to_send.popleft()
            connection.send(orjson.dumps(message).decode())

    def _take(self, frame: Json) -> None:
        name = frame.get("id") if frame["type"] == "error" else frame.get("client_op_id")
        if frame["type"] == "error":
            self.refused.append(frame)
        elif name in self._waiting and frame["type"] in ("collaboration_ack", "workflow_collaboration"):
            self.acknowledged[name] = frame["seq"]
        self._waiting.pop(name, None)
        if "seq" in frame and frame["type"] != "replay_done" and not frame.get("repeated"):
            self.replica.take(frame)
