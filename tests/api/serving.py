"""The product on a real port: in a thread of this process, on the test's database."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from api.auterity.client_streams import STREAMS
from api.socket_watch import WATCH
from auterity.asgi import application
from auterity.server import SERVED

ENDED = ("completed", "failed", "cancelled", "timeout")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """uvicorn without its lifespan: whether a worker runs is the test's own choice."""

    def __init__(self) -> None:
        self.port = free_port()
        config = uvicorn.Config(application, port=self.port, lifespan="off", **SERVED)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve()

    def __enter__(self) -> Server:
        self._thread.start()
        until = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_about: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def settle(self) -> None:
        """Wait until no connection is left, nor anything that is done once one is gone: none may touch the database after the
        test."""
        state = self._server.server_state
        until = time.monotonic() + 10
        while (state.connections or state.tasks or not WATCH.asleep or not STREAMS.empty) and time.monotonic() < until:
            self._loop.call_soon_threadsafe(STREAMS.forget)
            time.sleep(0.01)

    @contextmanager
    def socket(
        self,
        path: str,
        *,
        header: str = "",
        query: str = "",
        subprotocols: list[str] | None = None,
        cookie: str = "",
        origin: str = "",
    ) -> Iterator[Socket]:
        """A client's connection. `header` is a bearer token."""
        offered = [Subprotocol(each) for each in subprotocols or []] or None
        more = {"Authorization": f"Bearer {header}"} if header else {}
        more |= {"Cookie": cookie} if cookie else {}
        address = f"ws://127.0.0.1:{self.port}{path}{query}"
        with connect(
            address,
            additional_headers=more,
            subprotocols=offered,
            proxy=None,
            open_timeout=10,
            max_size=None,
            origin=Origin(origin) if origin else None,
        ) as connection:
            yield Socket(connection)

    def raw_socket(self, path: str, token: str) -> socket.socket:
        """A connection that shakes hands and answers nothing from then on."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        lines = [
            f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13",
            *([f"Authorization: Bearer {token}"] if token else []), "", "",
        ]  # fmt: skip
        made.sendall("\r\n".join(lines).encode())
        assert b"101" in made.recv(12)
        return made


@dataclass
class Socket:
    """Frames as dictionaries. Every wait is bounded."""

    connection: ClientConnection

    def receive(self, seconds: float = 30.0) -> dict[str, Any]:
        frame: dict[str, Any] = orjson.loads(self.connection.recv(timeout=seconds))
        return frame

    def send(self, frame: Any) -> None:
        self.connection.send(frame if isinstance(frame, str | bytes) else orjson.dumps(frame).decode())

    def ask(self, frame: Any) -> dict[str, Any]:
        self.send(frame)
        return self.receive()

    def silent(self, seconds: float = 0.3) -> bool:
        try:
            self.connection.recv(timeout=seconds)
        except TimeoutError:
            return True
        return False

    def until(self, kind: str) -> list[dict[str, Any]]:
        """Frames up to the first of this type."""
        found = [self.receive()]
        while found[-1]["type"] != kind:
            found.append(self.receive())
        return found

    def until_ended(self) -> list[dict[str, Any]]:
        """Frames up to the execution's last status."""
        found = [self.receive()]
        while found[-1].get("status") not in ENDED:
            found.append(self.receive())
        return found

    def closed(self, seconds: float = 30.0) -> tuple[list[dict[str, Any]], int, str]:
        """What still comes, and the code and reason of the server's close."""
        found: list[dict[str, Any]] = []
        until = time.monotonic() + seconds
        while True:
            try:
                found.append(self.receive(max(0.01, until - time.monotonic())))
            except ConnectionClosed as close:
                return (found, close.rcvd.code, close.rcvd.reason) if close.rcvd else (found, 1006, "")


def joined(socket: Socket) -> list[dict[str, Any]]:
    """The two frames every join begins with."""
    snapshot, status = socket.receive(), socket.receive()
    assert (snapshot["type"], status["type"]) == ("execution_snapshot", "execution_status")
    return [snapshot, status]


def refused(socket: Socket, code: str, close: int) -> dict[str, Any]:
    """One error frame and nothing else, then the close."""
    frames, closed, reason = socket.closed()
    (error,) = frames
    assert (error["type"], error["code"], closed) == ("error", code, close)
    assert reason
    assert {"message", "retryable", "request_id", "timestamp"} <= set(error)
    return error
