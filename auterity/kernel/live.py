"""What is happening now, from whoever commits it to whoever watches. A hint too: the database can replay every line.

A topic's facts are published once and reach every process that has somebody watching it, where they are handed out on the
server's own event loop. Embedded, that is a call inside the process; with Redis, one subscription a process and topic.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import orjson
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

Fact = dict[str, Any]
Watcher = Callable[[Fact], None]

WIDE = "organization:"  # how the topics begin that `watched` knows of

_Told = TypeVar("_Told")
_PREFIX = "aut:live:"
_HEARD_SECONDS = 1.0
_AWAY_SECONDS = 5.0


class LiveBus:
    """One a process. `publish` may be called from any thread; `watch` and `unwatch` from the server's event loop."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sender: Any = None
        self._away_until = 0.0
        self._lock = threading.Lock()
        self._heard: tuple[float, frozenset[str]] = (0.0, frozenset())
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
        self._ask_redis(lambda: self._publish_to_redis(facts))

    @property
    def unheard(self) -> bool:
        """Surely nobody watches anything: a publisher need not even write its facts down."""
        return not settings.REDIS_URL and not self._watchers

    def watched(self, *topics: str) -> set[str]:
        """Those of the topics that somebody watches, in any process; told by Redis, that may be a second old.

        For a topic that repeats what is published anyway. Its watchers look at the database too. Never raises.
        """
        if not settings.REDIS_URL:
            return {each for each in topics if each in self._watchers}
        until, heard = self._heard
        if time.monotonic() >= until:
            heard = self._ask_redis(self._channels) or frozenset()
            self._heard = (time.monotonic() + _HEARD_SECONDS, heard)
        return {each for each in topics if each in heard}

    async def watch(self, topic: str, watcher: Watcher) -> None:
        """Call `watcher` with every later fact of the topic, on the event loop this is awaited on."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # Another server in this process: a subscription belongs to the loop it was made on.
            self._loop, self._pubsub, self._reader = loop, None, None
        first = not self._watchers[topic]
        self._watchers[topic].add(watcher)
        if settings.REDIS_URL and (first or self._pubsub is None):
            topics = [topic] if self._pubsub is not None else list(self._watchers)
            self._adrift |= not await self._subscribe(*topics)
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

    # -- inside ------------------------------------------------------------------------------------------------------

    def _hand_out_all(self, facts: list[tuple[str, Fact]]) -> None:
        for topic, fact in facts:
            self._hand_out(topic, fact)

    def _hand_out(self, topic: str, fact: Fact) -> None:
        for watcher in list(self._watchers.get(topic, ())):
            watcher(fact)

    def _ask_redis(self, ask: Callable[[], _Told]) -> _Told | None:
        """None when Redis is away. The next commits do not wait for a dead server."""
        if time.monotonic() < self._away_until:
            return None
        try:
            with self._lock:
                return ask()
        except Exception as error:
            # Whatever the Redis client raises: watchers refetch.
            self._away_until = time.monotonic() + _AWAY_SECONDS
            log.warning("live_updates_away", error=type(error).__name__)
            return None

    def _redis(self) -> Any:
        import redis

        if self._sender is None:
            self._sender = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1)
        return self._sender

    def _publish_to_redis(self, facts: Iterable[tuple[str, Fact]]) -> None:
        pipeline = self._redis().pipeline(transaction=False)
        together: dict[str, list[Fact]] = defaultdict(list)
        for topic, fact in facts:
            together[topic].append(fact)
        for topic, its_facts in together.items():
            pipeline.publish(_PREFIX + topic, orjson.dumps(its_facts))
        pipeline.execute()

    def _channels(self) -> frozenset[str]:
        """Every wide topic that any process subscribes to."""
        found = self._redis().pubsub_channels(f"{_PREFIX}{WIDE}*")
        return frozenset(each.decode().removeprefix(_PREFIX) for each in found)

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
        pubsub = self._pubsub
        while self._watchers and self._pubsub is pubsub:
            try:
                if self._adrift:
                    await asyncio.sleep(1.0)
                    self._adrift = bool(self._watchers) and not await self._subscribe(*self._watchers)
                    continue
                message = await pubsub.get_message(timeout=5.0)
                if message is not None:
                    topic = message["channel"].decode().removeprefix(_PREFIX)
                    for fact in orjson.loads(message["data"]):
                        self._hand_out(topic, fact)
            except Exception as error:
                # The subscription is renewed by the client itself once Redis is back; watchers poll meanwhile.
                log.warning("live_updates_away", error=type(error).__name__)
                await asyncio.sleep(1.0)


LIVE = LiveBus()
