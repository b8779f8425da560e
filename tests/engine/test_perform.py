"""Carrying out one step: whatever happens inside becomes a `Done` or a `Failed` that can be kept."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from small_graphs import compiled, new_run, step_of

from engine.expressions import ExpressionError
from engine.graph import Node
from engine.node import Done, Effect, Failed, Outcome, Step
from engine.perform import MAX_NOTES, NoLongerHeld, RunningStep, perform, prepare, recover
from engine.ports import NotConfigured, Rejected, TimedOut, Unavailable, Unknown, Usage

LIMIT = 1_000


def node_that(run: Callable[[Any, Step], Any], **more: Any) -> tuple[Node, RunningStep]:
    graph = compiled({"a": more.pop("config", {})})
    graph.nodes[0].type = replace(graph.nodes[0].type, run=run, **more)
    return graph.nodes[0], step_of(new_run(graph, {"n": 3}), graph.nodes[0])


def outcome_of(run: Callable[[Any, Step], Any], **more: Any) -> Outcome:
    node, step = node_that(run, **more)
    return perform(node, node.settings, step, max_output_bytes=LIMIT)


def raising(error: BaseException) -> Callable[[Any, Step], Outcome]:
    def run(config: Any, step: Step) -> Outcome:
        raise error

    return run


def test_an_output_is_handed_on_with_its_port_and_usage() -> None:
    usage = Usage("p", "m", 1, 2)
    done = Done({"x": [1, None, True, 1.5, "é"]}, port="true", usage=usage)
    assert outcome_of(lambda config, step: done) is done


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Rejected("No."), "rejected"),
        (Unavailable("Away."), "unavailable"),
        (TimedOut("Late."), "timeout"),
        (Unknown("Perhaps."), "unknown_outcome"),
        (NotConfigured("No key."), "not_configured"),
        (ExpressionError("No such name."), "expression"),
    ],
)
def test_an_outside_failure_keeps_its_kind_and_sentence(error: Any, code: str) -> None:
    failed = outcome_of(raising(error))
    assert isinstance(failed, Failed)
    assert (failed.code, failed.message) == (code, error.message)


def test_a_failures_details_are_kept() -> None:
    assert outcome_of(raising(Rejected("No.", status=403))) == Failed("rejected", "No.", {"status": 403})


def test_a_crash_is_told_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        failed = outcome_of(raising(KeyError("password=hunter2")))
    assert failed == Failed("internal", "The node 'a' crashed (KeyError). This is a defect of ours.")
    assert "The node type say crashed." in caplog.text


def test_leaving_the_process_is_a_crash_too() -> None:
    assert outcome_of(raising(SystemExit(3))) == Failed(
        "internal", "The node 'a' crashed (SystemExit). This is a defect of ours."
    )


def test_a_crash_while_settings_are_read_is_a_failure_of_the_step() -> None:
    graph = compiled({"a": {"type": "vicious"}})
    graph.nodes[0].template = replace(graph.nodes[0].template, kept={"value": 13})
    failed = prepare(graph.nodes[0], new_run(graph).scope(graph.nodes[0], "now"))
    assert failed == Failed("internal", "The node 'a' crashed (KeyError). This is a defect of ours.")


def test_neither_done_nor_failed_is_a_defect() -> None:
    assert outcome_of(lambda config, step: {"x": 1}) == Failed(
        "internal", "The node returned neither Done nor Failed nor Wait."
    )


@pytest.mark.parametrize("value", [{1, 2}, object(), 2**70, "\ud800", b"bytes"])
def test_an_output_that_is_no_json_fails(value: Any) -> None:
    failed = outcome_of(lambda config, step: Done({"x": value}))
    assert isinstance(failed, Failed)
    assert failed.code == "output"
    assert failed.message.startswith("The step's output cannot be kept as JSON: ")


def test_an_output_nested_without_end_fails() -> None:
    value: list[Any] = []
    value.append(value)
    failed = outcome_of(lambda config, step: Done(value))
    assert isinstance(failed, Failed)
    assert failed.code == "output"


def test_an_output_may_be_exactly_as_large_as_allowed() -> None:
    assert isinstance(outcome_of(lambda config, step: Done("x" * (LIMIT - 2))), Done)
    assert outcome_of(lambda config, step: Done("x" * (LIMIT - 1))) == Failed(
        "output", "The step's output has 1,001 bytes; at most 1,000 are kept. Select what later steps need."
    )


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ({1: "a"}, {"1": "a"}),
        ((1, 2), [1, 2]),
        (dt.date(2026, 1, 31), "2026-01-31"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([float("nan"), float("inf"), 1.0], [None, None, 1.0]),
    ],
)
def test_later_steps_see_what_the_record_will_say(value: Any, seen: Any) -> None:
    done = outcome_of(lambda config, step: Done(value))
    assert isinstance(done, Done)
    assert done.output == seen


def test_a_failure_that_cannot_be_kept_is_made_fit() -> None:
    failed = outcome_of(lambda config, step: Failed("rejected", "bad \ud800", {"at": {1, 2}.__class__, 3: dt.date.min}))
    assert isinstance(failed, Failed)
    assert failed.message == "bad ?"
    assert failed.details == {"at": "<class 'set'>", "3": "0001-01-01"}
    assert outcome_of(lambda config, step: Failed("rejected", "x" * 9_000, {"huge": "y" * LIMIT})) == Failed(
        "rejected", "x" * 4_000
    )


def test_a_configuration_that_does_not_fit_once_filled_in_fails_as_config() -> None:
    graph = compiled({"a": {"type": "form", "count": "{{ input.n }}"}})
    run = new_run(graph, {"n": "many"})
    failed = prepare(graph.nodes[0], run.scope(graph.nodes[0], "now"))
    assert isinstance(failed, Failed)
    assert (failed.code, failed.message) == (
        "config",
        "The settings of 'a' do not fit once filled in: count: Input should be a valid integer, unable to parse "
        "string as an integer.",
    )


def test_a_value_that_is_not_there_fails_as_expression() -> None:
    graph = compiled({"a": {"value": "{{ input.nobody }}"}})
    run = new_run(graph, {"n": 1})
    failed = prepare(graph.nodes[0], run.scope(graph.nodes[0], "now"))
    assert isinstance(failed, Failed)
    assert failed.code == "expression"
    assert "nobody" in failed.message


def test_a_node_sees_its_step() -> None:
    def run(config: Any, step: Step) -> Outcome:
        return Done(
            [
                step.key,
                step.attempt,
                step.now,
                step.input,
                step.evaluate("inputs.n + 1"),
                step.render("{{ x }}!", {"x": 1}),
            ]
        )

    done = outcome_of(run)
    assert isinstance(done, Done)
    assert done.output == ["e1/a/0", 1, "2026-11-20T09:00:00Z", {"n": 3}, 4, "1!"]


def test_a_nodes_notes_are_kept_up_to_a_hundred() -> None:
    def run(config: Any, step: Step) -> Outcome:
        for at in range(MAX_NOTES + 5):
            step.log("info", f"line {at}", at=at)
        return Done(None)

    node, step = node_that(run)
    perform(node, node.settings, step, max_output_bytes=LIMIT)
    assert len(step.notes) == MAX_NOTES
    assert (step.notes[7].level, step.notes[7].message, step.notes[7].data) == ("info", "line 7", {"at": 7})


# -- after a crash ---------------------------------------------------------------------------------------------------


def recovered(lookup: Any, on_unknown: str = "fail") -> tuple[Outcome, list[str]]:
    """What recovery comes to, and how often the effect was performed."""
    performed: list[str] = []

    def run(config: Any, step: Step) -> Outcome:
        performed.append(step.key)
        return Done("performed")

    node, step = node_that(run, lookup=lookup, effect=Effect.UNKEYED, config={"on_unknown": on_unknown})
    return recover(node, node.settings, step, max_output_bytes=LIMIT), performed


UNKNOWN = Failed(
    "unknown_outcome",
    "The worker stopped while 'a' was under way, and nobody can tell whether it took effect. It was not repeated. Look for it "
    "at the other side, say what you found, then run again from this step; or set on_unknown to ask or retry.",
)


def test_an_effect_that_is_found_is_not_repeated() -> None:
    assert recovered(lambda config, step: Done("found")) == (Done("found"), [])


def test_an_effect_that_is_found_to_have_failed_is_not_repeated() -> None:
    assert recovered(lambda config, step: Failed("rejected", "It bounced.")) == (Failed("rejected", "It bounced."), [])


def test_an_effect_that_surely_did_not_happen_is_performed() -> None:
    assert recovered(lambda config, step: None) == (Done("performed"), ["e1/a/0"])


@pytest.mark.parametrize(
    "lookup", [None, raising(Unknown("Nobody knows.")), raising(Unavailable("Away.")), raising(ValueError("crash"))]
)
def test_an_effect_nobody_can_look_up_is_not_repeated(lookup: Any) -> None:
    assert recovered(lookup) == (UNKNOWN, [])


def test_a_worker_that_lost_its_lease_during_the_look_up_performs_nothing() -> None:
    """It was stopped for so long that another may have taken over: what it found out is old."""
    performed: list[str] = []

    def run(config: Any, step: Step) -> Outcome:
        performed.append(step.key)
        return Done("performed")

    def lookup(config: Any, step: Any) -> None:
        step.held = lambda: False

    node, step = node_that(run, lookup=lookup, effect=Effect.UNKEYED)
    step.held = lambda: True
    with pytest.raises(NoLongerHeld):
        recover(node, node.settings, step, max_output_bytes=LIMIT)
    assert performed == []


def test_an_effect_nobody_can_look_up_is_repeated_where_the_node_says_so() -> None:
    assert recovered(raising(Unavailable("Away.")), on_unknown="retry") == (Done("performed"), ["e1/a/0"])
