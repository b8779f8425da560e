"""What REST has to do with collaboration: saves become snapshots, and what happened is replayed, versioned and told."""

from __future__ import annotations

import pytest

from tests.api.auterity.collaboration.table import SNAPSHOT, Table, next_of, op, titled, told
from tests.api.people import Person, refusal
from tests.api.serving import Server
from tests.api.shapes import wrong
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)


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
