"""Which passwords are refused, without asking any network."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from accounts import logins, members, passwords, policy_changes, services
from accounts.clients import Client
from accounts.errors import PasswordExpired, PasswordReused
from accounts.models import Membership, Organization, OrganizationPolicies, PasswordRecord, User
from accounts.password_rules import problems
from accounts.policies import DEFAULT, Rules
from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import InvalidInput

PASSWORD = "correct horse 9"
JANE = User(email="jane.miller@northwind.example", first_name="Jane", last_name="Möller")


def refused(password: str, rules: Rules = DEFAULT) -> list[str]:
    return [each.message for each in problems(password, JANE, rules, ["Acme Motors GmbH"])]


@pytest.mark.parametrize(
    "password",
    [
        "password1", "Passw0rd!", "P@ssw0rd123", "!!letmein!!", "Dragon2024", "dragondragon", "Qwertyuiop1!", "iloveyou99",
        "aaaaaaaaaa", "abababababab", "abcdefghij", "9876543210", "asdfghjkl", "zyxwvuts", "Sunshine#1", "football2026",
    ],
)  # fmt: skip
def test_common_passwords_are_refused_in_disguise_too(password: str) -> None:
    assert len(refused(password)) == 1


@pytest.mark.parametrize(
    "password",
    [
        "jane.miller@northwind.example", "Jane2026!", "m0ller1234", "miller-miller", "Northwind!!", "acmemotors1", "AcmeMotors99",
        "JaneMoeller1"[:4] + "MOLLER77", "motors12345",
    ],
)  # fmt: skip
def test_what_is_known_of_the_person_is_no_password(password: str) -> None:
    assert len(refused(password)) == 1


@pytest.mark.parametrize(
    "password",
    [
        "correct horse 9", "secure_password", "a better battery 7", "p9 " * 341, "Tr0ub4dor&3 xylophone", "jane likes long walks",
        "日本語のパスワード七", "vZ7#kq!2mB", "northwind blows over hills",
    ],
)  # fmt: skip
def test_good_ones_are_taken(password: str) -> None:
    assert refused(password) == []


def test_length_and_kinds_are_the_organizations_to_say() -> None:
    strict = Rules(password_min_length=14, password_classes=4)
    assert len(refused("vZ7#kq!2mB", strict)) == 1
    assert len(refused("velvet zebra quilt")) == 0
    assert "At least 4 of" in refused("velvet zebra quilt", strict)[0]
    assert refused("Velvet zebra quilt 7", strict) == []


pytestmark = pytest.mark.django_db


@pytest.fixture
def change(admin: Actor) -> Any:
    return partial(passwords.change, dialect="test", access_seconds=600)


def test_the_last_five_are_not_chosen_again(admin: Actor, change: Any) -> None:
    had = [PASSWORD, *[f"a better battery {each}" for each in range(1, 7)]]
    for before, after in pairwise(had):
        admin = change(actor=admin, current_password=before, new_password=after).actor
    for again in had[-5:]:
        with pytest.raises(PasswordReused):
            change(actor=admin, current_password=had[-1], new_password=again)
    assert PasswordRecord.objects.count() == 5
    assert change(actor=admin, current_password=had[-1], new_password=had[1]).access_token


def test_the_strictest_of_all_organizations_counts(admin: Actor, change: Any) -> None:
    other = Organization.objects.create(name="Second")
    Membership.objects.create(user_id=admin.user_id, organization=other, role=Role.ADMIN.value)
    OrganizationPolicies.unscoped.create(organization_id=other.pk, chosen={"password_min_length": 20})
    with pytest.raises(InvalidInput) as refusal:
        change(actor=admin, current_password=PASSWORD, new_password="a better battery 7")
    assert "at least 20" in refusal.value.problems[0].message
    assert change(actor=admin, current_password=PASSWORD, new_password="a much better battery 77").access_token


def test_a_colleague_gets_a_password_by_the_organizations_rules(admin: Actor) -> None:
    policy_changes.change(actor=admin, changes={"password_min_length": 20})
    add = partial(
        members.members_add, actor=admin, email="c@example.com", first_name="Cy", last_name="Coe", role=Role.MEMBER
    )
    with pytest.raises(InvalidInput):
        add(password=PASSWORD)
    with pytest.raises(InvalidInput):
        add(password="AutoDealer Inc. 999999999999"[:20])
    assert add(password="a much better battery 77").user.check_password("a much better battery 77")


def test_an_old_password_is_replaced_before_anybody_gets_in(founder: Any, admin: Actor, log_in: Any) -> None:
    policy_changes.change(actor=admin, changes={"password_max_age_days": 30})
    assert log_in().access_token
    late = timezone.now() + timedelta(days=31)
    with pytest.raises(PasswordExpired):
        log_in(now=late)
    User.objects.update(password_changed_at=late - timedelta(days=29))
    assert log_in(now=late).access_token


def test_one_login_is_replaced_and_others_go_on_where_that_is_wished(admin: Actor, log_in: Any) -> None:
    other = log_in()
    client = Client("test", 600)
    done = passwords.replace(
        actor=admin, current_password=PASSWORD, new_password="a better battery 7", client=client, end_others=False
    )
    assert done.revoked_sessions == 1
    assert services.refresh(token=other.refresh_token, access_seconds=60).access_token
    assert logins.fresh_until(done.pair.actor) is not None
