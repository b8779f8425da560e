"""The other side of our webhooks, in the moods that receivers have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Mood = tuple[int, dict[str, str], float]  # status, headers, and seconds until the answer
FINE: Mood = (200, {}, 0.0)


@dataclass
class Arrived:
    """One message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    answered: int


@dataclass
class Receiver:
    """Keeps what it was sent. `mood` says how a message is answered, by its number and what came."""

    bodies: list[bytes] = field(default_factory=list)
    mood: Callable[[int, Arrived], Mood] = lambda _number, _message: FINE
    arrived: list[Arrived] = field(default_factory=list)

    def __enter__(self) -> str:
        receiver, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                message = Arrived(self.path, {name.lower(): value for name, value in self.headers.items()}, body, 0)
                with lock:
                    status, headers, seconds = receiver.mood(len(receiver.arrived), message)
                    message.answered = status
                    receiver.arrived.append(message)
                    receiver.bodies.append(repr(message.headers).encode() + body)
                time.sleep(seconds)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # The sender gave up waiting.

            do_GET = do_POST

            def log_message(self, *_about: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_about: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __exit__(self, *_about: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
