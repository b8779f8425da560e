"""What a check says of a sensitive action beforehand is what the action's own addresses do, in every dialect that has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import tiers
from accounts.models import OrganizationPolicies, Session, User
from auterity.kernel.access import Role
from tests.accounts.authenticator import enable
from tests.api.envelopes import data_of
from tests.api.graphs import chain
from tests.api.people import PASSWORD, Person, colleague

pytestmark = pytest.mark.django_db

CHECK = "/api/v1/enhanced/security/check"
KEYS = "/api/organization/api-keys"
SERVICES = "/api/organization/service-accounts"
MEMBERS = "/api/organizations/current/members"
NEXT = "another horse 7!"
KEY = {"name": "Nightly", "scopes": ["workflow:read"]}
PROVIDER = {
    "name": "Ours",
    "issuer": "https://id.example.com",
    "client_id": "auterity",
    "client_secret": "s3cret",
    "allowed_domains": ["example.com"],
}

# By action: what is called, and what has to be there before. Each is (method, path, body).
Wanted = tuple[str, str, Any]


def _key(ann: Person) -> str:
    return f"{KEYS}/{ann.api.made(KEYS, KEY)['id']}"


def _service(ann: Person) -> str:
    return f"{SERVICES}/{ann.api.made(SERVICES, {'name': 'Importer'})['id']}"


def _member(ann: Person) -> str:
    return f"{MEMBERS}/{colleague(ann, 'bob@example.com', Role.MEMBER).actor.user_id}"


def _role(ann: Person) -> str:
    made = ann.api.made("/api/organization/roles", {"name": "Reader", "permissions": ["workflow:read"]})
    return f"/api/organization/roles/{made['id']}"


def _execution(ann: Person) -> str:
    return f"/api/workflows/{ann.api.made('/api/workflows', chain('a'))['id']}/execute"


def _trial(ann: Person) -> str:
    return f"/api/workflows/{ann.api.made('/api/workflows', chain('a'))['id']}/dry-run"


CALLS: list[tuple[str, Callable[[Person], Wanted]]] = [
    ("change_policy", lambda _: ("PUT", "/api/organizations/current/policies", {"policies": {"password_history": 3}})),
    ("manage_api_keys", lambda _: ("POST", KEYS, KEY)),
    ("manage_api_keys", lambda ann: ("DELETE", _key(ann), None)),
    ("manage_api_keys", lambda _: ("PUT", f"{KEYS}/policy", {"allowed": True, "longest_days": 30})),
    ("manage_api_keys", lambda _: ("POST", SERVICES, {"name": "Importer"})),
    ("manage_api_keys", lambda ann: ("PUT", _service(ann), {"is_active": False})),
    ("manage_api_keys", lambda ann: ("DELETE", _service(ann), None)),
    ("manage_api_keys", lambda ann: ("POST", f"{_service(ann)}/api-keys", KEY)),
    ("manage_users", lambda ann: ("PUT", _member(ann), {"is_active": False})),
    ("manage_users", lambda ann: ("PUT", _member(ann), {"roles": ["viewer"]})),
    ("manage_users", lambda ann: ("DELETE", _member(ann), None)),
    ("manage_users", lambda ann: ("PUT", _role(ann), {"name": "Reader", "permissions": ["workflow:create"]})),
    ("export_data", lambda _: ("POST", "/api/account/export", None)),
    ("export_data", lambda _: ("POST", "/api/organization/export", None)),
    ("export_data", lambda _: ("GET", "/api/audit/export", None)),
    ("delete_account", lambda _: ("DELETE", "/api/account", None)),
    ("delete_account", lambda _: ("DELETE", "/api/organization", None)),
    (
        "change_password",
        lambda _: ("POST", "/api/auth/change-password", {"current_password": PASSWORD, "new_password": NEXT}),
    ),
    (
        "change_password",
        lambda _: (
            "POST",
            "/api/v1/auth/change-password",
            {"current_password": PASSWORD, "new_password": NEXT, "confirm_password": NEXT},
        ),
    ),
    ("execute_workflow", lambda ann: ("POST", _execution(ann), {})),
    ("execute_workflow", lambda ann: ("POST", _trial(ann), {})),
    ("connect_oauth", lambda _: ("PUT", "/api/organization/sso", PROVIDER)),
]

SITUATIONS = ["at ease", "stale", "a tier for all", "a tier for all, held", "tiers count"]


def _come_about(situation: str, ann: Person) -> None:
    if situation == "a tier for all, held":
        User.objects.update(email_verified_at=timezone.now())
        enable(ann.actor, now=timezone.now())
    chosen = {"minimum_tier": "elevated"} if situation.startswith("a tier") else {"enforce_tiers": True}
    if situation in SITUATIONS[2:]:
        OrganizationPolicies.unscoped.create(organization_id=ann.actor.organization_id, chosen=chosen)
    if situation == "stale":
        Session.objects.update(fresh_at=timezone.now() - timedelta(minutes=11))


def test_each_action_has_an_address_here() -> None:
    assert {action for action, _ in CALLS} == set(tiers.ACTIONS)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize(("action", "wanted"), CALLS)
def test_what_the_check_says_is_what_the_address_does(
    ann: Person, action: str, wanted: Callable[[Person], Wanted], situation: str
) -> None:
    method, path, body = wanted(ann)
    _come_about(situation, ann)
    said = data_of(ann.api.post(CHECK, {"action": action}))
    answer = ann.api.call(method, path, body) if body is not None else ann.api.call(method, path)
    if said["allowed"]:
        assert answer.status_code < 300, answer.content
        return
    assert answer.status_code == 403, answer.content
    error = answer.json()["error"]
    if said["missing"] == ["fresh_login"]:
        assert "methods" in error["details"]
    else:
        told = [
            "totp" if each == "backup_codes" else each for each in error["details"]["missing"]
        ]  # 003 has no such word.
        assert list(dict.fromkeys(told)) == said["missing"]
        assert error["details"]["required_tier"] == said["required_tier"]


@pytest.mark.parametrize(
    ("action", "call"),
    [
        ("change_policy", ("PUT", "/api/organizations/current/policies", {"policies": {"password_history": 3}})),
        ("manage_users", ("DELETE", f"{MEMBERS}/01931f0e-7b1a-7c3e-9d52-0a4bb6a5a0d1", None)),
        ("execute_workflow", ("POST", "/api/workflows/01931f0e-7b1a-7c3e-9d52-0a4bb6a5a0d1/execute", {})),
    ],
)
def test_a_role_that_is_missing_is_missed_by_both(viewer: Person, action: str, call: Wanted) -> None:
    assert data_of(viewer.api.post(CHECK, {"action": action}))["missing"] == ["role"]
    assert viewer.api.call(*call).status_code == 403


def test_a_refused_action_has_done_nothing(ann: Person) -> None:
    path = _member(ann)
    _come_about("tiers count", ann)
    assert ann.api.delete(path).status_code == 403
    assert ann.api.get(path).status_code == 200


def test_a_policy_that_its_maker_could_not_take_back_is_not_made(ann: Person) -> None:
    for policy in ({"enforce_tiers": True}, {"minimum_tier": "maximum"}):
        answer = ann.api.put("/api/organizations/current/policies", {"policies": policy})
        assert answer.status_code == 403
        assert answer.json()["error"]["details"]["required_tier"] == "maximum"
    assert not OrganizationPolicies.objects.of(ann.actor).exists()


def test_executing_asks_the_policies_no_question_of_its_own(ann: Person) -> None:
    """The login's own query knows whether the organization asks for a tier: an accept is not a query dearer."""
    path = _execution(ann)
    ann.api.post(path, {})
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert ann.api.post(path, {}).status_code == 202
    about = [each["sql"] for each in seen if "organization_policies" in each["sql"]]
    assert len(about) == 1
    assert "FROM sessions" in about[0]
    assert not any("user_mfa" in each["sql"] or "backup_codes" in each["sql"] for each in seen)


def test_a_key_executes_under_any_tier_for_its_maker_was_asked(ann: Person) -> None:
    path = _execution(ann)
    key = ann.api.made(KEYS, {"name": "Nightly", "scopes": ["workflow:execute"]})["key"]
    _come_about("a tier for all", ann)
    assert ann.api.post(path, {}).status_code == 403
    ann.api.token = key
    assert ann.api.post(path, {}).status_code == 202
