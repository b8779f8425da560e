"""Who else has a workflow open, and where they point: for those who come later too, and between web processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from tests.api.people import Person
from tests.api.serving import Server, Socket
from tests.api.test_socket_processes import Web
from tests.load.processes import processes
from tests.load.servers import Broker, redis_binary
from workflows.models import WorkflowParticipant
from workflows.presence import GONE_AFTER

pytestmark = pytest.mark.django_db(transaction=True)

GRAPH = {"nodes": [{"id": "a", "type": "start"}], "edges": []}


@pytest.fixture
def path(ann: Person) -> str:
    made = ann.api.made("/api/workflows", {"name": "W", "definition": GRAPH, "is_active": False, "draft": True})
    return f"/ws/workflows/{made['id']}/collaboration"


@pytest.fixture
def webs(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Web]]:
    """Two web processes over one Redis of their own."""
    binary = redis_binary()
    if binary is None:
        pytest.skip("There is no Redis on this machine to start.")
    broker = Broker(binary)
    monkeypatch.setenv("REDIS_URL", broker.url)
    try:
        with processes("web", "web", poll_seconds=0.2) as made:
            yield [Web(each) for each in made]
    finally:
        broker.stop()


def pointing(operation: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": "workflow_collaboration", "operation": operation, "data": data}


def next_of(socket: Socket, kind: str) -> dict[str, Any]:
    frame = socket.receive(20)
    while frame["type"] != kind:
        frame = socket.receive(20)
    return frame


def test_who_comes_later_learns_where_the_others_point(server: Server, path: str, ann: Person, member: Person) -> None:
    with server.socket(path, header=ann.tokens.access_token) as first:
        next_of(first, "collaboration_snapshot")
        first.send(pointing("cursor_moved", {"x": 1, "y": 2}))
        first.send(pointing("cursor_moved", {"x": 3, "y": 4}))
        first.send(pointing("selection_changed", {"node_ids": ["a"], "edge_ids": []}))
        with server.socket(path, header=member.tokens.access_token) as second:
            shown = [next_of(second, "workflow_collaboration") for _ in range(2)]
            assert {each["operation"]: each["data"] for each in shown} == {
                "cursor_moved": {"x": 3, "y": 4},
                "selection_changed": {"node_ids": ["a"], "edge_ids": []},
            }
            assert {each["user_id"] for each in shown} == {str(ann.actor.user_id)}
        assert next_of(first, "participant_left")["user_id"] == str(member.actor.user_id)


@pytest.mark.postgres
@pytest.mark.timeout(240)
def test_people_at_two_processes_see_each_other(webs: list[Web], path: str, ann: Person, member: Person) -> None:
    with webs[0].socket(path, header=ann.tokens.access_token) as first:
        assert len(next_of(first, "collaboration_snapshot")["participants"]) == 1
        first.send(pointing("cursor_moved", {"x": 5, "y": 6}))
        with webs[1].socket(path, header=member.tokens.access_token) as second:
            assert len(next_of(second, "collaboration_snapshot")["participants"]) == 2
            assert next_of(first, "participant_joined")["user_id"] == str(member.actor.user_id)
            assert next_of(second, "workflow_collaboration")["data"] == {"x": 5, "y": 6}
            second.send(pointing("cursor_moved", {"x": 7, "y": 8}))
            assert next_of(first, "workflow_collaboration")["data"] == {"x": 7, "y": 8}
        assert next_of(first, "participant_left")["user_id"] == str(member.actor.user_id)
        webs[0].process.kill()
    with webs[1].socket(path, header=member.tokens.access_token) as second:
        # The process that died said nothing; its people are gone once their rows have grown old.
        assert len(next_of(second, "collaboration_snapshot")["participants"]) == 2
        WorkflowParticipant.unscoped.filter(user_id=ann.actor.user_id).update(seen_at=timezone.now() - GONE_AFTER)
        assert next_of(second, "participant_left")["user_id"] == str(ann.actor.user_id)
