"""OpenID Connect as a client speaks it: the way to the provider, the code's exchange, and what of the answer is believed.

Authorization code with PKCE S256 (RFC 7636), state and nonce; nothing that comes through the browser is believed, and of what
comes from the provider only an id_token that verifies (OpenID Connect Core 1.0, 3.1.3.7).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import jwt

from accounts.tokens import signing_key
from engine.ports import HttpCall
from identity import discovery
from identity.discovery import Metadata
from identity.errors import ExchangeRefused, ProviderUnavailable
from integrations.egress import Deadline
from integrations.json_api import basic

SECONDS: Final = 10.0  # How long a provider may take for everything that one sign-in asks of it.
LEEWAY_SECONDS: Final = 60
OLDEST_SECONDS: Final = 600
LONGEST: Final = 16 * 1024
_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Provider:
    """Whom to ask, and as whom. `issuers` are further names that it gives itself in tokens."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    issuers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody is at a provider. `email` is lower case; it counts for nothing unless it is `verified`."""

    issuer: str
    subject: str
    email: str
    verified: bool
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class Granted:
    """Tokens of a provider. `seconds` is how long the access token is good; None where the provider does not say."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    seconds: int | None
    scopes: frozenset[str]


def derived(purpose: str, state: str) -> str:
    """43 characters that follow from a state and our key: the code verifier and the nonce, which are stored nowhere."""
    key = signing_key(f"oauth {purpose}")
    return _text(hmac.digest(key, state.encode("utf-8", "replace"), hashlib.sha256))


def authorization_url(
    provider: Provider,
    *,
    state: str,
    redirect_uri: str,
    scopes: list[str],
    login_hint: str = "",
    more: Mapping[str, str] | None = None,
) -> str:
    """Where to send the browser. Raises `ProviderUnavailable`."""
    described = discovery.metadata(provider.issuer, Deadline(SECONDS))
    verifier = derived("verifier", state)
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": state,
        "nonce": derived("nonce", state),
        "code_challenge": _text(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
        **({"login_hint": login_hint} if login_hint else {}),
        **(more or {}),
    }
    joint = "&" if urlsplit(described.authorization_endpoint).query else "?"
    return described.authorization_endpoint + joint + urlencode(query, quote_via=quote)


def exchange(provider: Provider, *, code: str, state: str, redirect_uri: str) -> tuple[Person, Granted]:
    """Buy tokens for a code, once, and read who it is. Raises `ExchangeRefused` or `ProviderUnavailable`."""
    deadline = Deadline(SECONDS)
    described = discovery.metadata(provider.issuer, deadline)
    body = _token_request(
        provider,
        described,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": derived("verifier", state),
        },
        deadline,
    )
    granted = _granted(body)
    id_token = body.get("id_token")
    if not isinstance(id_token, str):
        raise ExchangeRefused(reason="id_token")
    claims = verified(
        id_token,
        provider=provider,
        described=described,
        nonce=derived("nonce", state),
        access_token=granted.access_token,
        deadline=deadline,
    )
    return _person(claims, described), granted


def refresh(provider: Provider, refresh_token: str) -> Granted:
    """Raises `ExchangeRefused` where the grant has ended, or `ProviderUnavailable`."""
    deadline = Deadline(SECONDS)
    described = discovery.metadata(provider.issuer, deadline)
    asked = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return _granted(_token_request(provider, described, asked, deadline))


def is_alive(provider: Provider, access_token: str) -> bool:
    """Whether the provider still takes an access token. Raises `ProviderUnavailable`."""
    deadline = Deadline(SECONDS)
    described = discovery.metadata(provider.issuer, deadline)
    if not described.userinfo_endpoint:
        raise ProviderUnavailable("The provider has no address at which a token can be tried.")
    headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
    answer = discovery.ask(HttpCall("", "GET", described.userinfo_endpoint, {}, headers), deadline)
    if answer.status >= 500:
        raise ProviderUnavailable(f"The provider answered {answer.status}.")
    return answer.status == 200


def revoke(provider: Provider, token: str) -> bool:
    """Have the provider forget a token (RFC 7009); False where it offers no way to. Raises `ProviderUnavailable`."""
    deadline = Deadline(SECONDS)
    described = discovery.metadata(provider.issuer, deadline)
    if not described.revocation_endpoint:
        return False
    answer = discovery.ask(_form(provider, described, described.revocation_endpoint, {"token": token}), deadline)
    if answer.status >= 500:
        raise ProviderUnavailable(f"The provider answered {answer.status}.")
    return answer.status == 200


def verified(
    id_token: str,
    *,
    provider: Provider,
    described: Metadata,
    nonce: str,
    access_token: str,
    deadline: Deadline,
) -> Mapping[str, Any]:
    """The claims of an id_token. Raises `ExchangeRefused`, whose `details.reason` names the check that failed."""
    if len(id_token) > LONGEST:
        raise ExchangeRefused(reason="size")
    try:
        header = jwt.get_unverified_header(id_token)
    except jwt.PyJWTError as error:
        raise ExchangeRefused(reason="form") from error
    algorithm = str(header.get("alg"))
    if algorithm not in discovery.ALGORITHMS or algorithm not in described.algorithms or "crit" in header:
        raise ExchangeRefused(reason="alg")
    key = discovery.key_for(described, header, deadline)
    try:
        claims: dict[str, Any] = jwt.decode(
            id_token,
            key,
            algorithms=[algorithm],
            audience=provider.client_id,
            issuer=[described.issuer, *provider.issuers],
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except jwt.PyJWTError as error:
        raise ExchangeRefused(reason=_REASONS.get(type(error), "signature")) from error
    _check(claims, provider, nonce)
    _check_hash(claims, algorithm, access_token)
    return claims


_REASONS: Final[dict[type[Exception], str]] = {
    jwt.ExpiredSignatureError: "exp",
    jwt.ImmatureSignatureError: "iat",
    jwt.InvalidAudienceError: "aud",
    jwt.InvalidIssuedAtError: "iat",
    jwt.InvalidIssuerError: "iss",
    jwt.MissingRequiredClaimError: "claims",
}


# -- inside ----------------------------------------------------------------------------------------------------------


def _check(claims: Mapping[str, Any], provider: Provider, nonce: str) -> None:
    """What the library leaves to us."""
    audience, party = claims["aud"], claims.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, provider.client_id):
        raise ExchangeRefused(reason="azp")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode("utf-8", "replace"), nonce.encode()):
        raise ExchangeRefused(reason="nonce")
    if not isinstance(claims["iat"], int | float) or claims["iat"] < time.time() - OLDEST_SECONDS:
        raise ExchangeRefused(reason="iat")
    subject = claims["sub"]
    if (
        not isinstance(subject, str)
        or not 0 < len(subject) <= 255
        or not subject.isascii()
        or not subject.isprintable()
    ):
        raise ExchangeRefused(reason="sub")


def _check_hash(claims: Mapping[str, Any], algorithm: str, access_token: str) -> None:
    """Where the id_token names its access token (`at_hash`), it is this one. EdDSA names no hash."""
    stated, digest = claims.get("at_hash"), _HASHES.get(algorithm[-3:])
    if stated is None or digest is None:
        return
    whole = digest(access_token.encode()).digest()
    if not hmac.compare_digest(str(stated).encode("utf-8", "replace"), _text(whole[: len(whole) // 2]).encode()):
        raise ExchangeRefused(reason="at_hash")


def _person(claims: Mapping[str, Any], described: Metadata) -> Person:
    def said(name: str, longest: int) -> str:
        value = claims.get(name)
        kept = "".join(each for each in value if each.isprintable()).strip() if isinstance(value, str) else ""
        return kept.encode("utf-8", "replace").decode()[:longest]

    whole = said("name", 300)
    first, _, last = whole.partition(" ")
    return Person(
        issuer=described.issuer,
        subject=claims["sub"],
        email=said("email", 254).lower(),
        verified=claims.get("email_verified") in (True, "true"),
        first_name=said("given_name", 150) or first[:150],
        last_name=said("family_name", 150) or last[:150],
    )


def _token_request(
    provider: Provider, described: Metadata, fields: dict[str, str], deadline: Deadline
) -> Mapping[str, Any]:
    answer = discovery.ask(_form(provider, described, described.token_endpoint, fields), deadline)
    body = discovery.as_object(answer)
    if answer.status >= 500 or 300 <= answer.status < 400:
        raise ProviderUnavailable(f"The provider answered {answer.status} where it gives tokens.")
    if answer.status != 200:
        raise ExchangeRefused(reason="code")
    return body


def _form(provider: Provider, described: Metadata, url: str, fields: dict[str, str]) -> HttpCall:
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    if described.posts_secret:
        fields = {**fields, "client_id": provider.client_id, "client_secret": provider.client_secret}
    else:
        # RFC 6749, 2.3.1: both are encoded first, so that a colon in one of them is no separator.
        headers["Authorization"] = basic(quote(provider.client_id, safe=""), quote(provider.client_secret, safe=""))
    return HttpCall("", "POST", url, {}, headers, urlencode(fields).encode())


def _granted(body: Mapping[str, Any]) -> Granted:
    access, again, seconds, scopes = (
        body.get(name) for name in ("access_token", "refresh_token", "expires_in", "scope")
    )
    if (
        not isinstance(access, str)
        or not access
        or len(access) > LONGEST
        or str(body.get("token_type")).lower() != "bearer"
    ):
        raise ExchangeRefused(reason="access_token")
    return Granted(
        access_token=access,
        refresh_token=again if isinstance(again, str) and len(again) <= LONGEST else "",
        seconds=seconds if type(seconds) is int and 0 <= seconds < 10**9 else None,
        scopes=frozenset(scopes.split()) if isinstance(scopes, str) else frozenset(),
    )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
