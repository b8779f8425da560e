"""Passkeys and providers put a login into cookies where a browser asks for that, as every other login there does."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from accounts.models import Session
from api.auterity.bodies.identity import CameBack
from api.business.bodies.auth import BusinessToken
from api.workflow_engine.bodies.auth import JwtTokens
from api.workflow_engine.bodies.enhanced import NewLogin
from api.workflow_engine.bodies.oauth import OAuthTokens
from api.workflow_engine.bodies.webauthn import PasskeyTokens
from tests.api.people import Api, Person
from tests.api.workflow_engine.browsers import ACCESS, REFRESH, Browser
from tests.identity import test_google as google
from tests.identity import test_sso as sso
from tests.identity.people import AUTHENTICATE, registered
from tests.identity.provider import Account, Provider

pytestmark = pytest.mark.django_db

ME = "/api/v1/auth/me"
LOGOUT = "/api/v1/auth/logout"


@pytest.fixture(autouse=True)
def over_tls(settings: Any) -> None:
    settings.COOKIES_SECURE = True


@pytest.fixture
def browser() -> Browser:
    return Browser()


def is_logged_in(browser: Browser, answer: Any, told: dict[str, Any]) -> bool:
    """Whether the tokens are in cookies alone, and open what a browser's login opens."""
    assert answer.status_code == 200, answer.content
    for name in (ACCESS, REFRESH):
        cookie = answer.cookies[name]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")
        assert cookie.value.encode() not in answer.content
    assert not told.get("access_token")
    assert not told.get("refresh_token")
    assert browser.call("GET", ME).status_code == 200
    assert browser.call("POST", LOGOUT, {}).status_code == 403  # No change without the token of this login.
    browser.csrf = told["csrf_token"]
    return bool(browser.call("POST", LOGOUT, {}).status_code == 200)


def test_a_passkey_logs_a_browser_in(ann: Person, browser: Browser) -> None:
    key = registered(ann)
    asked = browser.call("POST", f"{AUTHENTICATE}/begin", {}).json()["data"]
    body = {"challenge_id": asked["challenge_id"], "credential": key.sign(asked["public_key"])}
    answer = browser.call("POST", f"{AUTHENTICATE}/complete", body, X_Session_Cookies="on")
    assert is_logged_in(browser, answer, answer.json()["data"])


def test_google_logs_a_browser_in(provider: Provider, browser: Browser) -> None:
    way = browser.call("GET", google.AUTHORIZE).json()["data"]
    answer = browser.call("POST", google.CALLBACK, provider.consent(way["authorization_url"]), X_Session_Cookies="on")
    assert is_logged_in(browser, answer, answer.json()["data"]["tokens"])


def test_an_organizations_provider_logs_a_browser_in(ann: Person, provider: Provider, browser: Browser) -> None:
    provider_id = sso.set_up(ann, provider)["id"]
    way = browser.call("GET", f"/api/auth/sso/{provider_id}/authorize").json()
    came = provider.consent(way["authorization_url"], Account(email="new@autodealer.example"))
    answer = browser.call("POST", sso.BACK, came, X_Session_Cookies="on")
    assert is_logged_in(browser, answer, answer.json())


def test_linking_an_account_opens_no_login(ann: Person, provider: Provider) -> None:
    before = Session.objects.count()
    way = google.way(ann.api)
    answer = ann.api.post(google.CALLBACK, provider.consent(way["authorization_url"]), X_Session_Cookies="on")
    assert answer.json()["data"]["action"] == "linked"
    assert not {ACCESS, REFRESH} & set(answer.cookies)
    assert Session.objects.count() == before


@pytest.mark.parametrize("asked", ["", "off", "no", "0"])
def test_whoever_does_not_ask_has_no_cookie(ann: Person, asked: str) -> None:
    key = registered(ann)
    begun = Api().post(f"{AUTHENTICATE}/begin", {}).json()["data"]
    body = {"challenge_id": begun["challenge_id"], "credential": key.sign(begun["public_key"])}
    answer = Api().post(f"{AUTHENTICATE}/complete", body, X_Session_Cookies=asked)
    assert answer.json()["data"]["access_token"]
    assert "csrf_token" not in answer.json()["data"]
    assert not {ACCESS, REFRESH} & set(answer.cookies)


@pytest.mark.parametrize(
    "body", [BusinessToken, CameBack, JwtTokens, NewLogin, OAuthTokens, PasskeyTokens], ids=lambda each: each.__name__
)
def test_every_login_leaves_out_the_token_that_only_cookies_need(body: type[BaseModel]) -> None:
    assert "csrf_token" not in body.model_construct(csrf_token=None).model_dump(warnings=False)
    assert body.model_construct(csrf_token="abc").model_dump(warnings=False)["csrf_token"] == "abc"
