"""When the steps of one execution that rest are to be looked at again, in this machine's monotonic seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clocks:
    """`retries` map a node's id to the moment of its next attempt, `alarms` to the moment at which it stops waiting; `parked`
    steps wait without a limit."""

    retries: dict[str, float] = field(default_factory=dict)
    alarms: dict[str, float] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.retries or self.alarms or self.parked)

    @property
    def listens(self) -> bool:
        """A step waits for something that may come at any time."""
        return bool(self.parked or self.alarms)

    def wait(self, node_id: str, seconds: float | None) -> None:
        """It is woken after some seconds, or (None) only by something from outside."""
        if seconds is None:
            self.parked.add(node_id)
        else:
            self.alarms[node_id] = time.monotonic() + seconds

    def retry(self, node_id: str, seconds: float) -> None:
        self.retries[node_id] = time.monotonic() + seconds

    def due_in(self) -> float | None:
        """Seconds until the earliest retry or alarm, or None when there is none."""
        times = [*self.retries.values(), *self.alarms.values()]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def take_due(self) -> list[str]:
        """The nodes whose time has come; their clocks are gone."""
        now, found = time.monotonic(), []
        for clock in (self.retries, self.alarms):
            due = [node_id for node_id, moment in clock.items() if moment <= now]
            found += due
            for node_id in due:
                del clock[node_id]
        return found

    def take_waiting(self) -> list[str]:
        """Every node that waits for something from outside; their clocks are gone."""
        found = [*self.alarms, *self.parked]
        self.alarms.clear()
        self.parked.clear()
        return found
