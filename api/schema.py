"""The OpenAPI document, from what the operations declare: bodies and queries are pydantic models, refusals are error classes.

A view class knows its dialect, so the statuses and codes of an operation's refusals come from the same table that words them.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import BaseModel

from accounts.errors import NotAuthenticated, TokenExpired, TokenInvalid
from api.dialect import Dialect
from api.problems import BodyTooLarge, IdempotencyMismatch, MalformedBody, UnsupportedMediaType
from auterity.kernel.errors import DomainError, InvalidInput

_TYPES: dict[str, Any] = {
    "integer": OpenApiTypes.INT,
    "number": OpenApiTypes.NUMBER,
    "boolean": OpenApiTypes.BOOL,
    "string": OpenApiTypes.STR,
}
_STATUS_TEXT = {200: "OK", 201: "Created", 202: "Accepted", 204: "No content", 206: "A part", 304: "Not changed"}
_BYTES = "application/octet-stream"
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


def document(view: type, dialect: Dialect, *, public: bool) -> None:
    """Describe every operation that a view class declares itself. A method under two verbs is described twice."""
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
        setattr(view, verb, extend_schema(**_documentation(declared, name, dialect, public=public))(_separate(method)))


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


def _documentation(declared: Operation, name: str, dialect: Dialect, *, public: bool) -> dict[str, Any]:
    """The arguments of `extend_schema` for one operation."""
    return {
        "operation_id": name,
        "tags": [declared.tag],
        "summary": declared.summary,
        "description": declared.description,
        "request": declared.body,
        "parameters": [*_parameters(declared.query), *_headers(declared, dialect)],
        "responses": {**_answers(declared.answers), **_refusals(declared, dialect, public=public)},
    }


def _answers(answers: dict[int, Any]) -> dict[Any, OpenApiResponse]:
    """By status; bytes by status and media type."""
    return {
        (status, _BYTES) if model is bytes else status: OpenApiResponse(
            OpenApiTypes.BINARY if model is bytes else model, description=_STATUS_TEXT.get(status, "Done")
        )
        for status, model in sorted(answers.items())
    }


def _refusals(declared: Operation, dialect: Dialect, *, public: bool) -> dict[int, OpenApiResponse]:
    """By status, each with the codes it comes with and what they mean."""
    lines: dict[int, dict[str, None]] = defaultdict(dict)
    for error in (*_implied(declared, public=public), *declared.raises):
        wording = dialect.wording(error)
        lines[wording.status][f"- `{dialect.codes.get(wording.code, wording.code)}` {error.sentence}"] = None
    return {
        status: OpenApiResponse(dialect.error_body, description="\n".join(lines[status])) for status in sorted(lines)
    }


def _implied(declared: Operation, *, public: bool) -> Iterator[type[DomainError]]:
    """What the door refuses before the operation is asked."""
    if not public:
        yield from (NotAuthenticated, TokenInvalid, TokenExpired)
    if declared.body is not None:
        yield from (MalformedBody, InvalidInput, BodyTooLarge, UnsupportedMediaType)
    if declared.query is not None:
        yield InvalidInput
    if declared.creates:
        yield IdempotencyMismatch


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


def _parameters(query: type[BaseModel] | None) -> list[OpenApiParameter]:
    if query is None:
        return []
    described = query.model_json_schema()
    required = set(described.get("required", []))
    return [
        OpenApiParameter(
            name,
            _type(variant),
            OpenApiParameter.QUERY,
            required=name in required,
            description=field.get("description", ""),
            enum=variant.get("enum"),
            default=field.get("default"),
        )
        for name, field in described.get("properties", {}).items()
        for variant in [_variant(field, described.get("$defs", {}))]
    ]


def _variant(field: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """A field's own schema without "or null", looked up when it is a named type."""
    first = next(each for each in field.get("anyOf", [field]) if each.get("type") != "null")
    return named[first["$ref"].rpartition("/")[2]] if "$ref" in first else first


def _type(variant: dict[str, Any]) -> Any:
    if variant.get("format") == "uuid":
        return OpenApiTypes.UUID
    if variant.get("format") == "date-time":
        return OpenApiTypes.DATETIME
    return _TYPES.get(variant.get("type", "string"), OpenApiTypes.STR)


def described_by(method: Callable[..., Any], description: str) -> str:
    """An operation's description: the one given, else the method's docstring."""
    return description or inspect.getdoc(method) or ""


class BearerScheme(OpenApiAuthenticationExtension):
    """How the document says `Authorization: Bearer`."""

    target_class = "api.base.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
