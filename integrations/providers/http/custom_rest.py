"""Any REST API of the customer's: one base address, and a credential that goes there and nowhere else."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import replace

from pydantic import Field, SecretStr, field_validator, model_validator

from engine.ports import HttpAnswer, HttpCall, Rejected
from integrations.connection_types import Credentials, Settings, connection_type
from integrations.egress import Deadline
from integrations.http import GuardedHttp
from integrations.json_api import JsonApi, Reply, basic, refusal_of
from integrations.urls import WebAddress, joined

EARLY = 30.0  # seconds before its end a token is no longer used
_MAX_TOKENS = 256
_PROVING = {"authorization", "cookie", "proxy-authorization", "x-api-key", "api-key", "x-auth-token"}


class Config(Settings):
    base_url: WebAddress = Field(description="What relative addresses begin with, such as https://api.example.com/v1.")
    health_path: str = Field(default="/", max_length=500, description="What a test asks for.")
    method: str = Field(default="GET", pattern="^(GET|HEAD)$", description="How a test asks.")
    expected_status: list[int] = Field(default=[], description="What a test takes as well; 200 to 299 if empty.")
    headers: dict[str, str] = Field(default={}, description="Headers of every call; no secrets, they can be read.")

    @field_validator("headers")
    @classmethod
    def _no_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        """Settings can be read by every member, so what proves who calls belongs into the credentials."""
        for name in headers:
            if name.strip().lower() in _PROVING:
                raise ValueError(f"Give {name[:40]} as a credential; these headers can be read.")
        return headers


class Secrets(Credentials):
    """One of: nothing; api_key with header; token; username and password; client_id, client_secret and token_url."""

    api_key: SecretStr | None = Field(default=None, min_length=1)
    header: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9-]{1,60}$", description="Where api_key goes; X-API-Key."
    )
    token: SecretStr | None = Field(default=None, min_length=1)
    username: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = None
    client_id: str | None = Field(default=None, min_length=1)
    client_secret: SecretStr | None = Field(default=None, min_length=1)
    token_url: WebAddress | None = None
    scope: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Secrets:
        """Exactly one way to prove oneself, and all of it."""
        ways = {
            "api_key": ("api_key",),
            "token": ("token",),
            "username": ("username", "password"),
            "client_id": ("client_id", "client_secret", "token_url"),
        }
        begun = {way for way, parts in ways.items() if any(getattr(self, part) is not None for part in parts)}
        if len(begun) > 1:
            raise ValueError("Give one of api_key, token, username and password, or client_id with client_secret.")
        missing = [part for way in begun for part in ways[way] if getattr(self, part) is None]
        if missing:
            raise ValueError(f"Give {' and '.join(missing)} too.")
        return self


@connection_type("custom_rest", kind="http", title="REST API", config=Config, credentials=Secrets, bound=("base_url",))
class CustomRest:
    """`HttpPort` for one origin. A call's `url` may be a path; another origin is refused before anything is sent."""

    def __init__(self, config: Config, credentials: Secrets) -> None:
        self._config = config
        self._credentials = credentials

    def check(self, *, timeout: float) -> str:
        """Asks for health_path as every call would."""
        config = self._config
        answer = self.call(HttpCall("", config.method, config.health_path.lstrip("/")), timeout=timeout)
        if not (200 <= answer.status < 300 or answer.status in config.expected_status):
            raise refusal_of("The API", Reply(answer.status, {}), "", sent=False)
        return f"The API answered {answer.status}."

    def call(self, call: HttpCall, *, timeout: float) -> HttpAnswer:
        """As the guarded client, with the credential. A token that the other side no longer takes is fetched anew, once."""
        deadline = Deadline(timeout)
        ready = replace(
            call, url=joined(self._config.base_url, call.url), headers={**self._config.headers, **call.headers}
        )
        answer = GuardedHttp().call(self._signed(ready, deadline), timeout=deadline.left())
        if answer.status == 401 and self._credentials.client_id:
            TOKENS.forget(self._credentials)
            answer = GuardedHttp().call(self._signed(ready, deadline), timeout=deadline.left())
        return answer

    def _signed(self, call: HttpCall, deadline: Deadline) -> HttpCall:
        given = self._credentials
        name, value = "Authorization", ""
        if given.api_key:
            name, value = given.header or "X-API-Key", given.api_key.get_secret_value()
        elif given.token:
            value = f"Bearer {given.token.get_secret_value()}"
        elif given.username is not None and given.password is not None:
            value = basic(given.username, given.password.get_secret_value())
        elif given.client_id:
            value = f"Bearer {TOKENS.token(given, deadline)}"
        if not value:
            return call
        kept = {each: said for each, said in call.headers.items() if each.lower() != name.lower()}
        return replace(call, headers={**kept, name: value})


class _Tokens:
    """Access tokens by client credentials (RFC 6749, 4.4), kept in this process until shortly before they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[bytes, tuple[str, float]] = {}

    def token(self, given: Secrets, deadline: Deadline) -> str:
        """Raises Rejected or Unavailable."""
        key = self._key(given)
        with self._lock:
            token, until = self._kept.get(key, ("", 0.0))
        if time.monotonic() < until:
            return token
        token, seconds = self._fetch(given, deadline)
        with self._lock:
            if len(self._kept) >= _MAX_TOKENS:
                self._kept.clear()
            self._kept[key] = (token, time.monotonic() + seconds - EARLY)
        return token

    def forget(self, given: Secrets) -> None:
        with self._lock:
            self._kept.pop(self._key(given), None)

    def _fetch(self, given: Secrets, deadline: Deadline) -> tuple[str, float]:
        secret = given.client_secret.get_secret_value() if given.client_secret else ""
        api = JsonApi(str(given.token_url), {"Authorization": basic(given.client_id or "", secret)})
        pairs = [("grant_type", "client_credentials"), *([("scope", given.scope)] if given.scope else [])]
        reply = api.post_form("", pairs, key="", timeout=deadline.left())
        if not reply.ok:
            raise refusal_of("The token server", reply, str(reply.body.get("error") or "")[:80], sent=False)
        token, seconds = reply.body.get("access_token"), reply.body.get("expires_in", 60)
        if not isinstance(token, str) or not token:
            raise Rejected("The token server's answer holds no access_token.")
        return token, float(seconds) if isinstance(seconds, (int, float)) else 60.0

    def _key(self, given: Secrets) -> bytes:
        secret = given.client_secret.get_secret_value() if given.client_secret else ""
        return hashlib.sha256(repr([given.token_url, given.client_id, secret, given.scope]).encode()).digest()


TOKENS = _Tokens()
