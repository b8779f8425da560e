"""Token buckets: exact under concurrency, all or nothing, bounded, and what happens when the shared store is away."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence

import pytest
import redis
from structlog.testing import capture_logs

from auterity.kernel import buckets
from auterity.kernel.buckets import SECOND, Bucket, MemoryStore, Store
from auterity.kernel.shared_buckets import AWAY_SECONDS, RedisStore, SharedStore

REDIS = os.environ.get("REDIS_URL", "")
ON_REDIS = pytest.mark.skipif(not REDIS, reason="needs Redis: set REDIS_URL")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture(params=["memory", pytest.param("redis", marks=ON_REDIS)])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore() if request.param == "memory" else RedisStore(REDIS)


@pytest.fixture
def name() -> Iterator[Callable[[str], str]]:
    """Keys of this test's own, gone after it."""
    own = uuid.uuid4().hex
    yield lambda about: f"test:{own}:{about}"
    if REDIS:
        with redis.Redis.from_url(REDIS) as client:
            for key in client.scan_iter(f"aut:rate:test:{own}:*"):
                client.delete(key)


def dead_url() -> str:
    """Where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{probe.getsockname()[1]}/0"


def test_a_bucket_gives_its_burst_and_then_says_how_long_to_wait(store: Store, name: Callable[[str], str]) -> None:
    bucket = Bucket(name("a"), rate=10, burst=5)
    for left in (4, 3, 2, 1, 0):
        taken = store.take([bucket])
        assert (taken.allowed, taken.tightest.remaining) == (True, left)
    refused = store.take([bucket])
    assert not refused.allowed
    assert refused.tightest.remaining == 0
    assert 1 <= refused.retry_after <= 6
    assert 24 < refused.tightest.full_in <= 30


def test_a_token_comes_back_after_each_interval_and_never_more_than_the_burst(name: Callable[[str], str]) -> None:
    clock = Clock()
    store, bucket = MemoryStore(clock), Bucket(name("a"), rate=10, burst=5)
    assert [store.take([bucket]).allowed for _ in range(6)] == [True] * 5 + [False]
    clock.pass_by(5.9)
    assert not store.take([bucket]).allowed
    clock.pass_by(0.1)
    assert [store.take([bucket]).allowed for _ in range(2)] == [True, False]
    clock.pass_by(3600)
    assert [store.take([bucket]).allowed for _ in range(6)] == [True] * 5 + [False]


def test_a_window_may_be_an_hour(name: Callable[[str], str]) -> None:
    clock = Clock()
    store, bucket = MemoryStore(clock), Bucket(name("a"), rate=100, burst=20, window=3600)
    assert [store.take([bucket]).allowed for _ in range(21)] == [True] * 20 + [False]
    assert store.take([bucket]).retry_after == 36
    clock.pass_by(36)
    assert store.take([bucket]).allowed


def test_a_refused_request_takes_from_no_bucket(store: Store, name: Callable[[str], str]) -> None:
    wide, narrow = Bucket(name("wide"), rate=100, burst=100), Bucket(name("narrow"), rate=1, burst=2)
    results = [store.take([wide, narrow]) for _ in range(10)]
    assert [each.allowed for each in results] == [True] * 2 + [False] * 8
    assert all(each.tightest.bucket is narrow for each in results)
    assert store.take([wide]).tightest.remaining == 97


def test_the_tightest_bucket_is_the_one_to_wait_for_else_the_emptiest(name: Callable[[str], str]) -> None:
    store = MemoryStore(Clock())
    slow, quick = Bucket(name("slow"), rate=1, burst=3), Bucket(name("quick"), rate=60, burst=2)
    assert store.take([slow, quick]).tightest.bucket is quick
    store.take([slow, quick])
    refused = store.take([slow, quick])
    assert (refused.tightest.bucket, refused.retry_after) == (quick, 1)
    store.take([slow])
    refused = store.take([slow, quick])
    assert (refused.tightest.bucket, refused.retry_after) == (slow, 60)


@pytest.mark.parametrize("threads", [50])
def test_of_many_at_once_exactly_the_burst_pass(store: Store, name: Callable[[str], str], threads: int) -> None:
    mine, shared = name("mine"), Bucket(name("shared"), rate=1, burst=20)
    start = threading.Barrier(threads)
    allowed: list[bool] = []

    def caller(number: int) -> None:
        own = Bucket(f"{mine}:{number}", rate=1, burst=5)
        start.wait()
        allowed.extend(store.take([own, shared]).allowed for _ in range(4))

    callers = [threading.Thread(target=caller, args=[number]) for number in range(threads)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert len(allowed) == 4 * threads
    assert sum(allowed) == 20
    left = [store.take([Bucket(f"{mine}:{number}", rate=1, burst=5)]).tightest.remaining for number in range(threads)]
    assert sum(5 - 1 - each for each in left) == 20


@ON_REDIS
def test_two_processes_share_a_bucket_in_redis_and_it_is_gone_once_it_is_full(name: Callable[[str], str]) -> None:
    bucket = Bucket(name("a"), rate=60, burst=4)
    one, other = RedisStore(REDIS), RedisStore(REDIS)
    assert [each.take([bucket]).tightest.remaining for each in (one, other, one, other)] == [3, 2, 1, 0]
    assert not one.take([bucket]).allowed
    with redis.Redis.from_url(REDIS) as client:
        lives = client.pttl(f"aut:rate:{bucket.key}")
        assert isinstance(lives, int)
        assert 0 < lives <= 4000


@ON_REDIS
def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_an_empty_bucket(name: Callable[[str], str]) -> None:
    bucket = Bucket(name("a"), rate=60, burst=4)
    with redis.Redis.from_url(REDIS) as client:
        client.set(f"aut:rate:{bucket.key}", 10**17)
    assert RedisStore(REDIS).take([bucket]).tightest.full_in == 4


@ON_REDIS
def test_a_script_that_the_server_forgot_is_sent_again(name: Callable[[str], str]) -> None:
    store, bucket = RedisStore(REDIS), Bucket(name("a"), rate=1, burst=2)
    store.take([bucket])
    with redis.Redis.from_url(REDIS) as client:
        client.script_flush()
    assert store.take([bucket]).tightest.remaining == 0


def test_memory_holds_a_bounded_number_and_forgets_full_buckets_first(name: Callable[[str], str]) -> None:
    clock = Clock()
    store = MemoryStore(clock, most=100)
    victim = Bucket(name("victim"), rate=1, burst=1)
    assert store.take([victim]).allowed
    for at in range(80):
        store.take([Bucket(name(f"short {at}"), rate=60, burst=5)])
    clock.pass_by(2)
    for at in range(80):
        store.take([Bucket(name(f"later {at}"), rate=60, burst=5)])
    assert len(store) <= 100
    assert not store.take([victim]).allowed
    for at in range(10_000):
        store.take([Bucket(name(f"flood {at}"), rate=1, burst=1)])
        assert len(store) <= 100


def test_while_the_store_is_away_requests_pass_and_guarded_buckets_count_here(name: Callable[[str], str]) -> None:
    with capture_logs() as logs:
        store = SharedStore(RedisStore(dead_url()))
        plain, guarded = Bucket(name("plain"), rate=1, burst=1), Bucket(name("login"), rate=10, burst=5, guards=True)
        assert [store.take([plain]).allowed for _ in range(20)] == [True] * 20
        assert [store.take([plain, guarded]).allowed for _ in range(7)] == [True] * 5 + [False] * 2
        assert store.take([plain]).tightest.remaining == 1
    assert [each["event"] for each in logs] == ["rate_limits_away"]


class Flaky:
    """A store in memory that can be taken away, and says how often it was asked."""

    def __init__(self) -> None:
        self.inner, self.away, self.asked = MemoryStore(), False, 0

    def take(self, wanted: Sequence[Bucket]) -> buckets.Taken:
        self.asked += 1
        if self.away:
            raise redis.ConnectionError
        return self.inner.take(wanted)


def test_a_store_that_went_away_is_left_alone_for_a_while_and_then_used_again(name: Callable[[str], str]) -> None:
    flaky, moment = Flaky(), [100.0]
    store, bucket = SharedStore(flaky, clock=lambda: moment[0]), Bucket(name("a"), rate=1, burst=2)
    with capture_logs() as logs:
        assert [store.take([bucket]).allowed for _ in range(3)] == [True, True, False]
        flaky.away = True
        assert [store.take([bucket]).allowed for _ in range(10)] == [True] * 10
        assert flaky.asked == 4
        flaky.away = False
        moment[0] += AWAY_SECONDS
        assert not store.take([bucket]).allowed
    assert [each["event"] for each in logs] == ["rate_limits_away", "rate_limits_back"]
