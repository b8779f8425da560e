"""Who is at a workflow: may come, only watches, points at something, leaves or is sent away."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts import members
from api import socket_limits, socket_watch
from api.auterity import rooms
from auterity.kernel.access import Role
from tests.api.auterity.collaboration.table import EPHEMERAL, Table, op, titled, told
from tests.api.people import Person
from tests.api.serving import Server, refused
from tests.api.shapes import wrong
from workflows import presence
from workflows.models import WorkflowOperation, WorkflowParticipant

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_may_only_read_watches(table: Table, ann: Person, viewer: Person) -> None:
    first, watching = table.seat(ann), table.seat(viewer)
    watching.send(titled("No"))
    error = told(watching)
    assert (error["code"], error["id"]) == ("FORBIDDEN", "op-1")
    first.send(titled("Yes"))
    assert told(watching)["data"]["changes"]["title"] == "Yes"
    watching.send(op("cursor_moved", {"x": 1, "y": 2.5}, None))
    assert told(first)["type"] == "collaboration_ack"
    assert told(first)["data"] == {"x": 1, "y": 2.5}


def test_coming_and_going_is_told_once_a_person(
    table: Table, server: Server, path: str, ann: Person, member: Person
) -> None:
    first = table.seat(ann)
    token = member.tokens.access_token
    with server.socket(path, header=token) as one:
        snapshot = one.receive()
        assert [each["name"] for each in snapshot["participants"]] == ["Ann Ames", "Bob Berg"]
        assert len({each["color"] for each in snapshot["participants"]}) == 2
        joined = first.receive()
        assert (
            wrong(joined, {"workflow_id": "uuid", "user_id": "uuid", "name": "string", "timestamp": "datetime"}) == []
        )
        assert (joined["type"], joined["name"]) == ("participant_joined", "Bob Berg")
        with server.socket(path, header=token) as another:
            assert len(another.receive()["participants"]) == 2
        assert first.silent()
    left = first.receive()
    assert (left["type"], left["user_id"]) == ("participant_left", str(member.actor.user_id))


def test_whose_process_died_is_gone_after_a_while(
    server: Server, path: str, ann: Person, member: Person, workflow: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:

    presence.join(
        actor=member.actor, workflow_id=UUID(workflow["id"]), connection=uuid4()
    )  # Of a process that says nothing.
    monkeypatch.setattr(presence, "BEAT_SECONDS", 0.2)
    with server.socket(path, header=ann.tokens.access_token) as first:
        assert len(first.receive()["participants"]) == 2
        gone = WorkflowParticipant.unscoped.filter(user_id=member.actor.user_id)
        gone.update(seen_at=gone.get().seen_at - presence.GONE_AFTER)
        left = first.receive()
        assert (left["type"], left["user_id"]) == ("participant_left", str(member.actor.user_id))
        WorkflowParticipant.unscoped.all().delete()  # A row that is lost is made again.
        for _ in range(100):
            if WorkflowParticipant.unscoped.filter(user_id=ann.actor.user_id).exists():
                break
            assert first.silent(0.1)
        else:
            pytest.fail("no row again")


def test_cursors_are_merged_to_twenty_a_second(
    table: Table, ann: Person, member: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_limits, "BURST", 300)
    assert rooms.SENT_ON == 20
    first, second = table.seat(ann), table.seat(member)
    for x in range(200):
        first.send(op("cursor_moved", {"x": x, "y": 0}, None))
    first.send(op("selection_changed", {"node_ids": ["mail"], "edge_ids": []}, None))
    frames = []
    while len({each["operation"] for each in frames}) < 2 or frames_of(frames, "cursor_moved")[-1]["data"]["x"] != 199:
        frames.append(told(second))
    assert all(wrong(each, EPHEMERAL) == [] and "seq" not in each for each in frames)
    places = [each["data"]["x"] for each in frames_of(frames, "cursor_moved")]
    assert places == sorted(places)
    assert len(places) < 150
    assert frames_of(frames, "selection_changed")[-1]["data"] == {"node_ids": ["mail"], "edge_ids": []}
    assert [first.receive()["type"], first.silent()] == ["participant_joined", True]
    assert WorkflowOperation.unscoped.count() == 0


def frames_of(frames: list[dict[str, Any]], operation: str) -> list[dict[str, Any]]:
    return [each for each in frames if each["operation"] == operation]


def test_a_deleted_workflow_closes_with_4410(table: Table, ann: Person, at: str) -> None:
    socket = table.seat(ann)
    assert ann.api.delete(at).status_code == 204
    frames, code, reason = socket.closed()
    assert ([each["code"] for each in frames], code, reason) == (["NOT_FOUND"], 4410, "deleted")


def test_foreign_and_unknown_workflows_are_4404(server: Server, path: str, otto: Person, ann: Person) -> None:
    with server.socket(path, header=otto.tokens.access_token) as socket:
        refused(socket, "NOT_FOUND", 4404)
    with server.socket(
        "/ws/workflows/018f0000-0000-7000-8000-000000000000/collaboration", header=ann.tokens.access_token
    ) as socket:
        refused(socket, "NOT_FOUND", 4404)
    assert WorkflowParticipant.unscoped.count() == 0


def test_a_role_that_is_lost_ends_the_session_here_too(
    table: Table, ann: Person, member: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_watch, "LOOK_SECONDS", 0.1)
    socket = table.seat(member)
    members.member_update(actor=ann.actor, user_id=member.actor.user_id, role=Role.VIEWER)
    frames, code, _ = socket.closed()
    assert ([each["code"] for each in frames], code) == (["NOT_AUTHENTICATED"], 4401)
