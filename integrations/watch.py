"""Ends that hold although a database server keeps none: time and bytes, watched from another thread, then cut off."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from integrations.egress import Deadline

GRACE = 0.75  # seconds a server has to follow a cancellation before its connection is cut
LOOK_SECONDS = 0.02  # between two looks at how much has come
_TCP_INFO = getattr(socket, "TCP_INFO", None)
_RECEIVED_AT = 128  # tcpi_bytes_received in Linux's struct tcp_info


@dataclass(frozen=True, slots=True)
class Watch:
    """`late` once the deadline has passed, `large` once more bytes have come than are allowed."""

    late: threading.Event = field(default_factory=threading.Event)
    large: threading.Event = field(default_factory=threading.Event)


@contextmanager
def watched(
    deadline: Deadline,
    *,
    cancel: Callable[[], None],
    cut: Callable[[], None],
    received: Callable[[], int] | None = None,
    max_bytes: int = 0,
) -> Iterator[Watch]:
    """While the body runs, `cancel` once the deadline has passed and `cut` a moment later; `cut` at once beyond `max_bytes`."""
    done, watch = threading.Event(), Watch()

    def look() -> None:
        while (left := deadline.left()) > 0:
            if done.wait(min(left, LOOK_SECONDS) if received else left):
                return
            if received is not None and received() > max_bytes:
                watch.large.set()
                _quietly(cut)
                return
        watch.late.set()
        asking = threading.Thread(target=_quietly, args=(cancel,), name="sql-cancel", daemon=True)
        asking.start()
        if not done.wait(GRACE):
            _quietly(cut)
        asking.join(GRACE)

    watcher = threading.Thread(target=look, name="sql-deadline", daemon=True)
    watcher.start()
    try:
        yield watch
    finally:
        done.set()
        watcher.join(2 * GRACE)


def cut_descriptor(descriptor: int) -> None:
    """End both directions of a socket that a library owns; its descriptor stays open until the library closes it."""
    with suppress(OSError), socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as borrowed:
        borrowed.shutdown(socket.SHUT_RDWR)


def received_bytes(descriptor: int) -> int:
    """How much has come over a TCP socket that a library reads itself; 0 where the system does not count."""
    if _TCP_INFO is None:
        return 0
    with suppress(OSError, struct.error), socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as borrowed:
        told = borrowed.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
        return int(struct.unpack_from("=Q", told, _RECEIVED_AT)[0])
    return 0


def _quietly(act: Callable[[], None]) -> None:
    """A cancellation that fails changes nothing: the connection is cut next."""
    with suppress(Exception):
        act()
