"""API keys and service accounts, over HTTP."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import key_proofs, services
from accounts.errors import WrongCredentials
from accounts.grants import ApiKey
from accounts.models import Letter, Membership, Organization, User
from audit.models import AuditEvent
from tests.api.graphs import chain
from tests.api.people import PASSWORD, Api, Person, refusal

pytestmark = pytest.mark.django_db

KEYS = "/api/organization/api-keys"
ACCOUNTS = "/api/organization/service-accounts"
MEMBERS = "/api/organizations/current/members"
WISH = {"name": "Import", "scopes": ["workflow:read", "workflow:create"]}


@pytest.fixture
def made(ann: Person) -> dict[str, Any]:
    return ann.api.made(KEYS, WISH)


@pytest.fixture
def program(made: dict[str, Any]) -> Api:
    return Api(made["key"])


def test_a_key_is_shown_once_and_kept_as_a_digest(ann: Person, made: dict[str, Any]) -> None:
    assert re.fullmatch(r"aut_[A-Za-z0-9_-]{43}", made["key"])
    assert made["last_four"] == made["key"][-4:]
    row = ApiKey.unscoped.get()
    assert row.digest == key_proofs.digest_of(made["key"])
    assert not any(made["key"] in str(value) for value in vars(row).values())
    assert made["key"] not in ann.api.get(KEYS).content.decode() + ann.api.get(f"{KEYS}/{made['id']}").content.decode()
    shown = ann.api.get(KEYS).json()["api_keys"]
    assert [each["id"] for each in shown] == [made["id"]]
    expires = dt.datetime.fromisoformat(made["expires_at"])
    assert abs(expires - timezone.now() - dt.timedelta(days=90)) < dt.timedelta(minutes=1)


def test_it_opens_its_scopes_by_either_header_and_nothing_else(made: dict[str, Any], program: Api) -> None:
    assert program.get("/api/workflows").status_code == 200
    assert Api(headers={"X-API-Key": made["key"]}).get("/api/workflows").status_code == 200
    workflow = program.made("/api/workflows", chain("a"))
    error = refusal(program.delete(f"/api/workflows/{workflow['id']}"), 403, "AUTH_003")
    assert error["details"]["required"] == "workflow:delete"
    refusal(program.get("/api/organizations/current/members"), 403, "AUTH_003")
    assert program.get("/api/auth/me").json()["permissions"] == ["workflow:create", "workflow:read"]


def test_a_key_is_one_query_more_than_nothing(program: Api) -> None:
    program.get("/api/workflows/node-types")
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert program.get("/api/workflows/node-types").status_code == 200
    assert len([each for each in seen.captured_queries if "api_keys" in each["sql"]]) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", KEYS, WISH),
        ("POST", "/api/auth/logout", {}),
        ("POST", "/api/auth/change-password", {"current_password": PASSWORD, "new_password": "another long one 7"}),
        ("POST", "/api/auth/cross-system-token", {"target_system": "relaycore", "permissions": ["workflow:read"]}),
        ("POST", "/api/auth/switch-organization", {"organization_id": "018f0000-0000-7000-8000-000000000000"}),
        ("POST", "/api/ws-tickets", {"path": "/ws/notifications"}),
        ("PUT", f"{KEYS}/policy", {"allowed": True}),
        ("POST", ACCOUNTS, {"name": "Another"}),
    ],
)
def test_what_only_a_person_may_do_no_key_does(ann: Person, method: str, path: str, body: Any) -> None:
    everything = ann.api.get("/api/auth/me").json()["permissions"]
    program = Api(ann.api.made(KEYS, {"name": "All", "scopes": everything})["key"])
    error = refusal(program.call(method, path, body), 403, "AUTH_003")
    assert error["message"] == "An API key cannot do this. Log in as a person."
    assert ApiKey.unscoped.count() == 1


def test_a_key_holds_no_more_than_its_maker_today(ann: Person, member: Person) -> None:
    refusal(member.api.post(KEYS, {"name": "Up", "scopes": ["workflow:delete"]}), 403, "AUTH_003")
    program = Api(member.api.made(KEYS, {"name": "Mine", "scopes": ["workflow:create", "workflow:read"]})["key"])
    assert program.post("/api/workflows", chain("a")).status_code == 201
    ann.api.put(f"{MEMBERS}/{member.actor.user_id}", {"roles": ["viewer"]})
    refusal(program.post("/api/workflows", chain("b")), 403, "AUTH_003")
    assert program.get("/api/workflows").status_code == 200
    ann.api.put(f"{MEMBERS}/{member.actor.user_id}", {"is_active": False})
    refusal(program.get("/api/workflows"), 401, "AUTH_001")


def test_a_revoked_key_is_dead_at_once_and_stays_so(ann: Person, made: dict[str, Any], program: Api) -> None:
    assert program.get("/api/workflows").status_code == 200
    assert ann.api.delete(f"{KEYS}/{made['id']}").status_code == 204
    refusal(program.get("/api/workflows"), 401, "AUTH_001")
    first = ann.api.get(f"{KEYS}/{made['id']}").json()
    assert first["status"] == "revoked"
    assert ann.api.delete(f"{KEYS}/{made['id']}").status_code == 204
    assert ann.api.get(f"{KEYS}/{made['id']}").json() == first


def test_a_key_ends_when_its_time_is_over(made: dict[str, Any], program: Api) -> None:
    ApiKey.unscoped.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    refusal(program.get("/api/workflows"), 401, "AUTH_001")


def test_a_key_opens_only_from_its_networks(ann: Person, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    wish = {**WISH, "networks": ["203.0.113.7/24", "2001:db8::/32"]}
    made = ann.api.made(KEYS, wish)
    assert made["networks"] == ["203.0.113.0/24", "2001:db8::/32"]
    program = Api(made["key"])
    for inside in ("203.0.113.99", "2001:db8::5", "::ffff:203.0.113.4"):
        assert program.get("/api/workflows", X_Forwarded_For=f"10.0.0.1, {inside}").status_code == 200, inside
    for outside in ("198.51.100.1", "2001:db9::1", "127.0.0.1", "203.0.113.99, 198.51.100.1"):
        refusal(program.get("/api/workflows", X_Forwarded_For=outside), 403, "AUTH_003")
    assert ann.api.post(KEYS, {**WISH, "networks": ["somewhere"]}).status_code == 400


def test_an_organization_can_forbid_keys(ann: Person, member: Person, made: Any, program: Api) -> None:
    refusal(member.api.put(f"{KEYS}/policy", {"allowed": False}), 403, "AUTH_003")
    assert ann.api.put(f"{KEYS}/policy", {"allowed": False}).json() == {"allowed": False, "longest_days": None}
    refusal(program.get("/api/workflows"), 401, "AUTH_001")
    refusal(ann.api.post(KEYS, WISH), 403, "AUTH_003")
    ann.api.put(f"{KEYS}/policy", {"allowed": True, "longest_days": 30})
    assert program.get("/api/workflows").status_code == 200
    for days in (31, None):
        assert ann.api.post(KEYS, {**WISH, "expires_in_days": days}).status_code == 400
    assert ann.api.post(KEYS, {**WISH, "expires_in_days": 30}).status_code == 201


def test_use_is_noted_once_a_minute(made: dict[str, Any], program: Api) -> None:
    assert made["last_used_at"] is None
    for _ in range(3):
        program.get("/api/workflows")
    first = ApiKey.unscoped.get().last_used_at
    assert first is not None
    assert (first.second, first.microsecond) == (0, 0)
    key_proofs.authenticate(made["key"], address="127.0.0.1", now=timezone.now() + dt.timedelta(minutes=2))
    assert ApiKey.unscoped.get().last_used_at > first


def test_other_peoples_keys(ann: Person, member: Person, otto: Person) -> None:
    own = member.api.made(KEYS, {"name": "Hers", "scopes": ["workflow:read"]})
    admins = ann.api.made(KEYS, WISH)
    refusal(member.api.get(f"{KEYS}/{admins['id']}"), 404, "RES_001")
    refusal(member.api.delete(f"{KEYS}/{admins['id']}"), 404, "RES_001")
    refusal(member.api.get(f"{KEYS}?everybodys=true"), 403, "AUTH_003")
    assert {each["id"] for each in ann.api.get(f"{KEYS}?everybodys=true").json()["api_keys"]} == {
        own["id"],
        admins["id"],
    }
    refusal(otto.api.get(f"{KEYS}/{own['id']}"), 404, "RES_001")
    refusal(otto.api.delete(f"{KEYS}/{own['id']}"), 404, "RES_001")
    assert ann.api.delete(f"{KEYS}/{own['id']}").status_code == 204


@pytest.mark.parametrize(
    "bad", ["aut_", "aut_x", "aut_" + "x" * 43, "aut_" + "x" * 5000, "aut_\x00", "AUT_abc", "aut_é"]
)
def test_what_is_no_key_opens_nothing(made: dict[str, Any], bad: str) -> None:
    for headers in ({"X-API-Key": bad}, {"Authorization": f"Bearer {bad}"}):
        refusal(Api(headers=headers).get("/api/workflows"), 401, "AUTH_001")


def test_a_bad_token_is_not_made_good_by_a_key(made: dict[str, Any]) -> None:
    answer = Api("garbage", headers={"X-API-Key": made["key"]}).get("/api/workflows")
    refusal(answer, 401, "AUTH_001")


def test_a_service_account_works_by_its_keys_and_cannot_log_in(ann: Person) -> None:
    account = ann.api.made(ACCOUNTS, {"name": "Dealer system", "role": "viewer"})
    made = ann.api.made(
        f"{ACCOUNTS}/{account['id']}/api-keys", {**WISH, "scopes": ["workflow:read", "workflow:create"]}
    )
    program = Api(made["key"])
    assert program.get("/api/workflows").status_code == 200
    refusal(program.post("/api/workflows", chain("a")), 403, "AUTH_003")  # Its role is a viewer's.
    assert ann.api.put(f"{ACCOUNTS}/{account['id']}", {"role": "member"}).json()["role"] == "member"
    assert program.post("/api/workflows", chain("a")).status_code == 201
    user = User.objects.get(pk=account["id"])
    assert user.is_service
    assert not user.has_usable_password()
    for password in ("", PASSWORD, user.password):
        with pytest.raises(WrongCredentials):
            services.login(email=user.email, password=password, dialect="auterity", access_seconds=60)
    assert ann.api.delete(f"{ACCOUNTS}/{account['id']}").status_code == 204
    refusal(program.get("/api/workflows"), 401, "AUTH_001")
    refusal(ann.api.get(f"{ACCOUNTS}/{account['id']}"), 404, "RES_001")
    assert ApiKey.unscoped.get().revoke_reason == "service account removed"
    assert not Letter.objects.filter(recipient=user.email).exists()


def test_service_accounts_are_no_collaborators_and_no_last_admin(ann: Person) -> None:
    used = ann.api.get("/api/usage/quota").json()
    account = ann.api.made(ACCOUNTS, {"name": "Robot", "role": "admin"})
    assert ann.api.get("/api/usage/quota").json().get("collaborators") == used.get("collaborators")
    refusal(ann.api.delete(f"{MEMBERS}/{ann.actor.user_id}"), 409, "RES_002")
    shown = {each["id"]: each["is_service"] for each in ann.api.get(MEMBERS).json()["members"]}
    assert shown == {str(ann.actor.user_id): False, account["id"]: True}


def test_no_service_account_of_another_organization(ann: Person, otto: Person, member: Person) -> None:
    account = ann.api.made(ACCOUNTS, {"name": "Robot"})
    path = f"{ACCOUNTS}/{account['id']}"
    answers = [otto.api.get(path), otto.api.put(path, {"role": "viewer"}), otto.api.delete(path)]
    answers += [otto.api.get(f"{path}/api-keys"), otto.api.post(f"{path}/api-keys", WISH)]
    for answer in answers:
        refusal(answer, 404, "RES_001")
    refusal(member.api.post(f"{path}/api-keys", WISH), 403, "AUTH_003")
    assert Membership.objects.get(user_id=account["id"]).role == "member"
    assert not ApiKey.unscoped.exists()


def test_a_key_of_a_closed_organization_is_dead(ann: Person, program: Api) -> None:
    Organization.objects.filter(pk=ann.actor.organization_id).update(is_active=False)
    refusal(program.get("/api/workflows"), 401, "AUTH_001")


def test_making_a_key_needs_a_fresh_login(ann: Person) -> None:
    earlier = timezone.now() - dt.timedelta(minutes=11)
    pair = services.login(email=ann.email, password=PASSWORD, dialect="auterity", access_seconds=1800, now=earlier)
    stale = Api(pair.access_token)
    assert stale.get("/api/workflows").status_code == 200
    assert stale.post(KEYS, WISH).json()["error"]["details"]["methods"]
    assert not ApiKey.unscoped.exists()
    assert ann.api.post(KEYS, WISH).status_code == 201


def test_the_trail_tells_who_made_and_ended_keys_roles_and_accounts(ann: Person, made: dict[str, Any]) -> None:
    ann.api.delete(f"{KEYS}/{made['id']}")
    ann.api.delete(f"{KEYS}/{made['id']}")  # A second time changes nothing.
    account = ann.api.made(ACCOUNTS, {"name": "Robot"})
    ann.api.delete(f"{ACCOUNTS}/{account['id']}")
    ann.api.put(f"{KEYS}/policy", {"allowed": False})
    rows = AuditEvent.objects.of(ann.actor).filter(resource_type__in=("api_key", "service_account"))
    assert sorted(each.event_type for each in rows) == [
        "api_key.created",
        "api_key.policy.changed",
        "api_key.revoked",
        "service_account.created",
        "service_account.removed",
    ]
    assert {each.user_id for each in rows} == {ann.actor.user_id}
    assert made["key"] not in "".join(str(vars(each)) for each in AuditEvent.objects.of(ann.actor))
