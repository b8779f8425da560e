"""From accepted to completed: what is recorded on the way."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ai.models import AiUsage
from auterity.kernel.access import Actor
from engine.node import Done, Effect, Failed
from engine.ports import Rejected, Usage
from executions import selectors, services
from executions.models import Execution, ExecutionStep, WorkflowFigures
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, kinds_of, lines_of, save, start, steps_of, until

ADD = {"total": "{{ input.n + 1 }}"}


def test_an_accepted_execution_waits_in_the_database(actor: Actor) -> None:
    accepted = fresh(start(actor, flow({"begin": "start"}), {"n": 1}, context={"from": "test"}))
    assert (accepted.status, accepted.fence, accepted.seq, accepted.attempts) == ("pending", 0, 0, 0)
    assert (accepted.input_data, accepted.context, accepted.output_data) == ({"n": 1}, {"from": "test"}, None)
    assert accepted.due_at is not None
    assert abs(accepted.deadline_at - accepted.created_at - dt.timedelta(days=1)) < dt.timedelta(milliseconds=1)
    assert ExecutionStep.objects.count() == 0


def test_pure_steps_are_recorded_together_with_the_end(actor: Actor, runner: Runner) -> None:
    definition = flow({"begin": "start", "add": ("data-transformation", {"set": ADD})}, "begin > add")
    done = ended(start(actor, definition, {"n": 1}))
    assert (done.status, done.output_data, done.progress) == ("completed", {"total": 2}, 100.0)
    assert (done.fence, done.attempts, done.due_at, done.lease_owner) == (1, 0, None, "")
    assert done.error_code == done.error_message == ""
    assert done.started_at is not None
    assert done.completed_at is not None
    assert done.created_at <= done.started_at <= done.completed_at
    rows = steps_of(done)
    assert [(row.node_id, row.status, row.attempt, row.output_data, row.port) for row in rows.values()] == [
        ("begin", "completed", 1, {"n": 1}, "out"),
        ("add", "completed", 1, {"total": 2}, "out"),
    ]
    assert kinds_of(done) == [
        ("started", None),
        ("step_completed", "begin"),
        ("step_completed", "add"),
        ("ended", None),
    ]
    assert [(line.status, line.progress) for line in lines_of(done)] == [
        ("running", 0.0),
        ("running", 50.0),
        ("running", 100.0),
        ("completed", 100.0),
    ]


def test_an_effect_is_recorded_before_and_after(
    actor: Actor, add_node: Any, start_runner: Callable[[], Runner]
) -> None:
    seen: list[tuple[Any, ...]] = []

    def call(config: Any, step: Any) -> Done:
        row = ExecutionStep.objects.get()
        seen.append((step.key, row.status, row.input_data, fresh(row.execution).seq))
        return Done("called")

    add_node("call", call, effect=Effect.KEYED)
    start_runner()
    done = ended(start(actor, flow({"a": ("call", {"value": "{{ input.n }}"})}), {"n": 7}))
    assert seen == [(f"{done.id}/a/0", "running", {"value": 7}, 2)]
    assert done.output_data == {"result": "called"}
    assert steps_of(done)["a"].input_data == {"value": 7}
    assert kinds_of(done) == [("started", None), ("step_started", "a"), ("step_completed", "a"), ("ended", None)]


def test_a_branch_that_is_not_taken_is_shown_as_skipped(actor: Actor, runner: Runner) -> None:
    definition = flow(
        {
            "decide": ("decision-logic", {"condition": "input.n > 5"}),
            "big": ("data-transformation", {"set": {"size": "big"}}),
            "small": ("data-transformation", {"set": {"size": "small"}}),
            "join": ("data-transformation", {"set": {"was": "{{ input.size }}"}}),
        },
        "decide.true > big",
        "decide.false > small",
        "big > join",
        "small > join",
    )
    done = ended(start(actor, definition, {"n": 9}))
    assert done.output_data == {"was": "big"}
    view = selectors.describe(actor=actor, execution_id=done.id)
    assert [(step.node_id, step.status, step.input) for step in view.steps] == [
        ("decide", "completed", {"n": 9}),
        ("big", "completed", {"decision": "true", "value": True}),
        ("join", "completed", {"size": "big"}),
        ("small", "skipped", None),
    ]
    assert view.waiting_for is None


def test_the_shown_input_is_what_arrived_and_no_more(actor: Actor, runner: Runner) -> None:
    """`join` follows both ways of the decision, and only the other step's output came along."""
    definition = flow(
        {"decide": ("decision-logic", {"condition": "true"}), "other": ("start", {}), "join": "merge"},
        "decide.false > join",
        "other > join",
        variables=[{"name": "limit", "default_value": 5}],
    )
    done = ended(start(actor, definition, {"n": 1}))
    inputs = {step.node_id: step.input for step in selectors.steps_of(actor=actor, execution_id=done.id)}
    assert inputs["decide"] == inputs["other"] == {"limit": 5, "n": 1}
    assert "decide" not in inputs["join"]


def test_a_failed_step_ends_the_execution_and_names_itself(actor: Actor, add_node: Any, runner: Runner) -> None:
    add_node("refuse", lambda config, step: Failed("rejected", "They said no.", {"status": 403}), effect=Effect.KEYED)
    done = ended(start(actor, flow({"a": "refuse", "b": "start"}, "a > b")))
    assert (done.status, done.error_code, done.error_message) == ("failed", "rejected", "'a' failed: They said no.")
    assert (done.output_data, done.progress) == (None, 50.0)
    row = steps_of(done)["a"]
    assert (row.status, row.error_code, row.error_message, row.port) == ("failed", "rejected", "They said no.", "")
    failed = lines_of(done)[-2]
    assert (failed.kind, failed.level, failed.data) == ("step_failed", "error", {"code": "rejected", "status": 403})
    shown = selectors.steps_of(actor=actor, execution_id=done.id)
    assert [(step.node_id, step.status) for step in shown] == [("a", "failed"), ("b", "cancelled")]


def test_what_runs_beside_a_failed_step_is_recorded_and_nothing_new_begins(
    actor: Actor, add_node: Any, runner: Runner
) -> None:
    both, failed = threading.Barrier(2, timeout=10), threading.Event()

    def refuse(config: Any, step: Any) -> Failed:
        both.wait()
        return Failed("rejected", "They said no.")

    def slow(config: Any, step: Any) -> Done:
        both.wait()
        assert failed.wait(10)
        return Done("slow but done")

    add_node("refuse", refuse, effect=Effect.KEYED)
    add_node("slow", slow, effect=Effect.KEYED)
    accepted = start(actor, flow({"a": "refuse", "b": "slow", "c": "start"}, "b > c"))
    until(lambda: "a" in steps_of(accepted) and steps_of(accepted)["a"].status == "failed")
    assert fresh(accepted).status == "running"
    failed.set()
    done = ended(accepted)
    assert (done.status, done.error_message) == ("failed", "'a' failed: They said no.")
    assert {name: row.status for name, row in steps_of(done).items()} == {"a": "failed", "b": "completed"}


def test_an_effect_whose_settings_cannot_be_filled_in_follows_on_error(
    actor: Actor, add_node: Any, runner: Runner
) -> None:
    add_node("call", lambda config, step: Done("never"), effect=Effect.KEYED)
    add_node("echo", lambda config, step: Done(step.input))
    definition = flow({"a": ("call", {"value": "{{ input.nobody }}", "on_error": "continue"}), "b": "echo"}, "a > b")
    done = ended(start(actor, definition, {"n": 1}), seconds=5)
    assert done.status == "completed"
    assert done.output_data["error"]["code"] == "expression"
    assert [(row.node_id, row.status) for row in steps_of(done).values()] == [("a", "failed"), ("b", "completed")]


def test_three_effects_run_side_by_side(actor: Actor, add_node: Any, runner: Runner) -> None:
    together = threading.Barrier(3, timeout=10)

    def meet(config: Any, step: Any) -> Done:
        together.wait()
        return Done(step.node_id)

    add_node("meet", meet, effect=Effect.KEYED)
    nodes = {"begin": "start", "x": "meet", "y": "meet", "z": "meet"}
    done = ended(start(actor, flow(nodes, "begin > x", "begin > y", "begin > z")))
    assert done.output_data == {"x": "x", "y": "y", "z": "z"}


def test_effects_hold_no_database_connection(actor: Actor, add_node: Any, runner: Runner) -> None:
    from django.db import connections

    held: list[bool] = []

    def look(config: Any, step: Any) -> Done:
        held.append(hasattr(connections._connections, "default") and connections["default"].connection is not None)
        return Done(None)

    add_node("look", look, effect=Effect.KEYED)
    ended(start(actor, flow({"a": "look"})))
    assert held == [False]


def test_ai_calls_are_entered_in_the_ledger(actor: Actor, add_node: Any, runner: Runner) -> None:
    usage = Usage("scripted", "m-1", prompt_tokens=30, completion_tokens=12, cost_usd=0.0012345, duration_ms=81.5)
    add_node("think", lambda config, step: Done({"text": "hi"}, usage=usage), effect=Effect.REPEATABLE)
    done = ended(start(actor, flow({"a": "think"})))
    entry = AiUsage.unscoped.get()
    assert (entry.organization_id, entry.execution_id, entry.node_id) == (actor.organization_id, done.id, "a")
    assert (entry.provider, entry.model, entry.prompt_tokens, entry.completion_tokens) == ("scripted", "m-1", 30, 12)
    row = steps_of(done)["a"]
    assert (row.tokens, row.ai_ms, entry.duration_ms) == (42, 81.5, 81.5)
    assert entry.cost_usd in (Decimal("0.001234"), Decimal("0.001235"))
    assert selectors.describe(actor=actor, execution_id=done.id).metrics.tokens_used == 42


def test_a_nodes_notes_come_before_its_end(actor: Actor, add_node: Any, runner: Runner) -> None:
    def talk(config: Any, step: Any) -> Done:
        step.log("warning", "half of it\x00", part=1)
        return Done(None)

    add_node("talk", talk)
    done = ended(start(actor, flow({"a": "talk"})))
    note = lines_of(done)[1]
    assert (note.kind, note.level, note.message, note.data) == ("note", "warning", "half of it", {"part": 1})


def test_figures_add_up_as_executions_end(actor: Actor, add_node: Any, runner: Runner) -> None:
    def odd(config: Any, step: Any) -> Done:
        if step.input["n"] % 2:
            raise Rejected("Odd.")
        return Done(None)

    add_node("odd", odd)
    workflow = save(actor, flow({"a": "odd"}))
    for each in [start(actor, workflow, {"n": n}) for n in range(7)]:
        ended(each)
    kept = WorkflowFigures.objects.get(workflow=workflow)
    assert (kept.completed, kept.failed, kept.cancelled, kept.timeout) == (4, 3, 0, 0)
    assert kept.seconds >= 0
    found = selectors.figures([workflow.id])[workflow.id]
    assert (found.total, found.successful, found.failed, found.live) == (7, 4, 3, 0)


def test_a_hundred_executions_complete_each_with_its_own_steps(actor: Actor, runner: Runner) -> None:
    workflow = save(actor, flow({"a": "start", "b": ("data-transformation", {"set": ADD})}, "a > b"))
    accepted = [start(actor, workflow, {"n": n}) for n in range(100)]
    assert [ended(each).output_data for each in accepted] == [{"total": n + 1} for n in range(100)]
    assert ExecutionStep.objects.count() == 200


def test_a_second_run_repeats_the_inputs(actor: Actor, runner: Runner) -> None:
    first = ended(start(actor, flow({"a": "start"}), {"n": 1}, context={"c": 2}))
    again = ended(services.run_again(actor=actor, execution_id=first.id))
    assert (again.rerun_of, again.input_data, again.context) == (first.id, {"n": 1}, {"c": 2})
    assert Execution.unscoped.count() == 2
