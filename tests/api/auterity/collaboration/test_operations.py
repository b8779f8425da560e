"""Operations on a workflow that several people edit: stored once and told to all, taken back, or a visible conflict."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.auterity.collaboration.table import ACK, OPERATION, Table, next_of, op, titled, told
from tests.api.people import Person
from tests.api.shapes import wrong
from workflows.models import WorkflowOperation

pytestmark = pytest.mark.django_db(transaction=True)


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
        op("node_added", {"node": {"id": "x", "type": "start", "position": {"x": "left", "y": 0}}}),
        op("node_updated", {"node_id": "mail", "changes": {"inputs": "in"}}),
        op("edge_added", {"edge": {"id": "e2", "source": "hook", "target": "mail", "type": "zigzag"}}),
        op("settings_updated", {"changes": {"nodes": []}}),
        op("settings_updated", {"changes": {"settings": {"timeout_seconds": "soon"}}}),
        op("settings_updated", {"changes": {"variables": {"v": {"type": "colour"}}}}),
        op("settings_updated", {"changes": {"triggers": [{"type": "whim"}]}}),
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
