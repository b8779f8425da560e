"""Compiling a definition: what is refused, in which words, and at which place."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import pytest
from small_graphs import REGISTRY, compiled, definition

from engine.graph import MAX_EDGES, MAX_NODES, InvalidDefinition, Problem, check, compile_graph
from engine.node import Done, Outcome, Step, node
from engine.registry import DuplicateNode, NodeRegistry


def problems(nodes: Any, *edges: Any, **more: Any) -> list[tuple[str, str]]:
    """Place and message of everything that is wrong, warnings left out."""
    found = check(definition(nodes, *edges, **more), REGISTRY)
    return [(each.place, each.message) for each in found if not each.warning]


def structural(nodes: Any, *edges: Any) -> list[bool]:
    return [each.structural for each in check(definition(nodes, *edges), REGISTRY)]


def test_a_sound_definition_has_no_problems_and_compiles_in_its_own_order() -> None:
    graph = compiled("abc", "a > b", "b > c")
    assert check(definition("abc", "a > b", "b > c"), REGISTRY) == []
    assert [node.id for node in graph.nodes] == ["a", "b", "c"]
    assert graph.by_id == {"a": 0, "b": 1, "c": 2}
    assert [node.id for node in graph.roots] == ["a"]
    assert [(edge.source, edge.target, edge.key) for node in graph.nodes for edge in node.outgoing] == [
        (0, 1, "a"),
        (1, 2, "b"),
    ]


def test_variables_give_their_defaults() -> None:
    graph = compiled("a", variables=[{"name": "limit", "default_value": 5}, {"name": "note"}])
    assert graph.defaults == {"limit": 5, "note": None}


def test_two_nodes_with_one_id_are_refused() -> None:
    twice = {"nodes": [{"id": "a", "type": "say"}, {"id": "a", "type": "say"}], "edges": []}
    assert check(twice, REGISTRY) == [
        Problem("This id is used by two nodes; ids must differ.", node="a", field="id", structural=True)
    ]


@pytest.mark.parametrize("node_id", ["", "x" * 101, "a\x00b", "a\nb"])
def test_an_id_is_1_to_100_printable_characters(node_id: str) -> None:
    bad = {"nodes": [{"id": node_id, "type": "say"}], "edges": []}
    assert check(bad, REGISTRY) == [
        Problem("Every node needs an id of 1 to 100 printable characters.", field="nodes", structural=True)
    ]


def test_two_edges_with_one_id_are_refused() -> None:
    assert problems("abc", "a > b", "a > b") == [("edges.a-b.id", "This id is used by two edges; ids must differ.")]


def test_an_edge_without_an_id_is_refused() -> None:
    edge = {"id": "", "source_node_id": "a", "target_node_id": "b"}
    assert problems("ab", edge) == [("edges.?.id", "Every edge needs an id.")]


def test_an_unknown_type_is_named_with_the_nearest_ones() -> None:
    assert problems({"a": {"type": "saay"}}) == [("nodes.a.type", "'saay' is not a node type; did you mean say?")]
    assert structural({"a": {"type": "saay"}}) == [True]


def test_a_type_unlike_any_lists_them_all() -> None:
    told = problems({"a": {"type": "quantum"}})
    assert told == [
        ("nodes.a.type", "'quantum' is not a node type; the types are break, form, gather, say, sheet, vicious")
    ]


def test_unknown_ends_are_named_with_the_nearest_id() -> None:
    assert problems(["start", "finish"], "strat > finish", "start > nowhere") == [
        ("edges.strat-finish.source", "The source 'strat' is not a node of this workflow; did you mean 'start'?"),
        ("edges.start-nowhere.target", "The target 'nowhere' is not a node of this workflow"),
    ]


def test_a_circle_is_named_in_its_direction() -> None:
    assert problems("abcd", "a > b", "b > c", "c > d", "d > b") == [
        (
            "nodes.b",
            "The nodes b -> c -> d -> b form a circle; a workflow runs forward only. Remove one of these edges.",
        )
    ]


def test_a_node_that_leads_to_itself_is_a_circle() -> None:
    assert problems("a", "a > a")[0][1].startswith("The nodes a -> a form a circle;")


def test_a_long_circle_is_shortened() -> None:
    ids = [f"n{at}" for at in range(50)]
    told = problems(ids, *(f"n{at} > n{(at + 1) % 50}" for at in range(50)))
    assert [place for place, _ in told] == ["nodes.n0"]
    assert told[0][1].startswith("The nodes n0 -> n1 -> n2 -> n3 -> n4 -> n5 -> n6 -> n7 -> n8 -> n9 -> … -> n0 form")


def test_an_unknown_port_is_refused_with_those_there_are() -> None:
    nodes = {"a": {"ports": ["true", "false"]}, "b": {}}
    assert problems(nodes, "a.maybe > b") == [
        (
            "edges.a-b.source_port",
            "'a' (Say) has no output port 'maybe'; it has false, true. Set source_port to one of them.",
        )
    ]


def test_an_edge_without_a_port_leaves_the_only_one() -> None:
    graph = compiled({"a": {"ports": ["done"], "port": "done"}, "b": {}}, "a > b")
    assert graph.nodes[0].outgoing[0].source_port == "done"


def test_the_error_port_exists_only_where_failures_are_routed() -> None:
    assert problems({"a": {}, "b": {}}, "a.error > b")[0][0] == "edges.a-b.source_port"
    assert problems({"a": {"on_error": "route"}, "b": {}}, "a.error > b") == []


def test_a_port_of_more_than_100_characters_is_refused() -> None:
    told = problems({"a": {"ports": ["p" * 101]}})
    assert told == [("nodes.a.config", "The name of a port has at most 100 characters.")]


def test_a_bad_setting_is_told_with_its_meaning() -> None:
    assert problems({"a": {"type": "form", "count": "many"}}) == [
        (
            "nodes.a.config.count",
            "Input should be a valid integer, unable to parse string as an integer (How many.).",
        )
    ]
    assert problems({"a": {"type": "form"}}) == [("nodes.a.config.count", "This setting is required (How many.).")]
    assert structural({"a": {"type": "form"}}) == [False]


def test_the_nodes_own_check_is_heard() -> None:
    assert problems({"a": {"type": "form", "count": 12}}) == [("nodes.a.config.count", "More than nine is too many.")]


def test_an_unknown_setting_is_a_warning_and_does_not_forbid_running() -> None:
    graph = compiled({"a": {"type": "form", "count": 1, "titel": "x"}})
    assert graph.warnings == (
        Problem(
            "Form has no setting 'titel'; did you mean 'title'?; it is kept but not used.",
            node="a",
            field="config.titel",
            warning=True,
        ),
    )


def test_a_reference_to_no_node_offers_the_nearest() -> None:
    assert problems({"charge": {}, "b": {"value": "{{ steps.charg.id }}"}}, "charge > b") == [
        ("nodes.b.config.value", "steps.charg: there is no such node; did you mean steps.charge?")
    ]


def test_a_reference_to_a_step_that_is_not_upstream_is_refused() -> None:
    nodes = {"a": {}, "b": {"value": "{{ steps.c.x }}"}, "c": {}}
    sentence = "steps.c: 'c' does not run before 'b', so its output cannot be known here. Connect it upstream."
    assert problems(nodes, "a > b", "a > c") == [("nodes.b.config.value", sentence)]


def test_a_reference_far_upstream_is_fine() -> None:
    nodes = {"a": {}, "b": {}, "c": {}, "d": {"value": "{{ steps.a.x }}"}}
    assert problems(nodes, "a > b", "b > c", "c > d") == []


def test_a_condition_may_read_its_own_source_but_not_its_target() -> None:
    assert problems("ab", "a > b if steps.a.ok") == []
    assert problems("ab", "a > b if steps.b.ok")[0][0] == "nodes.a.edges.a-b.condition"


def test_a_condition_that_is_no_expression_is_refused() -> None:
    [(place, message)] = problems("ab", "a > b if input.x >")
    assert place == "edges.a-b.condition"
    assert message


def test_an_empty_graph_is_no_structural_problem_but_cannot_run() -> None:
    assert check({}, REGISTRY) == []
    with pytest.raises(InvalidDefinition, match=r"nodes: The workflow has no nodes; add at least a start node\."):
        compile_graph({}, REGISTRY)


def test_every_problem_is_reported_at_once() -> None:
    nodes = {"a": {"type": "nope"}, "b": {"type": "form"}, "c": {}}
    assert [place for place, _ in problems(nodes, "b > x", "c > b if 1 +")] == [
        "nodes.a.type",
        "nodes.b.config.count",
        "edges.b-x.target",
        "edges.c-b.condition",
    ]


def _layers(nodes: int, edges: int) -> dict[str, Any]:
    """`nodes` nodes in a row, each leading to the next, then each to the next but one, until there are `edges` edges."""
    chosen = list(islice(((a, a + far) for far in range(1, nodes) for a in range(nodes - far)), edges))
    return {
        "nodes": [
            {"id": f"n{at}", "type": "say", "config": {"value": "{{ steps.n0.x }}"} if at else {}}
            for at in range(nodes)
        ],
        "edges": [{"id": f"e{a}-{b}", "source_node_id": f"n{a}", "target_node_id": f"n{b}"} for a, b in chosen],
    }


def test_the_largest_definition_compiles_in_seconds() -> None:
    largest = _layers(MAX_NODES, MAX_EDGES)
    began = time.perf_counter()
    graph = compile_graph(largest, REGISTRY)
    assert (len(graph.nodes), sum(len(node.outgoing) for node in graph.nodes)) == (MAX_NODES, MAX_EDGES)
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize(("nodes", "edges"), [(MAX_NODES + 1, 0), (1, MAX_EDGES + 1)])
def test_one_more_is_refused_unread(nodes: int, edges: int) -> None:
    crowd = {"nodes": [{}] * nodes, "edges": [{}] * edges}
    told = check(crowd, REGISTRY)
    assert [each.message for each in told] == [
        f"A workflow may have 10,000 nodes and 50,000 edges; this one has {nodes:,} and {edges:,}. "
        "Move parts of it into workflows of their own."
    ]
    assert told[0].structural


def test_thousands_of_mistakes_are_found_in_seconds() -> None:
    wrong = _layers(2_000, 0)
    wrong["edges"] = [{"id": f"e{at}", "source_node_id": f"m{at}", "target_node_id": f"n{at}x"} for at in range(2_000)]
    began = time.perf_counter()
    told = check(wrong, REGISTRY)
    assert len(told) == 4_000 + 1_999
    assert time.perf_counter() - began < 10


def test_a_name_is_registered_once() -> None:
    registry = NodeRegistry()
    kind = REGISTRY.get("sheet")
    registry.add(kind)
    with pytest.raises(DuplicateNode, match="'form' is registered twice"):
        registry.add(kind)
    assert [each.name for each in registry] == ["form"]


def test_the_decorator_registers_for_everyone() -> None:
    @node("graph-test-only", title="Only here", config=REGISTRY.get("gather").config)
    def only(config: Any, step: Step) -> Outcome:
        return Done(None)

    from engine.registry import NODES

    try:
        assert NODES.get("graph-test-only").run is only
    finally:
        NODES._types.remove(NODES._by_name.pop("graph-test-only"))
