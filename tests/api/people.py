"""People who call the API over HTTP, each with a token of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from django.test import Client

from accounts import members, services, tokens
from accounts.services import TokenPair
from auterity.kernel.access import Actor, Role

PASSWORD = "correct horse 9"
JSON = "application/json"
UNSENT: Any = object()


@dataclass
class Api:
    """Django's client with a bearer token and JSON bodies. A crash is answered, as it is in production."""

    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = Client(raise_request_exception=False)

    def call(
        self, method: str, path: str, body: Any = UNSENT, *, raw: bytes | None = None, media: str = JSON, **headers: str
    ) -> Any:
        """`headers` are written with underscores: `API_Version="2025-08-08"`. `raw` is a body that is sent as it stands."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent |= self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw if raw is not None else b"" if body is UNSENT else orjson.dumps(body)
        has_body = raw is not None or body is not UNSENT
        return self._client.generic(method, path, data, content_type=media if has_body else "", headers=sent)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, raw=None, **headers)

    def post(self, path: str, body: Any = UNSENT, **more: Any) -> Any:
        return self.call("POST", path, body, **more)

    def put(self, path: str, body: Any = UNSENT, **more: Any) -> Any:
        return self.call("PUT", path, body, **more)

    def patch(self, path: str, body: Any = UNSENT, **more: Any) -> Any:
        return self.call("PATCH", path, body, **more)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, raw=None, **headers)

    def made(self, path: str, body: Any = UNSENT, **more: Any) -> dict[str, Any]:
        """The body of a POST that succeeded."""
        answer = self.post(path, body, **more)
        assert answer.status_code in (200, 201, 202), (answer.status_code, answer.content)
        found: dict[str, Any] = answer.json()
        return found


@dataclass
class Person:
    email: str
    actor: Actor
    tokens: TokenPair
    api: Api


def logged_in(email: str) -> Person:
    pair = services.login(email=email, password=PASSWORD, dialect="auterity", access_seconds=1800)
    return Person(email, tokens.authenticate_access(pair.access_token), pair, Api(pair.access_token))


def founder(email: str, company: str | None) -> Person:
    """Somebody who registered, and so is the admin of a new organization."""
    services.register(email=email, password=PASSWORD, first_name="Ann", last_name="Ames", company=company)
    return logged_in(email)


def colleague(admin: Person, email: str, role: Role) -> Person:
    """Somebody of the admin's organization."""
    members.members_add(
        actor=admin.actor, email=email, password=PASSWORD, first_name="Bob", last_name="Berg", role=role
    )
    return logged_in(email)


def refusal(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The `error` of a refusal in the default edition, its envelope checked."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    assert answer.headers["Content-Type"] in (JSON, "application/vnd.auterity.v1+json")
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code, error
    assert set(error) - {"details"} == {"code", "message", "trace_id", "request_id", "timestamp"}
    assert error["trace_id"] == error["request_id"] == answer.headers["X-Request-ID"]
    assert error["message"]
    assert error["timestamp"].endswith("Z")
    return error
