"""Typed facts that one app tells the others about, told only after the transaction that made them true has committed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from django.db import transaction

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Base of every fact. Subclasses are frozen dataclasses in their app's `events.py`."""


_Fact = TypeVar("_Fact", bound=Event)
_listeners: dict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)


def listen(fact: type[_Fact], listener: Callable[[_Fact], None]) -> None:
    """Register a listener at start-up. A second registration of the same listener is ignored."""
    if listener not in _listeners[fact]:
        _listeners[fact].append(listener)


def publish(fact: Event) -> None:
    """Tell every listener once the open transaction commits (at once when none is open)."""
    transaction.on_commit(partial(_tell, fact), robust=True)


def _tell(fact: Event) -> None:
    for listener in _listeners[type(fact)]:
        try:
            listener(fact)
        except Exception:
            # The fact is committed and other listeners still need it; a listener's own recovery is its sweep.
            log.exception(
                "event_listener_failed", fact=type(fact).__name__, listener=getattr(listener, "__name__", "?")
            )
