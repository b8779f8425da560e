"""A passkey registered and used in Chromium, on our own page, with the browser's virtual authenticator."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.utils import timezone

from accounts.models import Session
from identity.models import Passkey
from tests.api.people import PASSWORD, Person
from tests.api.serving import Server
from tests.identity.provider import Account, Provider

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright, which drives the browser")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
]  # fmt: skip

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: install Debian's package chromium, or Google Chrome"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
        "true"  # Playwright keeps a loop in this thread; the tests ask the database in it.
    )
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
    if before is not None:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


class Page:
    """Our sign-in page in a browser of its own; what its policy stopped and what went wrong in it is kept."""

    def __init__(self, browser: Any, address: str) -> None:
        self.address = address
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "console", lambda said: self.problems.append(said.text) if "Content Security" in said.text else None
        )
        self.protocol = self.context.new_cdp_session(self.page)
        self.protocol.send("WebAuthn.enable")

    def has_authenticator(self, *, verifies: bool = True) -> str:
        about = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        made = self.protocol.send("WebAuthn.addVirtualAuthenticator", {"options": about})
        found: str = made["authenticatorId"]
        return found

    def open(self, path: str = "/sign-in") -> None:
        self.page.goto(self.address + path)

    def by_password(self, email: str, says: str = "You signed in with your password.") -> None:
        self.page.fill("#email", email)
        self.page.fill("#password", PASSWORD)
        self.page.click("#by-password button")
        self.says(says)

    def click(self, element: str, says: str) -> None:
        self.page.click(element)
        self.says(says)

    def says(self, text: str) -> None:
        self.page.wait_for_function("text => document.getElementById('status').textContent === text", arg=text)


@pytest.fixture(scope="module")
def collected() -> None:
    """In production static files are gathered first; here only those of the page."""
    for name in ("session.js", "sign-in.js", "sign-in-back.js"):
        place = Path(settings.STATIC_ROOT) / "hosted" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(finders.find(f"hosted/{name}")), place)


@pytest.fixture
def shown(chromium: Any, collected: None, server: Server, settings: Any) -> Iterator[Page]:
    settings.PUBLIC_URL = f"http://localhost:{server.port}"
    page = Page(chromium, settings.PUBLIC_URL)
    yield page
    page.context.close()


def test_a_passkey_is_added_and_signs_in(shown: Page, ann: Person) -> None:
    authenticator = shown.has_authenticator()
    shown.open()
    shown.by_password(ann.email)
    shown.page.fill("#nickname", "This browser")
    shown.click("#add-passkey", "Your passkey was added.")
    stored = Passkey.objects.get()
    assert (stored.user_id, stored.nickname, stored.user_verified) == (ann.actor.user_id, "This browser", True)
    held = shown.protocol.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [each["rpId"] for each in held] == ["localhost"]

    shown.click("#sign-out", "You signed out.")
    shown.click("#use-passkey", "You signed in with a passkey.")
    assert shown.page.inner_text("#who") == ann.email
    assert "This browser" in shown.page.inner_text("#passkeys")
    newest = Session.objects.order_by("-id").first()
    assert newest is not None
    assert (newest.factors, newest.user_id) == (["webauthn"], ann.actor.user_id)
    assert Passkey.objects.get().sign_count > stored.sign_count
    assert shown.problems == []


def test_after_the_password_the_passkey_is_asked_for(shown: Page, ann: Person) -> None:
    shown.has_authenticator()
    shown.open()
    shown.by_password(ann.email)
    shown.click("#add-passkey", "Your passkey was added.")
    shown.click("#sign-out", "You signed out.")
    shown.by_password(ann.email, says="You signed in with a passkey.")
    newest = Session.objects.order_by("-id").first()
    assert newest is not None
    assert sorted(newest.factors) == ["password", "webauthn"]
    assert shown.problems == []


def test_a_login_that_is_not_fresh_is_proved_anew(shown: Page, ann: Person) -> None:
    shown.has_authenticator()
    shown.open()
    shown.by_password(ann.email)
    shown.click("#add-passkey", "Your passkey was added.")
    Session.objects.update(fresh_at=timezone.now() - timedelta(hours=1))
    shown.click("#passkeys button", "The passkey was deleted.")
    assert Passkey.objects.count() == 0
    assert shown.problems == []


def test_an_authenticator_that_does_not_know_its_person_does_not_sign_in(shown: Page, ann: Person) -> None:
    authenticator = shown.has_authenticator()
    shown.open()
    shown.by_password(ann.email)
    shown.click("#add-passkey", "Your passkey was added.")
    shown.click("#sign-out", "You signed out.")
    shown.protocol.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    before = Session.objects.count()
    shown.click("#use-passkey", "No passkey was used.")
    assert Session.objects.count() == before


def test_an_organizations_people_sign_in_with_its_provider(
    shown: Page, ann: Person, provider: Provider, settings: Any
) -> None:
    settings.OAUTH_REDIRECT_URIS = []
    made = ann.api.put(
        "/api/organization/sso",
        {
            "name": "AutoDealer accounts",
            "issuer": provider.issuer,
            "client_id": "auterity-client",
            "client_secret": "s3cret:with colon",
            "allowed_domains": ["autodealer.example"],
        },
    ).json()
    provider.sends_back(Account(email="new@autodealer.example"))
    shown.open(f"/sign-in?provider={made['id']}")
    shown.page.click("text=Sign in with AutoDealer accounts")
    shown.page.wait_for_selector("#signed-in:not([hidden])")
    assert shown.page.inner_text("#who") == "new@autodealer.example"
    assert shown.page.url == f"{shown.address}/sign-in"
    assert shown.problems == []
