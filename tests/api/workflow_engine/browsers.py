"""A browser with a login in cookies: keeps what answers set, sends it back, and can do without a CSRF token."""

from __future__ import annotations

from typing import Any

import orjson
from django.test import Client

from tests.api.people import JSON, PASSWORD

ACCESS = "__Host-auterity_session"
REFRESH = "__Host-auterity_refresh"
LOGIN = "/api/v1/auth/jwt/login"


class Browser:
    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)
        self.csrf = ""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """With the CSRF token that was learnt last, unless one is given; an empty one is not sent."""
        sent = {"X-CSRF-TOKEN": self.csrf} | {name.replace("_", "-"): value for name, value in headers.items()}
        data = b"" if body is None else orjson.dumps(body)
        kept = {name: value for name, value in sent.items() if value}
        return self.client.generic(method, path, data, content_type=JSON if data else "", headers=kept)

    def log_in(self, email: str) -> Any:
        answer = self.call("POST", LOGIN, {"username": email, "password": PASSWORD}, X_Session_Cookies="on")
        assert answer.status_code == 200, answer.content
        self.csrf = answer.json()["csrf_token"]
        return answer

    def cookie(self, name: str) -> str:
        return self.client.cookies[name].value if name in self.client.cookies else ""
