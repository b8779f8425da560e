"""The stream of `/ws/{client_id}` outlives its socket and its process: what a client missed follows from a log."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from accounts import members
from api.auterity import client_marks, client_streams, log_tail, organization_feed, organization_log
from api.models import KeptStream, LineBatch, StreamMark
from auterity.kernel.access import Role
from auterity.kernel.live import LIVE
from executions import retention
from executions.models import Execution, ExecutionLog, LogKind
from monitoring.models import SystemAlert
from tests.api.people import Person, logged_in
from tests.api.serving import Server, Socket
from tests.api.test_socket_clients import connected, running, seqs, started, until_ended

pytestmark = pytest.mark.django_db(transaction=True)

Frames = list[dict[str, Any]]


def missed(server: Server, token: str, last_seq: Any, client_id: str = "c") -> tuple[dict[str, Any], Frames]:
    """What a client gets that comes back: `connected`, and the frames up to `replay_done`."""
    with server.socket(f"/ws/{client_id}", header=token, query=f"?last_seq={last_seq}") as socket:
        hello = connected(socket)
        frames = socket.until("replay_done")
    assert frames[-1]["seq"] == hello["seq"]
    return hello, frames[:-1]


def begun_anew(socket: Socket) -> dict[str, Any]:
    hello = connected(socket)
    error, fresh = socket.receive(), connected(socket)
    assert (error["type"], error["data"]["code"]) == ("error", "SEQ_UNAVAILABLE")
    assert fresh["data"]["stream_id"] == hello["data"]["stream_id"]
    return hello


def lived(server: Server, token: str, client_id: str = "c") -> tuple[str, Frames]:
    """A client that heard a run and left; nobody is left in the process."""
    with server.socket(f"/ws/{client_id}", header=token) as socket:
        hello = connected(socket)
        with running():
            frames = until_ended(socket)
    server.settle()
    return hello["data"]["stream_id"], frames


def ran(person: Person, *steps: str, **more: Any) -> str:
    """A run that nobody watched."""
    run = started(person, *steps, **more)
    with running():
        until = timezone.now() + dt.timedelta(seconds=20)
        while Execution.unscoped.get(id=run).status != "completed":
            assert timezone.now() < until
    return run


def updates_of(run: str) -> list[int]:
    """The lines of a run that a client of 001 is sent."""
    lines = ExecutionLog.unscoped.filter(execution_id=run).exclude(kind=LogKind.NOTE)
    return list(lines.order_by("seq").values_list("seq", flat=True))


def test_what_happened_while_nobody_was_there_is_replayed(server: Server, ann: Person, run: str, token: str) -> None:
    stream_id, seen = lived(server, token)
    second, third = ran(ann, "x", "y", name="Second"), ran(ann, "z", name="Third")
    hello, frames = missed(server, token, len(seen))
    assert hello["data"]["stream_id"] == stream_id
    assert seqs(frames) == list(range(len(seen) + 1, len(seen) + 1 + len(frames)))
    for each in (second, third):
        lines = [frame["data"]["execution_seq"] for frame in frames if frame["data"]["execution_id"] == each]
        assert lines == updates_of(each)
    assert {frame["data"]["execution_id"] for frame in frames} == {second, third}
    server.settle()
    again, whole = missed(server, token, 0)
    assert (again["data"], whole) == (hello["data"], seen + frames)
    server.settle()
    assert missed(server, token, len(seen) + 2)[1] == frames[2:]
    assert missed(server, token, hello["seq"])[1] == []


def test_a_second_client_that_stayed_elsewhere_heard_the_same(
    server: Server, ann: Person, run: str, token: str
) -> None:
    with server.socket("/ws/stays", header=token) as stays:
        connected(stays)
        with server.socket("/ws/goes", header=token) as goes:
            connected(goes)
            with running():
                seen = until_ended(goes)
            assert until_ended(stays) == seen
        ran(ann, "x", "y", name="Second")
        heard = until_ended(stays)
        server._loop.call_soon_threadsafe(client_streams.STREAMS.forget)
        _, frames = missed(server, token, len(seen), "goes")
    assert frames == heard


def test_a_filter_that_changed_counts_from_where_it_changed(server: Server, ann: Person, run: str, token: str) -> None:
    other = started(ann, "x", name="Other")
    with server.socket("/ws/c", header=token) as socket:
        connected(socket)
        socket.ask({"type": "subscribe", "data": {"events": ["execution_log"], "execution_ids": [run]}})
        with running():
            seen = [socket.receive()]
            while seen[-1]["data"]["event"] != "ended":
                seen.append(socket.receive())
        third = started(ann, "z", name="Third")
        wish = {"events": ["workflow_execution_update"], "execution_ids": [third]}
        assert socket.ask({"type": "subscribe", "data": wish})["data"]["subscriptions"] == [
            "execution_log",
            "workflow_execution_update",
        ]
        with running():
            seen += until_ended(socket)
        socket.ask({"type": "unsubscribe", "data": {"events": ["workflow_execution_update"]}})
        ran(ann, "u", name="Unheard")
    server.settle()
    ran(ann, "v", name="Unheard too")
    hello, frames = missed(server, token, 0)
    assert frames == seen
    assert hello["data"]["subscriptions"] == ["execution_log"]
    assert {each["data"]["execution_id"] for each in frames} == {run, third}
    assert other not in str(frames)


def test_without_last_seq_it_hears_everything_again_and_may_still_resume(
    server: Server, ann: Person, run: str, token: str
) -> None:
    with server.socket("/ws/c", header=token) as socket:
        stream_id = connected(socket)["data"]["stream_id"]
        socket.ask({"type": "subscribe", "data": {"events": ["execution_log"], "execution_ids": [run]}})
        with running():
            seen = [socket.receive()]
            while seen[-1]["data"]["event"] != "ended":
                seen.append(socket.receive())
    server.settle()
    with server.socket("/ws/c", header=token) as socket:
        hello = connected(socket)
        assert (hello["data"]["stream_id"], hello["seq"], len(hello["data"]["subscriptions"])) == (
            stream_id,
            len(seen),
            4,
        )
        run = ran(ann, "x", name="Second")
        later = until_ended(socket)
        socket.send({"type": "resume", "last_seq": 1})
        assert socket.until("replay_done")[:-1] == seen[1:] + later
    assert seqs(later) == list(range(len(seen) + 1, len(seen) + 1 + len(later)))


def test_memory_keeps_little_and_the_log_the_rest(
    server: Server, run: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client_streams.KEPT_FRAMES == 1000
    monkeypatch.setattr(client_streams, "KEPT_FRAMES", 2)
    monkeypatch.setattr(organization_log, "PAGE_BATCHES", 1)
    with server.socket("/ws/c", header=token) as socket:
        connected(socket)
        with running():
            seen = until_ended(socket)
        for last_seq in (0, len(seen) - 2, len(seen), 3):
            socket.send({"type": "resume", "last_seq": last_seq})
            assert socket.until("replay_done")[:-1] == seen[last_seq:]
        for hostile in (-1, 1.5, True, "1; DROP", "9" * 400, [1], None, {"a": 1}):
            told = socket.ask({"type": "resume", "last_seq": hostile})
            assert (told["type"], told["data"]["code"]) == ("error", "INVALID_MESSAGE")


@pytest.mark.parametrize("last_seq", ["9" * 18, "1000000"])
def test_who_claims_to_have_seen_more_than_there_was_begins_anew(
    server: Server, run: str, token: str, last_seq: str
) -> None:
    lived(server, token)
    with server.socket("/ws/c", header=token, query=f"?last_seq={last_seq}") as socket:
        begun_anew(socket)


def test_what_is_older_than_a_day_and_than_many_lines_is_forgotten(
    server: Server, ann: Person, run: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream_id, seen = lived(server, token)
    old = timezone.now() - dt.timedelta(hours=25)
    LineBatch.unscoped.update(created_at=old)
    ran(ann, "x", name="Second")
    assert missed(server, token, 0)[0]["data"]["stream_id"] == stream_id  # Old, but few.
    server.settle()
    monkeypatch.setattr(organization_log, "KEPT_LINES", 3)
    assert not organization_log.forgotten_batches(ann.actor.organization_id, old).exists()  # Many, but young.
    retention.sweep()
    retention.sweep()
    oldest = LineBatch.unscoped.order_by("number").first()
    assert oldest is not None
    assert oldest.number > 1
    assert not StreamMark.unscoped.filter(number__lt=oldest.number).exists()
    assert missed(server, token, len(seen))[1]  # Since then everything is kept.
    server.settle()
    with server.socket("/ws/c", header=token, query="?last_seq=0") as socket:
        assert begun_anew(socket)["data"]["stream_id"] == stream_id
    server.settle()
    StreamMark.unscoped.all().delete()
    with server.socket("/ws/c", header=token, query=f"?last_seq={len(seen)}") as socket:
        assert begun_anew(socket)["data"]["stream_id"] != stream_id


def test_a_client_that_does_not_come_back_is_forgotten(server: Server, run: str, token: str) -> None:
    stream_id, _ = lived(server, token)
    KeptStream.unscoped.update(seen_at=timezone.now() - dt.timedelta(days=8))
    retention.sweep()
    assert not KeptStream.unscoped.exists()
    with server.socket("/ws/c", header=token, query="?last_seq=7") as socket:
        assert begun_anew(socket)["data"]["stream_id"] != stream_id


def test_an_erased_execution_ends_the_streams_that_lead_over_it(
    server: Server, ann: Person, run: str, token: str
) -> None:
    stream_id, seen = lived(server, token)
    gone = ran(ann, "x", name="Second")
    lived_on, _ = missed(server, token, len(seen))
    server.settle()
    Execution.unscoped.filter(id=gone).delete()
    with server.socket("/ws/c", header=token, query=f"?last_seq={len(seen)}") as socket:
        hello = begun_anew(socket)  # It knows how far it came, but not any more what it said on the way.
        assert (hello["data"]["stream_id"], hello["seq"]) == (stream_id, lived_on["seq"])
    server.settle()
    StreamMark.unscoped.filter(seq__gt=len(seen)).delete()
    with server.socket("/ws/c", header=token, query=f"?last_seq={lived_on['seq']}") as socket:
        assert begun_anew(socket)["data"]["stream_id"] != stream_id


def test_too_much_that_nobody_followed_is_left_out_and_said_to_be(
    server: Server, ann: Person, run: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream_id, seen = lived(server, token)
    ran(ann, "x", "y", name="Second")
    monkeypatch.setattr(log_tail, "BRIDGED", 3)
    with server.socket("/ws/c", header=token, query=f"?last_seq={len(seen)}") as socket:
        assert begun_anew(socket)["data"]["stream_id"] != stream_id
        with running():
            third = started(ann, "z", name="Third")
            frames = until_ended(socket)
    assert [each["data"]["execution_seq"] for each in frames] == updates_of(third)


def test_other_rights_begin_another_stream(server: Server, ann: Person, member: Person, run: str) -> None:
    stream_id, seen = lived(server, member.tokens.access_token)
    members.member_update(actor=ann.actor, user_id=member.actor.user_id, role=Role.ADMIN)
    again = logged_in("member@example.com")
    with server.socket("/ws/c", header=again.tokens.access_token, query=f"?last_seq={len(seen)}") as socket:
        assert begun_anew(socket)["data"]["stream_id"] != stream_id
    assert KeptStream.unscoped.count() == 1


def test_streams_belong_to_one_user(server: Server, ann: Person, otto: Person, viewer: Person, run: str) -> None:
    stream_id, seen = lived(server, ann.tokens.access_token)
    for other in (otto, viewer):
        with server.socket("/ws/c", header=other.tokens.access_token, query=f"?last_seq={len(seen)}") as socket:
            assert begun_anew(socket)["data"]["stream_id"] != stream_id


def test_a_user_has_a_bounded_number_of_streams(
    server: Server, token: str, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_marks, "STREAMS_OF_ONE", 3)
    for at in range(6):
        with server.socket(f"/ws/c{at}", header=token) as socket:
            connected(socket)
    assert set(KeptStream.unscoped.values_list("client_id", flat=True)) == {"c3", "c4", "c5"}


def test_an_alert_keeps_its_number(server: Server, run: str, token: str) -> None:
    alert = {"alert_id": "018f0000-0000-7000-8000-000000000000", "severity": "warning", "component": "database",
             "message": "Slow", "resolved": False}  # fmt: skip
    with server.socket("/ws/c", header=token) as socket:
        connected(socket)
        LIVE.publish([("alerts", alert)])
        LIVE.publish([("alerts", alert)])
        first = socket.receive()
        with running():
            seen = [first, *until_ended(socket)]
    server.settle()
    assert first["data"] == alert
    assert missed(server, token, 0)[1] == seen
    assert [each["type"] for each in seen].count("system_alert") == 1


def test_an_alert_that_nobody_heard_is_told(server: Server, run: str, token: str) -> None:
    _, seen = lived(server, token)
    about = {"rule": "queue_lag", "component": "queue", "severity": "critical", "message": "Late"}
    alert = SystemAlert.objects.create(**about, seen_at=timezone.now())
    SystemAlert.objects.filter(pk=alert.pk).update(resolved_at=timezone.now() + dt.timedelta(milliseconds=1))
    _, frames = missed(server, token, len(seen))
    assert [(each["data"]["alert_id"], each["data"]["resolved"]) for each in frames] == [
        (str(alert.id), False),
        (str(alert.id), True),
    ]
    server.settle()
    assert missed(server, token, len(seen))[1] == frames


def test_marks_are_made_as_the_stream_goes(
    server: Server, run: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert organization_feed.MARKED_LINES < organization_log.KEPT_LINES
    monkeypatch.setattr(organization_feed, "MARKED_LINES", 1)
    monkeypatch.setattr(organization_feed, "LOOK_SECONDS", 0.05)
    with server.socket("/ws/c", header=token) as socket:
        connected(socket)
        with running():
            until_ended(socket)
        until = timezone.now() + dt.timedelta(seconds=20)
        while not StreamMark.unscoped.filter(seq__gt=0).exists():
            assert timezone.now() < until


def test_nothing_is_written_while_nobody_watches(ann: Person, run: str) -> None:
    ran(ann, "x", name="Second")
    assert not LineBatch.unscoped.exists()
