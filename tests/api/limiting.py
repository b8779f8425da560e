"""Rate limits switched on for a test, with every bucket full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from auterity.kernel import buckets
from auterity.kernel.buckets import SECOND, MemoryStore
from tests.api.people import Api

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Window")


class Clock:
    """Stands still until it is told otherwise, so that no token comes back while a slow machine asks."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@contextmanager
def full_buckets(url: str) -> Iterator[Clock]:
    """Buckets of this process alone, by a clock of the test's own, in place of what the product uses at this URL."""
    clock = Clock()
    buckets._STORES.clear()
    buckets._STORES[url] = MemoryStore(clock)
    yield clock
    buckets._STORES.clear()


def told(answer: Any) -> tuple[int, int, int]:
    """(limit, remaining, window) of an answer."""
    limit, remaining, reset, window = (int(answer.headers[name]) for name in HEADERS)
    assert reset >= 1_700_000_000
    return limit, remaining, window


def until_refused(ask: Callable[[], Any], most: int = 250) -> tuple[int, Any]:
    """How often somebody may ask, and the refusal."""
    for count in range(most):
        answer = ask()
        if answer.status_code == 429:
            return count, answer
    raise AssertionError(f"{most} requests and no refusal")


def from_address(address: str, token: str = "", **headers: str) -> Api:
    """A caller behind one trusted proxy, which saw this address."""
    return Api(token, {"X-Forwarded-For": address, **headers})
