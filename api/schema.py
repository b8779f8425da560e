"""The OpenAPI document, from what the operations declare: bodies and queries are pydantic models, refusals are error classes.

A view class knows its dialect, so the statuses and codes of an operation's refusals come from the same table that words them.
Working that out for every operation takes a second, so it waits until a document is asked for: no server pays for it.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from threading import Lock
from typing import Any

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import BaseModel

from accounts.errors import NotAuthenticated, TokenExpired, TokenInvalid
from api.dialect import Dialect
from api.examples import MOMENT
from api.fields import PARAMETER, Choosable
from api.needs import PERSON, Needs, written
from api.problems import (
    BodyTooLarge,
    Crashed,
    IdempotencyMismatch,
    MalformedBody,
    NotAcceptable,
    UnknownEdition,
    UnsupportedMediaType,
)
from api.throttling import RateLimited
from auterity.kernel.access import Permission, Scope
from auterity.kernel.errors import (
    DomainError,
    FieldProblem,
    InvalidInput,
    PermissionDenied,
    ScopeDenied,
    TemporarilyUnavailable,
)

# What any operation may answer, whatever it does.
DOOR: Sequence[type[DomainError]] = (UnknownEdition, NotAcceptable, RateLimited, TemporarilyUnavailable, Crashed)
TAGS: dict[tuple[str, str], str] = {}  # a dialect's name and a tag of it, and the module whose views have it

# What a refusal's `details` hold, where its class does not know them.
_DETAILS: Mapping[str, Mapping[str, Any]] = {
    "token_expired": {"expired_at": "2025-08-08T10:00:00Z"},
    "ai_unavailable": {"provider": "openai", "retry_after": 300},
}
_SHOWN_REQUEST_ID = "abc123-def456-ghi789"
_STATUS_TEXT = {200: "OK", 201: "Created", 202: "Accepted", 204: "No content", 206: "A part", 304: "Not changed"}
_MEDIA: Mapping[Any, tuple[str, Any]] = {
    bytes: ("*/*", OpenApiTypes.BINARY),  # the type that the bytes were stored with
    str: ("text/plain", OpenApiTypes.STR),
}
_COLLECTION_VERBS = {"get": "list", "post": "create"}
_ITEM_VERBS = {"get": "get", "put": "update", "patch": "patch", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a view method declares about itself (`api.base.operation`)."""

    summary: str
    description: str
    answers: dict[int, Any]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    raises: Sequence[type[DomainError]]
    creates: bool
    id: str
    tag: str
    choosable: Choosable | None = None
    conditional: bool = False
    needs: Needs | None = None


_waiting: list[Callable[[], None]] = []
_one_describes = Lock()


def describe(endpoints: Any) -> Any:
    """drf-spectacular's hook before it makes a document: what the views declared is worked out now, once in a process."""
    with _one_describes:
        while _waiting:
            _waiting.pop()()
    return endpoints


def document(view: Any, dialect: Dialect, *, public: bool) -> None:
    """Note every operation that a view class declares itself, for `describe`. A method under two verbs is described twice."""
    described: set[str] = set()
    for verb in ("get", "post", "put", "patch", "delete"):
        method = vars(view).get(verb)
        declared: Operation | None = getattr(method, "operation", None)
        if method is None or declared is None:
            continue
        name = declared.id or _operation_id(view.__name__, verb)
        if name in described:
            name = f"{name.rsplit('_', 1)[0]}_{verb}"
        described.add(name)
        TAGS[dialect.name, declared.tag] = method.__module__
        separate = _separate(method)
        separate.operation = declared  # type: ignore[attr-defined]
        setattr(view, verb, separate)
        about = partial(_documentation, declared, name, verb, dialect, public=public, sent=view.documented)
        _waiting.append(partial(_extend, separate, about))


def _extend(method: Callable[..., Any], about: Callable[[], dict[str, Any]]) -> None:
    extend_schema(**about())(method)


def _separate(method: Callable[..., Any]) -> Callable[..., Any]:
    """A function of its own for each verb, because the description is kept on the function."""

    @wraps(method, updated=())
    def handle(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return handle


def _operation_id(view: str, verb: str) -> str:
    """`WorkflowsView.post` is workflow_create, `WorkflowView.get` workflow_get, `CancelView.post` cancel."""
    noun = re.sub(r"(?<!^)(?=[A-Z])", "_", view.removesuffix("View")).lower()
    if noun.endswith("s") and verb in _COLLECTION_VERBS:
        return f"{noun.removesuffix('s')}_{_COLLECTION_VERBS[verb]}"
    return f"{noun}_{_ITEM_VERBS[verb]}" if verb in _ITEM_VERBS else noun


def _documentation(
    declared: Operation, name: str, verb: str, dialect: Dialect, *, public: bool, sent: Callable[[Any], Any]
) -> dict[str, Any]:
    """The arguments of `extend_schema` for one operation; `sent` is how its dialect sends a shape."""
    answers = {status: sent(model) for status, model in declared.answers.items()}
    return {
        "operation_id": name,
        "tags": [declared.tag],
        "summary": declared.summary,
        "description": declared.description,
        "request": declared.body,
        "parameters": [*_parameters(declared.query), *_chosen(declared, verb), *_headers(declared, dialect)],
        "extensions": {"x-permission": written(declared.needs)} if declared.needs is not None else {},
        "responses": _answers(answers) | _but(_refusals(declared, dialect, public=public), declared.answers),
    }


def _but(refusals: dict[int, OpenApiResponse], answers: dict[int, Any]) -> dict[Any, OpenApiResponse]:
    """Where an operation answers a refusal's status with a body of its own, such as that it is not well, that body is said."""
    return {status: refusal for status, refusal in refusals.items() if status not in answers}


def _answers(answers: dict[int, Any]) -> dict[Any, OpenApiResponse]:
    """By status; bytes and text by status and media type."""
    return {
        (status, _MEDIA[model][0]) if model in _MEDIA else status: OpenApiResponse(
            _MEDIA[model][1] if model in _MEDIA else model, description=_STATUS_TEXT.get(status, "Done")
        )
        for status, model in sorted(answers.items())
    }


def _refusals(declared: Operation, dialect: Dialect, *, public: bool) -> dict[int, OpenApiResponse]:
    """By status, each with the codes it comes with, what they mean, and how each looks."""
    lines: dict[int, dict[str, None]] = defaultdict(dict)
    shown: dict[int, dict[str, OpenApiExample]] = defaultdict(dict)
    for error in (*_implied(declared, public=public), *declared.raises):
        wording = dialect.wording(error)
        for status, edition, body in _looks(error, dialect):
            code = dialect.codes.get(wording.code, wording.code)
            lines[status][f"- `{code}` {error.sentence}{edition and f' With {edition}.'}"] = None
            example = OpenApiExample(code, value=body, response_only=True, summary=error.sentence)
            shown[status].setdefault(code, example)
    return {
        status: OpenApiResponse(
            dialect.error_body, description="\n".join(lines[status]), examples=list(shown[status].values())
        )
        for status in sorted(lines)
    }


def _looks(error: type[DomainError], dialect: Dialect) -> Iterator[tuple[int, str, Any]]:
    """An error as it is answered by default, and where a header's choice gives it another status: that choice and the answer."""
    plain = dialect.word(_asked(), _sample(error))
    yield plain.status, "", _at_one_time(plain.body)
    seen = {plain.status}
    for header in dialect.headers:
        for choice in header.choices:
            worded = dialect.word(_asked(header.name, choice), _sample(error))
            if worded.status not in seen:
                seen.add(worded.status)
                yield worded.status, f"`{header.name}: {choice}`", _at_one_time(worded.body)


def _asked(header: str = "", value: str = "") -> HttpRequest:
    request = HttpRequest()
    request.request_id = _SHOWN_REQUEST_ID  # type: ignore[attr-defined]
    if header:
        request.META[f"HTTP_{header.upper().replace('-', '_')}"] = value
    return request


def _sample(error: type[DomainError]) -> DomainError:
    """One of its kind with the class's own sentence, however it is built when it is raised."""
    made = error.__new__(error)
    DomainError.__init__(made, **_DETAILS.get(error.slug, {}))
    if isinstance(made, InvalidInput):
        made.problems = [FieldProblem("name", "This field is required.", "required")]
    return made


def _at_one_time(body: Any) -> Any:
    """The same document comes out every time."""
    if not isinstance(body, dict):
        return body
    return {name: MOMENT if name == "timestamp" else _at_one_time(value) for name, value in body.items()}


def _implied(declared: Operation, *, public: bool) -> Iterator[type[DomainError]]:
    """What the door refuses before the operation is asked."""
    if not public:
        yield from (NotAuthenticated, TokenInvalid, TokenExpired)
    asked = declared.needs if isinstance(declared.needs, tuple) else (declared.needs,)
    if any(isinstance(each, Permission) or each is PERSON for each in asked):
        yield PermissionDenied
    if any(isinstance(each, Scope) for each in asked):
        yield ScopeDenied
    if declared.body is not None:
        yield from (MalformedBody, InvalidInput, BodyTooLarge, UnsupportedMediaType)
    if declared.query is not None or declared.choosable is not None:
        yield InvalidInput
    if declared.creates:
        yield from (InvalidInput, IdempotencyMismatch)
    yield from DOOR


def _headers(declared: Operation, dialect: Dialect) -> Iterable[OpenApiParameter]:
    for header in dialect.headers:
        yield OpenApiParameter(
            header.name,
            OpenApiTypes.STR,
            OpenApiParameter.HEADER,
            description=header.meaning,
            enum=list(header.choices) or None,
            default=header.default or None,
        )
    if declared.creates:
        yield OpenApiParameter(
            "Idempotency-Key",
            OpenApiTypes.STR,
            OpenApiParameter.HEADER,
            description="The same key and body within 24 hours get the first answer and create nothing.",
        )
    if declared.conditional:
        yield OpenApiParameter(
            "If-Match",
            OpenApiTypes.STR,
            OpenApiParameter.HEADER,
            description="The ETag that the GET answered, or the version in quotes. Refused with 412 once there is a newer one.",
        )


def _chosen(declared: Operation, verb: str) -> list[OpenApiParameter]:
    """`?fields=` of a GET that answers an object or a list."""
    if verb != "get" or declared.choosable is None:
        return []
    names = ", ".join(f"`{each}`" for each in declared.choosable.names)
    of = "each item" if declared.choosable.bare or declared.choosable.items else "the answer"
    about = f"A comma list of the keys that {of} is to have; without it, all: {names}."
    return [OpenApiParameter(PARAMETER, OpenApiTypes.STR, OpenApiParameter.QUERY, description=about)]


def _parameters(query: type[BaseModel] | None) -> list[OpenApiParameter]:
    """A query's parameters with all that the model asks of them."""
    if query is None:
        return []
    described = query.model_json_schema()
    required = set(described.get("required", []))
    return [
        OpenApiParameter(
            name,
            _bare(field, described.get("$defs", {})),
            OpenApiParameter.QUERY,
            required=name in required,
            description=field.get("description", ""),
            default=field.get("default"),
        )
        for name, field in described.get("properties", {}).items()
    ]


def _bare(field: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """A field's own schema without "or null", looked up when it is a named type."""
    first = next(each for each in field.get("anyOf", [field]) if each.get("type") != "null")
    schema = named[first["$ref"].rpartition("/")[2]] if "$ref" in first else first
    return {name: value for name, value in schema.items() if name not in ("title", "description", "default")}


def described_by(method: Callable[..., Any], description: str) -> str:
    """An operation's description: the one given, else the method's docstring."""
    return description or inspect.getdoc(method) or ""


class BearerScheme(OpenApiAuthenticationExtension):
    """How the document says `Authorization: Bearer` and `X-API-Key`."""

    target_class = "api.base.BearerAuthentication"
    name = ["bearer", "apiKey"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An access token of `/api/auth/login`, good for half an hour; or an API key.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-Key",
                "description": "An API key of the organization. It opens no operation whose `x-permission` has `person`.",
            },
        ]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{"bearer": []}, {"apiKey": []}]
