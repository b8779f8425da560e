"""`/api/v1/auth`: another password, with the present one or by a mailed link, as clients of 003 do it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from accounts import letters, links, policy_changes, proofs
from accounts.models import Letter, LetterKind, Session, User
from tests.accounts.authenticator import enable
from tests.api.envelopes import data_of, refused
from tests.api.limiting import from_address, full_buckets
from tests.api.people import PASSWORD, Api, Person, logged_in

pytestmark = pytest.mark.django_db

AUTH = "/api/v1/auth"
BETTER = "seven lazy badgers 31"


def change(person: Person, **more: Any) -> Any:
    body = {"current_password": PASSWORD, "new_password": BETTER, **more}
    return person.api.post(f"{AUTH}/change-password", body)


def link_token(email: str) -> str:
    """As if the mail that is owed had gone out."""
    letter = Letter.objects.filter(recipient=email, kind=LetterKind.PASSWORD_RESET).latest("id")
    proofs.make(letter)
    return links.proof_token(letter.pk)


def test_a_change_keeps_this_login_and_ends_the_others(ann: Person) -> None:
    other = logged_in(ann.email)
    found = data_of(change(ann, confirm_password=BETTER))
    assert set(found) == {"changed_at", "revoked_sessions", "strength"}
    assert found["revoked_sessions"] == 1
    assert found["strength"] == {"score": 4, "warnings": []}
    assert ann.api.get("/api/auth/me").status_code == 200
    assert other.api.get("/api/auth/me").status_code == 401
    assert Api().post("/api/auth/login", {"email": ann.email, "password": PASSWORD}).status_code == 401
    assert Api().post("/api/auth/login", {"email": ann.email, "password": BETTER}).status_code == 200


def test_the_others_may_be_kept(ann: Person) -> None:
    other = logged_in(ann.email)
    assert data_of(change(ann, revoke_other_sessions=False))["revoked_sessions"] == 0
    assert other.api.get("/api/auth/me").status_code == 200


def test_each_reason_against_a_password_has_a_code_of_its_own(ann: Person) -> None:
    hashed = User.objects.get().password
    refused(change(ann, current_password="no"), 401, "ERR_401_INVALID_CREDENTIALS")
    refused(change(ann, confirm_password="another one 3"), 400, "ERR_400_PASSWORD_MISMATCH")
    weak = refused(change(ann, new_password="password"), 400, "ERR_400_PASSWORD_WEAK")
    assert weak["details"]["field"] == "new_password"
    assert weak["details"]["rules"]
    refused(change(ann, new_password=PASSWORD), 400, "ERR_400_PASSWORD_REUSED")
    refused(change(ann, new_password="short"), 400, "ERR_400_VALIDATION")
    assert User.objects.get().password == hashed
    policy_changes.change(actor=ann.actor, changes={"password_min_length": 30})
    rules = refused(change(ann), 400, "ERR_400_PASSWORD_WEAK")["details"]["rules"]
    assert any("30" in each for each in rules)


def test_wrong_present_passwords_lock_the_account_for_logins_too(ann: Person) -> None:
    for _ in range(10):
        refused(change(ann, current_password="no"), 401, "ERR_401_INVALID_CREDENTIALS")
    refused(change(ann), 403, "ERR_403_ACCOUNT_LOCKED")
    body = {"username": ann.email, "password": PASSWORD}
    refused(Api().post(f"{AUTH}/jwt/login", body), 403, "ERR_403_ACCOUNT_LOCKED")


def test_forgetting_answers_the_same_for_everybody(ann: Person, anyone: Api) -> None:
    answers = [
        anyone.post(f"{AUTH}/forgot-password", {"email": each, "redirect_path": "/welcome"})
        for each in (ann.email, "nobody@example.com")
    ]
    assert data_of(answers[0], 202) == {"accepted": True, "expires_in": 3600}
    assert answers[0].content == answers[1].content
    assert Letter.objects.filter(kind=LetterKind.PASSWORD_RESET).count() == 2


HOSTILE = [
    "https://evil.example", "//evil.example", "/\\evil.example", "\\/evil.example", "welcome", "/a\nb", "/\t/evil.example",
    "/a\\..\\evil.example", "javascript:alert(1)", " //evil.example", "/\u2028b", "/" + "a" * 300,
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_a_link_leads_nowhere_else(anyone: Api, path: str) -> None:
    answer = anyone.post(f"{AUTH}/forgot-password", {"email": "a@b.example", "redirect_path": path})
    details = refused(answer, 400, "ERR_400_VALIDATION")["details"]
    assert details["field"] == "redirect_path"
    assert "/welcome" in details["issue"] or "300" in details["issue"]  # Says how a good one looks.
    assert not Letter.objects.filter(kind=LetterKind.PASSWORD_RESET).exists()


def mailed_link(person: Person, path: str) -> str:
    """Path and query of the link in the mail."""
    assert person.api.post(f"{AUTH}/forgot-password", {"email": person.email, "redirect_path": path}).status_code == 202
    mail = letters.compose(Letter.objects.get(kind=LetterKind.PASSWORD_RESET))
    assert mail is not None
    (link,) = [each for each in mail.text.split() if each.startswith(settings.PUBLIC_URL)]
    assert link in (mail.html or "")
    return link.removeprefix(settings.PUBLIC_URL)


@pytest.mark.parametrize(
    "path", ["/welcome", "/a?b=c&d=//e.example#f", "/ä/%2f%2fevil.example", '/"><script>x</script>']
)
def test_the_page_of_the_link_leads_on_to_the_path(ann: Person, client: Client, path: str) -> None:
    link = mailed_link(ann, path)
    assert client.get(link).status_code == 200
    page = client.post(link, {"password": "a better horse 71!"})
    assert page.status_code == 200
    assert f'<a href="{escape(path)}">' in page.content.decode()


@pytest.mark.parametrize("path", [each for each in HOSTILE if len(each) < 300])
def test_a_link_that_somebody_else_made_leads_nowhere(ann: Person, client: Client, path: str) -> None:
    link = mailed_link(ann, "/welcome").partition("?")[0]
    page = client.post(f"{link}?{urlencode({'next': path})}", {"password": "a better horse 71!"})
    assert page.status_code == 200
    assert "<a " not in page.content.decode()


def test_three_mails_an_hour_for_an_address(settings: Any, db: None) -> None:
    settings.RATE_LIMITS = True
    settings.TRUSTED_PROXIES = 1
    with full_buckets(settings.REDIS_URL):
        asked = [
            from_address(f"203.0.113.{each}").post(f"{AUTH}/forgot-password", {"email": "a@b.example"})
            for each in range(4)
        ]
    assert [each.status_code for each in asked] == [202, 202, 202, 429]


def test_a_reset_works_once_and_does_not_take_the_second_factor_away(ann: Person, anyone: Api) -> None:
    enable(ann.actor, now=timezone.now() - timedelta(minutes=5))
    anyone.post(f"{AUTH}/forgot-password", {"email": ann.email})
    token = link_token(ann.email)
    body = {"token": token, "new_password": BETTER}
    refused(anyone.post(f"{AUTH}/reset-password", body | {"new_password": PASSWORD}), 400, "ERR_400_PASSWORD_REUSED")
    refused(anyone.post(f"{AUTH}/reset-password", body | {"confirm_password": "x"}), 400, "ERR_400_PASSWORD_MISMATCH")
    found = data_of(anyone.post(f"{AUTH}/reset-password", body))
    assert found["user_id"] == str(ann.actor.user_id)
    assert found["mfa_still_required"] is True
    assert found["revoked_sessions"] == 1
    assert not Session.objects.filter(revoked_at=None).exists()
    refused(anyone.post(f"{AUTH}/reset-password", body), 400, "ERR_400_RESET_TOKEN_INVALID")
    login = anyone.post(f"{AUTH}/jwt/login", {"username": ann.email, "password": BETTER})
    refused(login, 401, "ERR_401_MFA_REQUIRED")


@pytest.mark.parametrize("token", ["x", "x" * 200])
def test_a_link_that_is_none_of_ours_is_refused(anyone: Api, token: str) -> None:
    answer = anyone.post(f"{AUTH}/reset-password", {"token": token, "new_password": BETTER})
    refused(answer, 400, "ERR_400_RESET_TOKEN_INVALID")
