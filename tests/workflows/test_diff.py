"""The difference between two versions: exact, in sentences, and without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from workflows.diff import apply, diff, same
from workflows.secrets import MASK
from workflows.wording import entries

from stored_definitions import definitions  # isort: skip


def graph(*nodes: dict[str, Any], edges: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    return {"nodes": list(nodes), "edges": list(edges), "variables": [], "triggers": [], "settings": {}, **more}


def node(node_id: str, title: str = "", kind: str = "start", **more: Any) -> dict[str, Any]:
    return {"id": node_id, "type": kind, "title": title, "config": {}, **more}


def edge(source: str, target: str, **more: Any) -> dict[str, Any]:
    ends = {"source_node_id": source, "source_port": "", "target_node_id": target, "target_port": "", "type": "data"}
    return {"id": f"{source}-{target}", **ends, **more}


def told(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each.part, each.kind, each.sentence) for each in entries(diff(a, b), a, b)]


@settings(max_examples=300, deadline=None)
@given(definitions(), definitions())
def test_applying_the_difference_to_the_first_gives_the_second(a: dict[str, Any], b: dict[str, Any]) -> None:
    difference = diff(a, b)
    assert same(apply(a, difference), b)
    assert difference.empty == same(a, b)
    assert all(each.sentence.endswith(".") for each in entries(difference, a, b))


@settings(max_examples=100, deadline=None)
@given(definitions())
def test_a_definition_is_not_different_from_itself(a: dict[str, Any]) -> None:
    assert diff(a, a).empty
    assert list(entries(diff(a, a), a, a)) == []


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), ("1", 1), (None, False), ([], {}), ({"a": None}, {})])
def test_values_of_different_kinds_are_different(old: Any, new: Any) -> None:
    a, b = (graph(node("n", config={"set": each})) for each in (old, new))
    assert not diff(a, b).empty
    assert same(apply(a, diff(a, b)), b)


def test_what_changed_is_told_in_sentences() -> None:
    a = graph(
        node("s", "Begin"),
        node("m", "Send mail", "email-sender", config={"to": "a@example.com", "cc": ["x"]}),
        node("old", "Old one"),
        edges=(edge("s", "m"),),
        variables=[{"name": "rate", "default_value": 1}],
        settings={"timeout_seconds": 60},
    )
    b = graph(
        node("s", "Begin", position={"x": 10, "y": 0}),
        node("m", "Send mail", "email-sender", config={"to": "b@example.com", "cc": ["x"], "subject": "Hi"}),
        node("new", "New one", "merge"),
        edges=(edge("s", "m", condition="input.a > 1"), edge("m", "new", source_port="error")),
        variables=[{"name": "rate", "default_value": 2}],
        triggers=[{"type": "manual"}],
        settings={},
    )
    assert told(a, b) == [
        ("nodes", "added", "The node 'New one' (merge) was added."),
        ("nodes", "removed", "The node 'Old one' (start) was removed."),
        (
            "nodes",
            "changed",
            'The node \'Send mail\': config.to was "a@example.com" and is "b@example.com"; config.subject was set to "Hi".',
        ),
        ("edges", "added", "The edge from 'Send mail' (error) to 'New one' was added."),
        ("edges", "changed", "The edge from 'Begin' to 'Send mail': condition was set to \"input.a > 1\"."),
        ("variables", "changed", "The variable 'rate': default_value was 1 and is 2."),
        ("triggers", "changed", 'The triggers: triggers was [] and is [{"type":"manual"}].'),
        ("settings", "removed", "The settings: timeout_seconds was taken away, it was 60."),
        ("layout", "moved", "The node 'Begin' was moved on the canvas."),
    ]


def test_another_order_alone_is_layout() -> None:
    a, b = graph(node("x"), node("y")), graph(node("y"), node("x"))
    assert told(a, b) == [("layout", "reordered", "The nodes stand in another order.")]


def test_a_secret_is_said_to_have_changed_and_never_shown() -> None:
    def hook(secret: str, kind: str = "webhook-trigger") -> dict[str, Any]:
        return graph(node("h", "Hook", kind, config={"secret": secret}))

    def call(key: str) -> dict[str, Any]:
        return graph(node("c", "Call", "api-integration", config={"headers": {"X-Api-Key": key, "Accept": "a"}}))

    def each(*keys: str) -> dict[str, Any]:
        inner = [
            node(f"c{at}", "", "api-integration", config={"headers": {"X-Api-Key": key}}) for at, key in enumerate(keys)
        ]
        hook = node("h", "", "webhook-trigger", config={"secret": keys[0]})
        return graph(node("m", "Map", "map", config={"workflow": {"nodes": [*inner, hook]}}))

    empty = graph()
    for a, b in (
        (each("s3cret-1"), each("s3cret-2")),
        (each("s3cret-1"), each("s3cret-1", "s3cret-2")),
        (empty, each("s3cret-1")),
        (hook("s3cret-1"), hook("s3cret-2")),
        (hook("s3cret-1"), hook("s3cret-2", "start")),
        (hook("s3cret-1", "start"), hook("s3cret-2")),
        (hook("s3cret-1"), empty),
        (empty, hook("s3cret-1")),
        (call("s3cret-1"), call("s3cret-2")),
        (empty, call("s3cret-1")),
        (graph(node("c", "Call", "api-integration", config={})), call("s3cret-1")),
    ):
        found = list(entries(diff(a, b), a, b))
        assert found
        assert "s3cret" not in repr(found)
        assert MASK in repr(found)
    a, b = hook("s3cret-1"), hook("s3cret-2")
    assert told(a, b)[0][2] == "The node 'Hook': config.secret was changed (its value is not shown)."
