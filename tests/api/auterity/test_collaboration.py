"""`/ws/workflows/{workflow_id}/collaboration` (`websockets.yaml`, ws.collaboration), and what REST has to do with it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts import members
from api import socket_limits, socket_watch
from api.auterity import rooms
from auterity.kernel.access import Role
from tests.api.people import Person, refusal
from tests.api.serving import Server, Socket, refused
from tests.api.shapes import wrong
from workflows import presence
from workflows.models import WorkflowOperation, WorkflowParticipant, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)

SNAPSHOT = {
    "workflow_id": "uuid", "seq": "integer", "stream_id": "string", "revision": "integer", "nodes": ["object"],
    "edges": ["object"],
    "participants": [{"user_id": "uuid", "name": "string", "color": "string", "since": "datetime"}], "timestamp": "datetime",
}  # fmt: skip
OPERATION = {
    "type": "enum(workflow_collaboration)", "workflow_id": "uuid", "user_id": "uuid", "operation": "string", "data": "object",
    "timestamp": "datetime", "seq": "integer", "revision": "integer", "client_op_id": "string",
}  # fmt: skip
ACK = {"client_op_id": "string", "seq": "integer", "revision": "integer", "timestamp": "datetime"}
EPHEMERAL = {name: OPERATION[name] for name in ("type", "workflow_id", "user_id", "operation", "data", "timestamp")}


@pytest.fixture
def workflow(ann: Person) -> dict[str, Any]:
    graph = {
        "nodes": [
            {"id": "hook", "type": "webhook-trigger", "config": {"secret": "s3cret", "authentication": "token"}},
            {
                "id": "mail",
                "type": "email",
                "title": "Mail",
                "config": {"to": "a@example.com", "subject": "Hi", "text": "Hello"},
            },
        ],
        "edges": [{"id": "e1", "source": "hook", "target": "mail"}],
    }
    return ann.api.made("/api/workflows", {"name": "W", "definition": graph, "is_active": False, "draft": True})


@pytest.fixture
def at(workflow: dict[str, Any]) -> str:
    return f"/api/workflows/{workflow['id']}"


@pytest.fixture
def path(workflow: dict[str, Any]) -> str:
    return f"/ws/workflows/{workflow['id']}/collaboration"


def op(operation: str, data: Any, name: str | None = "op-1", **more: Any) -> dict[str, Any]:
    named = {"client_op_id": name} if name is not None else {}
    return {"type": "workflow_collaboration", "operation": operation, "data": data, **named, **more}


def titled(title: str, name: str = "op-1", node: str = "mail", **more: Any) -> dict[str, Any]:
    return op("node_updated", {"node_id": node, "changes": {"title": title}}, name, **more)


class Table:
    """Several people at one workflow; the frames about coming and going are passed over."""

    def __init__(self, server: Server, path: str, stack: ExitStack) -> None:
        self._server, self._path, self._stack = server, path, stack

    def seat(self, person: Person, query: str = "") -> Socket:
        socket = self._stack.enter_context(
            self._server.socket(self._path, header=person.tokens.access_token, query=query)
        )
        assert wrong(socket.receive(), SNAPSHOT) == []
        return socket


@pytest.fixture
def table(server: Server, path: str) -> Any:
    with ExitStack() as stack:
        yield Table(server, path, stack)


def next_of(socket: Socket, *kinds: str) -> dict[str, Any]:
    """The next frame of these types."""
    frame = socket.receive()
    while frame["type"] not in kinds:
        frame = socket.receive()
    return frame


def told(socket: Socket) -> dict[str, Any]:
    """The next frame that is not about coming and going."""
    frame = socket.receive()
    while frame["type"].startswith("participant_"):
        frame = socket.receive()
    return frame


def test_the_sender_gets_an_ack_and_the_others_the_operation(
    table: Table, ann: Person, member: Person, at: str
) -> None:
    first, second = table.seat(ann), table.seat(member)
    first.send(titled("Send mail", "a-7"))
    ack = told(first)
    assert (wrong(ack, ACK), ack["type"], ack["client_op_id"], ack["seq"]) == ([], "collaboration_ack", "a-7", 2)
    frame = told(second)
    assert wrong(frame, OPERATION) == []
    assert frame["data"] == {
        "node_id": "mail",
        "changes": {"title": "Send mail", "data": {"label": "Send mail"}},
        "removed": [],
    }
    assert (frame["user_id"], frame["seq"], frame["revision"]) == (str(ann.actor.user_id), 2, 2)
    stored = ann.api.get(at).json()
    assert (stored["nodes"][1]["title"], stored["revision"], stored["version"]) == ("Send mail", 2, 2)
    assert first.silent()


def test_with_echo_the_sender_gets_both(table: Table, ann: Person) -> None:
    socket = table.seat(ann, "?echo=1")
    socket.send(titled("One"))
    frames = [told(socket), told(socket)]
    assert [each["type"] for each in frames] == ["workflow_collaboration", "collaboration_ack"]
    assert [(each["seq"], each["client_op_id"]) for each in frames] == [(2, "op-1")] * 2


def test_an_operation_that_is_sent_again_is_stored_once(table: Table, ann: Person) -> None:
    first = table.seat(ann)
    first.send(titled("One"))
    assert told(first)["seq"] == 2
    first.send(titled("One"))
    again = told(first)
    assert (again["type"], again["seq"], again["repeated"]) == ("collaboration_ack", 2, True)
    second = table.seat(ann)  # After a reconnect, too.
    second.send(titled("One"))
    assert (told(second)["seq"], WorkflowOperation.unscoped.count()) == (2, 1)


def test_a_deleted_node_takes_its_edges_along(table: Table, ann: Person, member: Person, at: str) -> None:
    first, second = table.seat(ann), table.seat(member)
    first.send(op("node_deleted", {"node_id": "mail"}))
    assert [(each["type"], each["operation"]) for each in (told(first), told(first))] == [
        ("collaboration_ack", "node_deleted"),
        ("workflow_collaboration", "edge_deleted"),
    ]
    frames = [told(second), told(second)]
    assert [(each["operation"], each["seq"]) for each in frames] == [("node_deleted", 2), ("edge_deleted", 3)]
    assert (frames[1]["data"], frames[1]["cause"]) == ({"edge_id": "e1"}, 2)
    assert (ann.api.get(at).json()["edges"], ann.api.get(at).json()["revision"]) == ([], 3)


def test_what_does_not_fit_is_a_conflict_with_what_is_there(table: Table, ann: Person, member: Person, at: str) -> None:
    first, second = table.seat(ann), table.seat(member)
    second.send(op("node_deleted", {"node_id": "mail"}))
    told(second)
    told(second)
    for message in (
        titled("Late"),
        op("edge_added", {"edge": {"id": "e2", "source": "hook", "target": "mail"}}),
    ):
        first.send(message)
        error = next_of(first, "error")
        assert (error["code"], error["id"], error["retryable"]) == ("CONFLICT", "op-1", False)
        assert error["conflict"]["current"] is None
        assert error["conflict"]["changed_by"] == {"user_id": str(member.actor.user_id), "name": "Bob Berg"}
    first.send(op("node_added", {"node": {"id": "hook", "type": "start"}}))
    error = next_of(first, "error")
    assert (error["code"], error["conflict"]["current"]["config"]["secret"]) == ("CONFLICT", "********")
    first.send(op("node_added", {"node": {"id": "x", "type": "start"}}))
    next_of(first, "collaboration_ack")
    for source, target in (("hook", "x"), ("x", "hook")):
        first.send(op("edge_added", {"edge": {"id": f"{source}{target}", "source": source, "target": target}}, source))
    assert next_of(first, "collaboration_ack", "error")["type"] == "collaboration_ack"
    circle = next_of(first, "collaboration_ack", "error")
    assert (circle["code"], "circle" in circle["message"]) == ("CONFLICT", True)
    assert [each["id"] for each in ann.api.get(at).json()["edges"]] == ["hookx"]


def test_a_field_changed_since_is_a_visible_conflict_unless_forced(table: Table, ann: Person, member: Person) -> None:
    first, second = table.seat(ann), table.seat(member)
    first.send(titled("Ann's", base_revision=1))
    assert told(first)["seq"] == 2
    told(second)
    second.send(titled("Bob's", "b-1", base_revision=1))
    error = told(second)
    assert (error["code"], error["id"]) == ("CONFLICT", "b-1")
    (field,) = error["conflict"]["fields"]
    assert (field["field"], field["yours"], field["theirs"]) == ("title", "Bob's", "Ann's")
    assert (field["changed_by"]["name"], field["revision"]) == ("Ann Ames", 2)
    assert wrong(field, {"changed_at": "datetime"}) == []
    other = op("node_updated", {"node_id": "mail", "changes": {"config": {"subject": "Yo"}}}, "b-2", base_revision=1)
    second.send(other)  # Another field of the same node merges.
    assert told(second)["seq"] == 3
    second.send(titled("Bob's", "b-3", base_revision=1, force=True))
    assert told(second)["seq"] == 4
    second.send(titled("Documented", "b-4"))  # Without a base the last one to arrive wins, as documented.
    assert told(second)["seq"] == 5


def test_a_secret_is_shown_masked_and_kept_when_the_mask_comes_back(
    table: Table, ann: Person, member: Person, workflow: dict[str, Any]
) -> None:
    first, second = table.seat(ann), table.seat(member)
    changes = {"config": {"secret": "********", "authentication": "none"}}
    first.send(op("node_updated", {"node_id": "hook", "changes": changes}))
    told(first)
    assert "secret" not in told(second)["data"]["changes"]["config"]
    first.send(op("node_updated", {"node_id": "hook", "changes": {"config": {"secret": "n3w"}}}, "op-2"))
    assert told(first)["data"]["changes"]["config"] == {"secret": "********"}
    assert told(second)["data"]["changes"]["config"] == {"secret": "********"}
    first.send(op("node_updated", {"node_id": "hook", "changes": {"type": "start"}}, "op-3"))
    assert "n3w" not in str(told(second))
    history = ann.api.get(f"/api/workflows/{workflow['id']}/operations").content.decode()
    assert "s3cret" not in history
    assert "n3w" not in history
    newest = ann.api.get(f"/api/workflows/{workflow['id']}").json()
    assert newest["nodes"][0]["config"] == {
        "authentication": "none"
    }  # Another type has nothing to hide it behind: it is gone.


def test_undo_takes_back_ones_own_and_redo_brings_it_again(table: Table, ann: Person, member: Person, at: str) -> None:
    first, second = table.seat(ann), table.seat(member)
    first.send(op("node_deleted", {"node_id": "hook"}, "a-1"))
    next_of(first, "collaboration_ack")
    second.send(titled("Bob's", "b-1"))
    next_of(second, "collaboration_ack")
    first.send({"type": "undo", "client_op_id": "a-2"})
    ack = next_of(first, "collaboration_ack")
    assert (ack["operation"], ack["undo"], ack["data"]["node"]["id"]) == ("node_added", 2, "hook")
    stored = ann.api.get(at).json()
    assert ([each["id"] for each in stored["nodes"]], stored["nodes"][0]["title"]) == (["mail", "hook"], "Bob's")
    assert [each["id"] for each in stored["edges"]] == ["e1"]
    first.send({"type": "redo", "client_op_id": "a-3"})
    assert next_of(first, "collaboration_ack")["operation"] == "node_deleted"
    first.send({"type": "redo", "client_op_id": "a-4"})
    assert next_of(first, "error")["code"] == "CONFLICT"
    assert ann.api.get(at).json()["edges"] == []


def test_an_undo_that_others_have_overtaken_is_a_conflict(table: Table, ann: Person, member: Person, at: str) -> None:
    first, second = table.seat(ann), table.seat(member)
    first.send(titled("Ann's"))
    assert told(first)["seq"] == 2
    second.send(titled("Bob's", "b-1"))
    next_of(second, "collaboration_ack")
    before = ann.api.get(at).json()
    first.send({"type": "undo", "revision": 2})
    error = next_of(first, "error")
    (field,) = error["conflict"]["fields"]
    assert (error["code"], field["yours"], field["theirs"]) == ("CONFLICT", "Mail", "Bob's")
    assert field["changed_by"]["name"] == "Bob Berg"
    second.send({"type": "undo", "revision": 2})  # Somebody else's is not theirs to undo.
    assert next_of(second, "error")["code"] == "CONFLICT"
    assert ann.api.get(at).json() == before


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


def test_a_save_over_rest_reaches_everybody_as_a_snapshot(table: Table, ann: Person, member: Person, at: str) -> None:
    first, second = table.seat(ann), table.seat(member)
    nodes = [{"id": "only", "type": "start"}]
    saved = ann.api.put(at, {"nodes": nodes, "edges": [], "version": 1, "draft": True})
    assert (saved.status_code, saved.json()["revision"]) == (200, 2)
    for socket in (first, second):
        frame = told(socket)
        assert wrong(frame, SNAPSHOT) == []
        assert (frame["type"], frame["seq"], [each["id"] for each in frame["nodes"]]) == (
            "collaboration_snapshot",
            2,
            ["only"],
        )
        assert len(frame["participants"]) == 2
    assert ann.api.post(f"{at}/publish", {}).status_code == 200
    frame = told(second)
    assert (frame["type"], frame["published_version"], frame["seq"]) == ("workflow_published", 2, 3)
    answer = ann.api.post(f"{at}/versions/1/rollback", {})
    assert answer.status_code == 200, answer.content
    frame = told(second)
    assert (frame["seq"], [each["id"] for each in frame["nodes"]]) == (4, ["hook", "mail"])
    assert ann.api.post(f"{at}/versions/2/restore").status_code == 200
    assert [each["id"] for each in told(second)["nodes"]] == ["only"]


def test_what_was_missed_is_replayed_in_order(
    table: Table, server: Server, path: str, ann: Person, member: Person, at: str
) -> None:
    first = table.seat(ann)
    for each in range(3):
        first.send(titled(f"T{each}", f"op-{each}"))
        told(first)
    ann.api.put(at, {"settings": {"note": 1}, "draft": True})
    first.send(titled("Last", "op-9"))
    with server.socket(path, header=member.tokens.access_token, query="?last_seq=2") as second:
        frames = second.until("replay_done")
    shown = [(each["type"], each.get("seq")) for each in frames if not each["type"].startswith("participant_")]
    newest = shown[0][1]
    assert newest in (5, 6)
    assert shown[1:4] == [("workflow_collaboration", 3), ("workflow_collaboration", 4), ("collaboration_snapshot", 5)]
    assert shown[-1] == ("replay_done", newest)
    with server.socket(path, header=member.tokens.access_token, query="?last_seq=99") as third:
        assert [each["type"] for each in third.until("error")][-1] == "error"
        assert next_of(third, "collaboration_snapshot")["seq"] == 6


def test_the_last_one_to_leave_leaves_a_version_behind(server: Server, path: str, ann: Person, at: str) -> None:
    with server.socket(path, header=ann.tokens.access_token) as socket:
        socket.receive()
        socket.send(titled("One"))
        told(socket)
        assert WorkflowVersion.unscoped.count() == 1
        assert ann.api.get(f"{at}/versions/2").json()["definition"]["nodes"][1]["title"] == "One"
    server.settle()
    for _ in range(100):
        if WorkflowVersion.unscoped.count() == 2:
            break
        server.settle()
        ann.api.get(at)
    assert [each["version"] for each in ann.api.get(f"{at}/versions").json()["versions"]] == [2, 1]


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


@pytest.mark.parametrize(
    "message",
    [
        {"type": "nonsense"},
        op("node_moved", {}),
        op("node_added", {}),
        op("node_added", {"node": []}),
        op("node_added", {"node": {"id": "x" * 101, "type": "start"}}),
        op("node_added", {"node": {"id": "a\u0007", "type": "start"}}),
        op("node_added", {"node": {"id": "x", "type": "no-such-type"}}),
        op("node_added", {"node": {"id": "x", "type": "start", "config": {"a": "\u0000"}}}),
        op("node_updated", {"node_id": "mail", "changes": {}}),
        op("node_updated", {"node_id": "mail", "changes": {"id": "other"}}),
        op("node_updated", {"node_id": "mail", "changes": {"config": []}}),
        op("node_updated", {"node_id": ["mail"], "changes": {"title": "x"}}),
        op("node_updated", {"node_id": "mail", "changes": {"title": "x"}}, base_revision=99),
        op("node_updated", {"node_id": "mail", "changes": {"title": "x"}}, base_revision="x"),
        op("node_updated", {"node_id": "mail", "changes": {"title": "x"}}, "n" * 65),
        {**op("node_deleted", {"node_id": "mail"}), "client_op_id": 7},
        op("edge_added", {"edge": {"id": "e2", "source": "hook"}}),
        op("settings_updated", {"changes": {"nodes": []}}),
        op("settings_updated", {"changes": {"settings": {"concurrency": 0}}}),
        op("cursor_moved", {"x": "far", "y": 1}),
        op("selection_changed", {"node_ids": [1]}),
        {"type": "undo", "revision": "first"},
    ],
    ids=lambda message: str(message)[:90],
)
def test_what_cannot_be_read_costs_an_error_and_changes_nothing(
    table: Table, ann: Person, at: str, message: dict[str, Any]
) -> None:
    before = ann.api.get(at).json()
    socket = table.seat(ann)
    socket.send(message)
    error = told(socket)
    assert (error["type"], error["code"] in ("INVALID_MESSAGE", "UNKNOWN_TYPE")) == ("error", True)
    socket.send({"type": "ping"})
    assert told(socket)["type"] == "pong"
    assert ann.api.get(at).json() == before


def test_what_is_nested_too_deeply_is_refused(table: Table, ann: Person, at: str) -> None:
    deep: Any = 1
    for _ in range(40):
        deep = {"a": deep}
    socket = table.seat(ann)
    socket.send(op("node_added", {"node": {"id": "x", "type": "start", "config": deep}}))
    assert told(socket)["code"] == "INVALID_MESSAGE"
    assert len(ann.api.get(at).json()["nodes"]) == 2


def test_a_definition_too_large_for_a_frame_is_fetched(
    table: Table, server: Server, path: str, ann: Person, at: str
) -> None:
    socket = table.seat(ann)
    large = [{"id": f"n{each}", "type": "start", "config": {"text": "x" * 1000}} for each in range(600)]
    saved = ann.api.put(at, {"nodes": large, "edges": [], "draft": True}).json()
    frame = told(socket)
    assert (frame["truncated"], frame["nodes"], frame["seq"], frame["href"]) == (True, [], saved["revision"], at)
    fetched = ann.api.get(frame["href"]).json()
    assert (len(fetched["nodes"]), fetched["revision"]) == (600, frame["seq"])


def test_a_stale_save_shows_both_values(table: Table, ann: Person, member: Person, at: str) -> None:
    first = table.seat(ann)
    read = member.api.get(at).json()
    first.send(titled("Ann's"))
    first.send(op("node_updated", {"node_id": "hook", "changes": {"config": {"secret": "n3w"}}}, "op-2"))
    told(first)
    told(first)
    nodes = [
        {**read["nodes"][0], "config": {"secret": "mine", "authentication": "token"}},
        {**read["nodes"][1], "title": "Bob's"},
    ]
    for seen in ({"revision": read["revision"]}, {"version": read["version"]}):
        error = refusal(member.api.put(at, {"nodes": nodes, "draft": True, **seen}), 409, "WF_004")
        found = {each["field"]: (each["yours"], each["stored"]) for each in error["details"]["conflicts"]}
        assert found == {
            "nodes.mail.title": ("Bob's", "Ann's"),
            "nodes.hook.config.secret": ("********", "********"),
        }
        assert (error["details"]["revision"], error["details"]["version"]) == (3, 3)
    newest = member.api.get(at).json()
    assert newest["nodes"][1]["title"] == "Ann's"
    assert member.api.put(at, {"name": "New", "revision": newest["revision"]}).json()["revision"] == 4


def test_the_history_tells_who_did_what(table: Table, ann: Person, member: Person, otto: Person, at: str) -> None:
    first, second = table.seat(ann), table.seat(member)
    first.send(titled("Ann's"))
    next_of(first, "collaboration_ack")
    second.send(op("node_deleted", {"node_id": "mail"}, "b-1"))
    next_of(second, "collaboration_ack")
    ann.api.put(at, {"settings": {"note": 1}, "draft": True})
    page = ann.api.get(f"{at}/operations").json()
    assert [(each["operation"], each["revision"], each["user"]["name"]) for each in page["operations"]] == [
        ("saved", 5, "Ann Ames"),
        ("edge_deleted", 4, "Bob Berg"),
        ("node_deleted", 3, "Bob Berg"),
        ("node_updated", 2, "Ann Ames"),
    ]
    assert (page["total"], page["operations"][0]["data"]["touched"]["rest"]) == (4, [["settings", "note"]])
    by_bob = ann.api.get(f"{at}/operations?user_id={member.actor.user_id}&node_id=mail").json()
    assert [each["revision"] for each in by_bob["operations"]] == [3]
    assert len(ann.api.get(f"{at}/operations?limit=1&page=2").json()["operations"]) == 1
    refusal(otto.api.get(f"{at}/operations"), 404, "WF_001")
