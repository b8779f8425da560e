"""Who connects to where, as Python itself reports it: a second witness beside the canary, whatever the guard believes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_watching: list[tuple[set[int], list[str]]] = []
_asking: list[list[str]] = []
_lock = threading.Lock()
_installed = False


@contextmanager
def connections(*, allowed: set[int]) -> Iterator[list[str]]:
    """Every address that this process connects to meanwhile, but for ports of its own database and cache."""
    _install()
    seen: list[str] = []
    entry = (allowed, seen)
    with _lock:
        _watching.append(entry)
    try:
        yield seen
    finally:
        with _lock:
            _watching.remove(entry)


@contextmanager
def lookups() -> Iterator[list[str]]:
    """Every name that this process asks a resolver for meanwhile."""
    _install()
    asked: list[str] = []
    with _lock:
        _asking.append(asked)
    try:
        yield asked
    finally:
        with _lock:
            _asking.remove(asked)


def _install() -> None:
    global _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        for asked in list(_asking):
            asked.append(str(arguments[0]))
    if event != "socket.connect" or not _watching:
        return
    address = arguments[1]
    for allowed, seen in list(_watching):
        if isinstance(address, tuple) and address[1] not in allowed:
            seen.append(f"{address[0]}:{address[1]}")
