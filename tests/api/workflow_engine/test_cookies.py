"""Logins in cookies: what they are made of, that a change needs a token of the same login, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import policy_changes
from accounts.models import Session
from api import csrf
from tests.api.envelopes import data_of, refused
from tests.api.people import Api, Person
from tests.api.workflow_engine.browsers import ACCESS, REFRESH, Browser

pytestmark = pytest.mark.django_db

LOGOUT = "/api/v1/auth/logout"
TOKEN = "/api/v1/auth/csrf-token"
REFRESHED = "/api/v1/auth/refresh"


@pytest.fixture(autouse=True)
def over_tls(settings: Any) -> None:
    settings.COOKIES_SECURE = True


@pytest.fixture
def browser(ann: Person) -> Browser:
    found = Browser()
    found.log_in(ann.email)
    return found


def test_a_login_in_cookies_tells_no_script_its_tokens(ann: Person) -> None:
    browser = Browser()
    answer = browser.log_in(ann.email)
    assert set(answer.json()) >= {"token_type", "expires_in", "user_id", "role", "session_id", "csrf_token"}
    assert not {"access_token", "refresh_token"} & set(answer.json())
    for name, seconds in ((ACCESS, 3600), (REFRESH, 7 * 86400)):
        cookie = answer.cookies[name]
        assert cookie.value.encode() not in answer.content
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert seconds - 5 <= cookie["max-age"] <= seconds


def test_without_tls_the_embedded_server_names_them_plainly(ann: Person, settings: Any) -> None:
    settings.COOKIES_SECURE = False
    answer = Browser().log_in(ann.email)
    assert set(answer.cookies) == {"auterity_session", "auterity_refresh"}
    assert not answer.cookies["auterity_session"]["secure"]
    assert answer.cookies["auterity_session"]["httponly"]


def test_over_tls_a_plainly_named_cookie_is_nobodys(ann: Person) -> None:
    browser = Browser()
    browser.client.cookies["auterity_session"] = ann.tokens.access_token
    refused(browser.call("POST", LOGOUT, {}), 401, "ERR_401_TOKEN_INVALID")


def test_a_login_without_the_header_sets_no_cookie(ann: Person, anyone: Api) -> None:
    body = {"username": ann.email, "password": "correct horse 9"}
    answer = anyone.post("/api/v1/auth/jwt/login", body)
    assert answer.json()["access_token"]
    assert not answer.cookies


def test_a_change_by_cookie_needs_a_token_of_this_login(browser: Browser, ann: Person, otto: Person) -> None:
    other = Browser()
    other.log_in(otto.email)
    anonymous = Browser().call("GET", TOKEN).json()["csrf_token"]
    wrong = ["", "garbage", "é", other.csrf, anonymous, browser.csrf[:-2] + "AA", browser.csrf.swapcase(), "A" * 5000]
    before = Session.objects.filter(revoked_at=None).count()
    for each in wrong:
        browser.csrf = each
        refused(browser.call("POST", LOGOUT, {}), 403, "ERR_403_CSRF")
    assert Session.objects.filter(revoked_at=None).count() == before


def test_every_changing_method_needs_it_and_no_reading_one_does(browser: Browser) -> None:
    browser.csrf = ""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert browser.call(method, LOGOUT, {}).status_code in (403, 405)
    refused(browser.call("POST", LOGOUT, {}), 403, "ERR_403_CSRF")
    assert browser.call("GET", TOKEN).status_code == 200


def test_with_it_the_change_is_made_and_the_cookies_are_taken_away(browser: Browser) -> None:
    answer = browser.call("POST", LOGOUT, {})
    assert data_of(answer)["revoked_sessions"] == 1
    assert {name: answer.cookies[name]["max-age"] for name in (ACCESS, REFRESH)} == {ACCESS: 0, REFRESH: 0}


def test_a_token_can_be_asked_for_and_each_one_is_another(browser: Browser) -> None:
    answers = [browser.call("GET", TOKEN) for _ in range(2)]
    assert all(each.headers["Cache-Control"] == "no-store" for each in answers)
    first, second = (each.json()["csrf_token"] for each in answers)
    assert set(answers[0].json()) == {"csrf_token"}
    assert first != second
    browser.csrf = second
    assert browser.call("POST", LOGOUT, {}).status_code == 200


def test_a_token_dies_after_twelve_hours(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    later = csrf.time.time() + csrf.LIFETIME_SECONDS
    monkeypatch.setattr(csrf.time, "time", lambda: later + 1)
    refused(browser.call("POST", LOGOUT, {}), 403, "ERR_403_CSRF")
    monkeypatch.setattr(csrf.time, "time", lambda: later - 60)
    assert browser.call("POST", LOGOUT, {}).status_code == 200


def test_a_bearer_needs_none_but_a_wrong_one_is_refused(ann: Person) -> None:
    refused(ann.api.post(LOGOUT, {}, X_CSRF_TOKEN="garbage"), 403, "ERR_403_CSRF")
    own = ann.api.get(TOKEN).json()["csrf_token"]
    assert ann.api.post(LOGOUT, {}, X_CSRF_TOKEN=own).status_code == 200


def test_an_organization_may_want_one_beside_a_bearer_too(ann: Person, otto: Person) -> None:
    policy_changes.change(actor=ann.actor, changes={"csrf_with_bearer": True})
    refused(ann.api.post(LOGOUT, {}), 403, "ERR_403_CSRF")
    own = ann.api.get(TOKEN).json()["csrf_token"]
    assert ann.api.post(LOGOUT, {}, X_CSRF_TOKEN=own).status_code == 200
    assert otto.api.post(LOGOUT, {}).status_code == 200


def test_a_browser_that_nobody_is_logged_in_with_gets_one_for_itself(ann: Person) -> None:
    browser = Browser()
    answer = browser.call("GET", TOKEN)
    cookie = answer.cookies["csrftoken"]
    assert (cookie["secure"], cookie["samesite"]) == (True, "Lax")
    bearer = f"Bearer {ann.tokens.access_token}"
    given = answer.json()["csrf_token"]
    assert browser.call("POST", LOGOUT, {}, X_CSRF_TOKEN=given, Authorization=bearer).status_code == 200


def test_an_authorization_header_counts_alone(browser: Browser) -> None:
    refused(browser.call("POST", LOGOUT, {}, Authorization="Bearer garbage"), 401, "ERR_401_TOKEN_INVALID")
    refused(browser.call("POST", LOGOUT, {}, Authorization="Basic YTpi"), 401, "ERR_401_TOKEN_INVALID")


def test_a_refresh_by_cookie_rotates_the_cookies(browser: Browser) -> None:
    before = browser.cookie(REFRESH)
    answer = browser.call("POST", REFRESHED)
    assert answer.status_code == 200
    assert "access_token" not in answer.json()
    assert browser.cookie(REFRESH) not in ("", before)
    assert browser.call("POST", LOGOUT, {}).status_code == 200


def test_a_refresh_by_cookie_needs_the_token_too(browser: Browser) -> None:
    good, browser.csrf = browser.csrf, ""
    refused(browser.call("POST", REFRESHED), 403, "ERR_403_CSRF")
    browser.csrf = good
    assert browser.call("POST", REFRESHED).status_code == 200, "the refused one used the token up"


def test_the_other_dialects_know_nobody_by_cookie(browser: Browser) -> None:
    assert browser.call("GET", "/api/workflows").status_code == 401
    assert browser.call("POST", "/api/workflows", {}).status_code == 401


def test_a_login_with_an_old_cookie_in_the_browser_needs_no_token(browser: Browser, otto: Person) -> None:
    browser.csrf = ""
    assert browser.log_in(otto.email).json()["user_id"] == str(otto.actor.user_id)
