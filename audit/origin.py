"""Where the request at hand comes from, so that whoever records something deep inside need not be told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """As the outermost middleware saw it; all empty outside a request."""

    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    path: str = ""


_NOWHERE = Origin()
_AT_HAND: ContextVar[Origin] = ContextVar("audit_origin", default=_NOWHERE)


def at_hand() -> Origin:
    return _AT_HAND.get()


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    token = _AT_HAND.set(origin)
    try:
        yield
    finally:
        _AT_HAND.reset(token)
