"""Passwords over HTTP and on the pages that mails link to."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from accounts import links, proofs
from accounts.models import Letter, LetterKind, User
from audit.models import AuditEvent
from tests.api.people import PASSWORD, Api, Person, refusal

pytestmark = pytest.mark.django_db

AUTH = "/api/auth"
BETTER = "a better battery 7"


def link_token(email: str, kind: LetterKind) -> str:
    """As if the mail that is owed had gone out."""
    letter = Letter.objects.filter(recipient=email, kind=kind).latest("id")
    proofs.make(letter)
    return links.proof_token(letter.pk)


def test_changing_the_password_answers_with_a_new_login(ann: Person) -> None:
    body = {"current_password": PASSWORD, "new_password": BETTER}
    refusal(ann.api.post(f"{AUTH}/change-password", {**body, "current_password": "no"}), 401, "AUTH_001")
    error = refusal(ann.api.post(f"{AUTH}/change-password", {**body, "new_password": "password"}), 400, "VAL_001")
    assert error["details"]["field"] == "new_password"
    changed = ann.api.post(f"{AUTH}/change-password", body)
    assert (changed.status_code, changed.headers["Cache-Control"]) == (200, "no-store")
    refusal(ann.api.get(f"{AUTH}/me"), 401, "AUTH_001")
    assert Api(changed.json()["access_token"]).get(f"{AUTH}/me").json()["email"] == ann.email
    refusal(Api().post(f"{AUTH}/login", {"email": ann.email, "password": PASSWORD}), 401, "AUTH_001")
    assert Api().post(f"{AUTH}/login", {"email": ann.email, "password": BETTER}).status_code == 200


def test_forgetting_is_answered_alike_for_everybody(ann: Person) -> None:
    known = Api().post(f"{AUTH}/forgot-password", {"email": ann.email})
    unknown = Api().post(f"{AUTH}/forgot-password", {"email": "nobody@example.com"})
    assert (known.status_code, unknown.status_code) == (202, 202)
    assert known.json() == unknown.json()
    refusal(Api().post(f"{AUTH}/forgot-password", {"email": "x"}), 400, "VAL_003")
    token = link_token(ann.email, LetterKind.PASSWORD_RESET)
    reset = Api().post(f"{AUTH}/reset-password", {"token": token, "password": BETTER})
    assert reset.status_code == 204
    refusal(ann.api.get(f"{AUTH}/me"), 401, "AUTH_001")
    for gone in (token, "x" * 43):
        refusal(Api().post(f"{AUTH}/reset-password", {"token": gone, "password": BETTER}), 400, "VAL_001")


def test_a_confirmed_address_is_shown(ann: Person) -> None:
    assert ann.api.get(f"{AUTH}/me").json()["email_verified"] is False
    assert ann.api.post(f"{AUTH}/verify-email/send").status_code == 202
    token = link_token(ann.email, LetterKind.EMAIL_VERIFICATION)
    assert Api().post(f"{AUTH}/verify-email", {"token": token}).status_code == 204
    assert AuditEvent.objects.of(ann.actor).get(event_type="auth.email.verified").user_id == ann.actor.user_id
    assert ann.api.get(f"{AUTH}/me").json()["email_verified"] is True
    refusal(Api().post(f"{AUTH}/verify-email", {"token": token}), 400, "VAL_001")


def test_the_pages_decide_nothing_until_they_are_sent(ann: Person, client: Client) -> None:
    Api().post(f"{AUTH}/forgot-password", {"email": ann.email})
    reset = f"/password-reset/{link_token(ann.email, LetterKind.PASSWORD_RESET)}"
    verify = f"/email-verification/{link_token(ann.email, LetterKind.EMAIL_VERIFICATION)}"
    for page in (reset, verify):
        for opened in (client.get(page), client.head(page), client.get(page)):
            assert (opened.status_code, opened.headers["Referrer-Policy"]) == (200, "no-referrer")
    user = User.objects.get(email=ann.email)
    assert (user.email_verified_at, user.check_password(PASSWORD)) == (None, True)
    assert client.post(verify).status_code == 200
    assert User.objects.get(email=ann.email).email_verified_at <= timezone.now()
    poor = client.post(reset, {"password": "password"})
    assert (poor.status_code, "too common" in poor.content.decode()) == (400, True)
    assert client.post(reset, {"password": BETTER}).status_code == 200
    assert User.objects.get(email=ann.email).check_password(BETTER)
    for page in (reset, verify):
        assert client.get(page).status_code == client.post(page, {"password": BETTER}).status_code == 400
