"""A provider, a browser and a network with one lie in each. None of them signs anybody in, links or makes an account."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Response

from accounts.models import Session, User
from identity import oidc
from identity.models import ExternalIdentity, OAuthGrant, OAuthState
from tests.api.people import Api, Person, logged_in
from tests.identity.conftest import WEB_APP
from tests.identity.people import code_of
from tests.identity.provider import KEY, OTHER_KEY, Account, Provider, jwk
from tests.identity.test_google import AUTHORIZE, CALLBACK, came_back, way

pytestmark = pytest.mark.django_db


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def _unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    return f"{_part({**header, 'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def _by_public_key(claims: dict[str, Any], header: dict[str, Any]) -> str:
    """HS256, with what everybody can know as the secret."""
    public = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _mac(public, claims, header)


def _by_client_secret(claims: dict[str, Any], header: dict[str, Any]) -> str:
    return _mac(b"s3cret:with colon", claims, header)


def _mac(secret: bytes, claims: dict[str, Any], header: dict[str, Any]) -> str:
    signed = f"{_part({**header, 'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    digest = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _by_another_key(claims: dict[str, Any], header: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER_KEY, algorithm="RS256", headers=header)


def _with_its_own_key(claims: dict[str, Any], header: dict[str, Any]) -> str:
    """The token brings the key that it is to be verified by."""
    return jwt.encode(claims, OTHER_KEY, algorithm="RS256", headers={**header, "jwk": jwk(OTHER_KEY, "one")})


def _tampered(claims: dict[str, Any], header: dict[str, Any]) -> str:
    head, _body, signature = jwt.encode(claims, KEY, algorithm="RS256", headers=header).split(".")
    return f"{head}.{_part({**claims, 'sub': 'somebody else'})}.{signature}"


NOW = int(time.time())
ID_TOKENS: dict[str, tuple[str, dict[str, Any]]] = {
    "another issuer": ("iss", {"claims": {"iss": "https://evil.example"}}),
    "no issuer": ("claims", {"claims": {"iss": None}}),
    "another audience": ("aud", {"claims": {"aud": "another-client"}}),
    "no audience": ("claims", {"claims": {"aud": None}}),
    "two audiences and nobody authorized": ("azp", {"claims": {"aud": ["auterity-client", "another-client"]}}),
    "another party authorized": ("azp", {"claims": {"azp": "another-client"}}),
    "another nonce": ("nonce", {"claims": {"nonce": "of-another-way"}}),
    "no nonce": ("nonce", {"claims": {"nonce": None}}),
    "expired": ("exp", {"claims": {"exp": NOW - 3600}}),
    "no expiry": ("claims", {"claims": {"exp": None}}),
    "issued long ago": ("iat", {"claims": {"iat": NOW - 7200}}),
    "issued at a text": ("iat", {"claims": {"iat": str(NOW)}}),
    "issued in the future": ("iat", {"claims": {"iat": NOW + 3600}}),
    "no subject": ("claims", {"claims": {"sub": None}}),
    "an empty subject": ("sub", {"claims": {"sub": ""}}),
    "a subject of kilobytes": ("sub", {"claims": {"sub": "x" * 3000}}),
    "another access token's": ("at_hash", {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}),
    "an unknown key": ("key", {"header": {"kid": "unknown"}}),
    "a header that must be understood": ("alg", {"header": {"crit": ["b64"], "b64": False}, "sign": _by_another_key}),
    "unsigned": ("alg", {"sign": _unsigned}),
    "signed with the public key as a secret": ("alg", {"sign": _by_public_key}),
    "signed with the client's secret": ("alg", {"sign": _by_client_secret}),
    "signed by somebody else": ("signature", {"sign": _by_another_key}),
    "bringing its own key": ("signature", {"sign": _with_its_own_key}),
    "changed afterwards": ("signature", {"sign": _tampered}),
    "no token at all": ("form", {"sign": lambda _claims, _header: "a.b.c"}),
    "a token of a megabyte": ("size", {"sign": lambda _claims, _header: "a" * 400_000}),
}


@pytest.mark.parametrize(("reason", "lie"), ID_TOKENS.values(), ids=ID_TOKENS.keys())
def test_an_id_token_with_a_lie_is_not_believed(
    anyone: Api, provider: Provider, reason: str, lie: dict[str, Any]
) -> None:
    for name, value in lie.items():
        setattr(provider.lies, name, value)
    refused = came_back(anyone, provider)
    assert code_of(refused, 401) == "ERR_401_OAUTH_EXCHANGE"
    assert refused.json()["error"]["details"] == {"reason": reason}
    assert nothing_happened()


def nothing_happened() -> bool:
    assert User.objects.count() == ExternalIdentity.objects.count() == Session.objects.count() == 0
    return True


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [jwk(KEY, "one"), jwk(OTHER_KEY, "one")],
        [{"kty": "oct", "kid": "one", "k": "c2VjcmV0", "alg": "RS256"}],
        [jwk(KEY, "one", use="enc")],
        [jwk(KEY, "one", alg="PS256")],
        [{"kty": "RSA", "kid": "one"}],
        ["one", None, 3],
    ],
    ids=["none", "two of one name", "a secret", "for encryption", "for another algorithm", "half a key", "no keys"],
)
def test_keys_that_do_not_fit_verify_nothing(anyone: Api, provider: Provider, keys: list[Any]) -> None:
    provider.lies.keys = keys
    assert code_of(came_back(anyone, provider), 401) == "ERR_401_OAUTH_EXCHANGE"
    assert nothing_happened()


def test_a_key_that_changed_is_looked_up_once_more(provider: Provider) -> None:
    assert came_back(Api(), provider).status_code == 200
    provider.lies.keys = [jwk(OTHER_KEY, "two")]
    provider.lies.sign = lambda claims, header: jwt.encode(
        claims, OTHER_KEY, algorithm="RS256", headers={**header, "kid": "two"}
    )
    refused = [came_back(Api(), provider).status_code for _ in range(3)]
    assert refused == [401, 401, 401]  # The keys are less than a minute old: nobody makes us ask again and again.
    assert provider.asked.count("keys") == 1


# -- what comes back by way of the browser ---------------------------------------------------------------------------


def test_a_state_works_once_and_a_code_too(anyone: Api, provider: Provider) -> None:
    returned = provider.consent(way(anyone)["authorization_url"])
    assert anyone.post(CALLBACK, returned).status_code == 200
    assert code_of(anyone.post(CALLBACK, returned), 400) == "ERR_400_STATE_INVALID"
    fresh = {**returned, "state": way(anyone)["state"]}
    assert code_of(anyone.post(CALLBACK, fresh), 401) == "ERR_401_OAUTH_EXCHANGE"
    assert Session.objects.count() == 1


def test_a_code_of_another_way_does_not_fit_its_verifier(anyone: Api, provider: Provider) -> None:
    """What somebody who stole a code could do with it: nothing (PKCE)."""
    stolen = provider.consent(way(Api())["authorization_url"])
    refused = anyone.post(CALLBACK, {"code": stolen["code"], "state": way(anyone)["state"]})
    assert code_of(refused, 401) == "ERR_401_OAUTH_EXCHANGE"
    assert nothing_happened()


@pytest.mark.parametrize("state", ["", "x", "0" * 43, "a\u0000b", "ü" * 43])
def test_a_state_that_nobody_was_given_is_none(anyone: Api, provider: Provider, state: str) -> None:
    assert code_of(anyone.post(CALLBACK, {"code": "x", "state": state}), 400) in (
        "ERR_400_STATE_INVALID",
        "ERR_400_VALIDATION",
    )
    assert "token" not in provider.asked


def test_a_state_that_is_too_old_is_none(anyone: Api, provider: Provider) -> None:
    returned = provider.consent(way(anyone)["authorization_url"])
    OAuthState.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert code_of(anyone.post(CALLBACK, returned), 400) == "ERR_400_STATE_INVALID"
    assert "token" not in provider.asked


def test_another_browser_does_not_finish_what_one_began(anyone: Api, provider: Provider) -> None:
    """Else whoever has somebody open a link signs them in as the one who made it."""
    returned = provider.consent(way(anyone)["authorization_url"], Account(email="evil@example.com"))
    for headers in ({"Origin": "http://localhost:8000"}, {"Sec_Fetch_Site": "same-origin"}):
        refused = Api().post(CALLBACK, returned, **headers)
        assert code_of(refused, 400) == "ERR_400_STATE_INVALID"
    other = Api()
    way(other)
    assert code_of(other.post(CALLBACK, returned, Origin="http://localhost:8000"), 400) == "ERR_400_STATE_INVALID"
    assert nothing_happened()
    assert anyone.post(CALLBACK, returned, Origin="http://localhost:8000").status_code == 200


def test_a_link_is_finished_by_the_login_that_began_it(ann: Person, otto: Person, provider: Provider) -> None:
    """Else somebody who was sent here by another gives away their account at the provider."""
    returned = provider.consent(way(ann.api, "?scopes=calendar")["authorization_url"])
    for api in (otto.api, logged_in(ann.email).api, Api()):
        assert code_of(api.post(CALLBACK, returned), 400) == "ERR_400_STATE_INVALID"
    assert OAuthGrant.objects.of(ann.actor).count() == ExternalIdentity.objects.count() == 0
    assert ann.api.post(CALLBACK, returned).json()["data"]["action"] == "linked"


def test_a_link_is_not_finished_once_its_login_ended(ann: Person, provider: Provider) -> None:
    browser = Api(ann.tokens.access_token)
    returned = provider.consent(way(browser)["authorization_url"])
    assert ann.api.post("/api/auth/logout", {}).status_code == 204
    browser.token = ""
    assert code_of(browser.post(CALLBACK, returned), 400) == "ERR_400_STATE_INVALID"
    assert ExternalIdentity.objects.count() == 0


@pytest.mark.parametrize("issuer", ["https://evil.example", "", "http://localhost"])
def test_an_answer_that_names_another_provider_is_refused(anyone: Api, provider: Provider, issuer: str) -> None:
    """RFC 9207: the mix-up."""
    returned = provider.consent(way(anyone)["authorization_url"])
    assert code_of(anyone.post(CALLBACK, {**returned, "iss": issuer}), 400) == "ERR_400_STATE_INVALID"
    assert "token" not in provider.asked


def test_a_provider_that_always_names_itself_must_be_named(provider: Provider) -> None:
    provider.lies.described = {"authorization_response_iss_parameter_supported": True}
    api = Api()
    assert code_of(came_back(api, provider), 400) == "ERR_400_STATE_INVALID"
    returned = provider.consent(way(api)["authorization_url"])
    assert api.post(CALLBACK, {**returned, "iss": provider.issuer}).status_code == 200


def test_a_redirect_address_that_is_not_the_states_is_refused(anyone: Api, provider: Provider) -> None:
    returned = provider.consent(way(anyone)["authorization_url"])
    for uri in ("https://evil.example/callback", "http://localhost:8000/sign-in/callback"):
        assert code_of(anyone.post(CALLBACK, {**returned, "redirect_uri": uri}), 400) == "ERR_400_STATE_INVALID"
    assert anyone.post(CALLBACK, {**returned, "redirect_uri": WEB_APP}).status_code == 200


def test_refused_consent_says_so_and_ends_the_way(anyone: Api, provider: Provider) -> None:
    returned = provider.consent(way(anyone)["authorization_url"])
    denied = {"state": returned["state"], "error": "access_denied", "error_description": "<script>"}
    refused = anyone.post(CALLBACK, denied)
    assert code_of(refused, 400) == "ERR_400_OAUTH_DENIED"
    assert b"script" not in refused.content
    assert code_of(anyone.post(CALLBACK, returned), 400) == "ERR_400_STATE_INVALID"


# -- what comes from the provider ------------------------------------------------------------------------------------


def _answer(body: bytes, status: int = 200, **headers: str) -> Callable[[], Response]:
    return lambda: Response(body, status, {"Content-Type": "application/json", **headers})


TOKEN_ANSWERS: dict[str, tuple[int, str, Callable[[], Response]]] = {
    "no JSON": (401, "ERR_401_OAUTH_EXCHANGE", _answer(b"<html>")),
    "a list": (401, "ERR_401_OAUTH_EXCHANGE", _answer(b"[]")),
    "no id_token": (401, "ERR_401_OAUTH_EXCHANGE", _answer(b'{"access_token":"x","token_type":"Bearer"}')),
    "a number for a token": (401, "ERR_401_OAUTH_EXCHANGE", _answer(b'{"access_token":1,"token_type":"Bearer","id_token":2}')),
    "another type": (401, "ERR_401_OAUTH_EXCHANGE", _answer(b'{"access_token":"x","token_type":"mac","id_token":"y"}')),
    "refused": (401, "ERR_401_OAUTH_EXCHANGE", _answer(b'{"error":"invalid_grant"}', 400)),
    "broken": (502, "ERR_502_PROVIDER", _answer(b"{}", 500)),
    "elsewhere": (502, "ERR_502_PROVIDER", _answer(b"", 302, Location="http://169.254.169.254/")),
    "a huge answer": (502, "ERR_502_PROVIDER", _answer(b'{"access_token":"' + b"x" * 12_000_000 + b'"}')),
    "a large answer": (502, "ERR_502_PROVIDER", _answer(b'{"access_token":"' + b"x" * 1_000_000 + b'"}')),
}  # fmt: skip


@pytest.mark.parametrize(("status", "code", "answer"), TOKEN_ANSWERS.values(), ids=TOKEN_ANSWERS.keys())
def test_what_is_no_answer_is_not_taken_for_one(
    anyone: Api, provider: Provider, status: int, code: str, answer: Callable[[], Response]
) -> None:
    provider.lies.token = answer
    assert code_of(came_back(anyone, provider), status) == code
    assert nothing_happened()


def test_a_provider_that_hangs_is_not_waited_for(anyone: Api, provider: Provider, monkeypatch: Any) -> None:
    monkeypatch.setattr(oidc, "SECONDS", 0.5)
    released = threading.Event()

    def hang() -> Response:
        released.wait(20)
        return Response("{}")

    provider.lies.token = hang
    try:
        assert code_of(came_back(anyone, provider), 502) == "ERR_502_PROVIDER"
    finally:
        released.set()
    assert nothing_happened()


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://169.254.169.254/latest"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "http://10.0.0.1/token"},
        {"jwks_uri": None},
        {"jwks_uri": "http://user:password@localhost/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "http://[::1]:22/"},
    ],
    ids=lambda each: " ".join(f"{name}={value}" for name, value in each.items()),
)
def test_a_description_that_leads_elsewhere_is_not_followed(
    anyone: Api, provider: Provider, described: dict[str, Any]
) -> None:
    provider.lies.described = described
    assert code_of(anyone.get(AUTHORIZE), 502) == "ERR_502_PROVIDER"
    assert OAuthState.objects.count() == 0


def test_a_provider_that_is_gone_is_said_to_be(anyone: Api, provider: Provider, httpserver: HTTPServer) -> None:
    httpserver.clear()
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_data("gone", status=410)
    assert code_of(anyone.get(AUTHORIZE), 502) == "ERR_502_PROVIDER"
