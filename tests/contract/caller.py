"""A client of the served product that knows nothing but HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx2

Answer = httpx2.Response


@dataclass
class Caller:
    """Somebody with a token, or with none, who asks for one edition."""

    client: httpx2.Client
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, **request: Any) -> Answer:
        """`json`, `content`, `params` and `headers` as httpx2 takes them."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= self.headers | request.pop("headers", {})
        return self.client.request(method, path, headers=headers, **request)

    def made(self, path: str, body: Any) -> dict[str, Any]:
        """The body of a POST that has to succeed, because a play stands on it. Raises `Unplayable` when the door is not there."""
        return self.sure(self.call("POST", path, json=body), f"POST {path}")

    def read(self, path: str, **query: Any) -> dict[str, Any]:
        return self.sure(self.call("GET", path, params=query), f"GET {path}")

    def sure(self, answer: Answer, what: str) -> dict[str, Any]:
        """The body of an answer that has to be a success. Raises `Unplayable`."""
        if answer.status_code >= 400:
            raise Unplayable(f"{what} answered {answer.status_code}: {answer.text[:200]}")
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


class Unplayable(Exception):
    """A play cannot be set on its stage, and why."""


class Absent(Unplayable):
    """What a play needs is not in this product: no fault of the operation that is played."""
