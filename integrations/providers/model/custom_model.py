"""A model of the organization's own behind an HTTP address that takes and gives JSON."""

from __future__ import annotations

from typing import Any, Literal

import orjson
from pydantic import Field, SecretStr

from engine.ports import HttpCall, Rejected, TimedOut, Unavailable, Unknown
from integrations.connection_types import Credentials, Settings, connection_type
from integrations.http import GuardedHttp
from integrations.json_api import Reply, refusal_of
from integrations.urls import WebAddress


class Config(Settings):
    endpoint_url: WebAddress = Field(description="Where the model answers a POST of JSON.")
    header: Literal["Authorization", "X-API-Key"] = Field(
        default="Authorization", description="Where the key goes; Authorization sends it as a bearer token."
    )


class Secrets(Credentials):
    api_key: SecretStr | None = Field(default=None, min_length=1)


@connection_type(
    "custom_model",
    kind="model",
    title="Custom model",
    config=Config,
    credentials=Secrets,
    bound=("endpoint_url", "header"),
)
class CustomModelEndpoint:
    """One POST a question. An inference is repeatable, so a lost answer is `Unavailable`."""

    def __init__(self, config: Config, credentials: Secrets) -> None:
        self._url = config.endpoint_url
        key = credentials.api_key.get_secret_value() if credentials.api_key else ""
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if key:
            self._headers[config.header] = f"Bearer {key}" if config.header == "Authorization" else key

    def check(self, *, timeout: float) -> str:
        """Reads the address without asking the model anything; whatever is answered short of a refusal will do."""
        answer = GuardedHttp().call(HttpCall("", "OPTIONS", self._url, {}, self._headers), timeout=timeout)
        if answer.status in (401, 403) or answer.status >= 500:
            raise refusal_of("The model's server", Reply(answer.status, {}), "", sent=False)
        return f"The model's server answered ({answer.status}); no model was asked."

    def ask(self, question: dict[str, Any], *, key: str, timeout: float) -> dict[str, Any]:
        """The answer's JSON object. Raises Rejected or Unavailable."""
        call = HttpCall(key, "POST", self._url, {}, self._headers, orjson.dumps(question))
        try:
            answer = GuardedHttp().call(call, timeout=timeout)
        except Unknown as lost:
            late = lost.details.get("reason") == "timeout"
            raise (TimedOut if late else Unavailable)("The model did not answer in time or broke off.") from None
        try:
            body = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            body = None
        if not 200 <= answer.status < 300:
            said = body.get("error") or body.get("message") if isinstance(body, dict) else ""
            raise refusal_of(
                "The model's server", Reply(answer.status, {}), said if isinstance(said, str) else "", sent=False
            )
        if not isinstance(body, dict):
            raise Rejected("The model's server did not answer with a JSON object.", status=answer.status)
        return body
