"""The worker's desk under strain: full slots, a database that is away, defects, and stopping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError

from auterity.kernel.access import Actor
from engine.node import Done, Effect
from engine.ports import Usage
from executions.claims import Claim
from executions.models import ExecutionStep
from executions.runner import Runner
from tests.executions.conftest import Faults
from tests.executions.support import ended, flow, fresh, lines_of, save, start, steps_of, until


class Counted:
    """An effect that counts how often it is performed for each key."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, config: Any, step: Any) -> Done:
        self.keys.append(step.key)
        return Done(step.node_id)


@pytest.fixture
def counted(add_node: Any) -> Counted:
    made = Counted()
    add_node("count", made, effect=Effect.KEYED)
    return made


def test_a_backlog_longer_than_the_slots_does_not_wait_for_polls(
    actor: Actor, counted: Counted, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    engine(effect_threads=2, claim_batch=3, poll_seconds=60.0)
    workflow = save(actor, flow({"a": "count", "b": "count"}, "a > b"))
    accepted = [start(actor, workflow) for _ in range(40)]
    start_runner()
    for each in accepted:
        assert ended(each, seconds=15).status == "completed"
    assert len(counted.keys) == len(set(counted.keys)) == 80


def test_a_hint_during_a_turn_is_not_lost(
    actor: Actor, counted: Counted, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    engine(poll_seconds=60.0)
    start_runner()
    workflow = save(actor, flow({"a": "count"}))
    for _ in range(30):
        ended(start(actor, workflow), seconds=10)


def test_one_execution_with_many_parallel_steps_leaves_slots_to_others(
    actor: Actor, add_node: Any, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    engine(effect_threads=2)
    order: list[str] = []
    let_go = threading.Event()

    def work(config: Any, step: Any) -> Done:
        order.append(step.node_id)
        assert let_go.wait(15)
        return Done(None)

    add_node("work", work, effect=Effect.KEYED)
    crowd = [f"n{at}" for at in range(100)]
    wide = flow({"begin": "start", **dict.fromkeys(crowd, "work")}, *(f"begin > {each}" for each in crowd))
    start_runner()
    large = start(actor, wide)
    until(lambda: len(order) == 2)
    small = start(actor, flow({"small": "work"}))
    until(lambda: fresh(small).lease_owner)  # It is taken although no slot is free, and gets one of the next two.
    let_go.set()
    assert ended(small).status == ended(large).status == "completed"
    assert order.index("small") in (2, 3)
    assert len(order) == 101


def test_a_finished_step_is_kept_while_the_database_is_away(
    actor: Actor, add_node: Any, faults: Faults, runner: Runner
) -> None:
    """Between taking a result in and committing it, the next claim fails."""
    performed: list[str] = []

    def call(config: Any, step: Any) -> Done:
        performed.append(step.key)
        faults.arm("desk", "WITH RECURSIVE", OperationalError("the connection is lost"))
        runner.wake()
        return Done("result")

    add_node("call", call, effect=Effect.UNKEYED)
    done = ended(start(actor, flow({"a": "call"})), seconds=10)
    assert (done.status, done.output_data, faults.waiting) == ("completed", {"result": "result"}, 0)
    assert performed == [f"{done.id}/a/0"]


@pytest.mark.parametrize("error", [OperationalError("deadlock detected"), InterfaceError("connection already closed")])
def test_a_commit_is_repeated_while_the_database_is_away(
    actor: Actor, counted: Counted, faults: Faults, runner: Runner, error: Exception
) -> None:
    faults.arm("desk", 'UPDATE "workflow_figures"', error)
    done = ended(start(actor, flow({"a": "count"})))
    assert (done.status, counted.keys, faults.waiting) == ("completed", [f"{done.id}/a/0"], 0)
    assert len(lines_of(done)) == 4


def test_a_worker_that_was_stopped_between_intent_and_effect_begins_nothing_without_its_lease(
    actor: Actor, counted: Counted, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a SIGSTOP: its lease has run out, and it does not know whether somebody else has the execution now."""
    asked: list[bool] = []

    def held(claim: Claim) -> bool:
        asked.append(len(asked) >= 2)
        return asked[-1]

    monkeypatch.setattr(Claim, "held", property(held))
    done = ended(start(actor, flow({"a": "count"})))
    assert (done.status, counted.keys, asked) == ("completed", [f"{done.id}/a/0"], [False, False, True])
    assert steps_of(done)["a"].attempt == 1


def test_leases_are_renewed_after_an_error(
    actor: Actor, add_node: Any, faults: Faults, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    """An effect that takes several leases is not taken by the second worker."""
    engine(lease_seconds=0.6)
    begun, let_go = [], threading.Event()

    def slow(config: Any, step: Any) -> Done:
        begun.append(step.key)
        assert let_go.wait(15)
        return Done(None)

    add_node("slow", slow, effect=Effect.KEYED)
    start_runner()
    accepted = start(actor, flow({"a": "slow"}))
    until(lambda: begun)
    start_runner()
    faults.arm("leases", "SELECT", InterfaceError("connection already closed"))
    until(lambda: faults.waiting == 0)
    before = len(renewals(faults))
    until(lambda: len(renewals(faults)) >= before + 8)
    let_go.set()
    done = ended(accepted)
    assert (done.status, done.fence, len(begun)) == ("completed", 1, 1)


def renewals(faults: Faults) -> list[str]:
    return [text for thread, text in faults.seen if thread == "leases" and text.startswith("UPDATE")]


@pytest.mark.parametrize(
    ("usage", "told"),
    [(Usage("p", "m", prompt_tokens="many"), "execution_dropped"), (Usage(None, "m"), "commit_refused")],  # type: ignore[arg-type]
    ids=["when it is driven", "when it is committed"],
)
def test_a_defect_in_one_execution_leaves_the_others_alone(
    actor: Actor,
    add_node: Any,
    engine: Any,
    logs: list[Any],
    start_runner: Callable[[], Runner],
    usage: Usage,
    told: str,
) -> None:
    engine(lease_seconds=0.3, poll_seconds=0.05)
    add_node("think", lambda config, step: Done(step.input["n"], usage=usage if step.input["n"] == 13 else None))
    workflow = save(actor, flow({"a": "think"}))
    accepted = [start(actor, workflow, {"n": n}) for n in range(10, 20)]
    start_runner()
    done = [ended(each) for each in accepted]
    assert [each.output_data for each in done if each.status == "completed"] == [
        {"result": n} for n in range(10, 20) if n != 13
    ]
    assert (done[3].status, done[3].error_code, done[3].fence) == ("failed", "POISON", 6)
    assert {each.fence for each in done} == {1, 6}
    assert steps_of(done[3]) == {}
    assert len([each for each in logs if each["event"] == told]) in (5, 6)  # Once more when a whole batch was refused.


def test_a_node_that_leaves_its_thread_does_not_leak_its_slot(
    actor: Actor, add_node: Any, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    engine(effect_threads=1)

    def leave(config: Any, step: Any) -> Done:
        raise SystemExit(3)

    add_node("leave", leave, effect=Effect.KEYED)
    add_node("fine", lambda config, step: Done("fine"), effect=Effect.KEYED)
    start_runner()
    left = ended(start(actor, flow({"a": "leave"})), seconds=10)
    assert (left.status, left.error_code) == ("failed", "internal")
    assert ended(start(actor, flow({"a": "fine"})), seconds=10).status == "completed"


# -- stopping --------------------------------------------------------------------------------------------------------


def test_stopping_lets_a_step_end_and_gives_the_rest_away_at_once(
    actor: Actor, add_node: Any, counted: Counted, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    engine(effect_threads=1, lease_seconds=600.0)
    begun, let_go = threading.Event(), threading.Event()

    def slow(config: Any, step: Any) -> Done:
        begun.set()
        assert let_go.wait(15)
        return Done("slow")

    add_node("slow", slow, effect=Effect.UNKEYED)
    runner = start_runner()
    first = start(actor, flow({"a": "slow", "b": "count"}, "a > b"))
    assert begun.wait(10)
    starved = start(actor, flow({"begin": "start", "b": "count"}, "begin > b"))
    until(lambda: steps_of(starved))
    stopping = threading.Thread(target=runner.stop)
    stopping.start()
    until(lambda: fresh(starved).lease_owner == "")
    assert fresh(first).lease_owner == runner.owner
    let_go.set()
    stopping.join(10)
    assert not stopping.is_alive()
    assert (runner.desk._active, runner.desk._threads.in_flight, counted.keys) == ({}, 0, [])
    held = fresh(first)
    assert (held.status, held.lease_owner, held.attempts) == ("running", "", 0)
    assert [(row.node_id, row.status) for row in steps_of(first).values()] == [("a", "completed")]
    start_runner()
    assert ended(first, seconds=10).status == "completed"
    assert ended(starved, seconds=10).status == "completed"
    assert sorted(counted.keys) == sorted([f"{first.id}/b/0", f"{starved.id}/b/0"])


def test_while_stopping_leases_are_renewed_and_the_processor_rests(
    actor: Actor, add_node: Any, counted: Counted, faults: Faults, engine: Any, start_runner: Callable[[], Runner]
) -> None:
    engine(lease_seconds=0.6)
    begun = threading.Barrier(3, timeout=15)
    let_go = {"a": threading.Event(), "b": threading.Event()}

    def slow(config: Any, step: Any) -> Done:
        begun.wait()
        assert let_go[step.node_id].wait(15)
        return Done("slow")

    add_node("slow", slow, effect=Effect.UNKEYED)
    runner = start_runner()
    accepted = start(actor, flow({"a": "slow", "b": "slow", "c": "count"}, "b > c"))
    begun.wait()
    stopping = threading.Thread(target=runner.stop)
    stopping.start()
    let_go["b"].set()  # Now `c` could begin, and does not.
    until(lambda: steps_of(accepted)["b"].status == "completed")
    before, used = len(renewals(faults)), time.process_time()
    until(lambda: len(renewals(faults)) >= before + 6)
    used = time.process_time() - used
    let_go["a"].set()
    stopping.join(10)
    held = fresh(accepted)
    assert (held.status, held.fence, held.lease_owner, counted.keys) == ("running", 1, "", [])
    assert {name: row.status for name, row in steps_of(held).items()} == {"a": "completed", "b": "completed"}
    assert used < 0.8


def test_a_stopped_worker_claims_nothing(actor: Actor, runner: Runner) -> None:
    runner.stop()
    accepted = start(actor, flow({"a": "start"}))
    runner.wake()
    assert (fresh(accepted).status, ExecutionStep.objects.count()) == ("pending", 0)
    assert not any(thread.is_alive() for thread in runner._threads)


# -- two workers -----------------------------------------------------------------------------------------------------


def test_two_workers_on_one_database_record_each_step_once(
    actor: Actor, counted: Counted, start_runner: Callable[[], Runner]
) -> None:
    workflow = save(actor, flow({"a": "start", "b": "count", "c": "count", "d": "start"}, "a > b", "a > c", "b > d"))
    runners = [start_runner(), start_runner()]
    accepted = [start(actor, workflow, {"n": n}) for n in range(60)]
    for runner in runners:
        runner.wake()
    for each in accepted:
        done = ended(each)
        assert (done.status, done.fence) == ("completed", 1)
        assert sorted(steps_of(each)) == ["a", "b", "c", "d"]
        lines_of(each)
    assert len(counted.keys) == len(set(counted.keys)) == 120


def test_nothing_stays_in_memory_once_it_has_ended(actor: Actor, counted: Counted, runner: Runner) -> None:
    workflow = save(actor, flow({"a": "count", "b": "start"}, "a > b"))
    for each in [start(actor, workflow) for _ in range(50)]:
        ended(each)
    until(lambda: not runner.desk._active)
    assert (runner.desk._touched, runner.desk._threads.in_flight, runner.desk._suspect) == ({}, 0, None)


# -- steps that never come back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spare", [1, 0])
def test_a_hung_step_gives_its_place_to_a_spare_thread_while_there_is_one(
    actor: Actor,
    add_node: Any,
    engine: Any,
    start_runner: Callable[[], Runner],
    monkeypatch: Any,
    logs: Any,
    spare: int,
) -> None:
    monkeypatch.setattr("executions.active.HUNG_AFTER", 0.0)
    engine(effect_threads=1, hung_threads=spare)
    let_go = threading.Event()

    def hang(config: Any, step: Any) -> Done:
        assert let_go.wait(30)
        return Done(None)

    add_node("hang", hang, effect=Effect.UNKEYED)
    add_node("call", lambda config, step: Done(1), effect=Effect.KEYED)
    runner = start_runner()
    start(actor, flow({"a": ("hang", {"timeout_seconds": 1})}))
    until(lambda: runner.desk._threads.hung == 1)
    beside = start(actor, flow({"b": "call"}))
    if spare:
        assert ended(beside).status == "completed"
        assert runner.ailment == ""
    else:
        assert runner.ailment == "1 steps hang far beyond their limits; this worker takes no more work. Restart it."
        assert fresh(beside).status == "pending"
    let_go.set()
    until(lambda: runner.desk._threads.hung == 0)
    assert ended(beside).status == "completed"
    assert runner.ailment == ""
    events = [each["event"] for each in logs if "hung" in each["event"]]
    assert events == ["step_hung", "hung_step_came_back"]
