"""Tiers, policies, the audit log and compliance, as clients of 003 use them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.cache import caches
from django.utils import timezone

from accounts import policy_changes, service_accounts
from accounts.models import Session, User
from audit import chain, guards
from audit.models import AuditEvent
from auterity.kernel.access import Role
from security import upgrades
from security.models import TierUpgrade
from tests.api.envelopes import data_of, refused
from tests.api.people import Api, Person, colleague

pytestmark = pytest.mark.django_db

TIER = "/api/v1/security-tier"
LOG = "/api/enterprise-security/audit/log"
COMPLIANCE = "/api/enterprise-security/compliance/status"
POLICIES = "/api/enterprise-security/policies"
EVENT = {"event_type": "custom.door.opened", "action": "open"}


@pytest.fixture(autouse=True)
def nothing_cached() -> None:
    caches["process"].clear()


def verified(person: Person) -> None:
    User.objects.filter(pk=person.actor.user_id).update(email_verified_at=timezone.now())


@pytest.fixture
def protected(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """Whoever is put in here has an authenticator app."""
    having: set[Any] = set()
    from accounts.factors import FACTORS, Factor

    totp = next(each for each in FACTORS if each.name is Factor.TOTP)
    monkeypatch.setitem(
        FACTORS._all, Factor.TOTP, type(totp)(Factor.TOTP, lambda user_id: user_id in having, totp.demands)
    )
    return having


# -- tiers ---------------------------------------------------------------------------------------------------------------


def test_a_tier_follows_the_facts_up_and_down(ann: Person, protected: set[Any]) -> None:
    found = data_of(ann.api.get(f"{TIER}/current"))
    assert (found["tier"], found["next_tier"]) == ("standard", "elevated")
    assert found["missing_for_next"] == ["verified_email", "totp"]
    verified(ann)
    protected.add(ann.actor.user_id)
    found = data_of(ann.api.get(f"{TIER}/current"))
    assert found["tier"] == "elevated"
    assert "data_export" in found["unlocks"]
    assert "policies" not in found["unlocks"]
    protected.clear()
    assert data_of(ann.api.get(f"{TIER}/current"))["tier"] == "standard"


def test_an_upgrade_waits_and_is_granted_by_itself(ann: Person, protected: set[Any]) -> None:
    wish = {"target_tier": "elevated", "reason": "exports"}
    first = data_of(ann.api.post(f"{TIER}/upgrade", wish), 202)
    assert first["status"] == "pending"
    assert {each["code"]: each["met"] for each in first["requirements"]} == {
        "verified_email": False, "totp": False, "passkey": False,
    }  # fmt: skip
    assert data_of(ann.api.post(f"{TIER}/upgrade", wish), 202)["upgrade_id"] == first["upgrade_id"]
    assert data_of(ann.api.get(f"{TIER}/current"))["pending_upgrade"]["upgrade_id"] == first["upgrade_id"]
    assert upgrades.settle_pending() == 0
    verified(ann)
    protected.add(ann.actor.user_id)
    assert upgrades.settle_pending() == 1
    assert upgrades.settle_pending() == 0
    row = TierUpgrade.objects.of(ann.actor).get()
    assert row.granted_at is not None
    assert AuditEvent.objects.of(ann.actor).filter(event_type="security.tier.granted").count() == 1
    assert data_of(ann.api.get(f"{TIER}/current"))["pending_upgrade"] is None
    refused(ann.api.post(f"{TIER}/upgrade", wish), 409, "ERR_409_TIER_ALREADY_HELD")


def test_an_upgrade_whose_requirements_are_met_is_granted_at_once(ann: Person, protected: set[Any]) -> None:
    verified(ann)
    protected.add(ann.actor.user_id)
    found = data_of(ann.api.post(f"{TIER}/upgrade", {"target_tier": "elevated"}))
    assert (found["status"], found["current_tier"], found["expires_at"]) == ("granted", "elevated", None)


def test_an_upgrade_that_was_asked_for_too_long_ago_is_over(ann: Person) -> None:
    data_of(ann.api.post(f"{TIER}/upgrade", {"target_tier": "elevated"}), 202)
    assert upgrades.settle_pending(now=timezone.now() + dt.timedelta(days=7, minutes=1)) == 0
    assert TierUpgrade.objects.of(ann.actor).get().status == "expired"


def test_a_tier_may_be_reserved(ann: Person, member: Person) -> None:
    policy_changes.change(actor=ann.actor, changes={"maximum_tier_roles": ["admin"]})
    refused(member.api.post(f"{TIER}/upgrade", {"target_tier": "maximum"}), 403, "ERR_403_TIER_NOT_ALLOWED")
    refused(member.api.post(f"{TIER}/upgrade", {"target_tier": "standard"}), 400, "ERR_400_VALIDATION")


def test_the_requirements_are_listed(ann: Person) -> None:
    found = data_of(ann.api.get(f"{TIER}/requirements"))["tiers"]
    assert [each["tier"] for each in found] == ["standard", "elevated", "maximum"]
    one = data_of(ann.api.get(f"{TIER}/requirements?tier=maximum"))["tiers"]
    assert [each["rank"] for each in one] == [2]
    fresh = next(each for each in one[0]["requirements"] if each["code"] == "fresh_login")
    assert (fresh["max_age_seconds"], fresh["met"]) == (900, True)
    refused(ann.api.get(f"{TIER}/requirements?tier=divine"), 400, "ERR_400_VALIDATION")


# -- policies ------------------------------------------------------------------------------------------------------------


def test_policies_say_what_holds_and_whether_one_complies(ann: Person, member: Person) -> None:
    policy_changes.change(actor=ann.actor, changes={"mfa_required_roles": ["admin"], "password_min_length": 12})
    found = {each["key"]: each for each in data_of(ann.api.get(POLICIES))["policies"]}
    assert found["password_min_length"]["value"] == 12
    assert found["password_min_length"]["enforced"] is True
    assert found["mfa_required_roles"]["compliant"] is False
    assert found["mfa_required_roles"]["remedy"]
    answer = member.api.get(POLICIES)
    if answer.status_code == 200:  # The change ended logins that the new policy would not have let in.
        assert "mfa_required_roles" not in {each["key"] for each in data_of(answer)["policies"]}
    only = data_of(ann.api.get(f"{POLICIES}?category=password"))["policies"]
    assert {each["category"] for each in only} == {"password"}


# -- the audit log -------------------------------------------------------------------------------------------------------


def test_an_external_event_is_chained_at_once(member: Person, ann: Person) -> None:
    body = {**EVENT, "details": {"password": "hunter2", "door": 7}, "severity": "low", "resource_type": "door"}
    first = data_of(member.api.post(LOG, body), 201)
    second = data_of(member.api.post(LOG, body), 201)
    assert second["sequence"] == first["sequence"] + 1
    assert second["previous_hash"] == first["hash"]
    event = AuditEvent.objects.of(ann.actor).get(pk=first["event_id"])
    assert (event.user_id, event.details) == (member.actor.user_id, {"password": "***", "door": 7})
    assert chain.verify(ann.actor.organization_id).intact


def test_a_repeat_with_the_same_key_is_the_same_event(member: Person) -> None:
    first = data_of(member.api.post(LOG, EVENT, Idempotency_Key="door-7"), 201)
    assert data_of(member.api.post(LOG, EVENT, Idempotency_Key="door-7"), 201) == first
    assert AuditEvent.objects.of(member.actor).filter(event_type="custom.door.opened").count() == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"event_type": "auth.login.success"}, "ERR_400_RESERVED_EVENT"),
        ({"event_type": "custom.Weird-Name"}, "ERR_400_VALIDATION"),
        ({"event_type": "custom."}, "ERR_400_VALIDATION"),
        ({"action": ""}, "ERR_400_VALIDATION"),
        ({"action": " "}, "ERR_400_VALIDATION"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "ERR_400_VALIDATION"),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, "ERR_400_VALIDATION"),
        ({"details": {"x": "y" * 20_000}}, "ERR_400_VALIDATION"),
        ({"user_id": "018f0000-0000-7000-8000-000000000000"}, "ERR_400_VALIDATION"),
        ({"organization_id": "018f0000-0000-7000-8000-000000000000"}, "ERR_400_VALIDATION"),
    ],
)
def test_what_may_not_be_said_is_refused_and_nothing_is_recorded(
    member: Person, change: dict[str, Any], code: str
) -> None:
    refused(member.api.post(LOG, {**EVENT, **change}), 400, code)
    assert not AuditEvent.objects.of(member.actor).filter(event_type__startswith="custom.").exists()


# -- compliance ----------------------------------------------------------------------------------------------------------


def test_controls_count_what_is_there(ann: Person, member: Person) -> None:
    found = data_of(ann.api.get(COMPLIANCE))
    controls = {each["id"]: each for each in found["controls"]}
    assert controls["access.mfa"]["evidence"]["count"] == 2
    assert str(member.actor.user_id) in controls["access.mfa"]["evidence"]["sample_ids"]
    assert found["users"] == {"total": 2, "mfa_enabled": 0, "stale_90d": 0, "over_privileged": 0}
    assert found["audit_chain"]["intact"] is True
    assert found["audit_chain"]["checked_events"] > 0
    assert found["status"] == "non_compliant"
    assert 0 <= found["score"] < 100
    assert all(each["remedy"] for each in found["controls"] if each["status"] in ("fail", "warn"))


def test_a_service_account_is_nobody_who_could_have_a_second_factor(ann: Person, member: Person) -> None:
    service_accounts.create(actor=ann.actor, name="Importer", role=Role.MEMBER)
    found = data_of(ann.api.get(COMPLIANCE))
    assert found["users"]["total"] == 2
    assert {each["id"]: each["evidence"]["count"] for each in found["controls"]}["access.mfa"] == 2
    shown = data_of(ann.api.get("/api/v1/security-metrics/dashboard"))
    assert (shown["mfa"]["users"], sum(shown["tiers"].values())) == (2, 2)


def test_somebody_who_tampered_with_the_trail_is_found_out(ann: Person) -> None:
    chain.seal_all()
    guards.remove()
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_events SET action = 'nothing' WHERE sequence = 1")
    guards.install()
    found = data_of(ann.api.get(f"{COMPLIANCE}?framework=soc2"))
    assert found["audit_chain"]["intact"] is False
    assert found["audit_chain"]["first_broken_sequence"] == 1
    assert {each["id"]: each["status"] for each in found["controls"]}["audit.chain"] == "fail"


def test_the_answer_is_kept_for_a_minute_but_never_anothers(ann: Person, otto: Person) -> None:
    first = data_of(ann.api.get(COMPLIANCE))
    assert data_of(ann.api.get(COMPLIANCE))["checked_at"] == first["checked_at"]
    assert data_of(otto.api.get(COMPLIANCE))["users"]["total"] == 1


def test_only_admins_see_compliance(ann: Person, anyone: Api) -> None:
    assert anyone.get(COMPLIANCE).status_code == 401
    for role in (Role.MANAGER, Role.MEMBER, Role.VIEWER):
        refused(colleague(ann, f"{role}@example.com", role).api.get(COMPLIANCE), 403, "ERR_403_ROLE")


def test_a_session_that_is_not_there_any_more_opens_nothing(ann: Person) -> None:
    Session.objects.filter(pk=ann.actor.session_id).update(revoked_at=timezone.now())
    assert ann.api.get(f"{TIER}/current").status_code == 401
