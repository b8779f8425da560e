"""Looking at what the product needs: each probe on a thread of its own, with a bound, and never two of one kind at once.

A probe that hangs holds up nobody: whoever asks gets "did not answer in time" after its bound, and it is not begun again before
it has come back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Health(StrEnum):
    """001 documents `healthy`; the others are ours. `embedded`: this process does it itself, without a server."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    EMBEDDED = "embedded"
    UNKNOWN = "unknown"


GOOD = (Health.HEALTHY, Health.EMBEDDED)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a probe saw. `problem` is a sentence for operators; `details` are its figures. `ms` is how long it took."""

    health: Health
    problem: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    ms: float = 0.0


class Probe:
    """One thing to look at. `look` may raise: that is unhealthy, and the sentence is ours."""

    def __init__(self, name: str, look: Callable[[], Reading], *, seconds: float, fresh_seconds: float = 1.0) -> None:
        self.name = name
        self._look = look
        self._seconds = seconds
        self._fresh = fresh_seconds
        self._lock = threading.Lock()
        self._looking: _Look | None = None

    def begin(self) -> _Look:
        """The look under way, or one just done, else a new one."""
        with self._lock:
            found = self._looking
            if found is None or (found.done.is_set() and time.monotonic() - found.ended_at > self._fresh):
                found = self._looking = _Look(self.name, self._look, time.monotonic() + self._seconds)
                threading.Thread(target=found.run, name=f"probe-{self.name}", daemon=True).start()
            return found

    def read(self, look: _Look) -> Reading:
        """What came of it, waiting no longer than the bound."""
        if look.done.wait(max(0.0, look.until - time.monotonic())):
            return look.reading
        return Reading(
            Health.UNHEALTHY, f"It did not answer within {self._seconds:.1f} s.", ms=round(self._seconds * 1000, 1)
        )

    def forget(self) -> None:
        """The next look is a new one."""
        with self._lock:
            self._looking = None


class _Look:
    def __init__(self, name: str, look: Callable[[], Reading], until: float) -> None:
        self._name = name
        self._look = look
        self.until = until
        self.ended_at = 0.0
        self.done = threading.Event()
        self.reading = Reading(Health.UNKNOWN)

    def run(self) -> None:
        began = time.perf_counter()
        try:
            found = self._look()
        except Exception as error:
            log.warning("probe_failed", probe=self._name, error=type(error).__name__)
            found = Reading(Health.UNHEALTHY, f"It cannot be reached ({type(error).__name__}).")
        ms = found.ms or round((time.perf_counter() - began) * 1000, 1)
        self.reading = Reading(found.health, found.problem, found.details, ms)
        self.ended_at = time.monotonic()
        self.done.set()


def look_at(probes: Mapping[str, Probe]) -> dict[str, Reading]:
    """All of them side by side: it takes as long as the slowest, and no longer than its bound."""
    looks = {name: probe.begin() for name, probe in probes.items()}
    return {name: probes[name].read(look) for name, look in looks.items()}
