"""`/api/v1/2fa`: setting an authenticator up, proving oneself by it, giving it up, and its backup codes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import policy_changes
from accounts.models import Session, Totp
from tests.accounts.authenticator import App, enable
from tests.api.envelopes import data_of, refused
from tests.api.people import PASSWORD, Person, logged_in
from tests.api.workflow_engine.browsers import Browser

pytestmark = pytest.mark.django_db

SETUP, VERIFY, DISABLE = "/api/v1/2fa/setup", "/api/v1/2fa/verify", "/api/v1/2fa/disable"
CODES = "/api/v1/2fa/backup-codes"


def stale(person: Person) -> None:
    Session.objects.filter(pk=person.actor.session_id).update(fresh_at=timezone.now() - timedelta(minutes=11))


@pytest.fixture
def app(ann: Person) -> App:
    """Ann's, set up a while ago."""
    return enable(ann.actor, now=timezone.now() - timedelta(minutes=5))[0]


def test_it_counts_from_its_first_code_on(ann: Person) -> None:
    made = data_of(ann.api.post(SETUP, {"label": "Phone"}), 201)
    assert (made["digits"], made["period_seconds"], made["algorithm"], made["method"]) == (6, 30, "SHA1", "totp")
    assert made["otpauth_uri"].startswith("otpauth://totp/Auterity")
    assert made["qr_svg"].startswith("<svg")
    app = App(made["secret"])
    refused(ann.api.post(VERIFY, {"code": app.wrong()}), 401, "ERR_401_MFA_INVALID")
    assert not Totp.objects.filter(confirmed_at__isnull=False).exists()
    found = data_of(ann.api.post(VERIFY, {"code": app.code(), "setup_id": made["setup_id"]}))
    assert (found["verified"], found["purpose"], found["enabled"]) == (True, "enabled", True)
    assert len(set(found["backup_codes"])) == found["backup_codes_remaining"] == 10
    refused(ann.api.post(SETUP, {}), 409, "ERR_409_ALREADY_ENABLED")


def test_the_secret_is_nowhere_in_the_database_as_it_stands(ann: Person) -> None:
    secret = data_of(ann.api.post(SETUP, {}), 201)["secret"]
    assert secret.encode() not in bytes(Totp.objects.get().secret)


def test_setting_up_again_replaces_the_pending_secret(ann: Person) -> None:
    first = App(data_of(ann.api.post(SETUP, {}), 201)["secret"])
    second = App(data_of(ann.api.post(SETUP, {}), 201)["secret"])
    refused(ann.api.post(VERIFY, {"code": first.code()}), 401, "ERR_401_MFA_INVALID")
    assert data_of(ann.api.post(VERIFY, {"code": second.code()}))["enabled"] is True


def test_an_old_login_needs_the_password(ann: Person) -> None:
    stale(ann)
    refused(ann.api.post(SETUP, {}), 403, "ERR_403_FRESH_LOGIN_REQUIRED")
    refused(ann.api.post(SETUP, {"password": "wrong"}), 401, "ERR_401_INVALID_CREDENTIALS")
    data_of(ann.api.post(SETUP, {"password": PASSWORD}), 201)


def test_without_a_setup_there_is_nothing_to_verify(ann: Person) -> None:
    refused(ann.api.post(VERIFY, {"code": "123456"}), 400, "ERR_400_NO_PENDING_SETUP")


def test_a_later_code_makes_the_login_fresh_and_works_once(ann: Person, app: App) -> None:
    stale(ann)
    code = app.code()
    found = data_of(ann.api.post(VERIFY, {"code": code}))
    assert (found["purpose"], found["backup_codes"]) == ("step_up", [])
    assert Session.objects.get(pk=ann.actor.session_id).fresh_at > timezone.now() - timedelta(minutes=1)
    refused(ann.api.post(VERIFY, {"code": code}), 401, "ERR_401_MFA_INVALID")


def test_five_wrong_codes_are_the_last_that_are_looked_at(ann: Person, app: App) -> None:
    for _ in range(5):
        refused(ann.api.post(VERIFY, {"code": app.wrong()}), 401, "ERR_401_MFA_INVALID")
    limited = ann.api.post(VERIFY, {"code": app.code()})
    refused(limited, 429, "ERR_429_RATE_LIMIT")
    assert int(limited.headers["Retry-After"]) > 0


def test_giving_it_up_needs_password_and_code_and_ends_other_logins(ann: Person, app: App) -> None:
    other = logged_in_beside(ann)
    code = app.code()
    refused(ann.api.post(DISABLE, {"password": "no", "code": code}), 401, "ERR_401_INVALID_CREDENTIALS")
    refused(ann.api.post(DISABLE, {"password": PASSWORD}), 401, "ERR_401_MFA_INVALID")
    found = data_of(ann.api.post(DISABLE, {"password": PASSWORD, "code": code}))
    assert set(found) == {"enabled", "disabled_at", "tier_before", "tier_after", "revoked_sessions"}
    assert (found["enabled"], found["revoked_sessions"]) == (False, 1)
    assert not Session.objects.filter(pk=other, revoked_at=None).exists()
    refused(ann.api.post(DISABLE, {"password": PASSWORD, "code": code}), 400, "ERR_400_NOT_ENABLED")
    assert logged_in(ann.email).actor.user_id == ann.actor.user_id


def logged_in_beside(person: Person) -> Any:
    """Another login of the same person, as if from before."""
    row = Session.objects.get(pk=person.actor.session_id)
    return Session.objects.create(
        user=row.user,
        organization=row.organization,
        dialect=row.dialect,
        expires_at=row.expires_at,
        last_seen_at=row.last_seen_at,
    ).pk


def test_a_policy_keeps_it_on(ann: Person, app: App) -> None:
    policy_changes.change(actor=ann.actor, changes={"mfa_required_roles": ["admin"]})
    answer = ann.api.post(DISABLE, {"password": PASSWORD, "code": app.code()})
    refused(answer, 403, "ERR_403_POLICY_REQUIRES_MFA")
    assert Totp.objects.filter(confirmed_at__isnull=False).exists()


def test_asking_for_backup_codes_only_counts_them(ann: Person, otto: Person, app: App) -> None:
    refused(otto.api.get(CODES), 400, "ERR_400_NOT_ENABLED")
    for _ in range(2):
        answer = ann.api.get(CODES)
        found = data_of(answer)
        assert (found["codes"], found["total"], found["remaining"], found["used"]) == ([], 10, 10, 0)
        assert answer.headers["Cache-Control"] == "no-store"


def test_ten_new_ones_need_a_fresh_login(ann: Person, app: App) -> None:
    stale(ann)
    refused(ann.api.get(f"{CODES}?regenerate=true"), 403, "ERR_403_FRESH_LOGIN_REQUIRED")
    data_of(ann.api.post(VERIFY, {"code": app.code()}))
    found = data_of(ann.api.get(f"{CODES}?regenerate=true"))
    assert (len(set(found["codes"])), found["regenerated"]) == (10, True)


def test_a_browser_makes_new_ones_with_its_token_only(ann: Person, settings: Any) -> None:
    browser = Browser()
    browser.log_in(ann.email)
    setup = data_of(browser.call("POST", SETUP, {}), 201)
    data_of(browser.call("POST", VERIFY, {"code": App(setup["secret"]).code()}))
    good, browser.csrf = browser.csrf, ""
    refused(browser.call("GET", f"{CODES}?regenerate=true"), 403, "ERR_403_CSRF")
    assert data_of(browser.call("GET", CODES))["remaining"] == 10
    browser.csrf = good
    assert len(data_of(browser.call("GET", f"{CODES}?regenerate=true"))["codes"]) == 10


def test_a_foreign_setup_id_turns_nothing_on(ann: Person, otto: Person) -> None:
    theirs = data_of(otto.api.post(SETUP, {}), 201)
    answer = ann.api.post(VERIFY, {"code": App(theirs["secret"]).code(), "setup_id": theirs["setup_id"]})
    refused(answer, 400, "ERR_400_NO_PENDING_SETUP")
    assert not Totp.objects.filter(confirmed_at__isnull=False).exists()
