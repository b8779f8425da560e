"""Comments on a workflow: who may write, change, settle and delete them, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from auterity.kernel import events
from tests.api.people import Person, refusal
from tests.api.serving import Server
from tests.api.shapes import wrong
from workflows.events import CommentMentioned

COMMENT = {
    "id": "uuid", "workflow_id": "uuid", "node_id": "string|null", "parent_id": "uuid|null", "body": "string",
    "created_by": {"user_id": "uuid", "name": "string"}, "created_at": "datetime", "edited_at": "datetime|null",
    "resolved": "boolean", "resolved_at": "datetime|null", "deleted": "boolean",
}  # fmt: skip


@pytest.fixture
def at(ann: Person) -> str:
    graph = {"nodes": [{"id": "a", "type": "start"}], "edges": []}
    return f"/api/workflows/{ann.api.made('/api/workflows', {'name': 'W', 'definition': graph})['id']}/comments"


def test_a_thread_is_written_answered_and_settled(ann: Person, member: Person, viewer: Person, at: str) -> None:
    first = ann.api.made(at, {"body": " Why this? ", "node_id": "a"})
    assert (wrong(first, COMMENT), first["body"], first["node_id"]) == ([], "Why this?", "a")
    answer = member.api.made(at, {"body": "Because.", "parent_id": first["id"]})
    assert (answer["parent_id"], answer["node_id"]) == (first["id"], "a")
    again = ann.api.made(at, {"body": "I see.", "parent_id": answer["id"]})
    assert again["parent_id"] == first["id"]  # One thread, one level.
    general = ann.api.made(at, {"body": "On the whole: good."})
    assert general["node_id"] is None
    assert [each["body"] for each in viewer.api.get(at).json()["comments"]] == [
        "Why this?",
        "Because.",
        "I see.",
        "On the whole: good.",
    ]
    assert [each["id"] for each in ann.api.get(f"{at}?node_id=a").json()["comments"]] == [
        each["id"] for each in (first, answer, again)
    ]
    settled = member.api.post(f"{at}/{first['id']}/resolve").json()
    assert (settled["resolved"], settled["resolved_by"]["name"]) == (True, "Bob Berg")
    assert [each["id"] for each in ann.api.get(f"{at}?resolved=false").json()["comments"]] == [general["id"]]
    assert len(ann.api.get(f"{at}?resolved=true").json()["comments"]) == 3
    assert ann.api.post(f"{at}/{first['id']}/reopen").json()["resolved"] is False
    refusal(ann.api.post(f"{at}/{answer['id']}/resolve"), 400, "VAL_001")


def test_only_who_wrote_it_changes_and_deletes_it(ann: Person, member: Person, viewer: Person, at: str) -> None:
    first = ann.api.made(at, {"body": "One"})
    here = f"{at}/{first['id']}"
    refusal(member.api.patch(here, {"body": "Two"}), 403, "AUTH_003")
    refusal(member.api.delete(here), 403, "AUTH_003")
    refusal(viewer.api.post(at, {"body": "No"}), 403, "AUTH_003")
    changed = ann.api.patch(here, {"body": "Two"}).json()
    assert (changed["body"], changed["edited_at"] is not None) == ("Two", True)
    answer = member.api.made(at, {"body": "Answer", "parent_id": first["id"]})
    assert ann.api.delete(here).status_code == 204
    shown = ann.api.get(at).json()["comments"]
    assert [(each["body"], each["deleted"]) for each in shown] == [("", True), ("Answer", False)]
    refusal(ann.api.patch(here, {"body": "Three"}), 404, "RES_001")
    assert member.api.delete(f"{at}/{answer['id']}").status_code == 204
    assert ann.api.get(at).json()["comments"] == []


@pytest.mark.parametrize(
    "body", [{}, {"body": " "}, {"body": "x" * 5001}, {"body": "a\u0000"}, {"body": "x", "node_id": "nowhere"}]
)
def test_what_cannot_be_said(ann: Person, at: str, body: dict[str, Any]) -> None:
    assert ann.api.post(at, body).status_code == 400
    assert ann.api.get(at).json()["total"] == 0


def test_comments_stay_in_their_organization(ann: Person, otto: Person, at: str) -> None:
    first = ann.api.made(at, {"body": "Ours"})
    for answer in (
        otto.api.get(at),
        otto.api.post(at, {"body": "Theirs"}),
        otto.api.patch(f"{at}/{first['id']}", {"body": "Theirs"}),
        otto.api.post(f"{at}/{first['id']}/resolve"),
        otto.api.delete(f"{at}/{first['id']}"),
    ):
        refusal(answer, 404, "WF_001")
    refusal(ann.api.post(at, {"body": "x", "mentions": [str(otto.actor.user_id)]}), 400, "VAL_001")


@pytest.mark.django_db(transaction=True)
def test_who_is_mentioned_is_told_once_and_who_watches_sees_it(
    server: Server, ann: Person, member: Person, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[CommentMentioned] = []
    monkeypatch.setitem(events._listeners, CommentMentioned, [told.append])
    bob, me = str(member.actor.user_id), str(ann.actor.user_id)
    path = at.replace("/api/", "/ws/").replace("/comments", "/collaboration")
    with server.socket(path, header=member.tokens.access_token) as socket:
        socket.receive()
        first = ann.api.made(at, {"body": "Look, Bob", "node_id": "a", "mentions": [bob, me]})
        frame = socket.receive()
        assert (frame["type"], frame["comment"]) == ("comment_added", first)
        ann.api.patch(f"{at}/{first['id']}", {"body": "Look again, Bob", "mentions": [bob]})
        assert socket.receive()["comment"]["body"] == "Look again, Bob"
        ann.api.delete(f"{at}/{first['id']}")
        assert (socket.receive()["type"], socket.silent()) == ("comment_deleted", True)
    (event,) = told
    assert (event.user_ids, event.by_name, event.excerpt, event.node_id) == (
        (member.actor.user_id,),
        "Ann Ames",
        "Look, Bob",
        "a",
    )
