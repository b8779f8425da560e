"""Roles that an organization makes itself, over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from accounts import tokens
from accounts.models import CustomRole, Membership
from auterity.kernel.access import Permission, Role
from tests.api.graphs import chain
from tests.api.people import PASSWORD, Api, Person, colleague, logged_in, refusal

pytestmark = pytest.mark.django_db

ROLES = "/api/organization/roles"
MEMBERS = "/api/organizations/current/members"
RUNNER = {"name": "Runner", "permissions": ["execution:read", "workflow:execute", "workflow:read"]}


@pytest.fixture
def runner_role(ann: Person) -> dict[str, Any]:
    return ann.api.made(ROLES, RUNNER)


@pytest.fixture
def rita(ann: Person, runner_role: dict[str, Any]) -> Person:
    """Somebody with the custom role."""
    body = {"email": "rita@example.com", "password": PASSWORD, "first_name": "Rita", "last_name": "Roe"}
    ann.api.made(MEMBERS, {**body, "role_id": runner_role["id"]})
    return logged_in("rita@example.com")


def test_built_in_roles_come_first_then_the_organizations_own(ann: Person, runner_role: dict[str, Any]) -> None:
    found = ann.api.get(ROLES).json()
    assert [each["name"] for each in found["roles"]] == ["viewer", "member", "manager", "admin", "Runner"]
    assert [each["built_in"] for each in found["roles"]] == [True] * 4 + [False]
    assert found["permissions"] == sorted(each.value for each in Permission)
    assert runner_role["permissions"] == RUNNER["permissions"]
    assert ann.api.get(f"{ROLES}/{runner_role['id']}").json() == runner_role


def test_a_custom_role_grants_what_it_names_and_nothing_else(ann: Person, rita: Person) -> None:
    workflow = ann.api.made("/api/workflows", chain("a"))
    assert rita.actor.permissions == {
        Permission.EXECUTION_READ,
        Permission.WORKFLOW_EXECUTE,
        Permission.WORKFLOW_READ,
    }
    assert rita.actor.role is Role.VIEWER
    me = rita.api.get("/api/auth/me").json()
    assert (me["role"], me["roles"], me["permissions"]) == ("Runner", ["Runner"], RUNNER["permissions"])
    assert rita.api.get(f"/api/workflows/{workflow['id']}").status_code == 200
    assert rita.api.post(f"/api/workflows/{workflow['id']}/execute", {"inputs": {}}).status_code == 202
    error = refusal(rita.api.post("/api/workflows", chain("b")), 403, "AUTH_003")
    assert "Runner" in error["message"]
    refusal(rita.api.get("/api/organizations/current/members"), 403, "AUTH_003")  # A viewer could.
    shown = ann.api.get(f"{MEMBERS}/{rita.actor.user_id}").json()
    assert (shown["role"], shown["role_id"]) == ("Runner", str(CustomRole.unscoped.get().pk))


def test_a_change_of_the_role_counts_from_the_next_request(ann: Person, rita: Person, runner_role: Any) -> None:
    assert rita.api.get("/api/workflows").status_code == 200
    changed = ann.api.put(f"{ROLES}/{runner_role['id']}", {**RUNNER, "permissions": ["logs:read"]})
    assert changed.json()["permissions"] == ["logs:read"]
    refusal(rita.api.get("/api/workflows"), 403, "AUTH_003")
    assert rita.api.get("/api/logs").status_code == 200
    alive = tokens.living([rita.actor.session_id or uuid4()])
    assert alive[rita.actor.session_id].permissions == {Permission.LOGS_READ}
    assert tokens.rights_today([rita.actor.session_id]) == {rita.actor.session_id: {Permission.LOGS_READ}}


def test_a_rank_follows_what_the_role_contains(ann: Person, rita: Person, runner_role: Any) -> None:
    for role, expected in ((Role.MANAGER, Role.MANAGER), (Role.MEMBER, Role.MEMBER), (Role.ADMIN, Role.MANAGER)):
        names = next(each for each in ann.api.get(ROLES).json()["roles"] if each["name"] == role.value)["permissions"]
        ann.api.put(f"{ROLES}/{runner_role['id']}", {**RUNNER, "permissions": names})
        assert Membership.objects.get(user_id=rita.actor.user_id).role == expected.value


def test_nobody_gives_or_touches_more_than_they_hold(ann: Person, rita: Person, runner_role: Any) -> None:
    names = ["organization:manage", "organization:read", "workflow:read"]
    keeper = ann.api.made(ROLES, {"name": "Keeper", "permissions": names})
    ann.api.put(f"{MEMBERS}/{rita.actor.user_id}", {"role_id": keeper["id"]})
    keeping = logged_in(rita.email)
    for wish in (["workflow:delete"], ["organization:manage", "ai:manage"]):
        refusal(keeping.api.post(ROLES, {"name": "More", "permissions": wish}), 403, "AUTH_003")
    refusal(
        keeping.api.put(f"{ROLES}/{runner_role['id']}", {**RUNNER, "permissions": ["workflow:read"]}), 403, "AUTH_003"
    )
    refusal(keeping.api.delete(f"{ROLES}/{runner_role['id']}"), 403, "AUTH_003")
    body = {"email": "x@example.com", "password": PASSWORD, "first_name": "X", "last_name": "Y"}
    refusal(keeping.api.post(MEMBERS, {**body, "roles": ["viewer"]}), 403, "AUTH_003")
    refusal(keeping.api.post(MEMBERS, {**body, "role_id": runner_role["id"]}), 403, "AUTH_003")
    refusal(keeping.api.put(f"{MEMBERS}/{ann.actor.user_id}", {"roles": ["viewer"]}), 403, "AUTH_003")
    refusal(keeping.api.put(f"{MEMBERS}/{keeping.actor.user_id}", {"roles": ["admin"]}), 403, "AUTH_003")
    refusal(keeping.api.delete(f"{MEMBERS}/{ann.actor.user_id}"), 403, "AUTH_003")
    assert Membership.objects.get(user_id=ann.actor.user_id).role == "admin"
    assert CustomRole.unscoped.count() == 2
    assert keeping.api.post(ROLES, {"name": "Same", "permissions": names}).status_code == 201


def test_a_role_in_use_stays(ann: Person, rita: Person, runner_role: Any) -> None:
    path = f"{ROLES}/{runner_role['id']}"
    assert refusal(ann.api.delete(path), 409, "RES_002")["details"] == {"members": 1, "invitations": 0}
    ann.api.put(f"{MEMBERS}/{rita.actor.user_id}", {"roles": ["viewer"]})
    invited = ann.api.made(
        "/api/organizations/current/invitations", {"email": "new@example.com", "role_id": runner_role["id"]}
    )
    assert (invited["role"], invited["role_id"]) == ("Runner", runner_role["id"])
    assert refusal(ann.api.delete(path), 409, "RES_002")["details"] == {"members": 0, "invitations": 1}
    ann.api.delete(f"/api/organizations/current/invitations/{invited['id']}")
    assert ann.api.delete(path).status_code == 204
    refusal(ann.api.get(path), 404, "RES_001")


def test_another_organizations_role_is_unknown(ann: Person, otto: Person, runner_role: Any) -> None:
    path = f"{ROLES}/{runner_role['id']}"
    for answer in (otto.api.get(path), otto.api.put(path, RUNNER), otto.api.delete(path)):
        refusal(answer, 404, "RES_001")
    his = colleague(otto, "his@other.example", Role.VIEWER)
    refusal(otto.api.put(f"{MEMBERS}/{his.actor.user_id}", {"role_id": runner_role["id"]}), 404, "RES_001")
    body = {"email": "z@other.example", "role_id": runner_role["id"]}
    refusal(otto.api.post("/api/organizations/current/invitations", body), 404, "RES_001")
    assert "Runner" not in str(otto.api.get(ROLES).json())
    assert CustomRole.unscoped.get().permissions == RUNNER["permissions"]


@pytest.mark.parametrize(
    "wish",
    [
        {"name": "", "permissions": ["workflow:read"]},
        {"name": "ADMIN", "permissions": ["workflow:read"]},
        {"name": "user", "permissions": ["workflow:read"]},
        {"name": "x" * 61, "permissions": ["workflow:read"]},
        {"name": "a\nb", "permissions": ["workflow:read"]},
        {"name": "Good", "permissions": []},
        {"name": "Good", "permissions": ["everything"]},
        {"name": "Good", "permissions": "workflow:read"},
        {"name": "Good", "permissions": [None]},
    ],
)
def test_what_is_no_role_is_refused(ann: Person, wish: dict[str, Any]) -> None:
    assert ann.api.post(ROLES, wish).status_code == 400
    assert not CustomRole.unscoped.exists()


def test_a_name_is_used_once_whatever_the_case(ann: Person, runner_role: Any) -> None:
    refusal(ann.api.post(ROLES, {**RUNNER, "name": "rUNNER"}), 409, "RES_002")
    assert CustomRole.unscoped.count() == 1


def test_nobody_but_an_admin_makes_roles(member: Person, anyone: Api) -> None:
    refusal(member.api.post(ROLES, RUNNER), 403, "AUTH_003")
    refusal(anyone.post(ROLES, RUNNER), 401, "AUTH_001")
    assert not CustomRole.unscoped.exists()
