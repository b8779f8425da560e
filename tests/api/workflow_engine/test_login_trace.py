"""`/api/v1/auth/jwt/login-debug`: details for those who may see them, a login like any other for the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import OrganizationPolicies, Session, User
from audit.models import AuditEvent
from tests.accounts.authenticator import enable
from tests.api.envelopes import data_of, refused
from tests.api.people import PASSWORD, Api, Person

pytestmark = pytest.mark.django_db

TRACE = "/api/v1/auth/jwt/login-debug"
STEPS = [
    "account_exists",
    "password",
    "active",
    "email_verified",
    "not_locked",
    "second_factor",
    "policy_ip",
    "policy_tier",
]


def body(person: Person, **more: Any) -> dict[str, Any]:
    return {"username": person.email, "password": PASSWORD, **more}


@pytest.mark.parametrize("who", ["nobody", "member"])
def test_for_whoever_may_not_see_details_it_is_a_login(ann: Person, member: Person, anyone: Api, who: str) -> None:
    api = anyone if who == "nobody" else member.api
    answer = api.post(TRACE, body(ann))
    assert answer.status_code == 200
    assert answer.json()["access_token"]
    assert "checks" not in answer.json()
    refused(api.post(TRACE, body(ann, password="wrong")), 401, "ERR_401_INVALID_CREDENTIALS")


def test_an_admin_sees_every_check_and_gets_no_token_unasked(ann: Person, member: Person) -> None:
    before = Session.objects.count()
    found = data_of(ann.api.post(TRACE, body(member)))
    assert [each["name"] for each in found["checks"]] == STEPS
    assert {each["name"] for each in found["checks"] if not each["passed"]} == {"email_verified"}
    assert (found["authenticated"], found["failure_code"]) == (True, None)
    assert found["token"]["access_token"] is None
    assert found["account"]["role"] == "user"
    assert Session.objects.count() == before
    issued = data_of(ann.api.post(TRACE, body(member, issue_token=True)))
    assert Api(issued["token"]["access_token"]).get("/api/v1/auth/me").status_code == 200


def test_a_failed_run_says_where_and_counts(ann: Person, member: Person) -> None:
    found = data_of(ann.api.post(TRACE, body(member, password="wrong", issue_token=True)))
    assert (found["authenticated"], found["failure_code"]) == (False, "ERR_401_INVALID_CREDENTIALS")
    assert [each["name"] for each in found["checks"] if each["passed"]] == ["account_exists", "not_locked"]
    assert found["token"]["access_token"] is None
    assert found["account"]["failed_attempts"] == 1


def test_a_second_factor_is_not_stepped_over(ann: Person, member: Person) -> None:
    app, _ = enable(member.actor, now=timezone.now() - timedelta(minutes=5))
    found = data_of(ann.api.post(TRACE, body(member, issue_token=True)))
    assert (found["authenticated"], found["failure_code"]) == (False, "ERR_401_MFA_REQUIRED")
    assert found["token"]["access_token"] is None
    wrong = data_of(ann.api.post(TRACE, body(member, issue_token=True, totp_code=app.wrong())))
    assert wrong["failure_code"] == "ERR_401_MFA_INVALID"
    told = AuditEvent.objects.of(ann.actor).get(event_type="auth.login.failed")  # In the organization's own trail.
    assert told.user_id == member.actor.user_id
    right = data_of(ann.api.post(TRACE, body(member, issue_token=True, totp_code=app.code())))
    assert right["token"]["access_token"]


def test_the_tier_that_everybody_should_have_is_looked_at(ann: Person, member: Person) -> None:
    rules = OrganizationPolicies.objects.of(ann.actor).get_or_create(organization_id=ann.actor.organization_id)[0]
    rules.chosen = {"minimum_tier": "elevated"}
    rules.save()
    app, _ = enable(member.actor, now=timezone.now() - timedelta(minutes=5))
    tier = data_of(ann.api.post(TRACE, body(member, totp_code=app.code())))["checks"][-1]
    assert (tier["name"], tier["passed"]) == ("policy_tier", False)
    assert "verified_email" in tier["detail"]
    User.objects.filter(pk=member.actor.user_id).update(email_verified_at=timezone.now())
    tier = data_of(ann.api.post(TRACE, body(member, totp_code=app.code(steps=1))))["checks"][-1]
    assert (tier["name"], tier["passed"]) == ("policy_tier", True)


def test_an_admin_learns_nothing_of_others(ann: Person, otto: Person) -> None:
    for name in (otto.email, "nobody@example.com"):
        refused(ann.api.post(TRACE, {"username": name, "password": PASSWORD}), 404, "ERR_404_NOT_FOUND")


def test_where_the_server_is_told_so_everybody_sees_details(ann: Person, anyone: Api, settings: Any) -> None:
    settings.LOGIN_DEBUG = True
    assert data_of(anyone.post(TRACE, body(ann)))["authenticated"] is True
    found = data_of(anyone.post(TRACE, {"username": "nobody@example.com", "password": "x"}))
    assert (found["authenticated"], found["account"]["user_id"]) == (False, None)
