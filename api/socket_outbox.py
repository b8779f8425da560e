"""What waits to be sent to one client: bounded, whatever the client does (`websockets.yaml`, limits, outbound)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable

import orjson

from api.socket_codes import OUTBOUND_BYTES, OUTBOUND_FRAMES
from auterity.kernel.live import Fact

REPLACED_EVERY = 0.25  # seconds between two frames of which the later one replaces the earlier

_measured: tuple[Fact | None, int] = (None, 0)


def size_of(fact: Fact) -> int:
    """Bytes. A fact is handed to a thousand sockets one after the other, so the last one measured is remembered."""
    global _measured
    if _measured[0] is not fact:
        _measured = (fact, len(orjson.dumps(fact)))
    return _measured[1]


class Outbox:
    """Facts in their order, and for each key of replaceable ones the latest alone, at most four a second."""

    def __init__(self) -> None:
        self._facts: deque[tuple[Fact, int]] = deque()
        self._bytes = 0
        self._latest: dict[Hashable, Fact] = {}
        self._sent_at: dict[Hashable, float] = {}
        self._look = False
        self._woken = asyncio.Event()

    def put(self, fact: Fact) -> bool:
        """False when there is no room: the client does not read fast enough."""
        size = size_of(fact)
        if len(self._facts) >= OUTBOUND_FRAMES or (self._facts and self._bytes + size > OUTBOUND_BYTES):
            return False
        self._facts.append((fact, size))
        self._bytes += size
        self._woken.set()
        return True

    def replace(self, key: Hashable, fact: Fact) -> None:
        """The latest of its key counts. With too many keys the one that has waited longest goes."""
        if key not in self._latest and len(self._latest) >= OUTBOUND_FRAMES:
            del self._latest[next(iter(self._latest))]
        self._latest[key] = fact
        self._woken.set()

    def look(self) -> None:
        """Have the database looked at for what was lost."""
        self._look = True
        self._woken.set()

    async def get(self) -> Fact | None:
        """What is to be sent next; None for a look into the database."""
        while True:
            self._woken.clear()
            if self._facts:
                fact, size = self._facts.popleft()
                self._bytes -= size
                return fact
            if self._look:
                self._look = False
                return None
            now = asyncio.get_running_loop().time()
            due = {key: self._sent_at.get(key, 0.0) + REPLACED_EVERY for key in self._latest}
            for key, moment in due.items():
                if moment <= now:
                    if len(self._sent_at) > OUTBOUND_FRAMES:
                        self._sent_at = {each: at for each, at in self._sent_at.items() if at + REPLACED_EVERY > now}
                    self._sent_at[key] = now
                    return self._latest.pop(key)
            try:
                await asyncio.wait_for(self._woken.wait(), min(due.values()) - now if due else None)
            except TimeoutError:
                continue
