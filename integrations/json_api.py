"""One JSON API behind the guarded client: what providers of one system's own protocol share."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from engine.ports import HttpCall, PortFailure, Rejected, Unavailable, Unknown
from integrations.http import GuardedHttp


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and the JSON object it came with; an empty one where the body is none."""

    status: int
    body: Mapping[str, Any]
    retry_after: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class JsonApi:
    """`headers` carry the credential, so they are never shown."""

    base_url: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)

    def get(self, path: str, *, timeout: float, query: Mapping[str, Any] | None = None) -> Reply:
        """Raises what the guarded client raises."""
        return self._call(HttpCall("", "GET", self.base_url + path, query or {}, self._headers()), timeout)

    def post_form(self, path: str, pairs: list[tuple[str, str]], *, key: str, timeout: float) -> Reply:
        """Raises what the guarded client raises."""
        headers = self._headers("application/x-www-form-urlencoded")
        body = urlencode(pairs).encode()
        return self._call(HttpCall(key, "POST", self.base_url + path, {}, headers, body), timeout)

    def post_json(self, path: str, value: Any, *, key: str, timeout: float) -> Reply:
        """Raises what the guarded client raises."""
        headers = self._headers("application/json")
        return self._call(HttpCall(key, "POST", self.base_url + path, {}, headers, orjson.dumps(value)), timeout)

    def _headers(self, media_type: str = "") -> dict[str, str]:
        return {"Accept": "application/json", **({"Content-Type": media_type} if media_type else {}), **self.headers}

    def _call(self, call: HttpCall, timeout: float) -> Reply:
        answer = GuardedHttp().call(call, timeout=timeout)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        try:
            body = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            body = {}
        return Reply(answer.status, body if isinstance(body, dict) else {}, headers.get("retry-after", ""))


def basic(username: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def refusal_of(name: str, reply: Reply, said: str, *, sent: bool) -> PortFailure:
    """What a status outside 200..299 means. `sent`: the request may have had an effect before the server broke."""
    details: dict[str, Any] = {"status": reply.status}
    if reply.retry_after:
        details["retry_after"] = reply.retry_after
    told = f": {' '.join(said.split())[:300]}" if said else ""
    if reply.status in (401, 403):
        return Rejected(f"{name} refused the credentials ({reply.status}){told}.", **details)
    if reply.status == 429:
        return Unavailable(f"{name} takes no more requests just now (429){told}.", **details)
    if reply.status >= 500 and sent:
        return Unknown(
            f"{name} broke while it worked on the request ({reply.status}); it may have been done.", **details
        )
    if reply.status >= 500:
        return Unavailable(f"{name} is down ({reply.status}).", **details)
    return Rejected(f"{name} refused the request ({reply.status}){told}.", **details)
