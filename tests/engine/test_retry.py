"""When a failed attempt is tried again."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.graph import compile_graph
from engine.node import MAX_RETRIES, Failed, Retry
from engine.registry import discover
from engine.retry import MAX_SECONDS, delay_before_next


def failure(code: str = "unavailable", **details: Any) -> Failed:
    return Failed(code, "It did not work.", details)


STEADY = Retry(max_attempts=5, backoff_seconds=2, multiplier=3, max_seconds=30, jitter=False)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2.0), (2, 6.0), (3, 18.0), (4, 30.0), (5, None), (6, None)])
def test_the_back_off_grows_to_its_limit_and_then_ends(attempt: int, seconds: float | None) -> None:
    assert delay_before_next(STEADY, failure(), attempt, 0.0) == seconds


def test_without_a_policy_nothing_is_tried_again() -> None:
    assert delay_before_next(Retry(), failure(), 1, 0.0) is None


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 1.0), (0.5, 1.5), (0.999, 1.999)])
def test_jitter_spreads_over_the_upper_half(chance: float, seconds: float) -> None:
    policy = Retry(max_attempts=2, backoff_seconds=2)
    assert delay_before_next(policy, failure(), 1, chance) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("code", "tried_again"),
    [("timeout", True), ("unavailable", True), ("rejected", False), ("unknown_outcome", False), ("internal", False)],
)
def test_only_the_named_failures_are_tried_again(code: str, tried_again: bool) -> None:
    assert (delay_before_next(STEADY, failure(code), 1, 0.0) is not None) is tried_again


def test_a_policy_may_name_others() -> None:
    policy = Retry(max_attempts=2, jitter=False, on=["rejected"])
    assert delay_before_next(policy, failure("rejected"), 1, 0.0) == 1.0
    assert delay_before_next(policy, failure("timeout"), 1, 0.0) is None


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (10, 10.0),
        (10.5, 10.5),
        ("12", 12.0),
        (1, 2.0),
        (-5, 2.0),
        (True, 2.0),
        (None, 2.0),
        ("Fri, 20 Nov 2026 09:00:00 GMT", 2.0),
        ("١٢", 2.0),
        (math.nan, 2.0),
        (math.inf, MAX_SECONDS),
        (1e300, MAX_SECONDS),
        ("9" * 400, MAX_SECONDS),
        ([3], 2.0),
    ],
)
def test_what_the_other_side_asks_for_is_not_undercut_up_to_a_week(asked: Any, seconds: float) -> None:
    assert delay_before_next(STEADY, failure(retry_after=asked), 1, 0.0) == seconds


def test_a_power_too_large_for_a_float_is_the_limit() -> None:
    policy = Retry.model_construct(
        max_attempts=10**6, backoff_seconds=1.0, multiplier=10.0, max_seconds=60.0, jitter=False, on=["timeout"]
    )
    assert delay_before_next(policy, failure("timeout"), 5_000, 0.0) == 60.0


def test_nodes_that_say_nothing_of_their_own_try_again_as_often_as_the_workflow_says() -> None:
    own = {"id": "b", "type": "delay", "config": {"seconds": 1, "retry": {"max_attempts": 1}}}
    definition = {
        "nodes": [{"id": "a", "type": "delay", "config": {"seconds": 1}}, own],
        "settings": {"max_retries": 3},
    }
    discover("nodes")
    assert [node.retry.max_attempts for node in compile_graph(definition).nodes] == [4, 1]
    assert [node.retry.max_attempts for node in compile_graph({**definition, "settings": {}}).nodes] == [1, 1]


@pytest.mark.parametrize(("held", "attempts"), [(-1, 1), ("3", 1), (True, 1), (10**9, 1 + MAX_RETRIES)])
def test_what_an_old_version_holds_there_stops_no_run(held: Any, attempts: int) -> None:
    discover("nodes")
    nodes = [{"id": "a", "type": "delay", "config": {"seconds": 1}}]
    assert compile_graph({"nodes": nodes, "settings": {"max_retries": held}}).nodes[0].retry.max_attempts == attempts
