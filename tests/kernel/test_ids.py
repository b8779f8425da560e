"""Ids sort by age, also when many are made in one millisecond and by several threads."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from auterity.kernel.models import uuid7


def test_ids_are_version_7_and_carry_the_time() -> None:
    made = uuid7()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) - time.time_ns() // 1_000_000) < 1000


def test_ids_sort_in_the_order_they_were_made() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as threads:
        parts = list(threads.map(lambda _: [uuid7() for _ in range(2_000)], range(8)))
    assert all(part == sorted(part) for part in parts)
    assert len({each for part in parts for each in part}) == 16_000
