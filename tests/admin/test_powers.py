"""What an operator who may not do everything can do about rights: look, and nothing else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.admin import POWERS
from accounts.models import User

pytestmark = pytest.mark.django_db

PERSON = {"email": "clerk@example.com", "first_name": "Cle", "last_name": "Rk", "is_active": "on"}


@pytest.fixture
def clerk() -> User:
    """May change people, and sets of rights."""
    found = User.objects.create_user(email=PERSON["email"], password="correct horse 9")
    found.is_staff = True
    found.save()
    codes = ["view_user", "change_user", "view_group", "add_group", "change_group", "delete_group"]
    found.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return found


@pytest.fixture
def site(clerk: User) -> Client:
    client = Client()
    client.force_login(clerk)
    return client


def test_nobody_gives_themselves_more(clerk: User, site: Client) -> None:
    before = set(clerk.get_all_permissions())
    page = f"/admin/accounts/user/{clerk.pk}/change/"
    assert not {f'name="{each}"' for each in POWERS if f'name="{each}"' in site.get(page).content.decode()}
    every = [str(each) for each in Permission.objects.values_list("pk", flat=True)]
    answer = site.post(page, {**PERSON, "is_staff": "on", "is_superuser": "on", "user_permissions": every})
    now = User.objects.get(pk=clerk.pk)
    assert answer.status_code == 302
    assert (now.is_superuser, now.is_staff, now.first_name) == (False, True, "Cle")
    assert set(now.get_all_permissions()) == before


def test_another_operators_account_is_not_taken_over(site: Client, root: User) -> None:
    old = root.password
    passwords = {
        "password1": "another horse 9 battery",
        "password2": "another horse 9 battery",
        "usable_password": "true",
    }
    assert site.post(f"/admin/accounts/user/{root.pk}/password/", passwords).status_code == 403
    site.post(f"/admin/accounts/user/{root.pk}/change/", {**PERSON, "email": "mine@example.com"})
    found = User.objects.get(pk=root.pk)
    assert (found.password, found.email) == (old, root.email)


def test_a_customers_account_may_be_changed(site: Client) -> None:
    customer = User.objects.create_user(email="ann@example.com", password="correct horse 9")
    answer = site.post(f"/admin/accounts/user/{customer.pk}/change/", {**PERSON, "email": "anna@example.com"})
    assert answer.status_code == 302
    assert User.objects.get(pk=customer.pk).email == "anna@example.com"


def test_sets_of_rights_are_kept_by_those_who_may_do_everything(site: Client) -> None:
    group = Group.objects.create(name="Desk")
    assert site.post("/admin/auth/group/add/", {"name": "Mine"}).status_code == 403
    assert site.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Mine"}).status_code == 403
    assert site.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 403
    assert [each.name for each in Group.objects.all()] == ["Desk"]
