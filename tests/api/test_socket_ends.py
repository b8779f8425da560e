"""What ends an open socket: lost logins and rights, deleted objects, silence, a server that goes away (`websockets.yaml`)."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest
import uvicorn
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts import members, rights, services
from accounts.models import Organization, User
from api import socket_watch
from api.auterity.consumers import ExecutionConsumer
from api.socket_watch import WATCH
from auterity.asgi import application
from auterity.kernel.access import Role
from auterity.server import PING_SECONDS, PONG_SECONDS, SERVED
from executions.models import Execution
from tests.api.people import Person, colleague, logged_in
from tests.api.serving import Server, free_port, joined, refused

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch looks so often that a test need not wait."""
    assert socket_watch.LOOK_SECONDS < 5
    monkeypatch.setattr(socket_watch, "LOOK_SECONDS", 0.2)


def test_the_end_of_a_login_is_heard_at_once(
    server: Server, ann: Person, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told over the live bus: no look is needed."""
    monkeypatch.setattr(socket_watch, "LOOK_SECONDS", 3600.0)
    with (
        server.socket(path, header=ann.tokens.access_token) as socket,
        server.socket("/ws/x", header=ann.tokens.access_token) as other,
    ):
        joined(socket)
        assert other.receive()["type"] == "connected"
        ann.api.post("/api/auth/logout")
        assert refused(socket, "NOT_AUTHENTICATED", 4401)["retryable"] is False
        frames, code, reason = other.closed()
    assert ([each["data"]["code"] for each in frames], code, reason) == (["NOT_AUTHENTICATED"], 4401, "session_ended")


def test_a_login_that_its_owner_ends_from_another_one_is_heard_at_once(
    server: Server, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_watch, "LOOK_SECONDS", 3600.0)
    stolen = logged_in(ann.email)
    with (
        server.socket("/ws/x", header=stolen.tokens.access_token) as theirs,
        server.socket("/ws/y", header=ann.tokens.access_token) as hers,
    ):
        assert theirs.receive()["type"] == "connected"
        assert hers.receive()["type"] == "connected"
        assert ann.api.delete(f"/api/auth/sessions/{stolen.actor.session_id}").status_code == 204
        _, code, reason = theirs.closed()
        assert (code, reason) == (4401, "session_ended")
        hers.send({"type": "ping"})
        assert hers.receive()["type"] == "pong"


def test_the_end_of_a_login_that_nobody_told_is_found(
    server: Server, ann: Person, path: str, token: str, often: None
) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        User.objects.filter(pk=ann.actor.user_id).update(is_active=False)
        refused(socket, "NOT_AUTHENTICATED", 4401)


def test_an_ended_session_does_not_end_anothers(
    server: Server, ann: Person, viewer: Person, path: str, often: None
) -> None:
    with (
        server.socket(path, header=ann.tokens.access_token) as hers,
        server.socket(path, header=viewer.tokens.access_token) as theirs,
    ):
        joined(hers)
        joined(theirs)
        services.end_all_sessions(user_ids=[ann.actor.user_id], reason="password changed")
        refused(hers, "NOT_AUTHENTICATED", 4401)
        assert theirs.ask({"type": "ping"})["type"] == "pong"


def test_a_lost_membership_is_4403_and_another_role_4401(
    server: Server, ann: Person, member: Person, viewer: Person, path: str
) -> None:
    with (
        server.socket(path, header=member.tokens.access_token) as put_out,
        server.socket(path, header=viewer.tokens.access_token) as raised,
    ):
        joined(put_out)
        joined(raised)
        members.member_update(actor=ann.actor, user_id=member.actor.user_id, is_active=False)
        members.member_update(actor=ann.actor, user_id=viewer.actor.user_id, role=Role.MANAGER)
        refused(put_out, "FORBIDDEN", 4403)
        refused(raised, "NOT_AUTHENTICATED", 4401)


def test_a_role_without_the_right_is_4403(
    server: Server, viewer: Person, path: str, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.socket(path, header=viewer.tokens.access_token) as socket:
        joined(socket)
        without = {**rights.ROLE_PERMISSIONS, Role.VIEWER: frozenset()}
        monkeypatch.setattr(rights, "ROLE_PERMISSIONS", without)
        refused(socket, "FORBIDDEN", 4403)


def test_an_organization_that_is_switched_off_is_4403(
    server: Server, ann: Person, path: str, token: str, often: None
) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        Organization.objects.filter(pk=ann.actor.organization_id).update(is_active=False)
        refused(socket, "FORBIDDEN", 4403)


def test_what_is_deleted_meanwhile_is_4410(server: Server, run: str, path: str, token: str, often: None) -> None:
    with server.socket(path, header=token) as socket:
        joined(socket)
        Execution.unscoped.filter(id=run).delete()
        assert refused(socket, "NOT_FOUND", 4410)["message"] == "This was deleted."


def test_silence_for_half_an_hour_is_4408(
    server: Server, path: str, token: str, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert socket_watch.IDLE_SECONDS == 1800
    with server.socket(path, header=token) as silent, server.socket(path, header=token) as other:
        joined(silent)
        joined(other)
        monkeypatch.setattr(socket_watch, "IDLE_SECONDS", 0.5)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert other.ask({"type": "ping"})["type"] == "pong"
            time.sleep(0.1)
        assert silent.closed() == ([], 4408, "idle")
        monkeypatch.setattr(socket_watch, "IDLE_SECONDS", 1800)
        assert other.ask({"type": "ping"})["type"] == "pong"


def test_a_database_that_stays_away_is_4503(
    server: Server, path: str, token: str, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("secret")

    with server.socket(path, header=token) as socket:
        joined(socket)
        monkeypatch.setattr(socket_watch, "living", away)
        assert "secret" not in refused(socket, "INTERNAL_ERROR", 4503)["message"]


def test_a_database_that_is_away_once_closes_nobody(
    server: Server, path: str, token: str, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    living = socket_watch.living

    def away_once(ids: Any) -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise OperationalError
        return living(ids)

    with server.socket(path, header=token) as socket:
        joined(socket)
        monkeypatch.setattr(socket_watch, "living", away_once)
        until = time.monotonic() + 10
        while len(asked) < 4:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert socket.ask({"type": "ping"})["type"] == "pong"


def test_a_look_costs_the_same_for_one_and_for_many(server: Server, ann: Person, path: str) -> None:
    def queries_of_a_look() -> int:
        with CaptureQueriesContext(connection) as found:
            ids = {each.actor.session_id for each in WATCH._sockets}
            socket_watch.living(ids)
            objects = {each.object_id() for each in WATCH._sockets}
            ExecutionConsumer.heads(list(objects))
        return len(found)

    people = [colleague(ann, f"p{at}@example.com", Role.VIEWER) for at in range(3)]
    with ExitStack() as stack:
        joined(stack.enter_context(server.socket(path, header=ann.tokens.access_token)))
        one = queries_of_a_look()
        for person in people:
            for _ in range(5):
                joined(stack.enter_context(server.socket(path, header=person.tokens.access_token)))
        assert queries_of_a_look() == one == 2


def test_the_server_pings_and_tells_who_does_not_answer() -> None:
    assert (PING_SECONDS, PONG_SECONDS) == (25.0, 60.0)
    assert (SERVED["ws_ping_interval"], SERVED["ws_ping_timeout"]) == (25.0, 60.0)


class Brief:
    """A server of the product's settings with some of them changed, for one test."""

    def __init__(self, **changed: Any) -> None:
        self.port = free_port()
        config = uvicorn.Config(application, port=self.port, lifespan="off", **{**SERVED, **changed})
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()), daemon=True)

    def __enter__(self) -> Brief:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_about: object) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()

    socket = Server.socket
    raw_socket = Server.raw_socket


def test_no_pong_is_4408() -> None:
    with Brief(ws_ping_interval=0.2, ws_ping_timeout=0.3) as brief, brief.raw_socket("/ws/x", "") as silent:
        received = b""
        while part := silent.recv(4096):
            received += part
    assert received.count(b"\x89\x04") == 1  # One ping of four bytes, which nobody answers.
    assert received.endswith((4408).to_bytes(2, "big") + b"no_pong")


def test_a_server_that_goes_away_says_1001() -> None:
    with Brief() as brief, brief.socket("/ws/x") as one, brief.socket("/ws/executions/none") as other:
        assert other.closed()[1] == 4404
        brief.server.should_exit = True
        since = time.monotonic()
        assert one.closed()[1:] == (1001, "going_away")
        brief.thread.join(20)
        assert time.monotonic() - since < 15
