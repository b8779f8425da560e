"""How much one user may do over all sockets, in every process: messages a minute, and connections (`websockets.yaml`, limits).

With Redis the counts are everybody's; without it, or while it is away, each process counts its own. Nobody is shut out because
Redis is.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

RATE = 1000 / 60  # messages a second
BURST = 100
CONNECTIONS = 20
PLACE_SECONDS = 30.0  # how long a connection counts whose process died
AWAY_SECONDS = 5.0

_PREFIX = "aut:ws:"
# The server's clock counts in all of them: the machines' own may differ.
_TAKE_MESSAGE = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'left', 'at')
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = math.min(burst, (tonumber(kept[1]) or burst) + math.max(0, now - (tonumber(kept[2]) or now)) * rate)
local wait = 0
if left >= 1 then left = left - 1 else wait = (1 - left) / rate end
redis.call('HSET', KEYS[1], 'left', left, 'at', now)
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
return tostring(wait)
"""
_TAKE_PLACE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[1] * 2)
return 1
"""
_KEEP_PLACES = """
local now = tonumber(redis.call('TIME')[1])
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[at]) end
redis.call('EXPIRE', KEYS[1], ARGV[1] * 2)
return 1
"""


class Shared:
    """Redis, as the sockets of this process ask it. None where there is no answer."""

    def __init__(self) -> None:
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._away_until = 0.0

    async def script(self, text: str, key: str, *values: Any) -> Any:
        return await self._ask("eval", text, 1, _PREFIX + key, *values)

    async def take_out(self, key: str, member: str) -> None:
        await self._ask("zrem", _PREFIX + key, member)

    async def _ask(self, method: str, *values: Any, **options: Any) -> Any:
        if not settings.REDIS_URL or time.monotonic() < self._away_until:
            return None
        try:
            return await getattr(self._connected(), method)(*values, **options)
        except Exception as error:
            # Whatever the Redis client raises: each process counts by itself meanwhile.
            if time.monotonic() >= self._away_until:  # Many may have asked at once.
                log.warning("socket_limits_away", error=type(error).__name__)
            self._away_until = time.monotonic() + AWAY_SECONDS
            return None

    def _connected(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            from redis import asyncio as aioredis

            self._loop = loop
            # A few connections, however many sockets come at once; the others wait for their turn.
            pool = aioredis.BlockingConnectionPool.from_url(
                settings.REDIS_URL, max_connections=16, timeout=10, socket_timeout=2, socket_connect_timeout=2
            )
            self._client = aioredis.Redis(connection_pool=pool)
        return self._client


class Allowance:
    """A token bucket for the messages of each user."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._own: dict[UUID, tuple[float, float]] = {}

    async def take(self, user_id: UUID) -> float:
        """Take one message. 0.0 when it may pass, else the seconds until the next one may."""
        told = await self._shared.script(_TAKE_MESSAGE, f"messages:{user_id}", RATE, BURST)
        return float(told) if told is not None else self._take_own(user_id, time.monotonic())

    def _take_own(self, user_id: UUID, now: float) -> float:
        if len(self._own) > 10_000:
            full = BURST / RATE
            self._own = {user: kept for user, kept in self._own.items() if now - kept[1] < full}
        left, at = self._own.get(user_id, (float(BURST), now))
        left = min(float(BURST), left + (now - at) * RATE)
        wait = 0.0 if left >= 1 else (1 - left) / RATE
        self._own[user_id] = (left - 1 if not wait else left, now)
        return wait


class Places:
    """Who has how many connections. A place that its process no longer keeps is free after `PLACE_SECONDS`."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._own: dict[UUID, set[str]] = defaultdict(set)

    async def take(self, user_id: UUID, connection_id: str) -> bool:
        """False when the user has as many connections as anybody may."""
        if len(self._own[user_id]) >= CONNECTIONS:
            return False
        self._own[user_id].add(connection_id)
        values = (int(PLACE_SECONDS), CONNECTIONS, connection_id)
        if await self._shared.script(_TAKE_PLACE, f"places:{user_id}", *values) == 0:
            self._forget(user_id, connection_id)
            return False
        return True

    async def leave(self, user_id: UUID, connection_id: str) -> None:
        self._forget(user_id, connection_id)
        await self._shared.take_out(f"places:{user_id}", connection_id)

    def held_here(self, user_id: UUID) -> int:
        """How many somebody has in this process."""
        return len(self._own.get(user_id, ()))

    async def keep(self) -> None:
        """Say that all of this process are still there. To be called more often than every `PLACE_SECONDS`."""
        for user_id, held in list(self._own.items()):
            values: Iterable[str] = sorted(held)
            await self._shared.script(_KEEP_PLACES, f"places:{user_id}", int(PLACE_SECONDS), *values)

    def _forget(self, user_id: UUID, connection_id: str) -> None:
        self._own[user_id].discard(connection_id)
        if not self._own[user_id]:
            del self._own[user_id]


SHARED = Shared()
ALLOWANCE = Allowance(SHARED)
PLACES = Places(SHARED)
