"""What is happening now, from whoever commits it to whoever watches. A hint too: the database can replay every line.

A topic's facts are published once and reach every process that has somebody watching it, where they are handed out on the
server's own event loop. Embedded, that is a call inside the process; with Redis, one subscription a process and topic.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

Fact = dict[str, Any]
Watcher = Callable[[Fact], None]

_PREFIX = "aut:live:"
_AWAY_SECONDS = 5.0
_LISTEN_SECONDS = 2.0


class LiveBus:
    """One a process. `publish` may be called from any thread; `watch` and `unwatch` from the server's event loop."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sender: Any = None
        self._away_until = 0.0
        self._lock = threading.Lock()
        self._pubsub: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._adrift = False

    def publish(self, facts: Iterable[tuple[str, Fact]]) -> None:
        """Tell the watchers of each topic. Never raises: who misses a fact reads it from the database."""
        if not settings.REDIS_URL:
            loop = self._loop
            if loop is not None and self._watchers and not loop.is_closed():
                loop.call_soon_threadsafe(self._hand_out_all, list(facts))
            return
        if time.monotonic() < self._away_until:
            return
        try:
            self._publish_to_redis(facts)
        except Exception as error:
            # Whatever the Redis client raises: watchers refetch, and the next commits do not wait for a dead server.
            self._away_until = time.monotonic() + _AWAY_SECONDS
            log.warning("live_updates_away", error=type(error).__name__)

    async def watch(self, topic: str, watcher: Watcher) -> None:
        """Call `watcher` with every later fact of the topic, on the event loop this is awaited on."""
        self._loop = asyncio.get_running_loop()
        first = not self._watchers[topic]
        self._watchers[topic].add(watcher)
        if settings.REDIS_URL and first:
            self._adrift |= not await self._subscribe(topic)
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._read())

    async def unwatch(self, topic: str, watcher: Watcher) -> None:
        self._watchers[topic].discard(watcher)
        if not self._watchers[topic]:
            del self._watchers[topic]
            if self._pubsub is not None:
                try:
                    await self._pubsub.unsubscribe(_PREFIX + topic)
                except Exception as error:
                    # Whatever the Redis client raises: what still comes for a topic that nobody watches is dropped.
                    log.warning("live_updates_away", error=type(error).__name__)

    def serve(self) -> None:
        """Called on the server's event loop: threads of this process may listen from then on."""
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def listening(self, topic: str, wanted: Callable[[Fact], bool]) -> Iterator[threading.Event]:
        """For a thread that waits: an event that is set by a fact of the topic. Without a server's loop it never is.

        A hint like everything here: look at the database too, now and then.
        """
        heard = threading.Event()
        loop = self._loop
        if loop is None or loop.is_closed() or not loop.is_running():
            yield heard
            return

        def watcher(fact: Fact) -> None:
            if wanted(fact):
                heard.set()

        try:
            asyncio.run_coroutine_threadsafe(self.watch(topic, watcher), loop).result(timeout=_LISTEN_SECONDS)
            yield heard
        finally:
            asyncio.run_coroutine_threadsafe(self.unwatch(topic, watcher), loop)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _hand_out_all(self, facts: list[tuple[str, Fact]]) -> None:
        for topic, fact in facts:
            self._hand_out(topic, fact)

    def _hand_out(self, topic: str, fact: Fact) -> None:
        for watcher in list(self._watchers.get(topic, ())):
            watcher(fact)

    def _publish_to_redis(self, facts: Iterable[tuple[str, Fact]]) -> None:
        import redis

        with self._lock:
            if self._sender is None:
                self._sender = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1)
            pipeline = self._sender.pipeline(transaction=False)
            together: dict[str, list[Fact]] = defaultdict(list)
            for topic, fact in facts:
                together[topic].append(fact)
            for topic, its_facts in together.items():
                pipeline.publish(_PREFIX + topic, orjson.dumps(its_facts))
            pipeline.execute()

    async def _subscribe(self, *topics: str) -> bool:
        """False when Redis is away: then the reader subscribes once it is back, and watchers poll meanwhile."""
        if self._pubsub is None:
            from redis import asyncio as aioredis

            self._pubsub = aioredis.Redis.from_url(settings.REDIS_URL, health_check_interval=10).pubsub(
                ignore_subscribe_messages=True
            )
        try:
            await self._pubsub.subscribe(*(_PREFIX + topic for topic in topics))
        except Exception as error:
            # Whatever the Redis client raises.
            log.warning("live_updates_away", error=type(error).__name__)
            return False
        return True

    async def _read(self) -> None:
        while self._watchers:
            try:
                if self._adrift:
                    await asyncio.sleep(1.0)
                    self._adrift = bool(self._watchers) and not await self._subscribe(*self._watchers)
                    continue
                message = await self._pubsub.get_message(timeout=5.0)
                if message is not None:
                    topic = message["channel"].decode().removeprefix(_PREFIX)
                    for fact in orjson.loads(message["data"]):
                        self._hand_out(topic, fact)
            except Exception as error:
                # The subscription is renewed by the client itself once Redis is back; watchers poll meanwhile.
                log.warning("live_updates_away", error=type(error).__name__)
                await asyncio.sleep(1.0)


LIVE = LiveBus()
