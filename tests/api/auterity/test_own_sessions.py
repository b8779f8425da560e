"""One's own logins over HTTP, and the organization's policies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import passwords, services
from accounts.models import OrganizationPolicies, Session, TrustedDevice
from tests.api.people import PASSWORD, Api, Person, logged_in, refusal

pytestmark = pytest.mark.django_db
SESSIONS = "/api/auth/sessions"
POLICIES = "/api/organizations/current/policies"


def test_the_list_says_where_each_login_is_and_which_one_asks(ann: Person, otto: Person) -> None:
    other = services.login(
        email=ann.email,
        password=PASSWORD,
        dialect="orchestrator",
        access_seconds=60,
        address="203.0.113.7",
        user_agent="curl/8",
    )
    body = ann.api.get(SESSIONS).json()
    assert body["total"] == 2
    newest, oldest = body["sessions"]
    assert (newest["id"], newest["current"], newest["dialect"]) == (str(other.session_id), False, "orchestrator")
    assert (newest["address"], newest["user_agent"], newest["factors"]) == ("203.0.113.7", "curl/8", ["password"])
    assert (oldest["current"], oldest["organization_name"]) == (True, "AutoDealer Inc.")
    assert str(otto.actor.session_id) not in str(body)


def test_one_login_is_ended_at_once_and_only_ones_own(ann: Person, otto: Person) -> None:
    again = logged_in(ann.email)
    answer = ann.api.delete(f"{SESSIONS}/{again.actor.session_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    refusal(again.api.get("/api/auth/me"), 401, "AUTH_001")
    refusal(Api().post("/api/auth/refresh", {"refresh_token": again.tokens.refresh_token}), 401, "AUTH_001")
    refusal(ann.api.delete(f"{SESSIONS}/{again.actor.session_id}"), 404, "RES_001")
    refusal(ann.api.delete(f"{SESSIONS}/{otto.actor.session_id}"), 404, "RES_001")
    assert otto.api.get("/api/auth/me").status_code == 200
    assert Session.objects.get(pk=again.actor.session_id).revoke_reason == "revoked by its owner"


def test_all_others_are_ended_and_the_one_at_hand_goes_on(ann: Person, otto: Person) -> None:
    others = [logged_in(ann.email) for _ in range(3)]
    assert ann.api.delete(SESSIONS).json() == {"revoked_sessions": 3}
    for each in others:
        refusal(each.api.get("/api/auth/me"), 401, "AUTH_001")
    assert ann.api.get("/api/auth/me").status_code == 200
    assert otto.api.get("/api/auth/me").status_code == 200
    assert ann.api.delete(SESSIONS).json() == {"revoked_sessions": 0}


def test_a_device_is_trusted_for_at_most_thirty_days_by_a_fresh_login(ann: Person) -> None:
    body = ann.api.made("/api/auth/trust-device", {"days": 30, "device_name": "Ann's laptop"})
    row = TrustedDevice.objects.get()
    assert (row.user_id, row.name) == (ann.actor.user_id, "Ann's laptop")
    assert row.trusted_until - timezone.now() < timedelta(days=30)
    assert ann.api.get(SESSIONS).json()["sessions"][0]["trusted_until"] == body["trusted_until"]
    refusal(ann.api.post("/api/auth/trust-device", {"days": 31}), 400, "VAL_001")
    Session.objects.update(fresh_at=None)
    refusal(ann.api.post("/api/auth/trust-device", {"days": 1}), 403, "AUTH_003")


def test_a_device_is_trusted_no_longer_once_its_login_was_ended_or_its_owner_says_so(ann: Person) -> None:
    def trust(days: int = 3) -> None:
        ann.api.made("/api/auth/trust-device", {"days": days})

    assert ann.api.delete("/api/auth/trust-device").status_code == 204
    trust()
    other = logged_in(ann.email)
    lost = TrustedDevice.objects.get()
    lost.pk, lost.fingerprint = None, "of another"
    lost.save(force_insert=True)
    Session.objects.filter(pk=other.actor.session_id).update(fingerprint="of another")
    assert ann.api.delete(f"{SESSIONS}/{other.actor.session_id}").status_code == 204
    assert [each.fingerprint for each in TrustedDevice.objects.all()] != ["of another"]
    assert TrustedDevice.objects.count() == 1
    lost.save(force_insert=True)
    ann.api.delete(SESSIONS)
    assert ann.api.get(SESSIONS).json()["sessions"][0]["trusted_until"] is not None
    assert TrustedDevice.objects.count() == 1
    assert ann.api.delete("/api/auth/trust-device").status_code == 204
    assert (TrustedDevice.objects.count(), ann.api.get("/api/auth/me").status_code) == (0, 200)
    trust()
    passwords.change(
        actor=ann.actor,
        current_password=PASSWORD,
        new_password="another good one 7",
        dialect="auterity",
        access_seconds=60,
    )
    assert TrustedDevice.objects.count() == 0


# -- policies ----------------------------------------------------------------------------------------------------------


def put(person: Person, **policies: Any) -> Any:
    return person.api.call("PUT", POLICIES, {"policies": policies})


def test_everybody_reads_the_policies_and_admins_change_them(ann: Person, viewer: Person, otto: Person) -> None:
    assert viewer.api.get(POLICIES).json()["version"] == 0
    refusal(put(viewer, password_min_length=12), 403, "AUTH_003")
    body = put(ann, password_min_length=12, ai_providers=["OpenAI"]).json()
    assert body["version"] == 1
    found = {each["key"]: each for each in body["policies"]}
    assert (found["password_min_length"]["value"], found["password_min_length"]["default"]) == (12, 8)
    assert found["ai_providers"]["value"] == ["openai"]
    assert [key for key, each in found.items() if each["enforced"]] == ["password_min_length", "ai_providers"]
    assert viewer.api.get(POLICIES).json() == body
    assert otto.api.get(POLICIES).json()["version"] == 0
    assert put(ann, password_min_length=None, ai_providers=None).json()["version"] == 2
    assert OrganizationPolicies.objects.of(ann.actor).get().chosen == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password_min_length", 7),
        ("password_min_length", True),
        ("password_min_length", "12"),
        ("password_classes", 5),
        ("mfa_required_roles", "everyone"),
        ("mfa_required_roles", ["owner"]),
        ("allowed_networks", ["10.0.0.0/33"]),
        ("allowed_networks", ["localhost"]),
        ("allowed_networks", ["203.0.113.0/24"]),  # The actor comes from elsewhere.
        ("csrf_with_bearer", 1),
        ("ai_providers", [""]),
        ("ai_providers", ["x"] * 201),
        ("minimum_tier", "highest"),
        ("risk_block", 50),
        ("no_such_policy", 1),
        ("__class__", 1),
    ],
)
def test_a_wrong_policy_is_named_and_nothing_changes(ann: Person, key: str, value: Any) -> None:
    error = refusal(put(ann, **{key: value, "session_hours": 5}), 400, "VAL_001")
    assert error["details"]["field"] == key
    body = ann.api.get(POLICIES).json()
    assert (body["version"], [each["key"] for each in body["policies"] if each["enforced"]]) == (0, [])


def test_policies_are_changed_by_a_fresh_login_only(ann: Person) -> None:
    Session.objects.update(fresh_at=timezone.now() - timedelta(minutes=11))
    refusal(put(ann, password_min_length=12), 403, "AUTH_003")


def test_only_allowed_networks_get_in_and_other_logins_end(ann: Person, anyone: Api) -> None:
    far = services.login(
        email=ann.email, password=PASSWORD, dialect="auterity", access_seconds=600, address="203.0.113.7"
    )
    assert put(ann, allowed_networks=["127.0.0.0/8"]).status_code == 200
    refusal(Api(far.access_token).get("/api/auth/me"), 401, "AUTH_001")
    assert anyone.made("/api/auth/login", {"email": ann.email, "password": PASSWORD})["access_token"]
    OrganizationPolicies.unscoped.update(chosen={"allowed_networks": ["203.0.113.0/24"]})
    refusal(anyone.post("/api/auth/login", {"email": ann.email, "password": PASSWORD}), 403, "AUTH_003")
    refusal(ann.api.get("/api/auth/me"), 403, "AUTH_003")  # Each request is asked, not only each login.
    assert ann.api.get("/api/auth/me", X_Forwarded_For="203.0.113.9").status_code == 403  # No proxy of ours said it.
    OrganizationPolicies.unscoped.update(chosen={"allowed_networks": ["::1/128", "127.0.0.0/8"]})
    assert ann.api.get("/api/auth/me").status_code == 200


def test_a_login_lasts_no_longer_than_the_policy_says(ann: Person, anyone: Api) -> None:
    put(ann, session_hours=1)
    anyone.made("/api/auth/login", {"email": ann.email, "password": PASSWORD})
    newest = Session.objects.order_by("-id").first()
    assert newest is not None
    assert timedelta(minutes=59) < newest.expires_at - timezone.now() <= timedelta(hours=1)
