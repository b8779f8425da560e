"""Tickets, and secrets that stay out of what is logged (`websockets.yaml`, auth_methods)."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import services
from api.models import SocketTicket
from api.socket_tickets import forgotten_tickets
from executions.retention import sweep
from tests.api.people import PASSWORD, Api, Person, refusal
from tests.api.serving import Server, joined, refused

pytestmark = pytest.mark.django_db(transaction=True)


def ticket(api: Api, path: str) -> str:
    answer = api.made("/api/ws-tickets", {"path": path})
    assert (set(answer), answer["expires_in"]) == ({"ticket", "expires_in"}, 60)
    found: str = answer["ticket"]
    return found


def test_a_ticket_opens_one_socket_once(server: Server, ann: Person, path: str) -> None:
    made = ticket(ann.api, path)
    with server.socket(path, query=f"?ticket={made}") as socket:
        joined(socket)
        assert socket.ask({"type": "ping"})["type"] == "pong"
    with server.socket(path, query=f"?ticket={made}") as socket:
        refused(socket, "NOT_AUTHENTICATED", 4401)


def test_of_many_who_use_one_ticket_at_once_one_gets_in(server: Server, ann: Person, path: str) -> None:
    made = ticket(ann.api, path)

    def knock(_: int) -> str:
        with server.socket(path, query=f"?ticket={made}") as socket:
            kind: str = socket.receive()["type"]
            return kind

    with ThreadPoolExecutor(10) as pool:
        kinds = list(pool.map(knock, range(10)))
    assert sorted(kinds) == ["error"] * 9 + ["execution_snapshot"]


def test_a_ticket_is_for_its_path_alone(server: Server, ann: Person, path: str) -> None:
    made = ticket(ann.api, path)
    with server.socket("/ws/executions/018f0000-0000-7000-8000-000000000000", query=f"?ticket={made}") as socket:
        refused(socket, "NOT_AUTHENTICATED", 4401)
    with server.socket(path, query=f"?ticket={made}") as socket:
        joined(socket)


def test_a_ticket_that_is_too_old_or_none_is_refused(server: Server, ann: Person, path: str) -> None:
    old = ticket(ann.api, path)
    SocketTicket.objects.of(ann.actor).update(expires_at=timezone.now() - timedelta(seconds=1))
    organization = ann.actor.organization_id.hex
    for each in (old, "nothing", f"{organization}.guess", f"{organization}.", "\x00.\x00", "a" * 5000):
        with server.socket(path, query="?ticket=" + each.replace("\x00", "%00")) as socket:
            refused(socket, "NOT_AUTHENTICATED", 4401)


def test_a_ticket_dies_with_its_login(server: Server, ann: Person, path: str) -> None:
    made = ticket(ann.api, path)
    ann.api.post("/api/auth/logout")
    with server.socket(path, query=f"?ticket={made}") as socket:
        refused(socket, "NOT_AUTHENTICATED", 4401)


def test_a_socket_by_ticket_ends_with_the_token_that_bought_it(server: Server, ann: Person, path: str) -> None:
    short = services.login(email=ann.email, password=PASSWORD, dialect="t", access_seconds=2)
    with server.socket(path, query=f"?ticket={ticket(Api(short.access_token), path)}") as socket:
        joined(socket)
        assert socket.receive()["type"] == "auth_expiring"
        refused(socket, "TOKEN_EXPIRED", 4401)


@pytest.mark.parametrize("path", ["", "ws/x", "/ws/x?token=1", "/ws/x#y", "/" + "x" * 300, "/ws/\n", 7, None])
def test_a_ticket_names_a_path(ann: Person, path: Any) -> None:
    answer = ann.api.post("/api/ws-tickets", {"path": path})
    assert answer.status_code == 400
    assert not SocketTicket.objects.of(ann.actor).exists()


def test_only_the_digest_of_a_ticket_is_stored_and_unused_ones_are_forgotten(ann: Person, path: str) -> None:
    made = ticket(ann.api, path)
    row = SocketTicket.objects.of(ann.actor).get()
    assert made.partition(".")[2] not in str(vars(row))
    later = timezone.now() + timedelta(minutes=2)
    assert not forgotten_tickets(ann.actor.organization_id, timezone.now()).exists()
    sweep(now=later)
    assert not SocketTicket.objects.of(ann.actor).exists()


def test_the_first_credential_counts_and_a_cookie_never_does(
    server: Server, ann: Person, viewer: Person, path: str, token: str
) -> None:
    """Header, subprotocol, ticket, query: a good one further back does not help."""
    made = ticket(ann.api, path)
    ways: list[dict[str, Any]] = [
        {"header": "garbage", "subprotocols": [f"bearer.{token}"]},
        {"subprotocols": ["bearer.garbage"], "query": f"?ticket={made}"},
        {"query": f"?token={token}&ticket=garbage"},
    ]
    for how in ways:
        with server.socket(path, **how) as socket:
            refused(socket, "NOT_AUTHENTICATED", 4401)
    with server.socket("/ws/me", header=token, query=f"?token={viewer.tokens.access_token}") as socket:
        assert socket.receive()["data"]["user_id"] == str(ann.actor.user_id)
    with server.socket(path, cookie=f"sessionid={token}", origin="http://localhost") as socket:
        assert socket.silent()  # It waits for an auth frame, as for anybody without a credential.


def test_a_token_counts_whatever_the_origin(server: Server, path: str, token: str) -> None:
    """A token is sent on purpose; it is the cookies that a foreign page could make a browser send."""
    with server.socket(path, header=token, origin="https://elsewhere.example") as socket:
        joined(socket)


def test_secrets_in_an_address_are_not_logged(
    server: Server,
    ann: Person,
    path: str,
    token: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = ticket(ann.api, path)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "uvicorn.error")
    monkeypatch.setattr(logging.getLogger("uvicorn"), "propagate", True)
    with server.socket(path, query=f"?last_seq=0&token={token}") as socket:
        joined(socket)
    with server.socket(path, query=f"?ticket={made}") as socket:
        joined(socket)
    with server.socket("/ws/no/such", query=f"?token={token}&b=1") as socket:
        refused(socket, "NOT_FOUND", 4404)
    theirs = [each.getMessage() for each in caplog.records if each.name == "uvicorn.error"]
    accepted = {each for each in theirs if "[accepted]" in each}
    assert len(accepted) == 3
    assert any(f"{path}?last_seq=0" in each for each in accepted)
    ours = [each for each in caplog.records if not each.name.startswith("websockets.client")]
    assert all(token not in each.getMessage() and made not in each.getMessage() for each in ours)


def test_a_trailing_slash_is_the_same_address(server: Server, path: str, token: str) -> None:
    with server.socket(f"{path}/", header=token) as socket:
        joined(socket)


def test_tickets_are_for_those_who_are_signed_in(anyone: Api) -> None:
    refusal(anyone.post("/api/ws-tickets", {"path": "/ws/x"}), 401, "AUTH_001")


def test_a_token_for_another_system_is_no_access_token(server: Server, ann: Person, path: str) -> None:
    other = services.cross_system_token(actor=ann.actor, target_system="relaycore", permissions=["ai:route"])
    with server.socket(path, header=other.token) as socket:
        refused(socket, "NOT_AUTHENTICATED", 4401)
