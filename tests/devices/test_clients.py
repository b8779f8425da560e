"""Installed apps over HTTP: what they register, where they may be sent back to, and whose account comes of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts import invitations, links
from accounts.models import Invitation, Letter, Membership, User
from auterity.kernel.access import Role, Scope
from auterity.kernel.versions import given_version
from devices.models import Installation
from tests.api.envelopes import data_of, refused
from tests.api.people import PASSWORD, Api, Person
from tests.devices.machines import APP, CLIENTS, app

pytestmark = pytest.mark.django_db

NEW = {"email": "new@example.com", "password": PASSWORD, "first_name": "Nora", "last_name": "New"}


def test_only_a_desktop_app_gets_a_secret_and_only_once(anyone: Api) -> None:
    install = str(uuid4())
    first = data_of(anyone.post(CLIENTS, APP | {"install_id": install}), 201)
    assert (first["install_id"], first["scopes"], first["redirect_uris"]) == (install, sorted(Scope), [])
    assert (first["user_id"], first["email_verification_sent"]) == (None, False)
    assert first["minimum_app_version"] == "0.0.0"
    assert len(first["client_secret"]) >= 43
    assert first["client_secret"] not in str(Installation.objects.values().get())
    other = APP | {"install_id": install, "redirect_uri": "com.evil.app:/x", "client_name": "Evil"}
    again = data_of(anyone.post(CLIENTS, other), 200)
    assert (again["client_id"], again["client_secret"], again["redirect_uris"]) == (first["client_id"], None, [])
    assert Installation.objects.get().client_name == "Auterity Desktop"
    for platform in ("ios", "android"):
        assert data_of(anyone.post(CLIENTS, APP | {"platform": platform}), 201)["client_secret"] is None


GOOD = [
    "http://127.0.0.1/callback",
    "http://127.0.0.1:51004/",
    "http://[::1]:8080/callback?x=1",
    "http://localhost:3000/cb",
    "com.example.app:/oauth",
    "com.example.app://oauth",
]
BAD = [
    "https://example.com/cb",
    "https://127.0.0.1/cb",
    "http://example.com/cb",
    "http://127.0.0.1.evil.example/cb",
    "http://localhost.evil.example/",
    "http://localhost@evil.example/",
    "http://evil.example#@127.0.0.1/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1/#fragment",
    "http://127.0.0.1\\@evil.example/",
    "http://*/",
    "http:///cb",
    "//127.0.0.1/cb",
    "/cb",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "myapp:/cb",
    "com.example.app:",
    "com..app:/cb",
    "com.example.app:/a b",
    "com.example.app:/\u00e9",
    "com.example.*:/cb",
]


@pytest.mark.parametrize("uri", GOOD)
def test_a_native_redirect_is_kept(anyone: Api, uri: str) -> None:
    assert data_of(anyone.post(CLIENTS, APP | {"redirect_uri": uri}), 201)["redirect_uris"] == [uri]


@pytest.mark.parametrize("uri", BAD)
def test_any_other_redirect_is_refused(anyone: Api, uri: str) -> None:
    refused(anyone.post(CLIENTS, APP | {"redirect_uri": uri, "user": NEW}), 400, "ERR_400_REDIRECT_URI")
    assert not Installation.objects.exists()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "version", ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "1.2.3 ", "x" * 65]
)
def test_what_is_no_version_is_refused(anyone: Api, version: str) -> None:
    refused(anyone.post(CLIENTS, APP | {"app_version": version}), 400, "ERR_400_VALIDATION")


def test_versions_sort_as_the_standard_says() -> None:
    """Semantic Versioning 2.0.0, 11."""
    order = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 2.0.0 2.1.0 2.1.1"
    found = [given_version(each) for each in order.split()]
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert given_version("1.0.0+a") == given_version("1.0.0+b")


def test_an_app_that_is_too_old_is_told_what_it_needs(anyone: Api, settings: Any) -> None:
    settings.NATIVE_MINIMUM_VERSION = "1.5.0"
    error = refused(
        anyone.post(CLIENTS, APP | {"app_version": "1.5.0-rc.1", "user": NEW}), 426, "ERR_426_UPGRADE_REQUIRED"
    )
    assert error["details"] == {"minimum_app_version": "1.5.0"}
    assert not Installation.objects.exists()
    assert not User.objects.exists()
    assert data_of(anyone.post(CLIENTS, APP | {"app_version": "1.5.0"}), 201)["minimum_app_version"] == "1.5.0"


def test_a_known_address_gets_the_same_answer_and_a_mail(anyone: Api, ann: Person) -> None:
    User.objects.update(email_verified_at=timezone.now())
    people, letters = User.objects.count(), Letter.objects.count()
    new = data_of(anyone.post(CLIENTS, APP | {"user": NEW}), 201)
    known = data_of(anyone.post(CLIENTS, APP | {"user": NEW | {"email": "ANN@example.com"}}), 201)
    varying = {"client_id", "client_secret", "install_id", "created_at"}
    assert {name: new[name] for name in set(new) - varying} == {name: known[name] for name in set(known) - varying}
    assert new["email_verification_sent"] is True
    assert User.objects.count() == people + 1
    found = list(Letter.objects.order_by("id").values_list("kind", "recipient"))[letters:]
    assert found == [("email_verification", "new@example.com"), ("registration_tried", "ann@example.com")]
    assert app().log_in(ann).status_code == 200  # Her password is the one it was.
    anyone.post(CLIENTS, APP | {"user": NEW | {"email": "ann@example.com"}})
    assert Letter.objects.count() == letters + 2  # One mail a minute, however often somebody asks.


def test_where_self_sign_up_is_off_an_invitation_is_needed_at_every_door(
    anyone: Api, ann: Person, settings: Any
) -> None:
    settings.REGISTRATION = False
    for code in ("", "rubbish"):
        body = APP | {"user": NEW, "invite_code": code}
        refused(anyone.post(CLIENTS, body), 403, "ERR_403_REGISTRATION_CLOSED")
    known = APP | {"user": NEW | {"email": "ann@example.com"}}
    refused(anyone.post(CLIENTS, known), 403, "ERR_403_REGISTRATION_CLOSED")
    assert anyone.post("/api/auth/register", NEW | {"company": "x"}).status_code == 403
    assert anyone.post("/api/v1/auth/register", {**NEW, "full_name": "Nora New", "username": "nora"}).status_code == 403
    assert not Installation.objects.exists()
    data_of(anyone.post(CLIENTS, APP), 201)  # An installation alone is nobody's account.
    invitations.invite(actor=ann.actor, email="new@example.com", role=Role.VIEWER)
    code = links.invitation_token(Invitation.unscoped.get())
    stranger = APP | {"user": NEW | {"email": "other@example.com"}, "invite_code": code}
    refused(anyone.post(CLIENTS, stranger), 403, "ERR_403_REGISTRATION_CLOSED")
    found = data_of(anyone.post(CLIENTS, APP | {"user": NEW, "invite_code": code}), 201)
    assert found["email_verification_sent"] is False
    joined = Membership.objects.get(user__email="new@example.com")
    assert (joined.organization_id, joined.role) == (ann.actor.organization_id, "viewer")


def test_an_invitation_that_is_none_makes_no_account(anyone: Api) -> None:
    error = refused(anyone.post(CLIENTS, APP | {"user": NEW, "invite_code": "rubbish"}), 400, "ERR_400_VALIDATION")
    assert error["details"]["field"] == "invite_code"
    assert not User.objects.exists()


def test_what_is_wrong_with_the_person_is_said_before_anything_is_kept(anyone: Api) -> None:
    error = refused(anyone.post(CLIENTS, APP | {"user": NEW | {"email": "nobody"}}), 400, "ERR_400_VALIDATION")
    assert error["details"]["field"] == "user.email"
    weak = APP | {"user": NEW | {"password": "password"}}
    assert refused(anyone.post(CLIENTS, weak), 400, "ERR_400_VALIDATION")["details"]["field"] == "user.password"
    assert not Installation.objects.exists()
    assert not User.objects.exists()
