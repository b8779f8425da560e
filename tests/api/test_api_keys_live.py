"""API keys and roles where it matters that something is going on: open sockets, rate limits, two at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections
from websockets.sync.client import connect

from accounts import key_proofs, keys, roles
from accounts.errors import RoleInUse, RoleNotFound, TokenInvalid
from accounts.grants import ApiKey, CustomRole
from accounts.models import Membership
from api import socket_watch
from auterity.kernel.errors import PermissionDenied
from tests.api.limiting import Clock, from_address, full_buckets, told, until_refused
from tests.api.people import PASSWORD, Api, Person, logged_in, refusal
from tests.api.serving import Server, Socket, joined, refused

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = "/api/organization/api-keys"
ROLES = "/api/organization/roles"
MEMBERS = "/api/organizations/current/members"


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is heard is heard over the live bus: the watch does not look by itself."""
    monkeypatch.setattr(socket_watch, "LOOK_SECONDS", 3600.0)


def key_of(person: Person, *scopes: str, **more: Any) -> dict[str, Any]:
    return person.api.made(KEYS, {"name": "Key", "scopes": list(scopes), **more})


def together(*acts: Callable[[], Any]) -> list[Any]:
    """What each gives or raises, begun in the same moment."""
    ready, found = threading.Barrier(len(acts)), [None] * len(acts)

    def run(at: int, act: Callable[[], Any]) -> None:
        ready.wait()
        try:
            found[at] = act()
        except Exception as error:
            found[at] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return found


@pytest.mark.usefixtures("never")
def test_a_revoked_key_closes_its_sockets_at_once(server: Server, ann: Person, path: str) -> None:
    made, other = key_of(ann, "execution:read"), key_of(ann, "execution:read")
    with server.socket(path, header=made["key"]) as socket, server.socket(path, header=other["key"]) as second:
        joined(socket)
        joined(second)
        ann.api.delete(f"{KEYS}/{made['id']}")
        refused(socket, "NOT_AUTHENTICATED", 4401)
        assert second.ask({"type": "ping"})["type"] == "pong"


def test_a_key_opens_a_socket_by_header_or_first_frame_but_not_by_address(
    server: Server, ann: Person, path: str
) -> None:
    made = key_of(ann, "execution:read")
    with connect(
        f"ws://127.0.0.1:{server.port}{path}", additional_headers={"X-API-Key": made["key"]}, proxy=None
    ) as opened:
        joined(Socket(opened))
    with server.socket(path) as socket:
        assert socket.ask({"type": "auth", "token": made["key"]})["type"] == "auth_ok"
    with server.socket(path, query=f"?token={made['key']}") as socket:
        refused(socket, "NOT_AUTHENTICATED", 4401)
    without = key_of(ann, "workflow:read")
    with server.socket(path, header=without["key"]) as socket:
        refused(socket, "FORBIDDEN", 4403)


def test_a_key_for_another_network_opens_no_socket(server: Server, ann: Person, path: str) -> None:
    made = key_of(ann, "execution:read", networks=["203.0.113.0/24"])
    with server.socket(path, header=made["key"]) as socket:
        refused(socket, "FORBIDDEN", 4403)


@pytest.mark.usefixtures("never")
def test_a_changed_role_reaches_open_sockets_at_once(server: Server, ann: Person, path: str) -> None:
    role = ann.api.made(ROLES, {"name": "Watcher", "permissions": ["execution:read", "workflow:read"]})
    body = {"email": "wes@example.com", "password": PASSWORD, "first_name": "Wes", "last_name": "W"}
    ann.api.made(MEMBERS, {**body, "role_id": role["id"]})
    wes = logged_in("wes@example.com")
    with server.socket(path, header=wes.tokens.access_token) as socket:
        joined(socket)
        ann.api.put(f"{ROLES}/{role['id']}", {"name": "Watcher", "permissions": ["workflow:read"]})
        refused(socket, "FORBIDDEN", 4403)
    assert wes.api.get("/api/workflows").status_code == 200  # The login itself goes on.


@pytest.mark.usefixtures("never")
def test_forbidding_keys_closes_their_sockets(server: Server, ann: Person, path: str) -> None:
    made = key_of(ann, "execution:read")
    with server.socket(path, header=made["key"]) as socket:
        joined(socket)
        ann.api.put(f"{KEYS}/policy", {"allowed": False})
        refused(socket, "NOT_AUTHENTICATED", 4401)


@pytest.fixture
def clock(settings: Any) -> Iterator[Clock]:
    settings.RATE_LIMITS = True
    settings.TRUSTED_PROXIES = 1
    with full_buckets(settings.REDIS_URL) as clock:
        yield clock


def test_each_key_has_its_own_rate(ann: Person, clock: Clock) -> None:
    first, second = key_of(ann, "template:read")["key"], key_of(ann, "template:read")["key"]
    assert from_address("203.0.113.1", first).get("/api/templates").status_code == 200  # Now it is known to be good.
    count, answer = until_refused(lambda: from_address("203.0.113.2", first).get("/api/templates"))
    assert (count, answer.status_code) == (50, 429)
    assert from_address("203.0.113.3", first).get("/api/templates").status_code == 429
    assert from_address("203.0.113.4", second).get("/api/templates").status_code == 200
    assert told(from_address("203.0.113.5", second).get("/api/templates"))[:2] == (50, 49)


def test_guessed_keys_use_up_the_guessers_address(ann: Person, clock: Clock) -> None:
    def guess() -> Any:
        return from_address("203.0.113.9", f"aut_{keys.secrets.token_urlsafe(32)}").get("/api/templates")

    count, _ = until_refused(guess)
    assert count == 50


def test_of_two_uses_and_a_revocation_at_once_none_outlives_it(ann: Person) -> None:
    for _ in range(3):
        made = key_of(ann, "workflow:read")
        use = lambda secret=made["key"]: key_proofs.authenticate(secret, address="127.0.0.1")  # noqa: E731
        found = together(use, lambda key=made["id"]: keys.revoke(actor=ann.actor, key_id=key), use)
        assert found[1] is None
        assert all(isinstance(each, tuple | TokenInvalid) for each in (found[0], found[2]))
        with pytest.raises(TokenInvalid):
            use()


def test_a_role_that_is_given_and_deleted_at_once_is_never_half_gone(ann: Person, viewer: Person) -> None:
    for _ in range(5):
        role = ann.api.made(ROLES, {"name": "Fleeting", "permissions": ["workflow:read"]})
        path = f"{MEMBERS}/{viewer.actor.user_id}"
        deleted, given = together(
            lambda role_id=role["id"]: roles.delete(actor=ann.actor, role_id=role_id),
            lambda role_id=role["id"], path=path: (
                Api(ann.tokens.access_token).put(path, {"role_id": role_id}).status_code
            ),
        )
        member = Membership.objects.get(user_id=viewer.actor.user_id)
        if isinstance(deleted, RoleInUse):
            assert (given, str(member.custom_role_id)) == (200, role["id"])
        else:
            assert deleted is None, deleted
            assert (given, member.custom_role_id) == (404, None)
            assert not CustomRole.unscoped.exists()
        ann.api.put(path, {"roles": ["viewer"]})
        CustomRole.unscoped.all().delete()


def test_two_admins_who_take_each_others_right_to_make_roles_at_once(ann: Person) -> None:
    body = {"email": "zed@example.com", "password": PASSWORD, "first_name": "Zed", "last_name": "Z"}
    ann.api.made(MEMBERS, {**body, "roles": ["admin"]})
    zed = logged_in("zed@example.com")
    content = roles.RoleContent("Late", ["workflow:delete"])
    taken, made = together(
        lambda: Api(ann.tokens.access_token).put(f"{MEMBERS}/{zed.actor.user_id}", {"roles": ["viewer"]}).status_code,
        lambda: roles.create(actor=zed.actor, content=content),
    )
    assert taken == 200
    assert isinstance(made, CustomRole | PermissionDenied)
    with pytest.raises(PermissionDenied):
        roles.create(actor=zed.actor, content=roles.RoleContent("Later", ["workflow:delete"]))


def test_busy_keys_note_their_use_without_waiting_for_each_other(ann: Person) -> None:
    made = key_of(ann, "workflow:read")
    found = together(*[lambda: key_proofs.authenticate(made["key"], address="127.0.0.1")] * 8)
    assert [type(each) for each in found] == [tuple] * 8
    assert ApiKey.unscoped.get().last_used_at is not None
    with pytest.raises(RoleNotFound):
        roles.get(ann.actor, ann.actor.user_id)
    refusal(Api(made["key"]).delete(f"{KEYS}/{made['id']}"), 403, "AUTH_003")
