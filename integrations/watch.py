"""A deadline that holds although the server does not keep it: cancelled from another thread, then cut off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from integrations.egress import Deadline

GRACE = 0.75  # seconds a server has to follow a cancellation before its connection is cut


@contextmanager
def watched(deadline: Deadline, *, cancel: Callable[[], None], cut: Callable[[], None]) -> Iterator[threading.Event]:
    """While the body runs, `cancel` once the deadline has passed and `cut` a moment later. The event says that it passed."""
    done, late = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(max(0.0, deadline.left())):
            return
        late.set()
        asking = threading.Thread(target=_quietly, args=(cancel,), name="sql-cancel", daemon=True)
        asking.start()
        if not done.wait(GRACE):
            _quietly(cut)
        asking.join(GRACE)

    watcher = threading.Thread(target=watch, name="sql-deadline", daemon=True)
    watcher.start()
    try:
        yield late
    finally:
        done.set()
        watcher.join(2 * GRACE)


def cut_descriptor(descriptor: int) -> None:
    """End both directions of a socket that a library owns; its descriptor stays open until the library closes it."""
    with suppress(OSError), socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as borrowed:
        borrowed.shutdown(socket.SHUT_RDWR)


def _quietly(act: Callable[[], None]) -> None:
    """A cancellation that fails changes nothing: the connection is cut next."""
    with suppress(Exception):
        act()
