"""One account, four dialects: each login asks for the second factor, takes it, and locks with the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Session
from tests.accounts.authenticator import App, enable
from tests.api.people import PASSWORD, Api, Person

pytestmark = pytest.mark.django_db

# Each with its names of the account, and of the code.
LOGINS = {
    "auterity": ("/api/auth/login", "email", ""),
    "business": ("/api/v1/auth/login", "username", "otp"),
    "orchestrator": ("/v1/auth/login", "email", "otp_code"),
    "workflow_engine": ("/api/v1/auth/jwt/login", "username", "totp_code"),
}
TAKING_CODES = [name for name, (_, _, code) in LOGINS.items() if code]


def log_in(dialect: str, person: Person, password: str = PASSWORD, code: str = "") -> Any:
    path, account, field = LOGINS[dialect]
    body = {account: person.email, "password": password} | ({field: code} if code else {})
    return Api().post(path, body)


@pytest.fixture
def app(ann: Person) -> App:
    """Ann's, set up a while ago."""
    found, _ = enable(ann.actor, now=timezone.now() - timedelta(minutes=5))
    return found


def challenge_of(answer: Any) -> dict[str, Any]:
    """What a login tells that waits for a second factor: 003 refuses, the others answer (contract, decision 5)."""
    body: dict[str, Any] = answer.json()
    if answer.status_code == 401:
        assert body["error"]["code"] == "ERR_401_MFA_REQUIRED"
        found: dict[str, Any] = body["error"]["details"]
        return found
    assert answer.status_code == 200
    assert body["mfa_required"] is True
    return body


@pytest.mark.parametrize("dialect", LOGINS)
def test_no_login_opens_by_the_password_alone_once_a_second_factor_is_on(ann: Person, app: App, dialect: str) -> None:
    before = Session.objects.count()
    answer = log_in(dialect, ann)
    found = challenge_of(answer)
    assert found["mfa_token"]
    assert found["methods"] == ["totp", "backup_code"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"access_token" not in answer.content
    assert b"refresh_token" not in answer.content
    assert not answer.cookies
    assert Session.objects.count() == before
    for door in ("/api/workflows", "/api/v1/auth/me"):
        assert Api(found["mfa_token"]).get(door).status_code == 401


@pytest.mark.parametrize("dialect", TAKING_CODES)
def test_a_right_code_opens_it_once(ann: Person, app: App, dialect: str) -> None:
    code = app.code()
    assert log_in(dialect, ann, code=code).json()["access_token"]
    for again in TAKING_CODES:
        refused = log_in(again, ann, code=code)
        assert refused.status_code == 401
        assert b"access_token" not in refused.content


@pytest.mark.parametrize("dialect", TAKING_CODES)
def test_a_wrong_code_opens_nothing(ann: Person, app: App, dialect: str) -> None:
    refused = log_in(dialect, ann, code=app.wrong())
    assert refused.status_code == 401
    assert b"mfa_token" not in refused.content


def test_ten_wrong_passwords_lock_all_four(ann: Person) -> None:
    order = [*LOGINS] * 3
    statuses = [log_in(dialect, ann, "wrong").status_code for dialect in order[:10]]
    assert statuses == [401] * 10
    locked = {dialect: log_in(dialect, ann) for dialect in LOGINS}
    assert {dialect: each.status_code for dialect, each in locked.items()} == {
        "auterity": 429,
        "business": 429,
        "orchestrator": 429,
        "workflow_engine": 403,
    }
    assert locked["workflow_engine"].json()["error"]["details"]["retry_after"] > 0


@pytest.mark.parametrize("opened", LOGINS)
def test_a_token_of_each_opens_every_other_and_ends_everywhere(ann: Person, opened: str) -> None:
    token = log_in(opened, ann).json()["access_token"]
    reading: list[Callable[[], Any]] = [
        lambda: Api(token).get("/api/auth/me"),
        lambda: Api(token).get("/api/v1/auth/me"),
        lambda: Api(token).post("/v1/auth/mfa/verify", {"otp_code": "123456"}),
    ]
    assert [read().status_code for read in reading] == [200, 200, 409]
    assert Api(token).post("/api/v1/auth/logout", {}).status_code == 200
    assert [read().status_code for read in reading] == [401, 401, 401]
