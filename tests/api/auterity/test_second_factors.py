"""A login with a second factor over HTTP, and proving oneself anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts import tokens
from accounts.models import LoginAttempt, Session, Totp
from auterity.kernel.access import Role
from integrations.letters import deliver_letter
from tests.accounts.authenticator import App
from tests.api.people import PASSWORD, Api, Person, colleague, refusal

pytestmark = pytest.mark.django_db
LOGIN = "/api/auth/login"
MFA = "/api/auth/mfa"
TOTP = "/api/auth/second-factors/totp"


@pytest.fixture
def app(ann: Person) -> App:
    """Ann's authenticator, turned on some minutes ago."""
    setup = ann.api.made(TOTP)
    app = App(setup["secret"])
    codes = ann.api.made(f"{TOTP}/confirm", {"code": app.code(), "setup_id": setup["setup_id"]})
    app.backup_codes = codes["backup_codes"]  # type: ignore[attr-defined]
    Totp.objects.update(last_step=0)
    return app


def begun(anyone: Api, email: str = "ann@example.com") -> dict[str, Any]:
    answer = anyone.post(LOGIN, {"email": email, "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()
    assert set(found) == {"mfa_required", "mfa_token", "methods", "expires_at"}
    assert found["mfa_required"] is True
    return found


@pytest.mark.parametrize("edition", ["2023-12-01", "2024-01-15", "2025-08-08"])
def test_a_login_owes_the_second_factor_and_a_code_finishes_it(anyone: Api, app: App, edition: str) -> None:
    before = Session.objects.count()
    token = begun(anyone)["mfa_token"]
    assert Session.objects.count() == before
    answer = anyone.post(MFA, {"mfa_token": token, "method": "totp", "code": app.code()}, API_Version=edition)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert Api(body["access_token"]).get("/api/auth/me").status_code == 200
    session = Session.objects.order_by("-id").first()
    assert session is not None
    assert (session.factors, session.dialect) == (["password", "totp"], "auterity")
    assert session.risk["level"] == "low"


def test_the_token_of_a_login_works_once(anyone: Api, app: App) -> None:
    token = begun(anyone)["mfa_token"]
    anyone.made(MFA, {"mfa_token": token, "code": app.code()})
    Totp.objects.update(last_step=0)
    refusal(anyone.post(MFA, {"mfa_token": token, "code": app.code()}), 401, "AUTH_001")


def test_the_token_of_a_login_opens_nothing_else(anyone: Api, app: App, ann: Person) -> None:
    token = begun(anyone)["mfa_token"]
    refusal(Api(token).get("/api/auth/me"), 401, "AUTH_001")
    refusal(Api(token).post("/api/auth/refresh"), 401, "AUTH_001")
    for other in (ann.tokens.access_token, ann.tokens.refresh_token, token[:-2] + "xx", "garbage", "ä"):
        refusal(anyone.post(MFA, {"mfa_token": other, "code": app.code()}), 401, "AUTH_001")


def test_the_token_of_a_login_lives_five_minutes(anyone: Api, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    token = begun(anyone)["mfa_token"]
    later = timezone.now() + timedelta(minutes=5)
    monkeypatch.setattr(timezone, "now", lambda: later)
    refusal(anyone.post(MFA, {"mfa_token": token, "code": app.code(later)}), 401, "AUTH_001")


def test_a_password_change_ends_the_logins_that_wait(anyone: Api, app: App, ann: Person) -> None:
    token = begun(anyone)["mfa_token"]
    ann.api.made("/api/auth/change-password", {"current_password": PASSWORD, "new_password": "a better battery 7"})
    refusal(anyone.post(MFA, {"mfa_token": token, "code": app.code()}), 401, "AUTH_001")


def test_five_wrong_codes_end_the_login_and_wherever_they_come_from_no_more_are_looked_at(
    anyone: Api, app: App
) -> None:
    token = begun(anyone)["mfa_token"]
    for each in range(4):
        answer = anyone.post(MFA, {"mfa_token": token, "code": app.wrong()}, X_Forwarded_For=f"203.0.113.{each}")
        refusal(answer, 401, "AUTH_001")
    refusal(anyone.post(MFA, {"mfa_token": token, "code": app.wrong()}), 429, "SYS_003")
    refusal(anyone.post(MFA, {"mfa_token": token, "code": app.code()}), 401, "AUTH_001")
    answer = anyone.post(MFA, {"mfa_token": begun(anyone)["mfa_token"], "code": app.code()})
    refusal(answer, 429, "SYS_003")  # Another login is no way to five more.
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert LoginAttempt.objects.filter(outcome="failed").count() == 6


def test_a_backup_code_finishes_a_login_once(anyone: Api, app: Any) -> None:
    code = app.backup_codes[3]
    anyone.made(MFA, {"mfa_token": begun(anyone)["mfa_token"], "method": "backup_code", "code": code})
    again = anyone.post(MFA, {"mfa_token": begun(anyone)["mfa_token"], "method": "backup_code", "code": code})
    refusal(again, 401, "AUTH_001")


def test_a_mailed_code_is_no_way_around_an_authenticator(anyone: Api, app: App) -> None:
    login = begun(anyone)
    assert login["methods"] == ["totp", "backup_code"]
    refusal(anyone.post(f"{MFA}/send-code", {"mfa_token": login["mfa_token"]}), 400, "VAL_001")
    answer = anyone.post(MFA, {"mfa_token": login["mfa_token"], "method": "email_code", "code": "123456"})
    assert refusal(answer, 400, "VAL_001")["details"] == {"methods": ["totp", "backup_code"]}


def test_a_wrong_password_tells_nothing_of_the_second_factor(anyone: Api, app: App) -> None:
    error = refusal(anyone.post(LOGIN, {"email": "ann@example.com", "password": "wrong"}), 401, "AUTH_001")
    assert error["message"] == "Invalid email or password."
    assert "details" not in error


def test_ten_failures_lock_the_account_from_any_address_and_an_unknown_one_looks_the_same(
    anyone: Api, ann: Person
) -> None:
    said = []
    for email in (ann.email, "nobody@example.com"):
        answers = [
            anyone.post(LOGIN, {"email": email, "password": f"wrong {each}"}, X_Forwarded_For=f"198.51.100.{each}")
            for each in range(30)
        ]
        assert [each.status_code for each in answers] == [401] * 10 + [429] * 20
        assert answers[-1].headers["Retry-After"].isdigit()
        said.append(refusal(answers[-1], 429, "SYS_003")["message"])
    assert len(set(said)) == 1
    refusal(anyone.post(LOGIN, {"email": ann.email, "password": PASSWORD}), 429, "SYS_003")
    assert ann.api.get("/api/auth/me").status_code == 200  # Who is in stays in.


def test_an_authenticator_is_set_up_by_whoever_has_just_logged_in(ann: Person) -> None:
    Session.objects.update(fresh_at=timezone.now() - timedelta(minutes=10))
    error = refusal(ann.api.post(TOTP), 403, "AUTH_003")
    assert error["details"]["methods"] == ["email_code"]
    refusal(ann.api.post(TOTP, {"password": "wrong horse"}), 401, "AUTH_001")
    setup = ann.api.post(TOTP, {"password": PASSWORD})
    assert setup.status_code == 201
    assert setup.headers["Cache-Control"] == "no-store"
    assert ann.api.get("/api/auth/second-factors").json()["enrolled"] == []


def test_the_login_that_set_it_up_is_proved_by_it(app: Any, ann: Person) -> None:
    body = ann.api.get("/api/auth/second-factors").json()
    assert (body["enrolled"], body["methods"], body["compulsory"]) == (["totp"], ["totp", "backup_code"], False)
    assert body["backup_codes_remaining"] == 10
    assert Session.objects.get().factors == ["password", "totp"]


def test_proving_oneself_anew_takes_the_second_factor_where_there_is_one(app: App, ann: Person) -> None:
    Session.objects.update(fresh_at=None)
    refusal(ann.api.post("/api/auth/second-factors/backup-codes"), 403, "AUTH_003")
    refusal(ann.api.post("/api/auth/step-up", {"password": PASSWORD}), 403, "AUTH_003")
    refusal(ann.api.post("/api/auth/step-up", {"method": "totp", "code": app.wrong()}), 401, "AUTH_001")
    refusal(ann.api.post("/api/auth/step-up", {}), 400, "VAL_002")
    ann.api.made("/api/auth/step-up", {"method": "totp", "code": app.code()})
    body = ann.api.made("/api/auth/second-factors/backup-codes")
    assert len(body["codes"]) == 10


def test_giving_the_authenticator_up(app: Any, ann: Person, anyone: Api) -> None:
    wrong = {"password": PASSWORD, "code": app.wrong()}
    refusal(ann.api.post(f"{TOTP}/disable", wrong), 401, "AUTH_001")
    body = ann.api.made(f"{TOTP}/disable", {"password": PASSWORD, "code": app.code()})
    assert body == {"revoked_sessions": 0}
    assert anyone.made(LOGIN, {"email": ann.email, "password": PASSWORD})["access_token"]
    refusal(ann.api.post(f"{TOTP}/disable", {"password": PASSWORD, "code": app.code()}), 400, "VAL_001")


def test_a_login_is_no_longer_than_the_session_it_switches_from(ann: Person, app: App) -> None:
    """Whoever comes from a login of one factor owes the second one where they switch to."""
    Session.objects.update(factors=["password"])
    here = ann.actor.organization_id
    answer = ann.api.post("/api/auth/switch-organization", {"organization_id": str(here)})
    assert answer.json()["mfa_required"] is True
    Session.objects.update(factors=["password", "totp"])
    body = ann.api.made("/api/auth/switch-organization", {"organization_id": str(here)})
    assert tokens.authenticate_access(body["access_token"]).organization_id == here


# -- where the organization makes it compulsory ------------------------------------------------------------------------


@pytest.fixture
def mailed(tmp_path: Path, settings: Any) -> Iterator[Any]:
    settings.OUTBOX_DIR = tmp_path / "outbox"

    def mailed(address: str) -> str:
        while deliver_letter():
            pass
        mails = [
            message_from_bytes(each.read_bytes(), policy=policy.default) for each in settings.OUTBOX_DIR.glob("*.eml")
        ]
        (mail,) = [each for each in mails if each["Subject"] == "Your code for Auterity" and each["To"] == address]
        return next(line for line in mail.get_body(("plain",)).get_content().splitlines() if line.isdigit())

    return mailed


@pytest.mark.django_db(transaction=True)
def test_a_compulsory_second_factor_is_a_mailed_code_for_whoever_has_none(
    anyone: Api, ann: Person, mailed: Any
) -> None:
    bob = colleague(ann, "bob@example.com", Role.MEMBER)
    mia = colleague(ann, "mia@example.com", Role.MANAGER)
    ann.api.call(
        "PUT", "/api/organizations/current/policies", {"policies": {"mfa_required_roles": ["member", "viewer"]}}
    )
    refusal(bob.api.get("/api/auth/me"), 401, "AUTH_001")  # That login was of one factor.
    assert mia.api.get("/api/auth/me").status_code == 200
    assert ann.api.get("/api/auth/me").status_code == 200
    login = begun(anyone, bob.email)
    assert login["methods"] == ["email_code"]
    sent = anyone.post(f"{MFA}/send-code", {"mfa_token": login["mfa_token"]})
    assert (sent.status_code, sent.json()) == (202, {"sent_to": "b***@example.com"})
    code = mailed(bob.email)
    body = anyone.made(MFA, {"mfa_token": login["mfa_token"], "method": "email_code", "code": code})
    assert Api(body["access_token"]).get("/api/auth/second-factors").json()["compulsory"] is True
    again = anyone.post(MFA, {"mfa_token": begun(anyone, bob.email)["mfa_token"], "method": "email_code", "code": code})
    refusal(again, 401, "AUTH_001")


def test_giving_it_up_is_refused_where_it_is_compulsory(app: App, ann: Person) -> None:
    changed = ann.api.call(
        "PUT", "/api/organizations/current/policies", {"policies": {"mfa_required_roles": ["admin"]}}
    )
    assert changed.status_code == 200
    refusal(ann.api.post(f"{TOTP}/disable", {"password": PASSWORD, "code": app.code()}), 403, "AUTH_003")
    assert Totp.objects.count() == 1
