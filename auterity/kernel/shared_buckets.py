"""Token buckets in Redis, which every process of an installation shares, and what happens while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from auterity.kernel.buckets import Bucket, Level, MemoryStore, Store, Taken

log = structlog.get_logger(__name__)

AWAY_SECONDS = 5.0  # how long a store that does not answer is left alone
PATIENCE_SECONDS = 0.5  # how long one request waits for the store

_PREFIX = "aut:rate:"
# KEYS: the buckets. ARGV: for each the microseconds of one token and of all of them. The store's own clock counts, so that
# processes whose clocks differ agree. Answers whether all had a token, and how far ahead of now each will be full.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = redis.call('MGET', unpack(KEYS))
local allowed, ahead = 1, {}
for at = 1, #KEYS do
  local token, all = tonumber(ARGV[2 * at - 1]), tonumber(ARGV[2 * at])
  ahead[at] = math.min(math.max((tonumber(kept[at]) or 0) - now, 0), all)
  if ahead[at] + token > all then allowed = 0 end
end
if allowed == 1 then
  for at = 1, #KEYS do
    ahead[at] = ahead[at] + tonumber(ARGV[2 * at - 1])
    redis.call('SET', KEYS[at], string.format('%.0f', now + ahead[at]), 'PX', math.ceil(ahead[at] / 1000))
  end
end
return {allowed, unpack(ahead)}
"""


class RedisStore:
    """Buckets of every process, by one script: one round trip, and nobody comes between reading and writing."""

    def __init__(self, url: str) -> None:
        client = redis.Redis.from_url(
            url,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 1),  # A kept connection may have been closed by a restart of the server.
        )
        self._take = client.register_script(_TAKE)

    def take(self, buckets: Sequence[Bucket]) -> Taken:
        """Raises `redis.RedisError` when the server does not answer in time."""
        keys = [_PREFIX + each.key for each in buckets]
        about = [number for each in buckets for number in (each.token, each.all)]
        allowed, *ahead = cast("list[int]", self._take(keys=keys, args=about))
        return Taken(bool(allowed), tuple(map(Level, buckets, ahead)))


class SharedStore:
    """Redis while it answers. While it is away requests pass, but for buckets that guard: those count in this process."""

    def __init__(self, shared: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._clock = clock
        self._own = MemoryStore()
        self._away_until = 0.0
        self._away = False

    def take(self, buckets: Sequence[Bucket]) -> Taken:
        if self._clock() >= self._away_until:
            try:
                taken = self._shared.take(buckets)
            except redis.RedisError as error:
                self._leave_alone(error)
            else:
                self._welcome()
                return taken
        guards = [each for each in buckets if each.guards]
        own = self._own.take(guards)
        full = tuple(Level(each, 0) for each in buckets if not each.guards)
        return Taken(own.allowed, own.levels + full)

    def _leave_alone(self, error: Exception) -> None:
        self._away_until = self._clock() + AWAY_SECONDS
        if not self._away:
            self._away = True
            log.warning("rate_limits_away", error=type(error).__name__, meanwhile="logins are counted by process")

    def _welcome(self) -> None:
        if self._away:
            self._away = False
            log.warning("rate_limits_back")
