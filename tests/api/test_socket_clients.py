"""`/ws/{client_id}`: what happens in one's organization, by 001's names (`websockets.yaml`, ws.client)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from api.auterity import client_metrics
from api.auterity.client_metrics import METRICS
from auterity.embedded import start_runner, stop_runner
from auterity.kernel.live import LIVE
from tests.api.graphs import chain
from tests.api.people import Person
from tests.api.serving import Server, Socket, refused
from tests.api.shapes import wrong

pytestmark = pytest.mark.django_db(transaction=True)

UPDATE = {
    "type": "enum(workflow_execution_update)",
    "data": {
        "execution_id": "uuid",
        "workflow_id": "uuid",
        "status": "string",
        "current_step": "string|null",
        "progress": "number",
    },
    "timestamp": "datetime",
    "seq": "integer",
}
CONNECTED = {
    "type": "enum(connected)",
    "data": {
        "client_id": "string",
        "user_id": "uuid",
        "subscriptions": ["string"],
        "stream_id": "uuid",
        "seq": "integer",
    },
    "timestamp": "datetime",
    "seq": "integer",
}
FAILING = {"id": "bad", "type": "data-transformation", "title": "Bad", "config": {"set": {"n": "{{ 1 / 0 }}"}}}


@contextmanager
def running() -> Iterator[None]:
    runner = start_runner()
    try:
        yield
    finally:
        stop_runner(runner)


def connected(socket: Socket) -> dict[str, Any]:
    frame = socket.receive()
    assert wrong(frame, CONNECTED) == []
    return frame


def until_ended(socket: Socket) -> list[dict[str, Any]]:
    found = [socket.receive()]
    while found[-1]["data"].get("status") not in ("completed", "failed"):
        found.append(socket.receive())
    return found


def seqs(frames: list[dict[str, Any]]) -> list[int]:
    return [each["seq"] for each in frames]


def started(person: Person, *steps: str, **more: Any) -> str:
    workflow = person.api.made("/api/workflows", chain(*(steps or ("a", "b")), **more))
    accepted: str = person.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {"a": 1}})["execution_id"]
    return accepted


def test_a_client_of_001_needs_only_its_token_in_the_address(server: Server, ann: Person, run: str, token: str) -> None:
    with server.socket("/ws/my-client_1.0", query=f"?token={token}") as socket:
        hello = connected(socket)
        assert hello["data"]["client_id"] == "my-client_1.0"
        assert hello["data"]["subscriptions"] == [
            "workflow_execution_update", "system_alert", "error_notification", "metrics_update",
        ]  # fmt: skip
        assert [each["execution_id"] for each in hello["data"]["executions"]] == [run]
        with running():
            frames = until_ended(socket)
    for frame in frames:
        assert wrong(frame, UPDATE) == []
        assert frame["data"]["execution_id"] == run
    assert seqs(frames) == list(range(1, len(frames) + 1))
    assert [each["data"]["execution_seq"] for each in frames] == list(range(1, len(frames) + 1))
    assert (frames[-1]["data"]["status"], frames[-1]["data"]["progress"]) == ("completed", 100)


def test_another_organizations_executions_are_not_seen(server: Server, ann: Person, otto: Person, run: str) -> None:
    with (
        server.socket("/ws/same", header=ann.tokens.access_token) as hers,
        server.socket("/ws/same", header=otto.tokens.access_token) as his,
    ):
        assert connected(his)["data"]["executions"] == []
        connected(hers)
        with running():
            until_ended(hers)
        assert his.silent()


@pytest.mark.parametrize("client_id", ["executions", "workflows", "chat", "", "a" * 65, "a b", "é", "a/b", "a%2Fb"])
def test_what_is_no_client_id_is_4404(server: Server, token: str, client_id: str) -> None:
    with server.socket(f"/ws/{client_id.replace(' ', '%20').replace('é', '%C3%A9')}", header=token) as socket:
        refused(socket, "NOT_FOUND", 4404)


def test_the_newest_of_a_users_client_id_stays(server: Server, ann: Person, viewer: Person, token: str) -> None:
    with (
        server.socket("/ws/tab", header=token) as first,
        server.socket("/ws/tab", header=viewer.tokens.access_token) as other,
    ):
        connected(first)
        connected(other)
        with server.socket("/ws/tab", header=token) as second:
            connected(second)
            assert first.closed()[1:] == (4409, "replaced")
            assert second.ask({"type": "ping"})["type"] == "pong"
            assert other.ask({"type": "ping"})["type"] == "pong"


def test_who_comes_back_gets_what_it_missed(server: Server, ann: Person, run: str, token: str) -> None:
    with server.socket("/ws/back", header=token) as socket:
        hello = connected(socket)
        with running():
            seen = until_ended(socket)
    second = started(ann, "x", "y", name="Another")
    with server.socket("/ws/witness", header=token) as witness:
        connected(witness)
        with running():
            until_ended(witness)
    for cut in (0, 2, len(seen)):
        with server.socket("/ws/back", header=token, query=f"?last_seq={cut}") as socket:
            again = connected(socket)
            assert again["data"]["stream_id"] == hello["data"]["stream_id"]
            frames = socket.until("replay_done")
            assert seqs(frames[:-1]) == list(range(cut + 1, again["seq"] + 1))
            assert frames[: len(seen) - cut] == seen[cut:]
            assert {each["data"].get("execution_id") for each in frames[len(seen) - cut : -1]} == {second}


def test_common_frames_speak_in_data(server: Server, token: str) -> None:
    with server.socket("/ws/common") as socket:
        assert socket.silent()
        socket.send({"type": "auth", "data": {"token": token}})
        greeting = socket.receive()
        assert (greeting["type"], set(greeting["data"])) == ("auth_ok", {"user_id", "expires_at", "session"})
        connected(socket)
        assert socket.ask({"type": "ping", "data": {"id": 9}})["data"] == {"id": 9}
        assert socket.ask({"type": "ping"})["data"] == {}
        unknown = socket.ask({"type": "dance", "data": {"id": "q"}})
        assert (unknown["type"], unknown["data"]["code"], unknown["data"]["id"]) == ("error", "UNKNOWN_TYPE", "q")
        assert socket.ask({"type": "resume", "data": {"last_seq": 0}})["type"] == "replay_done"


def test_a_client_narrows_what_it_hears(server: Server, ann: Person, run: str, token: str) -> None:
    other = started(ann, "x", name="Other")
    with server.socket("/ws/narrow", header=token) as socket:
        connected(socket)
        wish = {"events": ["workflow_execution_update"], "execution_ids": [run], "id": 1}
        told = socket.ask({"type": "subscribe", "data": wish})
        assert (told["type"], told["data"]["subscriptions"]) == ("subscribed", ["workflow_execution_update"])
        assert (told["data"]["filters"]["workflow_execution_update"]["execution_ids"], told["data"]["id"]) == ([run], 1)
        with running():
            frames = until_ended(socket)
            assert {each["data"]["execution_id"] for each in frames} == {run}
            assert seqs(frames) == list(range(1, len(frames) + 1))  # Without gaps, though another one ran too.
        assert socket.silent()
        told = socket.ask({"type": "unsubscribe", "data": {"events": ["workflow_execution_update"]}})
        assert (told["type"], told["data"]["subscriptions"]) == ("unsubscribed", [])
    assert other != run


def test_wishes_that_cannot_be_met(server: Server, ann: Person, otto: Person, token: str) -> None:
    foreign = started(otto)
    with server.socket("/ws/wishes", header=token) as socket:
        connected(socket)
        for data, code in (
            ({"execution_ids": [foreign]}, "NOT_FOUND"),
            ({"workflow_ids": ["018f0000-0000-7000-8000-000000000000"]}, "NOT_FOUND"),
            ({"events": ["everything"]}, "INVALID_MESSAGE"),
            ({"execution_ids": ["no id"]}, "INVALID_MESSAGE"),
            ({"execution_ids": [foreign] * 101}, "INVALID_MESSAGE"),
            ("text", "INVALID_MESSAGE"),
        ):
            told = socket.ask({"type": "subscribe", "data": data})
            assert (told["type"], told["data"]["code"]) == ("error", code)
        assert len(socket.ask({"type": "subscribe", "data": {}})["data"]["subscriptions"]) == 4


def test_a_failing_step_and_its_run_are_notified(server: Server, ann: Person, token: str) -> None:
    workflow = ann.api.made("/api/workflows", {"name": "Fails", "definition": {"nodes": [FAILING], "edges": []}})
    with server.socket("/ws/errors", header=token) as socket:
        connected(socket)
        socket.ask({"type": "subscribe", "data": {"events": ["error_notification"]}})
        run = ann.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {}})["execution_id"]
        with running():
            step, whole = socket.receive(), socket.receive()
    assert (step["type"], step["data"]["step_id"], step["data"]["execution_id"]) == ("error_notification", "bad", run)
    assert step["data"]["code"] not in ("", "STEP_FAILED", "EXECUTION_RUNNING")
    assert (whole["data"]["step_id"], whole["data"]["code"]) == (None, "EXECUTION_FAILED")


def test_the_log_is_followed_by_level(server: Server, ann: Person, run: str, token: str) -> None:
    workflow = ann.api.made("/api/workflows", {"name": "Fails", "definition": {"nodes": [FAILING], "edges": []}})
    with server.socket("/ws/all", header=token) as every, server.socket("/ws/some", header=token) as some:
        connected(every)
        connected(some)
        every.ask({"type": "subscribe", "data": {"events": ["execution_log"], "execution_ids": [run]}})
        wish = {"events": ["execution_log"], "level": "error", "workflow_ids": [workflow["id"]]}
        told = some.ask({"type": "subscribe", "data": wish})
        assert told["data"]["filters"]["execution_log"]["level"] == "error"
        ann.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {}})
        with running():
            lines = [every.receive()]
            while lines[-1]["data"]["event"] != "ended":
                lines.append(every.receive())
            errors = [some.receive(), some.receive()]
    assert {each["data"]["execution_id"] for each in lines} == {run}
    assert [each["data"]["execution_seq"] for each in lines] == list(range(1, len(lines) + 1))
    assert {each["data"]["level"] for each in errors} == {"error"}
    found = ann.api.get(f"/api/workflows/executions/{run}/logs").json()["logs"]
    assert {each["message"] for each in found} == {each["data"]["message"] for each in lines}


def test_alerts_come_to_everybody_they_are_for(server: Server, ann: Person, otto: Person) -> None:
    alert = {"alert_id": "018f0000-0000-7000-8000-000000000000", "severity": "warning", "component": "database",
             "message": "Slow", "resolved": False}  # fmt: skip
    with (
        server.socket("/ws/a", header=ann.tokens.access_token) as hers,
        server.socket("/ws/a", header=otto.tokens.access_token) as his,
    ):
        connected(hers)
        connected(his)
        LIVE.publish([("alerts", {**alert, "organization_id": str(otto.actor.organization_id)})])
        LIVE.publish([("alerts", {**alert, "resolved": True})])
        assert [his.receive()["data"]["resolved"], his.receive()["data"]["resolved"]] == [False, True]
        frame = hers.receive()
    assert (frame["type"], frame["data"], frame["seq"]) == ("system_alert", {**alert, "resolved": True}, 1)


def test_metrics_of_the_installation_are_for_those_who_may_read_them(
    server: Server, ann: Person, viewer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"system": {"uptime": 1}, "application": {}, "workflows": {"total_executions": 3}, "ai_usage": {}}
    assert client_metrics.EVERY_SECONDS == 10.0
    monkeypatch.setattr(client_metrics, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(METRICS, "read", lambda organization_id: figures)
    with (
        server.socket("/ws/m", header=ann.tokens.access_token) as hers,
        server.socket("/ws/m", header=viewer.tokens.access_token) as theirs,
    ):
        connected(hers)
        connected(theirs)
        frame, other = hers.receive(), theirs.receive()
    assert (frame["type"], frame["data"], "seq" in frame) == ("metrics_update", figures, False)
    assert set(other["data"]) == {"workflows", "ai_usage"}


def test_what_the_bus_lost_comes_from_the_database(
    server: Server, ann: Person, run: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.auterity.organization_feed.LOOK_SECONDS", 0.3)
    monkeypatch.setattr("auterity.kernel.live.LIVE.publish", lambda facts: None)
    with server.socket("/ws/lost", header=token) as socket:
        connected(socket)
        with running():
            frames = until_ended(socket)
    assert seqs(frames) == list(range(1, len(frames) + 1))
    assert [each["data"]["execution_seq"] for each in frames] == list(range(1, len(frames) + 1))


def test_a_line_that_comes_too_early_waits_for_those_before_it(
    server: Server, ann: Person, run: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second publication is lost: each execution's lines still come in their order."""
    publish: Callable[[Any], None] = LIVE.publish
    calls: list[int] = []

    def every_second(facts: Any) -> None:
        calls.append(1)
        if len(calls) % 3 == 0:
            publish(facts)

    with server.socket("/ws/gaps", header=token) as socket:
        connected(socket)
        monkeypatch.setattr("auterity.kernel.live.LIVE.publish", every_second)
        with running():
            frames = until_ended(socket)
    assert [each["data"]["execution_seq"] for each in frames] == list(range(1, len(frames) + 1))
