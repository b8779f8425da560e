"""What a thousand sockets of one stream do once for all of them: write a frame, and read what was lost on the way."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from auterity.kernel.live import Fact


class SharedFrames:
    """The newest frames of this process as text."""

    def __init__(self, most: int = 512, most_bytes: int = 8 * 1024 * 1024) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._texts: OrderedDict[Hashable, str] = OrderedDict()
        self._bytes = 0

    def text(self, key: Hashable, write: Callable[[], str]) -> str:
        found = self._texts.get(key)
        if found is None:
            found = self._texts[key] = write()
            self._bytes += len(found)
            while len(self._texts) > self._most or self._bytes > self._most_bytes:
                self._bytes -= len(self._texts.popitem(last=False)[1])
        return found


class SharedFacts:
    """Reads that are under way: whoever asks for the same thing meanwhile gets the same answer."""

    def __init__(self) -> None:
        self._reads: dict[Hashable, asyncio.Task[list[Fact]]] = {}

    async def once(self, key: Hashable, read: Callable[[], Awaitable[list[Fact]]]) -> list[Fact]:
        task = self._reads.get(key)
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = self._reads[key] = asyncio.ensure_future(_awaited(read))
            task.add_done_callback(lambda done: self._reads.pop(key, None) if self._reads.get(key) is done else None)
        # One of those who wait may hang up; the others still want the answer.
        return await asyncio.shield(task)


async def _awaited(read: Callable[[], Awaitable[list[Fact]]]) -> list[Fact]:
    return await read()


SHARED_FRAMES = SharedFrames()
SHARED_FACTS = SharedFacts()
