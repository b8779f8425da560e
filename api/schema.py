"""The OpenAPI document, from what the operations declare: bodies and queries are pydantic models, refusals are error classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from pydantic import BaseModel

from auterity.kernel.errors import DomainError

_TYPES: dict[str, Any] = {
    "integer": OpenApiTypes.INT,
    "number": OpenApiTypes.NUMBER,
    "boolean": OpenApiTypes.BOOL,
    "string": OpenApiTypes.STR,
}


def documentation(
    method: Callable[..., Any],
    summary: str,
    description: str,
    body: type[BaseModel] | None,
    query: type[BaseModel] | None,
    answers: dict[int, Any],
    raises: Sequence[type[DomainError]],
    *,
    idempotent: bool,
) -> dict[str, Any]:
    """The arguments of `extend_schema` for one operation; the dialect's base class adds its errors (`document_errors`)."""
    parameters = _parameters(query)
    if idempotent:
        parameters.append(
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="The same key and body within 24 hours get the first answer and create nothing.",
            )
        )
    refusals = "\n".join(f"- {error.sentence}" for error in raises)
    text = "\n\n".join(
        part for part in (description or inspect.getdoc(method) or "", f"Refused when:\n{refusals}" if refusals else "") if part
    )
    return {
        "summary": summary,
        "description": text,
        "request": body,
        "parameters": parameters,
        "responses": {
            status: OpenApiResponse(model, description=_STATUS_TEXT.get(status, "Done"))
            if model is not None
            else OpenApiResponse(description=_STATUS_TEXT.get(status, "Done"))
            for status, model in answers.items()
        },
    }


_STATUS_TEXT = {200: "OK", 201: "Created", 202: "Accepted", 204: "No content"}


def _parameters(query: type[BaseModel] | None) -> list[OpenApiParameter]:
    if query is None:
        return []
    described = query.model_json_schema()
    required = set(described.get("required", []))
    return [
        OpenApiParameter(
            name,
            _type(field),
            OpenApiParameter.QUERY,
            required=name in required,
            description=field.get("description", ""),
            enum=_choices(field),
            default=field.get("default"),
        )
        for name, field in described.get("properties", {}).items()
    ]


def _variants(field: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]


def _type(field: dict[str, Any]) -> Any:
    first = _variants(field)[0]
    if first.get("format") == "uuid":
        return OpenApiTypes.UUID
    if first.get("format") == "date-time":
        return OpenApiTypes.DATETIME
    return _TYPES.get(first.get("type", "string"), OpenApiTypes.STR)


def _choices(field: dict[str, Any]) -> list[Any] | None:
    return _variants(field)[0].get("enum")


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the document says `Authorization: Bearer`."""

    target_class = "api.base.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
