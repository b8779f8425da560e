from __future__ import annotations

import re

import pytest

from accounts import selectors, services, tokens
from accounts.errors import EmailTaken
from accounts.models import Membership, Organization, User
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput

GOOD = {"email": "user@example.com", "password": "secure_password", "first_name": "John", "last_name": "Doe"}


def problems(**changed: str) -> list[tuple[str, str]]:
    """(field, code) of everything that a registration refuses; nothing may have been stored."""
    with pytest.raises(InvalidInput) as refusal:
        services.register(**{**GOOD, **changed})
    assert (User.objects.count(), Organization.objects.count()) == (0, 0)
    return [(problem.field, problem.code) for problem in refusal.value.problems]


@pytest.mark.django_db
def test_the_documents_example_makes_a_person_who_is_admin_of_the_named_company() -> None:
    made = services.register(**GOOD, company="  AutoDealer Inc. ")
    user = User.objects.get()
    assert (user.pk, user.email, user.first_name, user.last_name, user.is_active, user.is_staff) == (
        made.user.pk,
        "user@example.com",
        "John",
        "Doe",
        True,
        False,
    )
    assert re.fullmatch(r"........-....-7...-[89ab]...-............", str(user.pk))
    assert "secure_password" not in user.password
    assert made.user.created_at == user.created_at
    assert (made.organization.name, made.organization.is_personal) == ("AutoDealer Inc.", False)
    assert (made.membership.role, made.membership.is_active) == ("admin", True)


@pytest.mark.django_db
@pytest.mark.parametrize("company", [None, "", "   "])
def test_without_a_company_there_is_a_personal_organization(company: str | None) -> None:
    made = services.register(**GOOD, company=company)
    assert (made.organization.name, made.organization.is_personal) == ("John's organization", True)
    pair = services.login(email=GOOD["email"], password=GOOD["password"], dialect="test", access_seconds=60)
    assert selectors.profile(pair.actor).company is None


@pytest.mark.django_db
def test_a_profile_is_what_001_shows(django_assert_num_queries) -> None:
    services.register(**GOOD, company="AutoDealer Inc.")
    pair = services.login(email=GOOD["email"], password=GOOD["password"], dialect="test", access_seconds=60)
    actor = tokens.authenticate_access(pair.access_token)
    with django_assert_num_queries(1):
        profile = selectors.profile(actor)
        assert (profile.user.email, profile.company, profile.roles) == (
            "user@example.com",
            "AutoDealer Inc.",
            ["user", "admin"],
        )
    assert profile.permissions == sorted(permission.value for permission in Permission)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other", ["USER@EXAMPLE.COM", " User@Example.com ", "ｕｓｅｒ@example.com", "user@example.com"]
)
def test_an_address_is_one_account_however_it_is_written(other: str) -> None:
    services.register(**GOOD)
    with pytest.raises(EmailTaken):
        services.register(**{**GOOD, "email": other})
    assert (User.objects.count(), Organization.objects.count(), Membership.objects.count()) == (1, 1, 1)


@pytest.mark.django_db
def test_names_keep_every_script() -> None:
    made = services.register(
        **{**GOOD, "first_name": " Žofie 李 ", "last_name": "O’Þórsdóttir 🚗"}, company="Ωmega 株式会社"
    )
    made.user.refresh_from_db()
    made.organization.refresh_from_db()
    assert (made.user.first_name, made.user.last_name, made.organization.name) == (
        "Žofie 李",
        "O’Þórsdóttir 🚗",
        "Ωmega 株式会社",
    )


@pytest.mark.django_db
def test_the_longest_allowed_fields_fit() -> None:
    email = "a" * 64 + "@" + ".".join(["b" * 61] * 3) + ".com"
    made = services.register(
        email=email, password="p9 " * 341, first_name="f" * 150, last_name="l" * 150, company="c" * 200
    )
    assert User.objects.get().email == email
    assert len(made.organization.name) == 200
    services.login(email=email, password="p9 " * 341, dialect="test", access_seconds=60)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("email", "", "required"),
        ("email", "   ", "required"),
        ("email", "nobody", "format"),
        ("email", "a b@example.com", "format"),
        ("email", "a@b", "format"),
        ("email", "user@example.com\x00", "format"),
        ("email", "us\ud800er@example.com", "format"),
        ("email", "user@example.com\nBcc: x@example.com", "format"),
        ("email", "a" * 64 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + ".example.com", "invalid"),
        ("first_name", "", "required"),
        ("first_name", " \t ", "required"),
        ("first_name", "f" * 151, "invalid"),
        ("first_name", "Jo\x00hn", "format"),
        ("first_name", "Jo\r\nhn", "format"),
        ("last_name", "\udfff", "format"),
        ("last_name", "l" * 100_000, "invalid"),
        ("company", "c" * 201, "invalid"),
        ("company", "Auto\x00Dealer", "format"),
        ("password", "", "required"),
        ("password", "x7 y8z9", "invalid"),
        ("password", "password", "invalid"),
        ("password", "user@example.com", "invalid"),
        ("password", "p9 " * 342, "invalid"),
        ("password", "secure\x00password", "format"),
        ("password", "secure\ud800password", "format"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_stored(field: str, value: str, code: str) -> None:
    assert problems(**{field: value}) == [(field, code)]


@pytest.mark.django_db
def test_all_problems_come_at_once() -> None:
    assert problems(email="nobody", first_name="", last_name="", password="short") == [
        ("email", "format"),
        ("first_name", "required"),
        ("last_name", "required"),
        ("password", "invalid"),
    ]


@pytest.mark.django_db(transaction=True)
def test_of_two_registrations_at_once_one_wins_and_the_other_hears_that_the_address_is_taken(together) -> None:
    results = together(*[lambda name=name: services.register(**{**GOOD, "first_name": name}) for name in "ABCDEFGH"])
    assert sorted(type(result).__name__ for result in results) == ["EmailTaken"] * 7 + ["Registered"]
    assert (User.objects.count(), Organization.objects.count(), Membership.objects.count()) == (1, 1, 1)
