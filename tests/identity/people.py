"""What the tests of passkeys do again and again, over HTTP."""

from __future__ import annotations

from typing import Any

from tests.api.people import Api, Person
from tests.identity.authenticator import Authenticator

REGISTER = "/api/v1/webauthn/register"
AUTHENTICATE = "/api/v1/webauthn/authenticate"


def begun(api: Api, path: str = REGISTER, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = api.post(f"{path}/begin", body or {})
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def completed(api: Api, asked: dict[str, Any], credential: dict[str, Any], path: str = REGISTER, **more: Any) -> Any:
    return api.post(f"{path}/complete", {"challenge_id": asked["challenge_id"], "credential": credential, **more})


def registered(person: Person, key: Authenticator | None = None, **body: Any) -> Authenticator:
    """A passkey of somebody's."""
    key = key or Authenticator()
    asked = begun(person.api, body=body)
    answer = completed(person.api, asked, key.register(asked["public_key"]))
    assert answer.status_code == 201, answer.content
    return key


def signed_in(api: Api, key: Authenticator, body: dict[str, Any] | None = None, **more: Any) -> Any:
    asked = begun(api, AUTHENTICATE, body)
    return completed(api, asked, key.sign(asked["public_key"]), AUTHENTICATE, **more)


def code_of(answer: Any, status: int) -> str:
    """The code of a refusal in 003's envelope."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    found: str = answer.json()["error"]["code"]
    return found
