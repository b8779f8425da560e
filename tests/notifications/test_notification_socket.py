"""`/ws/notifications` (`websockets.yaml`, ws.notifications), over a real server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from notifications import announcing, selectors
from notifications.services import announce
from tests.api.people import Person
from tests.api.serving import Server
from tests.notifications.test_inbox import operator, told

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/ws/notifications"
FIELDS = {
    "type",
    "id",
    "category",
    "severity",
    "title",
    "message",
    "link",
    "data",
    "read",
    "created_at",
    "timestamp",
    "seq",
}


def test_a_snapshot_then_each_notification_in_order(server: Server, ann: Person, member: Person) -> None:
    for number in range(22):
        told(ann, f"n{number}")
    with server.socket(PATH, header=ann.tokens.access_token) as socket:
        snapshot = socket.receive()
        assert set(snapshot) == {"type", "seq", "stream_id", "unread_count", "latest", "timestamp"}
        assert (snapshot["type"], snapshot["seq"], snapshot["unread_count"]) == ("notification_snapshot", 22, 22)
        assert [each["title"] for each in snapshot["latest"]] == [f"n{number}" for number in range(21, 1, -1)]
        told(member, "not Ann's")
        told(ann, "live", data={"a": 1}, link="/x")
        frame = socket.receive()
        assert set(frame) >= FIELDS
        assert (frame["type"], frame["seq"], frame["title"], frame["read"]) == ("user_notification", 23, "live", False)
        assert (frame["data"], frame["link"]) == ({"a": 1}, "/x")
        assert socket.silent()


def test_whoever_comes_back_gets_what_they_missed(server: Server, ann: Person) -> None:
    for number in range(1, 6):
        told(ann, f"n{number}")
    with server.socket(PATH, header=ann.tokens.access_token, query="?last_seq=2") as socket:
        frames = socket.until("replay_done")
    assert [each["type"] for each in frames] == ["notification_snapshot", *["user_notification"] * 3, "replay_done"]
    assert [each["seq"] for each in frames] == [5, 3, 4, 5, 5]


def test_reading_on_one_socket_is_told_to_the_persons_others(
    server: Server, ann: Person, member: Person, otto: Person
) -> None:
    told(ann, "one")
    told(ann, "two")
    ids = [str(each.id) for each in selectors.latest(ann.actor)]
    token = ann.tokens.access_token
    with (
        server.socket(PATH, header=token) as one,
        server.socket(PATH, header=token) as other,
        server.socket(PATH, header=member.tokens.access_token) as stranger,
    ):
        for each in (one, other, stranger):
            assert each.receive()["type"] == "notification_snapshot"
        one.send({"type": "mark_read", "ids": [ids[0], str(uuid4())]})
        frame = other.receive()
        assert (frame["type"], frame["ids"], frame["unread_count"]) == ("notification_read", [ids[0]], 1)
        assert "seq" not in frame
        stranger.send({"type": "mark_read", "ids": ids})
        assert stranger.ask({"type": "ping"})["type"] == "pong"  # One at a time: it has been handled.
        ann.api.post("/api/notifications/read", {})
        assert one.receive()["ids"] == other.receive()["ids"] == [ids[1]]
        assert one.silent()
        assert stranger.silent()
    assert selectors.unread_count(ann.actor) == 0


@pytest.mark.parametrize("ids", [None, "all", [1], ["x"], ["x" * 36] * 1001])
def test_what_is_no_list_of_ids_costs_an_error_frame(server: Server, ann: Person, ids: object) -> None:
    told(ann)
    with server.socket(PATH, header=ann.tokens.access_token) as socket:
        socket.receive()
        assert socket.ask({"type": "mark_read", "ids": ids})["code"] == "INVALID_MESSAGE"
        assert socket.ask({"type": "shout"})["code"] == "UNKNOWN_TYPE"
        assert socket.ask({"type": "ping"})["type"] == "pong"
    assert selectors.unread_count(ann.actor) == 1


def test_a_storm_is_told_as_it_doubles(server: Server, ann: Person) -> None:
    with server.socket(PATH, header=ann.tokens.access_token) as socket:
        socket.receive()
        for number in range(1, 10):
            told(ann, f"Run {number} failed", key="x", many="{count} runs failed")
        frames = [socket.receive() for _ in range(4)]
        assert socket.silent()
    assert [(each["type"], each["count"]) for each in frames] == [
        ("user_notification", 1),
        ("notification_counted", 2),
        ("notification_counted", 4),
        ("notification_counted", 8),
    ]
    assert len({each["id"] for each in frames}) == 1


def test_an_announcement_is_in_the_stream(server: Server, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "SETTLED_SECONDS", -1.0)
    told(ann)
    with server.socket(PATH, header=ann.tokens.access_token) as socket:
        socket.receive()
        announce(by=operator(), title="Maintenance", message="On Sunday.", severity="warning")
        announcing.tell_announcements()
        frame = socket.receive()
        assert (frame["type"], frame["seq"], frame["severity"], frame["ends_at"]) == (
            "system_announcement",
            2,
            "warning",
            None,
        )
        assert {"id", "title", "message", "starts_at", "timestamp"} <= set(frame)
        socket.send({"type": "mark_read", "ids": [frame["id"]]})
        assert socket.ask({"type": "ping"})["type"] == "pong"
    assert selectors.unread_count(ann.actor) == 1


def test_nobody_comes_in_without_a_token(server: Server, ann: Person) -> None:
    with server.socket(PATH, query="?token=garbage") as socket:
        frames, code, _reason = socket.closed()
    assert ([each["code"] for each in frames], code) == (["NOT_AUTHENTICATED"], 4401)
