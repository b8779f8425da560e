"""Security tiers from live facts, and what sensitive actions ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import resolve
from django.utils import timezone

from accounts import overview, policy_changes, tiers
from accounts.errors import FreshLoginRequired, TierTooLow
from accounts.models import OrganizationPolicies, Session, User
from accounts.policies import Tier
from accounts.tiers import Facts, Requirement, lacking, tier_of
from audit.models import AuditEvent
from auterity.kernel.access import Actor, Permission, Role
from auterity.kernel.errors import PermissionDenied
from security import upgrades
from tests.accounts.authenticator import enable

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BARE = Facts(email_verified=False, totp=False, passkey=False, backup_codes=0, fresh_at=None)
FULL = Facts(email_verified=True, totp=True, passkey=True, backup_codes=3, fresh_at=NOW - timedelta(minutes=14))


@pytest.mark.parametrize(
    ("changed", "tier"),
    [
        ({}, Tier.MAXIMUM),
        ({"fresh_at": NOW - timedelta(minutes=15)}, Tier.ELEVATED),
        ({"fresh_at": None}, Tier.ELEVATED),
        ({"backup_codes": 0}, Tier.ELEVATED),
        ({"passkey": False}, Tier.ELEVATED),
        ({"totp": False}, Tier.ELEVATED),
        ({"totp": False, "passkey": False}, Tier.STANDARD),
        ({"email_verified": False}, Tier.STANDARD),
        ({"allowed_maximum": False}, Tier.ELEVATED),
    ],
)
def test_a_tier_is_lost_with_any_of_its_requirements(changed: dict[str, Any], tier: Tier) -> None:
    assert tier_of(replace(FULL, **changed), now=NOW) is tier


def test_what_is_missing_is_named() -> None:
    assert lacking(Tier.STANDARD, BARE, now=NOW) == []
    assert lacking(Tier.ELEVATED, BARE, now=NOW) == [Requirement.VERIFIED_EMAIL, Requirement.TOTP]
    assert set(lacking(Tier.MAXIMUM, BARE, now=NOW)) == set(Requirement)
    assert lacking(Tier.MAXIMUM, FULL, now=NOW) == []


pytestmark = pytest.mark.django_db


def test_the_tier_follows_what_the_person_has(admin: Actor) -> None:
    assert tiers.current(admin) is Tier.STANDARD
    User.objects.update(email_verified_at=timezone.now())
    enable(admin, now=timezone.now())
    assert tiers.current(admin) is Tier.ELEVATED
    User.objects.update(email_verified_at=None)
    assert tiers.current(admin) is Tier.STANDARD
    missing = tiers.lacking(Tier.ELEVATED, tiers.facts_of(admin), now=timezone.now())
    assert [each.value for each in missing] == ["verified_email"]


def test_a_sensitive_action_needs_a_fresh_login_and_the_permission(admin: Actor) -> None:
    tiers.require_action(admin, "change_policy")
    checked = overview.check(admin, "change_policy")
    assert (checked.allowed, checked.required, checked.missing) == (True, Tier.STANDARD, ())
    Session.objects.update(fresh_at=timezone.now() - timedelta(minutes=10))
    with pytest.raises(FreshLoginRequired):
        tiers.require_action(admin, "change_policy")
    assert overview.check(admin, "change_policy").missing == ("fresh_login",)
    assert overview.check(admin, "execute_workflow").allowed
    viewer = Actor(admin.user_id, admin.organization_id, Role.VIEWER, frozenset(), session_id=admin.session_id)
    with pytest.raises(PermissionDenied):
        tiers.require_action(viewer, "change_policy")
    assert overview.check(viewer, "execute_workflow").missing == ("role",)


def test_tiers_count_where_the_policy_says_so(admin: Actor) -> None:
    rules = OrganizationPolicies.unscoped.create(organization_id=admin.organization_id, chosen={"enforce_tiers": True})
    with pytest.raises(TierTooLow) as refusal:
        tiers.require_action(admin, "export_data")
    assert refusal.value.details["required_tier"] == "elevated"
    assert overview.check(admin, "manage_users").required is Tier.MAXIMUM
    rules.chosen = {"minimum_tier": "elevated"}
    rules.save()
    assert overview.check(admin, "execute_workflow").missing == ("verified_email", "totp")


def test_every_action_is_known() -> None:
    assert set(tiers.ACTIONS) == {
        "export_data", "change_password", "delete_account", "manage_api_keys", "manage_users", "change_policy",
        "execute_workflow", "connect_oauth",
    }  # fmt: skip
    assert all(each.permission is None or each.permission in Permission for each in tiers.ACTIONS.values())


def test_the_overview_adds_up_and_says_what_would_help(admin: Actor) -> None:
    before = overview.of(admin)
    assert sum(each.points for each in before.parts) == 100
    assert (before.score, before.tier, before.recommendations[0].code) == (20, Tier.STANDARD, "enable_second_factor")
    enable(admin, now=timezone.now())
    after = overview.of(admin)
    assert (after.score, after.totp, after.backup_codes_remaining) == (65, True, 10)
    assert [each.outcome for each in after.recent_logins] == ["success"]


def test_whoever_is_told_what_to_do_is_told_an_address_that_there_is(admin: Actor) -> None:
    for path in {each.action_path for each in overview.of(admin).parts} | {
        each.path for each in upgrades.WAYS.values()
    }:
        resolve(path)


def test_what_happens_to_an_account_is_in_the_trail(admin: Actor) -> None:
    enable(admin, now=timezone.now())
    policy_changes.change(actor=admin, changes={"password_min_length": 12})
    kinds = list(AuditEvent.objects.of(admin).order_by("id").values_list("event_type", flat=True))
    assert kinds == ["auth.login.success", "auth.second_factor.enabled", "policy.changed"]
    changed = AuditEvent.objects.of(admin).get(event_type="policy.changed")
    assert changed.details == {"changes": [{"policy": "password_min_length", "before": 8, "after": 12}]}
