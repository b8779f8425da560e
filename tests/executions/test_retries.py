"""A failed attempt is tried again: at its time, with the same key, and not beyond the execution's own time."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

from auterity.kernel.access import Actor
from engine.node import Done, Effect, Failed, Outcome
from engine.ports import Unavailable
from executions import selectors
from executions.models import ExecutionStep
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, kinds_of, lines_of, make_due, start, steps_of, until

SOON = {"max_attempts": 3, "backoff_seconds": 0.05, "jitter": False}


class Flaky:
    """Fails a number of times, then works."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.attempts: list[tuple[str, int, str]] = []

    def __call__(self, config: Any, step: Any) -> Outcome:
        self.attempts.append((step.key, step.attempt, step.now))
        if self.left:
            self.left -= 1
            raise Unavailable("Away for now.", tries=self.left)
        return Done("at last")


def test_a_flaky_effect_succeeds_in_the_end(actor: Actor, add_node: Any, runner: Runner) -> None:
    flaky = Flaky(2)
    add_node("flaky", flaky, effect=Effect.KEYED)
    done = ended(start(actor, flow({"a": ("flaky", {"retry": SOON})})))
    assert (done.status, done.output_data) == ("completed", {"result": "at last"})
    key = f"{done.id}/a/0"
    assert [(each[0], each[1]) for each in flaky.attempts] == [(key, 1), (key, 2), (key, 3)]
    assert len({each[2] for each in flaky.attempts}) == 1
    row = steps_of(done)["a"]
    assert (row.status, row.attempt, row.error_code, row.error_message, row.due_at) == ("completed", 3, "", "", None)
    assert [kind for kind, _ in kinds_of(done)] == [
        "started",
        *("step_started", "step_retry") * 2,
        "step_started",
        "step_completed",
        "ended",
    ]
    again = [line for line in lines_of(done) if line.kind == "step_retry"]
    assert [line.data for line in again] == [
        {"code": "unavailable", "delay_seconds": 0.05},
        {"code": "unavailable", "delay_seconds": 0.1},
    ]
    assert again[0].message == "'a' failed and is tried again in 0.1 s (attempt 1 of 3): Away for now."
    assert again[0].level == "warning"


def test_a_pure_step_is_tried_again_too(actor: Actor, add_node: Any, runner: Runner) -> None:
    flaky = Flaky(1)
    add_node("flaky", flaky)
    done = ended(start(actor, flow({"a": ("flaky", {"retry": SOON}), "b": "start"}, "a > b")))
    assert done.status == "completed"
    assert steps_of(done)["a"].attempt == 2


def test_the_last_attempt_ends_the_execution(actor: Actor, add_node: Any, runner: Runner) -> None:
    flaky = Flaky(9)
    add_node("flaky", flaky, effect=Effect.KEYED)
    done = ended(start(actor, flow({"a": ("flaky", {"retry": SOON})})))
    assert (done.status, done.error_code, done.error_message) == ("failed", "unavailable", "'a' failed: Away for now.")
    assert len(flaky.attempts) == 3
    assert steps_of(done)["a"].attempt == 3


def test_a_failure_that_trying_cannot_help_is_not_repeated(actor: Actor, add_node: Any, runner: Runner) -> None:
    calls: list[int] = []

    def refuse(config: Any, step: Any) -> Failed:
        calls.append(step.attempt)
        return Failed("rejected", "No.")

    add_node("refuse", refuse, effect=Effect.KEYED)
    assert ended(start(actor, flow({"a": ("refuse", {"retry": SOON})}))).status == "failed"
    assert calls == [1]


def test_a_step_is_tried_again_while_another_is_under_way(actor: Actor, add_node: Any, runner: Runner) -> None:
    succeeded = threading.Event()

    def flaky(config: Any, step: Any) -> Done:
        if step.attempt == 1:
            raise Unavailable("Away for now.")
        succeeded.set()
        return Done("flaky")

    def slow(config: Any, step: Any) -> Done:
        assert succeeded.wait(10)
        return Done("slow")

    add_node("flaky", flaky, effect=Effect.KEYED)
    add_node("slow", slow, effect=Effect.KEYED)
    done = ended(start(actor, flow({"a": ("flaky", {"retry": SOON}), "b": "slow"})))
    assert done.output_data == {"a": "flaky", "b": "slow"}


def test_a_retry_does_not_wait_for_the_next_poll(
    actor: Actor, add_node: Any, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    engine(poll_seconds=30.0)
    kept = threading.Event()
    flaky = Flaky(2)

    def slow(config: Any, step: Any) -> Done:
        assert kept.wait(10)
        return Done(None)

    add_node("flaky", flaky, effect=Effect.KEYED)
    add_node("slow", slow, effect=Effect.KEYED)
    start_runner()
    start(actor, flow({"a": ("flaky", {"retry": SOON}), "b": "slow"}))
    until(lambda: len(flaky.attempts) == 3, seconds=5)
    kept.set()


LATER = {"max_attempts": 2, "backoff_seconds": 300, "jitter": False}


def waiting(actor: Actor, add_node: Any, flaky: Flaky, **more: Any) -> Any:
    """An execution that waits five minutes for its second attempt."""
    add_node("flaky", flaky, effect=Effect.KEYED)
    accepted = start(actor, flow({"a": ("flaky", {"retry": LATER})}, **more))
    until(lambda: ExecutionStep.objects.filter(execution=accepted, status="waiting").exists())
    until(lambda: fresh(accepted).lease_owner == "")
    return fresh(accepted)


def test_a_long_wait_holds_no_worker(actor: Actor, add_node: Any, runner: Runner) -> None:
    held = waiting(actor, add_node, Flaky(1))
    assert (held.status, held.lease_owner, held.attempts) == ("running", "", 0)
    row = steps_of(held)["a"]
    assert (row.attempt, row.error_code) == (1, "unavailable")
    assert row.due_at is not None
    assert abs(row.due_at - held.due_at) < dt.timedelta(seconds=1)
    assert dt.timedelta(seconds=299) < held.due_at - held.started_at < dt.timedelta(seconds=320)
    until(lambda: not runner.desk._active)
    shown = selectors.describe(actor=actor, execution_id=held.id)
    assert shown.waiting_for == {
        "reason": "retry",
        "node_id": "a",
        "until": row.due_at,
        "since": row.started_at,
        "last_error": "Away for now.",
    }
    assert [step.status for step in shown.steps] == ["running"]


def test_after_a_long_wait_any_worker_goes_on(actor: Actor, add_node: Any, start_runner: Callable[[], Runner]) -> None:
    flaky = Flaky(1)
    first = start_runner()
    held = waiting(actor, add_node, flaky)
    first.stop()
    ExecutionStep.objects.filter(execution=held).update(due_at=dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    make_due(held)
    start_runner()
    done = ended(held)
    assert (done.status, done.fence) == ("completed", 2)
    assert [each[1] for each in flaky.attempts] == [1, 2]
    assert steps_of(done)["a"].attempt == 2


def test_a_worker_that_looks_too_early_leaves_it_waiting(actor: Actor, add_node: Any, runner: Runner) -> None:
    flaky = Flaky(1)
    held = waiting(actor, add_node, flaky)
    make_due(held)
    runner.wake()
    until(lambda: fresh(held).fence == 2 and fresh(held).lease_owner == "")
    assert fresh(held).due_at - held.due_at < dt.timedelta(seconds=1)
    assert len(flaky.attempts) == 1


def test_no_wait_is_longer_than_the_executions_own_time(actor: Actor, add_node: Any, runner: Runner) -> None:
    held = waiting(actor, add_node, Flaky(1), settings={"timeout_seconds": 60})
    assert abs(held.due_at - held.deadline_at) < dt.timedelta(seconds=1)
