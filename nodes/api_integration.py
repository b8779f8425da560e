"""`api-integration`: one HTTP call to another system (`schemas/node_configs.yaml`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import BeforeValidator, Field

from engine.expression_values import as_text
from engine.expressions import contains_template
from engine.node import Done, Effect, Failed, NodeConfig, Outcome, Step, node
from engine.ports import HttpAnswer, HttpCall
from nodes.formats.content import Unreadable, decode
from nodes.formats.json_text import parse_json
from nodes.settings.checks import Problems, not_yet
from nodes.settings.text import Text

EXCERPT = 500
_AGAIN_CAN_HELP = {408, 425, 429}
_MEDIA_TYPES = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}
_RANGE = re.compile(r"([1-5]\d\d)(?:\.\.([1-5]\d\d))?")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_LATER = {
    "connection_id": "Calling through a stored connection comes with connections; put the address in url for now.",
    "pagination": "Following pages comes with connections; ask for one page in query for now.",
}


def _upper(method: Any) -> Any:
    return method.strip().upper() if isinstance(method, str) else method


Method = Annotated[Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(_upper)]


class Config(NodeConfig):
    method: Method = Field(default="GET", description="The HTTP method.")
    url: Text = Field(min_length=1, description="The whole address, such as https://api.example.com/leads.")
    query: dict[str, Any] = Field(default={}, description="Parameters added to the address; null leaves one out.")
    headers: dict[str, Text] = Field(default={}, description="Request headers.")
    body: Any = Field(default=None, description="What is sent: a value for json, a map for form, text for text.")
    body_type: Literal["json", "form", "text"] = Field(default="json", description="How the body is written.")
    connection_id: Text | None = Field(default=None, description="A stored connection (comes with connections).")
    response: Literal["json", "text", "file"] = Field(default="json", description="How the answer's body is read.")
    expect_status: list[int | str] = Field(
        default=["200..299"], description="The statuses that count as success, such as 200 or 200..299."
    )
    pagination: dict[str, Any] | None = Field(default=None, description="Following pages (comes with connections).")


def check(config: Config) -> Problems:
    problems = not_yet(config, _LATER)
    if config.response == "file":
        problems.append(("response", "Keeping an answer as a file comes with connections; use json or text for now."))
    if any(_RANGE.fullmatch(str(each)) is None for each in config.expect_status):
        problems.append(("expect_status", "Write statuses such as 200 or ranges such as 200..299."))
    body = config.body
    if config.body_type == "json" and isinstance(body, str) and re.match(r"\s*(?:\{(?!\{)|\[)", body):
        problems.append(("body", "This text looks like JSON and would be sent as one string; give a map or a list."))
    if config.body_type == "form" and not (body is None or isinstance(body, Mapping) or contains_template(body)):
        problems.append(("body", "A form is a map of names and values; with other values use json or text."))
    if not (_is_address(config.url.strip()) or contains_template(config.url)):
        problems.append(("url", "It must be a whole address that begins with https:// or http://."))
    return problems


@node("api-integration", title="Call an API", config=Config, effect=Effect.KEYED, check=check)
def run(config: Config, step: Step) -> Outcome:
    """Calls an HTTP address and hands on status, headers and body."""
    call = HttpCall(
        key=step.key,
        method=config.method,
        url=config.url.strip(),
        query=config.query,
        headers=_headers(config),
        body=_encoded(config),
    )
    return _outcome(config, step.ports.http.call(call, timeout=step.timeout))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # An IPv6 address that is not closed.
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def _headers(config: Config) -> dict[str, str]:
    """The given headers; the media type belongs to the body unless one is given."""
    given = dict(config.headers)
    if config.body is not None and not any(name.lower() == "content-type" for name in given):
        given["Content-Type"] = _MEDIA_TYPES[config.body_type]
    return given


def _encoded(config: Config) -> bytes:
    if config.body is None:
        return b""
    if config.body_type == "json":
        return json.dumps(config.body, ensure_ascii=False, separators=(",", ":")).encode()
    if config.body_type == "text":
        return as_text(config.body).encode()
    pairs = [
        (name, as_text(each))
        for name, value in config.body.items()
        for each in (value if isinstance(value, list) else [value])
        if each is not None
    ]
    return urlencode(pairs).encode()


def _outcome(config: Config, answer: HttpAnswer) -> Outcome:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if not _is_expected(answer.status, config.expect_status):
        return _unexpected(config, answer, headers)
    try:
        body = _body(config, answer, headers)
    except Unreadable as error:
        kind = headers.get("content-type", "no content type")
        return Failed(
            "rejected",
            f"{_place(config)} answered {answer.status} ({kind}), but not with JSON: {error.message} "
            "Set response to text to take the body as it is.",
            {"status": answer.status, "body": _text(answer, headers)[:EXCERPT]},
        )
    named = [headers[name] for name in ("location", "x-request-id", "request-id") if headers.get(name)]
    return Done(
        {"status": answer.status, "headers": headers, "body": body, "elapsed_ms": round(answer.elapsed_ms)},
        receipt=" ".join([str(answer.status), *named[:1]]),
    )


def _body(config: Config, answer: HttpAnswer, headers: Mapping[str, str]) -> Any:
    text = _text(answer, headers)
    if config.response == "text":
        return text
    return parse_json(text) if text.strip() else None


def _unexpected(config: Config, answer: HttpAnswer, headers: Mapping[str, str]) -> Failed:
    """Trying again can help when the other side is overloaded or broken; not when it refused or did something else."""
    details = {"status": answer.status, "body": _text(answer, headers)[:EXCERPT]}
    if "retry-after" in headers:
        details["retry_after"] = headers["retry-after"]
    again = answer.status >= 500 or answer.status in _AGAIN_CAN_HELP
    expected = ", ".join(str(each) for each in config.expect_status)
    return Failed(
        "unavailable" if again else "rejected",
        f"{_place(config)} answered {answer.status}, expected was {expected}.",
        details,
    )


def _is_expected(status: int, expected: list[int | str]) -> bool:
    for each in expected:
        match = _RANGE.fullmatch(str(each))
        if match and int(match[1]) <= status <= int(match[2] or match[1]):
            return True
    return False


def _text(answer: HttpAnswer, headers: Mapping[str, str]) -> str:
    match = _CHARSET.search(headers.get("content-type", ""))
    return decode(answer.body, match[1] if match else None)


def _place(config: Config) -> str:
    """Method and host: paths and queries may carry secrets."""
    return f"{config.method} {urlsplit(config.url.strip()).hostname}"
