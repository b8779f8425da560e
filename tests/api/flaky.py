"""A way to the server that fails: every connection is cut after some bytes, in the middle of a frame or between two."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator


class FlakyProxy:
    """Passes bytes on until a connection's allowance is used up, then cuts both sides. `steady` stops the cutting."""

    def __init__(self, port: int, seed: int, least: int = 1000, most: int = 4000) -> None:
        self._target = port
        self._random = random.Random(seed)
        self._between = (least, most)
        self.steady = False
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(5)

    def cut(self) -> None:
        """End everything that is open."""
        for each in list(self._open):
            _end(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open |= {client, server}
            allowance = [self._random.randint(*self._between)]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, target, allowance), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, allowance: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if not self.steady:
                    allowance[0] -= len(data)
                    if allowance[0] < 0:
                        target.sendall(data[: len(data) // 2])  # In the middle of a frame.
                        self.cuts += 1
                        break
                target.sendall(data)
        for each in (source, target):
            _end(each)
            self._open.discard(each)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextlib.contextmanager
def flaky(port: int, seed: int, **more: int) -> Iterator[FlakyProxy]:
    proxy = FlakyProxy(port, seed, **more)
    try:
        yield proxy
    finally:
        proxy.close()
