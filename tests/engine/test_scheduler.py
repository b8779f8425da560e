"""Which node runs next, what arrives at it, and what a run comes to."""

from __future__ import annotations

from typing import Any

import pytest
from small_graphs import NOW, compiled, new_run, past_of, play

from engine.node import Done, Failed


def outputs(nodes: Any, *edges: Any, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    return play(new_run(compiled(nodes, *edges), inputs)).outputs


def test_a_sequence_runs_in_order_and_hands_its_output_on() -> None:
    played = play(new_run(compiled("cba", "a > b", "b > c"), {"x": 1}))
    assert played.order == ["a", "b", "c"]
    assert played.outputs == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}
    assert (played.run.finished, played.run.progress, played.run.failure) == (True, 100.0, None)
    assert played.run.result() == {"x": 1}


def test_progress_counts_settled_nodes() -> None:
    run = new_run(compiled("abc", "a > b", "b > c"))
    assert run.progress == 0.0
    node = run.take()
    assert node is not None
    run.settle(node, Done(1), NOW)
    assert (run.progress, run.finished, run.has_ready) == (33.3, False, True)


def test_inputs_lie_over_the_variables_defaults() -> None:
    graph = compiled("a", variables=[{"name": "x", "default_value": 1}, {"name": "y", "default_value": 2}])
    assert play(new_run(graph, {"y": 3})).outputs == {"a": {"x": 1, "y": 3}}


def test_a_join_waits_for_all_and_gets_a_map_by_source() -> None:
    nodes = {"a": {}, "b": {"value": "B"}, "c": {"value": "C"}, "d": {}}
    played = play(new_run(compiled(nodes, "a > b", "a > c", "b > d", "c > d")))
    assert played.order == ["a", "b", "c", "d"]
    assert played.outputs["d"] == {"b": "B", "c": "C"}


def test_target_ports_name_what_arrives() -> None:
    nodes = {"b": {"value": "B"}, "c": {"value": "C"}, "e": {"value": "E"}, "d": {}}
    assert outputs(nodes, "b > d.left", "c > d.right", "e > d.in")["d"] == {"left": "B", "right": "C", "e": "E"}


def test_of_two_values_on_one_port_none_is_lost() -> None:
    nodes = {"b": {"value": "B"}, "c": {"value": "C"}, "d": {}}
    assert outputs(nodes, "b > d.data", "c > d.data")["d"] == {"data": "B", "c": "C"}


def test_what_arrives_stands_in_the_definitions_order_whoever_was_first() -> None:
    graph = compiled({"b": {"value": "B"}, "c": {"value": "C"}, "d": {}}, "b > d.data", "c > d.data")
    run = new_run(graph)
    b, c = run.take(), run.take()
    assert b is not None
    assert c is not None
    run.settle(c, Done("C"), NOW)
    run.settle(b, Done("B"), NOW)
    assert list(run.input_of(graph.nodes[2]).items()) == [("data", "B"), ("c", "C")]


def test_after_exclusive_branches_the_one_output_arrives_as_it_is() -> None:
    nodes = {"a": {"ports": ["yes", "no"], "port": "no"}, "b": {"value": "B"}, "c": {"value": "C"}, "d": {}}
    played = play(new_run(compiled(nodes, "a.yes > b", "a.no > c", "b > d", "c > d")))
    assert played.order == ["a", "c", "d"]
    assert played.outputs["d"] == "C"
    assert played.run.skipped() == ["b"]


def test_a_node_that_gathers_gets_a_map_of_one_too() -> None:
    assert outputs({"a": {"value": 1}, "b": {"type": "gather"}}, "a > b")["b"] == {"a": 1}


def test_skipping_goes_on_until_something_else_arrives() -> None:
    nodes = {"a": {"ports": ["yes", "no"], "port": "no"}, "b": {}, "c": {}, "d": {}, "e": {"value": "E"}}
    played = play(new_run(compiled(nodes, "a.yes > b", "b > c", "c > d", "a.no > e", "e > d")))
    assert played.order == ["a", "e", "d"]
    assert played.outputs["d"] == "E"
    assert played.run.skipped() == ["b", "c"]
    assert played.run.progress == 100.0


def test_conditions_choose_edges_and_see_the_sources_output() -> None:
    nodes = {"a": {"value": {"total": 12}}, "b": {}, "c": {}, "d": {}}
    edges = ("a > b if input.total > 10", "a > c if input.total > 20", "a > d if steps.a.total == inputs.wanted")
    played = play(new_run(compiled(nodes, *edges), {"wanted": 12}))
    assert played.order == ["a", "b", "d"]
    assert played.records[0].taken == ("a-b", "a-d")
    assert played.run.skipped() == ["c"]


def test_without_conditions_the_port_alone_is_recorded() -> None:
    played = play(new_run(compiled("ab", "a > b")))
    assert [(each.port, each.taken) for each in played.records] == [("out", None), ("out", None)]


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("input.nobody == 1", "The condition of the edge 'a-b' failed: "),
        ("input.x", "The condition of the edge 'a-b' must be true or false, not 1; compare it with something."),
    ],
)
def test_a_condition_without_an_answer_fails_its_source_and_names_the_edge(condition: str, told: str) -> None:
    played = play(new_run(compiled("ab", f"a > b if {condition}"), {"x": 1}))
    assert played.order == ["a"]
    error = played.records[0].error
    assert error is not None
    assert error.code == "expression"
    assert error.message.startswith(told)
    assert played.run.failure == (played.run.graph.nodes[0], error)
    assert "a" not in played.run.outputs


def test_a_failure_stops_everything_that_is_not_yet_started() -> None:
    nodes = {"a": {"type": "break", "code": "rejected"}, "b": {}, "c": {}}
    played = play(new_run(compiled(nodes, "a > b")))
    assert played.order == ["a"]
    assert played.run.failure == (played.run.graph.nodes[0], Failed("rejected", "It broke.", {"why": "test"}))
    assert (played.records[0].output, played.records[0].port) == (None, "")
    assert (played.run.has_more, played.run.finished) == (False, False)


def test_a_step_under_way_may_still_end_after_another_failed() -> None:
    run = new_run(compiled({"a": {"type": "break"}, "b": {}, "c": {}}, "b > c"))
    a, b = run.take(), run.take()
    assert a is not None
    assert b is not None
    run.settle(a, Failed("rejected", "First."), NOW)
    run.settle(b, Failed("rejected", "Second."), NOW)
    assert run.failure == (a, Failed("rejected", "First."))
    assert run.take() is None


TOLD = {"error": {"code": "rejected", "message": "It broke.", "details": {"why": "test"}}}


def test_on_error_continue_hands_the_error_on_by_the_usual_port() -> None:
    played = play(new_run(compiled({"a": {"type": "break", "on_error": "continue"}, "b": {}}, "a > b")))
    assert played.outputs == {"a": TOLD, "b": TOLD}
    assert played.records[0].error == Failed("rejected", "It broke.", {"why": "test"})
    assert (played.records[0].port, played.run.failure) == ("out", None)


def test_on_error_route_leaves_by_the_error_port_only() -> None:
    nodes = {"a": {"type": "break", "on_error": "route"}, "usual": {}, "rescue": {}}
    played = play(new_run(compiled(nodes, "a > usual", "a.error > rescue")))
    assert played.order == ["a", "rescue"]
    assert played.outputs["rescue"] == TOLD
    assert played.run.skipped() == ["usual"]


def test_on_error_route_leaves_the_error_port_alone_when_nothing_fails() -> None:
    nodes = {"a": {"value": 1, "on_error": "route"}, "usual": {}, "rescue": {}}
    assert outputs(nodes, "a > usual", "a.error > rescue") == {"a": 1, "usual": 1}


@pytest.mark.parametrize(
    ("nodes", "edges", "result"),
    [
        ({"a": {"value": {"x": 1}}}, (), {"x": 1}),
        ({"a": {"value": 5}}, (), {"result": 5}),
        ({"a": {"value": [1]}}, (), {"result": [1]}),
        ({"a": {"value": 0}, "b": {"value": 1}, "c": {"value": 2}}, ("a > b", "a > c"), {"b": 1, "c": 2}),
        ({"a": {"value": {"x": 0}}, "b": {"value": 1}}, ("a > b if input.x == 1",), {"x": 0}),
    ],
)
def test_the_result_is_what_the_last_steps_gave(nodes: Any, edges: Any, result: Any) -> None:
    assert play(new_run(compiled(nodes, *edges))).run.result() == result


def test_a_node_is_given_out_once_until_it_is_put_back() -> None:
    run = new_run(compiled("a"))
    node = run.take()
    assert node is not None
    assert run.take() is None
    run.put_back(node)
    assert run.has_more
    assert run.take() is node
    assert not run.finished


def test_five_thousand_sources_of_one_join_cost_no_more_than_their_number() -> None:
    sources = [f"s{at}" for at in range(5_000)]
    played = play(new_run(compiled([*sources, "join"], *(f"{each} > join" for each in sources)), {"x": 1}))
    assert len(played.records) == 5_001
    assert played.outputs["join"] == {each: {"x": 1} for each in sources}
    assert len(played.run.result()) == 5_000


def test_a_rebuilt_run_knows_a_recorded_failure() -> None:
    graph = compiled({"a": {"type": "break"}, "b": {}}, "a > b")
    rebuilt = new_run(graph, past=[past_of(each) for each in play(new_run(graph)).records])
    assert rebuilt.failure == (graph.nodes[0], Failed("recorded", ""))
    assert rebuilt.take() is None
