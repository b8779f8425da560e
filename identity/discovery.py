"""What OpenID providers publish of themselves: their endpoints and their keys (OpenID Connect Discovery 1.0; RFC 7517).

Fetched through the one guarded client and kept in this process for a while. A provider that changes its keys is asked again
when a token names a key that is not known yet, but not more than once a minute, whatever tokens come.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import orjson

from engine.ports import HttpAnswer, HttpCall, PortFailure
from identity.errors import ExchangeRefused, ProviderUnavailable
from integrations import egress
from integrations.egress import Deadline
from integrations.http import GuardedHttp

WELL_KNOWN: Final = "/.well-known/openid-configuration"
MAX_BYTES: Final = 512 * 1024
KEPT_SECONDS: Final = 3600.0
KEYS_KEPT_SECONDS: Final = 900.0
AGAIN_SECONDS: Final = 60.0
MOST_KEPT: Final = 1000
# Each with the kind of key that it needs. What signs with a shared secret, and what does not sign, is not among them.
ALGORITHMS: Final = {
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA",
}  # fmt: skip
SMALLEST_RSA: Final = 2048


@dataclass(frozen=True, slots=True)
class Metadata:
    """A provider's own description, checked. Optional endpoints are empty where there are none."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    revocation_endpoint: str
    algorithms: frozenset[str]
    posts_secret: bool  # whether the client's secret goes into the body, because the provider takes no header
    names_itself: bool  # whether it says in its redirects who it is (RFC 9207)


class _Kept:
    """Values by address, each with the moment when it was fetched."""

    def __init__(self) -> None:
        self._all: dict[str, tuple[Any, float]] = {}
        self._lock = threading.Lock()

    def get(self, url: str, seconds: float) -> Any:
        with self._lock:
            value, fetched = self._all.get(url, (None, 0.0))
        return value if value is not None and time.monotonic() - fetched < seconds else None

    def put(self, url: str, value: Any) -> None:
        with self._lock:
            if len(self._all) >= MOST_KEPT:
                self._all.clear()
            self._all[url] = (value, time.monotonic())

    def clear(self) -> None:
        with self._lock:
            self._all.clear()


_METADATA = _Kept()
_KEYS = _Kept()


def forget() -> None:
    """Ask every provider anew."""
    _METADATA.clear()
    _KEYS.clear()


def ask(call: HttpCall, deadline: Deadline) -> HttpAnswer:
    """One exchange with a provider. Raises `ProviderUnavailable` where there is no answer that can be read."""
    host = urlsplit(call.url).hostname or "The provider"
    if deadline.left() <= 0:
        raise ProviderUnavailable(f"{host} did not answer in time.")
    try:
        answer = GuardedHttp().call(call, timeout=deadline.left())
    except PortFailure as error:
        raise ProviderUnavailable(f"The provider cannot be reached. {error.message}") from error
    if len(answer.body) > MAX_BYTES:
        raise ProviderUnavailable(f"The answer of {host} is larger than {MAX_BYTES // 1024} KiB.")
    return answer


def as_object(answer: HttpAnswer) -> Mapping[str, Any]:
    """The JSON object of an answer; an empty one where it holds none."""
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def metadata(issuer: str, deadline: Deadline) -> Metadata:
    """Raises `ProviderUnavailable`, also for a description that names another issuer or an endpoint that may not be asked."""
    kept: Metadata | None = _METADATA.get(issuer, KEPT_SECONDS)
    if kept is not None:
        return kept
    answer = ask(_get(issuer.rstrip("/") + WELL_KNOWN), deadline)
    if answer.status != 200:
        raise ProviderUnavailable(f"{issuer} does not describe itself: it answered {answer.status}.")
    found = _checked(issuer, as_object(answer))
    _METADATA.put(issuer, found)
    return found


def key_for(described: Metadata, header: Mapping[str, Any], deadline: Deadline) -> Any:
    """The provider's key that a token's header names, fit for its algorithm.

    Raises `ExchangeRefused` where there is none, or `ProviderUnavailable`.
    """
    algorithm, key_id = str(header.get("alg")), header.get("kid")
    found = _among(_keys(described.jwks_uri, KEYS_KEPT_SECONDS, deadline), algorithm, key_id)
    if found is None:
        found = _among(_keys(described.jwks_uri, AGAIN_SECONDS, deadline), algorithm, key_id)
    if found is None:
        raise ExchangeRefused(reason="key")
    return found


# -- inside ----------------------------------------------------------------------------------------------------------


def _get(url: str) -> HttpCall:
    return HttpCall("", "GET", url, {}, {"Accept": "application/json"})


def _checked(issuer: str, body: Mapping[str, Any]) -> Metadata:
    if body.get("issuer") != issuer:
        raise ProviderUnavailable(f"{issuer} describes another issuer than itself.")
    methods = body.get("token_endpoint_auth_methods_supported")
    methods = methods if isinstance(methods, list) else ["client_secret_basic"]
    algorithms = body.get("id_token_signing_alg_values_supported")
    named = {each for each in algorithms if isinstance(each, str)} if isinstance(algorithms, list) else set(ALGORITHMS)
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(issuer, body, "authorization_endpoint"),
        token_endpoint=_endpoint(issuer, body, "token_endpoint"),
        jwks_uri=_endpoint(issuer, body, "jwks_uri"),
        userinfo_endpoint=_endpoint(issuer, body, "userinfo_endpoint", needed=False),
        revocation_endpoint=_endpoint(issuer, body, "revocation_endpoint", needed=False),
        algorithms=frozenset(named & set(ALGORITHMS)),
        posts_secret="client_secret_basic" not in methods and "client_secret_post" in methods,
        names_itself=body.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(issuer: str, body: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    url = body.get(name)
    if url is None and not needed:
        return ""
    if not isinstance(url, str) or len(url) > 2000:
        raise ProviderUnavailable(f"{issuer} does not say its {name}.")
    if issuer.startswith("https://") and not url.startswith("https://"):
        raise ProviderUnavailable(f"The {name} of {issuer} is not protected by TLS.")
    try:
        egress.check_url(url)
    except PortFailure as error:
        raise ProviderUnavailable(f"The {name} of {issuer} cannot be used. {error.message}") from error
    return url


def _keys(url: str, seconds: float, deadline: Deadline) -> list[Mapping[str, Any]]:
    kept: list[Mapping[str, Any]] | None = _KEYS.get(url, seconds)
    if kept is not None:
        return kept
    answer = ask(_get(url), deadline)
    listed = as_object(answer).get("keys")
    if answer.status != 200 or not isinstance(listed, list):
        raise ProviderUnavailable("The provider does not show its keys.")
    found = [each for each in listed[:100] if isinstance(each, dict)]
    _KEYS.put(url, found)
    return found


def _among(keys: list[Mapping[str, Any]], algorithm: str, key_id: Any) -> Any:
    """One key, and only where it is clear which: of the right kind, for signatures, with the id that is named."""
    fitting = [
        each
        for each in keys
        if each.get("kty") == ALGORITHMS.get(algorithm, "")
        and each.get("use", "sig") == "sig"
        and each.get("alg", algorithm) == algorithm
        and (key_id is None or each.get("kid") == key_id)
    ]
    if len(fitting) != 1:
        return None
    try:
        key = jwt.PyJWK.from_dict(dict(fitting[0]), algorithm=algorithm).key
    except jwt.PyJWTError as error:
        raise ExchangeRefused(reason="key") from error
    if getattr(key, "key_size", SMALLEST_RSA) < SMALLEST_RSA and fitting[0]["kty"] == "RSA":
        raise ExchangeRefused(reason="key")
    return key
