"""Executions that are ended from outside: cancelled, or out of time. Exactly one ending wins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from auterity.kernel.access import Actor
from engine.node import Done, Effect
from engine.ports import Unavailable
from executions import selectors, services
from executions.errors import ExecutionEnded, ExecutionNotFound
from executions.models import Execution, ExecutionLog, ExecutionStep, WorkflowFigures
from executions.runner import Runner
from tests.executions.support import (
    ended,
    flow,
    fresh,
    kinds_of,
    lines_of,
    make_due,
    person,
    save,
    start,
    steps_of,
    until,
)


class Slow:
    """An effect that is under way until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.returned = threading.Event()

    def __call__(self, config: Any, step: Any) -> Done:
        self.begun.set()
        assert self.let_go.wait(15)
        self.returned.set()
        return Done("too late")


@pytest.fixture
def slow(add_node: Any) -> Iterator[Slow]:
    made = Slow()
    add_node("slow", made, effect=Effect.KEYED)
    yield made
    made.let_go.set()


def test_a_pending_execution_is_cancelled_at_once(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    done = services.cancel(actor=actor, execution_id=accepted.id)
    assert (done.status, done.error_code, done.error_message) == (
        "cancelled",
        "CANCELLED",
        "Cancelled by ann@example.com.",
    )
    assert (done.due_at, done.fence, done.lease_owner, done.progress) == (None, 1, "", 0.0)
    assert done.completed_at >= done.created_at
    [line] = lines_of(done)
    assert (line.kind, line.level, line.status, line.message) == (
        "ended",
        "warning",
        "cancelled",
        "Cancelled by ann@example.com.",
    )
    kept = WorkflowFigures.objects.get()
    assert (kept.completed, kept.cancelled) == (0, 1)


def test_a_cancelled_execution_is_never_begun(actor: Actor, start_runner: Callable[[], Runner]) -> None:
    workflow = save(actor, flow({"a": "start"}))
    cancelled, other = start(actor, workflow), start(actor, workflow)
    services.cancel(actor=actor, execution_id=cancelled.id)
    start_runner()
    ended(other)
    assert (fresh(cancelled).status, fresh(cancelled).fence, steps_of(cancelled)) == ("cancelled", 1, {})


def test_cancelling_during_an_effect_discards_its_late_result(actor: Actor, slow: Slow, runner: Runner) -> None:
    accepted = start(actor, flow({"a": "slow", "b": "start"}, "a > b"))
    assert slow.begun.wait(10)
    services.cancel(actor=actor, execution_id=accepted.id)
    slow.let_go.set()
    assert slow.returned.wait(10)
    until(lambda: not runner.desk._active)
    done = fresh(accepted)
    assert (done.status, done.output_data) == ("cancelled", None)
    [row] = steps_of(done).values()
    assert (row.status, row.output_data, row.error_code) == ("cancelled", None, "CANCELLED")
    assert row.completed_at is not None
    assert kinds_of(done) == [("started", None), ("step_started", "a"), ("ended", None)]
    shown = selectors.steps_of(actor=actor, execution_id=done.id)
    assert [(step.node_id, step.status) for step in shown] == [("a", "cancelled"), ("b", "cancelled")]


def test_a_worker_notices_a_cancelled_execution_without_a_result(
    actor: Actor, slow: Slow, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    engine(lease_seconds=0.3)
    runner = start_runner()
    accepted = start(actor, flow({"a": "slow"}))
    assert slow.begun.wait(10)
    services.cancel(actor=actor, execution_id=accepted.id)
    until(lambda: not runner.desk._active)
    assert not slow.returned.is_set()


def test_cancelling_ends_a_wait(actor: Actor, add_node: Any, runner: Runner) -> None:
    def away(config: Any, step: Any) -> Done:
        raise Unavailable("Away.")

    add_node("away", away, effect=Effect.KEYED)
    accepted = start(actor, flow({"a": ("away", {"retry": {"max_attempts": 2, "backoff_seconds": 600}})}))
    until(lambda: ExecutionStep.objects.filter(status="waiting").exists() and fresh(accepted).lease_owner == "")
    services.cancel(actor=actor, execution_id=accepted.id)
    [row] = steps_of(accepted).values()
    assert (row.status, row.attempt) == ("cancelled", 1)
    make_due(accepted)
    assert fresh(accepted).due_at is None


def test_an_execution_is_ended_once(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    services.cancel(actor=actor, execution_id=accepted.id)
    with pytest.raises(ExecutionEnded, match="This execution has already ended: cancelled"):
        services.cancel(actor=actor, execution_id=accepted.id)
    assert len(lines_of(accepted)) == 1


def test_a_completed_execution_cannot_be_cancelled(actor: Actor, runner: Runner) -> None:
    done = ended(start(actor, flow({"a": "start"})))
    with pytest.raises(ExecutionEnded, match="completed"):
        services.cancel(actor=actor, execution_id=done.id)
    assert fresh(done).status == "completed"


def test_nobody_cancels_a_strangers_execution(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    with pytest.raises(ExecutionNotFound):
        services.cancel(actor=person("zoe@other.example"), execution_id=accepted.id)
    assert fresh(accepted).status == "pending"


def test_cancelling_raced_with_completing_has_one_winner_each_time(actor: Actor, runner: Runner) -> None:
    """Each execution has exactly one end in its journal, and nothing after it."""
    workflow = save(actor, flow({"a": "start", "b": ("data-transformation", {"set": {"x": 1}})}, "a > b"))
    accepted = [start(actor, workflow) for _ in range(60)]

    def cancel(each: Execution) -> bool:
        try:
            services.cancel(actor=actor, execution_id=each.id)
        except ExecutionEnded:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as threads:
        won = list(threads.map(cancel, accepted))
    for each, cancelled in zip(accepted, won, strict=True):
        done = ended(each)
        assert done.status == ("cancelled" if cancelled else "completed")
        lines = lines_of(each)
        assert [line.kind for line in lines].count("ended") == 1
        assert (lines[-1].kind, lines[-1].status) == ("ended", done.status)
        assert len(steps_of(each)) == (0 if cancelled else 2)
    kept = WorkflowFigures.objects.get(workflow=workflow)
    assert (kept.cancelled, kept.completed) == (won.count(True), won.count(False))


def test_an_execution_out_of_time_ends_although_a_step_is_under_way(actor: Actor, slow: Slow, runner: Runner) -> None:
    accepted = start(actor, flow({"a": "slow"}, settings={"timeout_seconds": 0.5}))
    assert slow.begun.wait(10)
    done = ended(accepted)
    assert (done.status, done.error_code) == ("timeout", "TIMEOUT")
    assert done.error_message == "The execution did not end within its 0.5 seconds."
    assert [row.status for row in steps_of(done).values()] == ["cancelled"]
    slow.let_go.set()
    assert slow.returned.wait(10)
    until(lambda: runner.desk._threads.in_flight == 0)
    assert kinds_of(done) == [("started", None), ("step_started", "a"), ("ended", None)]
    assert WorkflowFigures.objects.get().timeout == 1


def test_an_execution_that_nobody_took_in_time_takes_no_step(actor: Actor, start_runner: Callable[[], Runner]) -> None:
    accepted = start(actor, flow({"a": "start"}, settings={"timeout_seconds": 0.001}))
    start_runner()
    done = ended(accepted)
    assert (done.status, steps_of(done)) == ("timeout", {})
    assert [line.kind for line in lines_of(done)] == ["ended"]
    assert ExecutionLog.unscoped.get().level == "error"


def test_a_step_may_not_take_longer_than_the_execution_has_left(actor: Actor, add_node: Any, runner: Runner) -> None:
    allowed: list[float] = []

    def look(config: Any, step: Any) -> Done:
        allowed.append(step.timeout)
        return Done(None)

    add_node("look", look, effect=Effect.KEYED)
    ended(start(actor, flow({"a": "look"}, settings={"timeout_seconds": 5})))
    ended(start(actor, flow({"a": ("look", {"timeout_seconds": 2})}, settings={"timeout_seconds": 5})))
    ended(start(actor, flow({"a": "look"})))
    assert 4 < allowed[0] <= 5
    assert allowed[1:] == [2.0, 30.0]
