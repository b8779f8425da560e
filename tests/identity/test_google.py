"""Signing in with Google, and linking it, by a provider on loopback in its place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from accounts.models import Membership, Organization, Session, User
from audit.models import AuditEvent
from identity.models import ExternalIdentity, OAuthGrant, OAuthState
from tests.api.people import Api, Person
from tests.identity.conftest import WEB_APP
from tests.identity.people import code_of
from tests.identity.provider import Account, Provider

pytestmark = pytest.mark.django_db

AUTHORIZE, CALLBACK, STATUS = (f"/api/v1/oauth/{each}" for each in ("google/authorize", "google/callback", "status"))


def way(api: Api, query: str = "") -> dict[str, Any]:
    answer = api.get(f"{AUTHORIZE}{query}")
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def came_back(api: Api, provider: Provider, account: Account | None = None, query: str = "") -> Any:
    return api.post(CALLBACK, provider.consent(way(api, query)["authorization_url"], account))


def linked(person: Person, provider: Provider, account: Account | None = None, query: str = "") -> dict[str, Any]:
    answer = came_back(person.api, provider, account, query)
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()["data"]
    assert data["action"] == "linked"
    return data


def test_the_way_there_has_what_keeps_it_safe(anyone: Api, provider: Provider) -> None:
    data = way(anyone)
    query = {name: values[0] for name, values in parse_qs(urlsplit(data["authorization_url"]).query).items()}
    assert (query["redirect_uri"], query["scope"]) == (WEB_APP, "openid email profile")
    assert query["state"] == data["state"]
    assert len(query["nonce"]) == len(query["code_challenge"]) == 43
    assert (data["provider"], data["code_challenge_method"], data["scopes"]) == ("google", "S256", ["login"])
    stored = OAuthState.objects.get()
    assert data["state"] not in str(vars(stored))
    assert query["nonce"] not in str(vars(stored))


def test_somebody_new_gets_an_account_and_comes_in_again(anyone: Api, provider: Provider) -> None:
    answer = came_back(anyone, provider)
    data = answer.json()["data"]
    assert (data["action"], data["connection"]["external_account"]) == ("registered", "ann@autodealer.example")
    assert data["connection"]["scopes"] == ["login"]
    user = User.objects.get(pk=data["user_id"])
    assert not user.has_usable_password()
    assert user.email_verified_at is not None
    assert Membership.objects.get(user=user).role == "admin"
    assert Api(data["tokens"]["access_token"]).get("/api/auth/me").json()["first_name"] == "Ann"
    again = came_back(Api(), provider).json()["data"]
    assert (again["action"], again["user_id"]) == ("login", data["user_id"])
    assert [each.factors for each in Session.objects.order_by("id")] == [["oidc"], ["oidc"]]
    assert User.objects.count() == Organization.objects.count() == 1


def test_an_address_that_is_somebodys_is_not_taken_for_theirs(ann: Person, anyone: Api, provider: Provider) -> None:
    refused = came_back(anyone, provider, Account(email=ann.email))
    assert code_of(refused, 409) == "ERR_409_ACCOUNT_EXISTS"
    assert ExternalIdentity.objects.count() == 0
    linked(ann, provider, Account(email=ann.email))
    # From then on the subject is what counts, whatever address it has.
    moved = came_back(anyone, provider, Account(email="moved@elsewhere.example", verified=False)).json()["data"]
    assert (moved["action"], moved["user_id"]) == ("login", str(ann.actor.user_id))


def test_an_unverified_address_makes_no_account(anyone: Api, provider: Provider) -> None:
    assert code_of(came_back(anyone, provider, Account(verified=False)), 403) == "ERR_403_EMAIL_UNVERIFIED"
    assert User.objects.count() == 0


def test_no_account_is_made_where_the_operator_says_so(anyone: Api, provider: Provider, settings: Any) -> None:
    settings.GOOGLE = {**settings.GOOGLE, "registration": False}
    assert code_of(came_back(anyone, provider), 403) == "ERR_403_REGISTRATION_CLOSED"
    assert User.objects.count() == 0


def test_an_account_is_linked_to_one_person(ann: Person, otto: Person, provider: Provider) -> None:
    data = linked(ann, provider)
    assert data["tokens"] == {"access_token": None, "token_type": None, "expires_in": None, "refresh_token": None}
    assert code_of(came_back(otto.api, provider), 409) == "ERR_409_ACCOUNT_LINKED_ELSEWHERE"
    assert linked(ann, provider)["connection"]["id"] == data["connection"]["id"]
    assert AuditEvent.objects.of(ann.actor).filter(event_type="identity.linked").count() == 1


def test_calendar_and_drive_need_somebody(ann: Person, anyone: Api, provider: Provider) -> None:
    assert code_of(anyone.get(f"{AUTHORIZE}?scopes=calendar"), 401) == "ERR_401_TOKEN_REQUIRED"
    data = linked(ann, provider, query="?scopes=calendar,drive")
    assert data["connection"]["scopes"] == ["login", "calendar", "drive"]
    status = ann.api.get(STATUS).json()["data"]
    assert status["effective_stores"] == {"calendar": "google", "drive": "google"}
    assert status["providers"][0]["capabilities"] == {"login": True, "calendar": True, "drive": True}


def test_what_somebody_unticked_is_not_had(ann: Person, provider: Provider) -> None:
    url = way(ann.api, "?scopes=calendar,drive")["authorization_url"]
    returned = provider.consent(url)
    provider.codes[returned["code"]]["scope"] = "openid email https://www.googleapis.com/auth/calendar"
    data = ann.api.post(CALLBACK, returned).json()["data"]
    assert data["connection"]["scopes"] == ["login", "calendar"]


def test_tokens_are_sealed_and_never_shown(ann: Person, provider: Provider) -> None:
    linked(ann, provider)
    (access,), (again,) = provider.alive, provider.refreshable
    row = OAuthGrant.objects.of(ann.actor).get()
    stored = " ".join(str(value) for value in vars(row).values())
    shown = ann.api.get(STATUS).content + ann.api.get("/api/auth/identities").content
    for secret in (access, again):
        assert secret not in stored
        assert secret.encode() not in bytes(row.sealed)
        assert secret.encode() not in shown


def test_status_tries_the_token_renews_it_and_says_when_it_ended(ann: Person, provider: Provider) -> None:
    linked(ann, provider)
    first = set(provider.alive)

    def verified() -> dict[str, Any]:
        found: dict[str, Any] = ann.api.get(f"{STATUS}?verify=true").json()["data"]["providers"][0]
        return found

    assert verified()["health"] == "ok"
    assert provider.alive == first
    OAuthGrant.objects.of(ann.actor).update(token_expires_at=timezone.now() - timedelta(seconds=1))
    assert verified()["health"] == "ok"
    assert len(provider.alive) == 2
    provider.alive.clear()  # Revoked, though its time is not over: one more is asked for.
    assert verified()["health"] == "ok"
    provider.alive.clear()
    provider.refreshable.clear()
    ended = verified()
    assert (ended["health"], bool(ended["last_error"])) == ("revoked", True)
    assert ann.api.get(STATUS).json()["data"]["effective_stores"]["calendar"] == "local"


def test_a_link_ends_here_and_there(ann: Person, otto: Person, provider: Provider) -> None:
    linked(ann, provider)
    (again,) = provider.refreshable
    (identity,) = ann.api.get("/api/auth/identities").json()["identities"]
    assert (identity["provider"], identity["issuer"]) == ("google", provider.issuer)
    assert otto.api.delete(f"/api/auth/identities/{identity['id']}").status_code == 404
    assert ann.api.delete(f"/api/auth/identities/{identity['id']}").status_code == 204
    assert provider.revoked == [again]
    assert OAuthGrant.objects.of(ann.actor).count() == ExternalIdentity.objects.count() == 0
    assert ann.api.get(STATUS).json()["data"]["providers"][0]["connected"] is False


def test_the_browser_is_sent_there_at_once_where_it_asks(anyone: Api, provider: Provider) -> None:
    answer = anyone.get(f"{AUTHORIZE}?redirect=true")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{provider.issuer}/authorize?")
    (cookie,) = answer.cookies.values()
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 600)


def test_over_tls_the_cookie_is_the_hosts_alone(anyone: Api, provider: Provider, settings: Any) -> None:
    settings.PUBLIC_URL = "https://auterity.example"
    (cookie,) = anyone.get(AUTHORIZE).cookies.values()
    assert cookie.key.startswith("__Host-")
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback", f"{WEB_APP}/", f"{WEB_APP}?x=1", f"{WEB_APP}/../evil", "https://app.example",
        "https://app.example@evil.example/callback", "HTTPS://app.example/callback", "javascript:alert(1)", "//evil.example",
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(anyone: Api, provider: Provider, uri: str) -> None:
    answer = anyone.get(f"{AUTHORIZE}?redirect_uri={uri}")
    assert code_of(answer, 400) == "ERR_400_REDIRECT_URI"
    assert OAuthState.objects.count() == 0


def test_what_is_not_set_up_says_so(anyone: Api, ann: Person) -> None:
    assert code_of(anyone.get(AUTHORIZE), 503) == "ERR_503_OAUTH_NOT_CONFIGURED"
    (shown,) = ann.api.get(f"{STATUS}?verify=true").json()["data"]["providers"]
    assert (shown["configured"], shown["connected"], shown["health"]) == (False, False, "unknown")


def test_an_unknown_scope_is_refused(ann: Person, provider: Provider) -> None:
    assert code_of(ann.api.get(f"{AUTHORIZE}?scopes=login,mail"), 400) == "ERR_400_SCOPE"
