"""What every process of the product does now and then beside its work: short acts, each harmless when repeated or left out.

An app registers its acts at start-up; the shell starts the one thread that performs them, in web and worker processes alike, so
that they go on when all of one kind are gone. A `shared` act is done by one process at a time, as far as the cache can tell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from django.core.cache import cache
from django.db import connection

log = structlog.get_logger(__name__)

Act = Callable[[], object]

_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class _Tick:
    name: str
    act: Act
    seconds: float
    shared: bool
    finally_too: bool
    due_at: float = field(default=0.0)


class Ticks:
    """One a process. `start` may be called again after `stop`."""

    def __init__(self) -> None:
        self._ticks: dict[str, _Tick] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, name: str, act: Act, *, seconds: float, shared: bool = True, finally_too: bool = False) -> None:
        """Perform `act` every so many seconds; with `finally_too` also once when the process stops.

        Raises `ValueError` when another act has the name.
        """
        if name in self._ticks and self._ticks[name].act is not act:
            raise ValueError(f"Two acts are called {name}.")
        self._ticks[name] = _Tick(name, act, seconds, shared, finally_too)

    def start(self) -> None:
        """Begin, unless begun."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)
            self._thread.start()

    def stop(self, *, grace: float = 10.0) -> None:
        """Perform what is done at the end too, and stop."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            thread.join(grace)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            for tick in list(self._ticks.values()):
                if time.monotonic() >= tick.due_at and not self._stopping.is_set():
                    tick.due_at = time.monotonic() + tick.seconds
                    self._perform(tick)
        for tick in self._ticks.values():
            if tick.finally_too:
                self._perform(tick)

    def _perform(self, tick: _Tick) -> None:
        try:
            if not tick.shared or _own_turn(tick):
                tick.act()
        except Exception as error:
            # Whatever it is: the others go on, and this one is due again.
            log.warning("tick_failed", tick=tick.name, error=type(error).__name__)
        connection.close()


def _own_turn(tick: _Tick) -> bool:
    """Whether nobody else has done it lately. True when the cache cannot tell."""
    try:
        return bool(cache.add(f"tick:{tick.name.replace(' ', '-')}", time.time(), timeout=max(1, int(tick.seconds))))
    except Exception as error:  # Redis is a hint here too.
        log.warning("tick_turn_unknown", error=type(error).__name__)
        return True


TICKS = Ticks()
