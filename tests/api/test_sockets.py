"""Who may watch an execution, and how a socket answers what it is sent (`websockets.yaml`, common)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import services
from api import socket_connection
from tests.api.people import PASSWORD, Person
from tests.api.serving import Server, joined, refused
from tests.api.shapes import EXECUTION, STATUS_FRAME, wrong

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_four_ways_to_say_who_one_is(server: Server, path: str, token: str) -> None:
    ways: list[dict[str, Any]] = [{"header": token}, {"query": f"?token={token}"}]
    for how in ways:
        with server.socket(path, **how) as socket:
            joined(socket)
            assert socket.connection.subprotocol is None
    with server.socket(path, subprotocols=["auterity.v1", f"bearer.{token}"]) as socket:
        joined(socket)
        assert socket.connection.subprotocol == "auterity.v1"  # The token is never echoed.
    with server.socket(path) as socket:
        assert socket.silent()
        greeting = socket.ask({"type": "auth", "token": token})
        assert (greeting["type"], "user_id" in greeting, "session" in greeting) == ("auth_ok", True, True)
        assert greeting["expires_at"].endswith("Z")
        joined(socket)


def test_a_token_alone_among_the_subprotocols_is_not_echoed(server: Server, path: str, token: str) -> None:
    with server.socket(path, subprotocols=[f"bearer.{token}"]) as socket:
        joined(socket)
        assert socket.connection.subprotocol is None


def test_the_snapshot_is_the_execution_as_it_is_read(
    server: Server, ann: Person, run: str, path: str, token: str
) -> None:
    with server.socket(path, header=token) as socket:
        snapshot, status = joined(socket)
    assert (
        wrong(snapshot, {"execution_id": "uuid", "seq": "integer", "stream_id": "string", "timestamp": "datetime"})
        == []
    )
    assert wrong(snapshot["execution"], EXECUTION) == []
    assert snapshot["execution"] == ann.api.get(f"/api/workflows/executions/{run}").json()
    assert wrong(status, STATUS_FRAME) == []
    assert (status["status"], status["progress"], status["seq"]) == ("pending", 0, 0)


def bad_tokens(person: Person) -> dict[str, tuple[str, str]]:
    earlier = timezone.now() - timedelta(hours=2)
    expired = services.login(email=person.email, password=PASSWORD, dialect="t", access_seconds=1800, now=earlier)
    assert person.tokens.refresh_token is not None
    return {
        "expired": (expired.access_token, "TOKEN_EXPIRED"),
        "refresh": (person.tokens.refresh_token, "NOT_AUTHENTICATED"),
        "garbage": ("garbage", "NOT_AUTHENTICATED"),
    }


def test_a_bad_token_gets_one_error_frame_and_4401(server: Server, ann: Person, path: str) -> None:
    for token, code in bad_tokens(ann).values():
        with server.socket(path, header=token) as socket:
            refused(socket, code, 4401)
        with server.socket(path, query=f"?token={token}") as socket:
            refused(socket, code, 4401)
        with server.socket(path, subprotocols=["auterity.v1", f"bearer.{token}"]) as socket:
            refused(socket, code, 4401)
        with server.socket(path) as socket:
            socket.send({"type": "auth", "token": token})
            refused(socket, code, 4401)


def test_a_bad_token_in_the_header_is_not_made_good_by_another(server: Server, path: str, token: str) -> None:
    with server.socket(path, header="garbage", query=f"?token={token}") as socket:
        refused(socket, "NOT_AUTHENTICATED", 4401)


def test_who_says_nothing_is_closed_in_time(server: Server, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert socket_connection.FIRST_FRAME_SECONDS == 10.0
    monkeypatch.setattr(socket_connection, "FIRST_FRAME_SECONDS", 0.3)
    with server.socket(path) as socket:
        frames, code, reason = socket.closed()
    assert ([each["code"] for each in frames], code, reason) == (["NOT_AUTHENTICATED"], 4401, "auth_timeout")


@pytest.mark.parametrize(
    "frame", [{"type": "ping"}, {"type": "resume", "last_seq": 0}, {"type": "auth"}, {"type": "auth", "token": 1}]
)
def test_nothing_but_auth_is_heard_before_authentication(server: Server, path: str, frame: dict[str, Any]) -> None:
    with server.socket(path) as socket:
        socket.send(frame)
        refused(socket, "NOT_AUTHENTICATED", 4401)


def test_a_foreign_and_an_unknown_execution_are_4404_alike(
    server: Server, otto: Person, run: str, path: str, token: str
) -> None:
    with server.socket(path, header=otto.tokens.access_token) as socket:
        foreign = refused(socket, "NOT_FOUND", 4404)
    with server.socket("/ws/executions/018f0000-0000-7000-8000-000000000000", header=token) as socket:
        unknown = refused(socket, "NOT_FOUND", 4404)
    assert foreign["message"] == unknown["message"]
    assert run not in str(foreign)


@pytest.mark.parametrize("path", ["/ws/no/where", "/ws/executions/not-a-uuid", "/", "/api/workflows"])
def test_an_unknown_address_is_4404(server: Server, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        refused(socket, "NOT_FOUND", 4404)


def test_ping_gets_pong_with_its_id(server: Server, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        assert (pong := socket.ask({"type": "ping", "id": 7}), pong.pop("timestamp"))[0] == {"type": "pong", "id": 7}
        assert "id" not in socket.ask({"type": "ping"})


def test_a_frame_that_is_not_understood_leaves_the_socket_open(server: Server, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        unknown = socket.ask({"type": "dance", "id": "x-1"})
        assert (unknown["code"], unknown["id"], unknown["retryable"]) == ("UNKNOWN_TYPE", "x-1", False)
        for frame, code in (
            ("{", "INVALID_JSON"),
            ("[]", "INVALID_MESSAGE"),
            ({"type": 1}, "INVALID_MESSAGE"),
            ({}, "INVALID_MESSAGE"),
        ):
            assert socket.ask(frame)["code"] == code
        assert socket.ask({"type": "ping"})["type"] == "pong"


def test_ten_bad_frames_close_with_4400(server: Server, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        for _ in range(30):  # More than ten, at once: what comes after the close is not answered.
            socket.send("{")
        frames, code, _ = socket.closed()
    assert [each["code"] for each in frames] == ["INVALID_JSON"] * 10
    assert code == 4400


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"\x00\x01", 1003), (b"", 1003), ('"' + "x" * 65_536 + '"', 1009), ('"' + "é" * 40_000 + '"', 1009)],
)
def test_a_frame_that_is_refused_as_such(server: Server, path: str, token: str, frame: str | bytes, code: int) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        socket.send(frame)
        assert socket.closed()[1] == code


def test_logging_out_closes_open_sockets(server: Server, ann: Person, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        since = time.monotonic()
        ann.api.post("/api/auth/logout")
        refused(socket, "NOT_AUTHENTICATED", 4401)
        assert time.monotonic() - since < 6.5


def test_a_socket_ends_with_its_token_after_a_notice(
    server: Server, ann: Person, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_connection, "EXPIRY_NOTICE_SECONDS", 1.5)
    short = services.login(email=ann.email, password=PASSWORD, dialect="t", access_seconds=3)
    with server.socket(path, header=short.access_token) as socket:
        joined(socket)
        notice = socket.receive()
        assert (notice["type"], notice["expires_at"][-1]) == ("auth_expiring", "Z")
        refused(socket, "TOKEN_EXPIRED", 4401)


def test_a_new_token_keeps_the_socket_open(server: Server, ann: Person, path: str) -> None:
    short = services.login(email=ann.email, password=PASSWORD, dialect="t", access_seconds=2)
    with server.socket(path, header=short.access_token) as socket:
        joined(socket)
        assert socket.receive()["type"] == "auth_expiring"
        assert socket.ask({"type": "auth", "token": ann.tokens.access_token})["type"] == "auth_ok"
        time.sleep(2.2)
        assert socket.ask({"type": "ping"})["type"] == "pong"


def test_another_users_token_is_4403(server: Server, viewer: Person, path: str, token: str) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        socket.send({"type": "auth", "token": viewer.tokens.access_token})
        refused(socket, "FORBIDDEN", 4403)


def test_a_defect_closes_with_1011_and_shows_no_internals(
    server: Server, path: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("api.auterity.consumers.ExecutionConsumer.snapshot", broken)
    with server.socket(path, header=token) as socket:
        assert "secret" not in refused(socket, "INTERNAL_ERROR", 1011)["message"]
