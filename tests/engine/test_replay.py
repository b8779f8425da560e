"""A run rebuilt from any part of its records goes on as if nothing had happened, over random graphs."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from small_graphs import NOW, Played, compiled, new_run, past_of, play, step_of

from engine.graph import Graph
from engine.node import Failed
from engine.perform import perform, prepare
from engine.scheduler import Run, Settled

INPUTS = {"yes": True, "no": False, "odd": 3}
CONDITIONS = ["", "", "", "inputs.yes", "inputs.no", "inputs.odd > 2"]


@st.composite
def graphs(draw: st.DrawFn, errors: tuple[str, ...], conditions: tuple[str, ...] = ()) -> Graph:
    """Up to nine nodes in a row, each edge going forward; some decide, some gather, some fail."""
    count = draw(st.integers(1, 9))
    nodes: dict[str, Any] = {}
    for at in range(count):
        kind = draw(st.sampled_from(["say", "say", "decide", "gather", *(["break"] if errors else [])]))
        if kind == "decide":
            nodes[f"n{at}"] = {"ports": ["out", "other"], "port": draw(st.sampled_from(["out", "other"]))}
        elif kind == "break":
            nodes[f"n{at}"] = {"type": "break", "on_error": draw(st.sampled_from(errors))}
        elif kind == "gather":
            nodes[f"n{at}"] = {"type": "gather"}
        else:
            nodes[f"n{at}"] = {"value": draw(st.sampled_from([None, at, {"n": at}, [at]]))}
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    edges = []
    for a, b in draw(st.lists(st.sampled_from(pairs), unique=True, max_size=18)) if pairs else []:
        about = nodes[f"n{a}"]
        ports = [
            "out",
            *(["other"] if "port" in about else []),
            *(["error"] if about.get("on_error") == "route" else []),
        ]
        condition = draw(st.sampled_from([*CONDITIONS, *conditions]))
        target_port = draw(st.sampled_from(["", "", "data"]))
        text = f"n{a}.{draw(st.sampled_from(ports))} > n{b}.{target_port}"
        edges.append(f"{text} if {condition}" if condition else text)
    return compiled(nodes, *edges)


def told(record: Settled) -> tuple[Any, ...]:
    return record.node.id, orjson.dumps(record.output), record.port, record.taken, record.error


def ending(run: Run) -> tuple[Any, ...]:
    failed = run.failure and run.failure[0].id
    return failed, run.finished, run.skipped(), run.progress, None if failed else orjson.dumps(run.result())


@given(graphs(errors=("fail", "continue", "route"), conditions=("inputs.odd", "inputs.nobody == 1")), st.data())
@settings(max_examples=300, deadline=None)
def test_one_step_at_a_time(graph: Graph, data: st.DataObject) -> None:
    """Also with failures and with conditions that have no answer: the very same records in the very same order."""
    live = play(new_run(graph, INPUTS))
    cut = data.draw(st.integers(0, len(live.records)))
    rebuilt = new_run(graph, INPUTS, [past_of(each) for each in live.records[:cut]])
    rest = play(rebuilt)
    assert [told(each) for each in live.records[:cut] + rest.records] == [told(each) for each in live.records]
    assert ending(rebuilt) == ending(live.run)


def play_side_by_side(run: Run, data: st.DataObject, stop_after: int) -> Played:
    """Steps begin as soon as they can and end in any order; records are kept in the order the steps began."""
    begun: list[Any] = []
    ended: dict[str, Settled] = {}
    while len(ended) < stop_after:
        while (node := run.take()) is not None:
            begun.append(node)
        under_way = [node for node in begun if node.id not in ended]
        if not under_way:
            break
        node = data.draw(st.sampled_from(under_way))
        step = step_of(run, node)
        config = prepare(node, step.scope)
        assert not isinstance(config, Failed)
        ended[node.id] = run.settle(node, perform(node, config, step, max_output_bytes=10_000), NOW)
    return Played(run, [ended[node.id] for node in begun if node.id in ended])


@given(graphs(errors=("continue", "route")), st.data())
@settings(max_examples=300, deadline=None)
def test_steps_side_by_side(graph: Graph, data: st.DataObject) -> None:
    """Whatever order the steps end in and wherever it is cut, every step sees and says the same."""
    straight = play(new_run(graph, INPUTS))
    first = play_side_by_side(new_run(graph, INPUTS), data, stop_after=data.draw(st.integers(0, len(graph.nodes))))
    rebuilt = new_run(graph, INPUTS, [past_of(each) for each in first.records])
    rest = play_side_by_side(rebuilt, data, stop_after=len(graph.nodes))
    assert sorted(map(told, first.records + rest.records)) == sorted(map(told, straight.records))
    assert ending(rebuilt) == ending(straight.run)
