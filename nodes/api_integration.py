"""`api-integration`: one HTTP call to another system (`schemas/node_configs.yaml`)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.expression_values import as_text
from engine.expressions import contains_template
from engine.node import Done, Effect, Failed, NodeConfig, Outcome, Step, node
from engine.ports import HttpAnswer, HttpCall, HttpPort
from nodes.formats.content import Unreadable, decode
from nodes.formats.json_text import parse_json
from nodes.settings.checks import Problems
from nodes.settings.following import Pagination, items_of, next_page
from nodes.settings.sending import BodyType, check_stored, empty_file, encoded, kept
from nodes.settings.text import Text

EXCERPT = 500
_AGAIN_CAN_HELP = {408, 425, 429}
_SAFE = {"GET", "HEAD", "OPTIONS"}  # Methods that only read (RFC 9110, section 9.2.1).
_RANGE = re.compile(r"([1-5]\d\d)(?:\.\.([1-5]\d\d))?")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
MAX_PAGES_BYTES = 3 * 1024 * 1024  # of all pages together; a step's output may have 4 MiB


def _upper(method: Any) -> Any:
    return method.strip().upper() if isinstance(method, str) else method


Method = Annotated[Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(_upper)]


class Secret(BaseModel):
    """A header's value that is nobody's to read: it is stored sealed, and sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str


def _header(value: Any) -> Any:
    return Secret.model_validate(value) if isinstance(value, Mapping) and "secret" in value else as_text(value)


Header = Annotated[Secret | str, BeforeValidator(_header)]


class Config(NodeConfig):
    method: Method = Field(default="GET", description="The HTTP method.")
    url: Text = Field(
        default="", description="The whole address, such as https://api.example.com/leads; with a connection a path."
    )
    query: dict[str, Any] = Field(default={}, description="Parameters added to the address; null leaves one out.")
    headers: dict[str, Header] = Field(
        default={},
        description='Request headers. Credentials are stored sealed and shown masked: those named so, and {"secret": text}.',
    )
    body: Any = Field(
        default=None,
        description="What is sent: a value for json, a map for form and multipart, text for text, a stored file's id for file.",
    )
    body_type: BodyType = Field(
        default="json", description='How the body is written. In multipart a value {"file": id} sends a stored file.'
    )
    connection_id: Text | None = Field(
        default=None, description="A stored connection of type custom_rest: its base address and its credential."
    )
    response: Literal["json", "text", "file"] = Field(
        default="json", description="How the answer's body is read; file stores it."
    )
    expect_status: list[int | str] = Field(
        default=["200..299"], description="The statuses that count as success, such as 200 or 200..299."
    )
    pagination: Pagination | None = Field(
        default=None, description="Following pages of a list; body is then all items."
    )


def check(config: Config) -> Problems:
    problems: Problems = []
    if any(_RANGE.fullmatch(str(each)) is None for each in config.expect_status):
        problems.append(("expect_status", "Write statuses such as 200 or ranges such as 200..299."))
    body = config.body
    if config.body_type == "json" and isinstance(body, str) and re.match(r"\s*(?:\{(?!\{)|\[)", body):
        problems.append(("body", "This text looks like JSON and would be sent as one string; give a map or a list."))
    if config.body_type == "form" and not (body is None or isinstance(body, Mapping) or contains_template(body)):
        problems.append(("body", "A form is a map of names and values; with other values use json or text."))
    for name, value in config.headers.items():
        if isinstance(value, Secret) and contains_template(value.secret):
            problems.append(("headers", f"The secret in '{name}' is sent as it stands: it can hold no {{{{ }}}}."))
    if told := check_stored(body, config.body_type, templated=contains_template(body)):
        problems.append(("body", told))
    if config.pagination and (config.method != "GET" or config.response != "json"):
        problems.append(("pagination", "Pages are followed of a GET whose response is json."))
    if not (config.connection_id or _is_address(config.url.strip()) or contains_template(config.url)):
        problems.append(("url", "It must be a whole address that begins with https:// or http://."))
    return problems


def sample(config: Config) -> dict[str, Any]:
    """An answer of the first status that counts as success, without a body."""
    first = str(config.expect_status[0])[:3] if config.expect_status else "200"
    empty: dict[str, Any] = {"json": {}, "text": "", "file": empty_file(config.url)}
    return {"status": int(first), "headers": {}, "body": empty[config.response], "elapsed_ms": 0}


@node(
    "api-integration",
    title="Call an API",
    config=Config,
    effect=Effect.KEYED,
    check=check,
    sample=sample,
    narrows=lambda config: Effect.REPEATABLE if config.method in _SAFE else Effect.KEYED,
)
def run(config: Config, step: Step) -> Outcome:
    """Calls an HTTP address and hands on status, headers and body."""
    body, media_type = (b"", "") if config.body is None else encoded(config.body, config.body_type, step)
    call = HttpCall(
        key=step.key,
        method=config.method,
        url=config.url.strip(),
        query=config.query,
        headers=_headers(config, media_type),
        body=body,
    )
    port = step.ports.connections.http(config.connection_id) if config.connection_id else step.ports.http
    if config.pagination:
        return _pages(config, config.pagination, step, port, call)
    return _outcome(config, port.call(call, timeout=step.timeout), step)


def _pages(config: Config, how: Pagination, step: Step, port: HttpPort, call: HttpCall) -> Outcome:
    """One page after the other, within the step's time; `truncated` says that there were more."""
    deadline = time.monotonic() + step.timeout
    items: list[Any] = []
    size, elapsed = 0, 0.0
    for number in range(1, how.max_pages + 1):
        answer = port.call(call, timeout=max(0.1, deadline - time.monotonic()))
        outcome = _outcome(config, answer, step)
        if isinstance(outcome, Failed):
            return Failed(outcome.code, f"Page {number}: {outcome.message}", {**outcome.details, "page": number})
        page = outcome.output
        found = items_of(page["body"], how.items)
        if found is None:
            return Failed(
                "rejected", f"Page {number} of {_place(config)} holds no list at {how.items or 'its usual places'}."
            )
        size, elapsed = size + len(answer.body), elapsed + answer.elapsed_ms
        following = next_page(how, call.url, call.query, page["headers"], page["body"])
        if size > MAX_PAGES_BYTES and items:
            return _all(page, items, number - 1, elapsed, truncated=True)
        items += found
        if following is None:
            return _all(page, items, number, elapsed, truncated=False)
        if not _same_origin(call.url, following[0]):
            return Failed(
                "rejected",
                f"Page {number} of {_place(config)} names a next page at another place; it was not followed.",
            )
        call = replace(call, url=following[0], query=following[1])
    return _all(page, items, how.max_pages, elapsed, truncated=True)


def _all(last: dict[str, Any], items: list[Any], pages: int, elapsed: float, *, truncated: bool) -> Done:
    return Done({**last, "body": items, "elapsed_ms": round(elapsed), "pages": pages, "truncated": truncated})


def _same_origin(url: str, other: str) -> bool:
    """A path stays where its connection is, which checks whole addresses itself."""
    if not _is_address(url):
        return True
    one, two = urlsplit(url), urlsplit(other)
    return (one.scheme, one.netloc) == (two.scheme, two.netloc)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # An IPv6 address that is not closed.
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def _headers(config: Config, media_type: str) -> dict[str, str]:
    """The given headers; the media type belongs to the body unless one is given. That of multipart names its boundary."""
    ours = config.body_type == "multipart" and config.body is not None
    given = {
        name: each.secret if isinstance(each, Secret) else each
        for name, each in config.headers.items()
        if not (ours and name.lower() == "content-type")
    }
    if media_type and not any(name.lower() == "content-type" for name in given):
        given["Content-Type"] = media_type
    return given


def _outcome(config: Config, answer: HttpAnswer, step: Step) -> Done | Failed:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if not _is_expected(answer.status, config.expect_status):
        return _unexpected(config, answer, headers)
    try:
        body = _body(config, answer, headers, step)
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


def _body(config: Config, answer: HttpAnswer, headers: Mapping[str, str], step: Step) -> Any:
    if config.response == "file":
        return kept(answer.body, headers, config.url.strip(), step)
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
    return f"{config.method} {urlsplit(config.url.strip()).hostname or 'of the connection'}"
