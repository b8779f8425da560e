"""Two browsers edit one workflow through a connection that is cut again and again: both end with what is stored."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.editor import Editor
from tests.api.flaky import flaky
from tests.api.people import Person
from tests.api.serving import Server
from workflows.models import WorkflowOperation

pytestmark = pytest.mark.django_db(transaction=True)

IDS = ("a", "b", "c", "d", "e")
KINDS = ("node_added", "node_updated", "node_updated", "node_updated", "node_deleted", "edge_added", "edge_deleted")


def wait_for(done: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.02)


def some_edit(chance: random.Random) -> tuple[str, dict[str, Any]]:
    kind, one, other = chance.choice(KINDS), chance.choice(IDS), chance.choice(IDS)
    data: dict[str, dict[str, Any]] = {
        "node_added": {"node": {"id": one, "type": "webhook-trigger", "config": {"secret": "s3cret"}}},
        "node_updated": {
            "node_id": one,
            "changes": {
                chance.choice(("title", "description")): f"text {chance.random()}",
                "config": {chance.choice(("x", "y")): chance.random(), "secret": "********"},
            },
        },
        "node_deleted": {"node_id": one},
        "edge_added": {"edge": {"id": f"{one}{other}", "source": one, "target": other}},
        "edge_deleted": {"edge_id": f"{one}{other}"},
    }
    return kind, data[kind]


@pytest.mark.parametrize("seed", [1, 2])
def test_two_editors_converge_through_a_connection_that_is_cut(
    server: Server, ann: Person, member: Person, seed: int
) -> None:
    chance = random.Random(seed)
    graph = {"nodes": [{"id": "a", "type": "start"}], "edges": []}
    workflow = ann.api.made("/api/workflows", {"name": "W", "definition": graph, "is_active": False, "draft": True})
    path = f"/ws/workflows/{workflow['id']}/collaboration"
    tokens = [ann.tokens.access_token, member.tokens.access_token]
    with (
        flaky(server.port, seed, least=2000, most=8000) as proxy,
        Editor(proxy.port, path, tokens[0], "ann", replaying=True) as first,
        Editor(proxy.port, path, tokens[1], "bea", replaying=False) as second,
    ):
        for turn in range(80):
            chance.choice((first, second)).edit(*some_edit(chance))
            if turn % 20 == 10:
                saved = ann.api.get(f"/api/workflows/{workflow['id']}").json()
                body = {"settings": {"turn": turn}, "revision": saved["revision"], "draft": True}
                assert ann.api.put(f"/api/workflows/{workflow['id']}", body).status_code in (200, 409)
            time.sleep(0.01)
        wait_for(lambda: first.idle and second.idle)
        proxy.steady = True
        stored = ann.api.get(f"/api/workflows/{workflow['id']}").json()
        wait_for(lambda: first.replica.seq == second.replica.seq == stored["revision"])
        connections = first.connections + second.connections
    parts = ("nodes", "edges", "variables", "triggers", "settings")
    expected = {part: stored[part] for part in parts}
    assert first.replica.shown() == second.replica.shown() == expected
    assert proxy.cuts > 2
    assert connections > 4
    rows = WorkflowOperation.unscoped.filter(workflow=workflow["id"]).order_by("revision")
    assert [each.revision for each in rows] == list(range(2, stored["revision"] + 1))
    for editor in (first, second):  # Each was stored once, under the number it was acknowledged with.
        assert editor.acknowledged
        for name, seq in editor.acknowledged.items():
            assert [each.revision for each in rows if each.client_op_id == name] == [seq]
        assert {each["code"] for each in editor.refused} <= {"CONFLICT"}
    assert "s3cret" not in str(first.replica.shown())
