"""Token buckets that many processes share: who takes, takes from all of its buckets at once or from none.

A bucket holds `burst` tokens and gets `rate` of them back every `window` seconds. It is kept as one number, the moment at which
it will be full again (the generic cell rate algorithm), so a bucket that nobody used lately takes no room, and a take is a
comparison and an addition for each bucket. Times are microseconds.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

SECOND = 1_000_000
MOST_KEPT = 100_000  # buckets one process remembers; some 20 MB


@dataclass(frozen=True, slots=True)
class Bucket:
    """`guards` says that this one counts inside each process while the shared store is away; the others let all pass then."""

    key: str
    rate: int
    burst: int
    window: int = 60
    guards: bool = False

    @property
    def token(self) -> int:
        """Microseconds until one token has come back."""
        return self.window * SECOND // self.rate

    @property
    def all(self) -> int:
        """Microseconds until an empty bucket is full."""
        return self.token * self.burst


@dataclass(frozen=True, slots=True)
class Level:
    """A bucket after a take: `ahead` is how far from now it will be full, in microseconds."""

    bucket: Bucket
    ahead: int

    @property
    def remaining(self) -> int:
        return (self.bucket.all - self.ahead) // self.bucket.token

    @property
    def wait(self) -> float:
        """Seconds until it has a token; 0 when it has one."""
        return max(0, self.ahead + self.bucket.token - self.bucket.all) / SECOND

    @property
    def full_in(self) -> float:
        """Seconds until it is full."""
        return self.ahead / SECOND


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether all buckets had a token. If one had none, none was taken from any."""

    allowed: bool
    levels: tuple[Level, ...]

    @property
    def tightest(self) -> Level:
        """The bucket to wait longest for, else the one with the fewest tokens left."""
        return max(self.levels, key=lambda level: (level.wait, -level.remaining, level.full_in))

    @property
    def retry_after(self) -> int:
        """Whole seconds, at least 1, after which a token is there."""
        return max(1, math.ceil(self.tightest.wait))


class Store(Protocol):
    """Where buckets are kept."""

    def take(self, buckets: Sequence[Bucket]) -> Taken:
        """Take one token from each of the buckets, whose keys differ, or none from any."""
        ...


def _microseconds() -> int:
    return time.monotonic_ns() // 1000


class MemoryStore:
    """Buckets of one process. When there are too many, full ones are forgotten, then those unused longest."""

    def __init__(self, clock: Callable[[], int] = _microseconds, most: int = MOST_KEPT) -> None:
        self._clock = clock
        self._most = most
        self._full_at: dict[str, int] = {}  # in the order of use
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, buckets: Sequence[Bucket]) -> Taken:
        with self._lock:
            now = self._clock()
            ahead = [max(self._full_at.get(each.key, 0) - now, 0) for each in buckets]
            allowed = all(kept + each.token <= each.all for each, kept in zip(buckets, ahead, strict=True))
            if allowed:
                ahead = [kept + each.token for each, kept in zip(buckets, ahead, strict=True)]
                for each, kept in zip(buckets, ahead, strict=True):
                    self._full_at.pop(each.key, None)
                    self._full_at[each.key] = now + kept
                if len(self._full_at) > self._most:
                    self._forget(now)
        return Taken(allowed, tuple(map(Level, buckets, ahead)))

    def _forget(self, now: int) -> None:
        """Make room for a tenth of all, so that it is done seldom."""
        live = [(key, full_at) for key, full_at in self._full_at.items() if full_at > now]
        self._full_at = dict(live[-(self._most * 9 // 10) :])


_STORES: dict[str, Store] = {}
_CHOOSING = threading.Lock()


def take(buckets: Sequence[Bucket]) -> Taken:
    """One token from each bucket of this installation, or none from any: by Redis where there is one, else in this process."""
    url = settings.REDIS_URL
    store = _STORES.get(url)
    if store is None:
        with _CHOOSING:
            store = _STORES.setdefault(url, _shared(url) if url else MemoryStore())
    return store.take(buckets)


def _shared(url: str) -> Store:
    from auterity.kernel.shared_buckets import RedisStore, SharedStore  # The client takes a while to load.

    return SharedStore(RedisStore(url))
