"""The editions of the `auterity` dialect (contract README, `API-Version`). Each is its difference from the newest.

An edition decides how errors are worded, how long a page is by default, and what older clients expect in an answer. It is applied
at the edge; services never see it. Requests need no such difference: the newest takes every older edition's body.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date

from api.dialect import Worded, Wording
from api.problems import UnknownEdition
from auterity.kernel.errors import DomainError, InvalidInput

# 000, "Standard error codes": each name and the code it has on the wire. The names of the lower half are ours.
CODES: Mapping[str, str] = {
    "INVALID_CREDENTIALS": "AUTH_001",
    "TOKEN_EXPIRED": "AUTH_002",
    "INSUFFICIENT_PERMISSIONS": "AUTH_003",
    "VALIDATION_ERROR": "VAL_001",
    "REQUIRED_FIELD_MISSING": "VAL_002",
    "INVALID_FORMAT": "VAL_003",
    "WORKFLOW_NOT_FOUND": "WF_001",
    "WORKFLOW_EXECUTION_FAILED": "WF_002",
    "TEMPLATE_NOT_FOUND": "TPL_001",
    "AI_SERVICE_UNAVAILABLE": "AI_001",
    "AI_QUOTA_EXCEEDED": "AI_002",
    "DMS_CONNECTION_FAILED": "DMS_001",
    "INTERNAL_SERVER_ERROR": "SYS_001",
    "SERVICE_UNAVAILABLE": "SYS_002",
    "RATE_LIMIT_EXCEEDED": "SYS_003",
    "ACCOUNT_INACTIVE": "AUTH_004",
    "EXECUTION_NOT_FOUND": "WF_003",
    "WORKFLOW_CONFLICT": "WF_004",
    "RESOURCE_NOT_FOUND": "RES_001",
    "RESOURCE_CONFLICT": "RES_002",
}


class Edition:
    """2025-08-08, the newest: document 001's answers."""

    name: ClassVar[str] = "2025-08-08"
    page_size: ClassVar[int] = 10
    validation_status: ClassVar[int] = 422
    instantiate_status: ClassVar[int] = 200
    deprecated_at: ClassVar[dt.datetime | None] = None
    ends_at: ClassVar[dt.datetime | None] = None

    def dress(self, response: HttpResponseBase) -> None:
        """The headers of every answer, whoever made it. Those of a deprecated edition are RFC 9745's and RFC 8594's."""
        response["API-Version"] = self.name
        patch_vary_headers(response, ("API-Version", "Accept"))
        if self.deprecated_at is not None and self.ends_at is not None:
            response["Deprecation"] = f"@{int(self.deprecated_at.timestamp())}"
            response["Sunset"] = http_date(self.ends_at.timestamp())
            response["Link"] = f'<{GUIDE}>; rel="deprecation"; type="text/html"'

    def say(self, request: HttpRequest, error: DomainError, wording: Wording) -> Worded:
        """The error envelope. `trace_id` (000) and `request_id` (001) are one value."""
        request_id = getattr(request, "request_id", "")
        body: dict[str, Any] = {"code": self.code(error, wording), "message": self.message(error)}
        details = self.details(error)
        if details:
            body["details"] = details
        body |= {"trace_id": request_id, "request_id": request_id, "timestamp": _now()}
        status = self.validation_status if isinstance(error, InvalidInput) else wording.status
        return Worded(status, {"error": body})

    def code(self, error: DomainError, wording: Wording) -> str:
        return wording.code

    def message(self, error: DomainError) -> str:
        return "Request validation failed" if type(error) is InvalidInput else error.message

    def details(self, error: DomainError) -> Any:
        if isinstance(error, InvalidInput):
            return [problem.as_dict() for problem in error.problems]
        return [each for name, value in error.details.items() for each in _listed(name, value)]

    def answer(self, body: Any) -> Any:
        """What this edition's clients expect of a successful answer."""
        return body


class January2024(Edition):
    """2024-01-15, the default: document 000's answers."""

    name = "2024-01-15"
    page_size = 20
    validation_status = 400
    instantiate_status = 201

    def code(self, error: DomainError, wording: Wording) -> str:
        if isinstance(error, InvalidInput) and error.problems:
            kind = error.problems[0].code
            return {"required": "VAL_002", "format": "VAL_003"}.get(kind, "VAL_001")
        return CODES[wording.code]

    def message(self, error: DomainError) -> str:
        return error.message

    def details(self, error: DomainError) -> Any:
        """An object; with several problems the first one is spelled out and all of them are listed."""
        if isinstance(error, InvalidInput) and error.problems:
            first = error.problems[0]
            return {
                "field": first.field,
                "reason": first.message,
                "problems": [{"field": each.field, "reason": each.message} for each in error.problems],
            }
        return error.details


class December2023(January2024):
    """2023-12-01, legacy and deprecated: the graph only inside `definition`, `result` for `output_data`, flat errors."""

    name = "2023-12-01"
    deprecated_at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    ends_at = dt.datetime(2028, 1, 1, tzinfo=dt.UTC)  # At least 12 months later (002, 7.2).

    def say(self, request: HttpRequest, error: DomainError, wording: Wording) -> Worded:
        worded = super().say(request, error, wording)
        flat = {"error": worded.body["error"]["message"], "code": worded.body["error"]["code"]}
        return Worded(worded.status, flat, worded.headers)

    def answer(self, body: Any) -> Any:
        if isinstance(body, list):
            return [self.answer(each) for each in body]
        if not isinstance(body, dict):
            return body
        old = {name: self.answer(value) if name in _NESTED else value for name, value in body.items()}
        if "definition" in old:
            old.pop("nodes", None)
            old.pop("edges", None)
        if "output_data" in old:
            old["result"] = old.pop("output_data")
        return old


# Where an answer holds whole workflows, executions or templates.
_NESTED = frozenset({"workflow", "workflows", "execution", "executions", "template", "templates"})


def _listed(name: str, value: Any) -> list[dict[str, str]]:
    """A detail as 001 lists it; one that is a list of problems already is taken as it is."""
    if isinstance(value, list) and all(isinstance(each, dict) and "field" in each for each in value):
        return [{"field": str(each["field"]), "message": str(each.get("message", ""))} for each in value]
    return [{"field": name, "message": str(value)}]


GUIDE = "/docs"  # The description of the API begins with the editions and how to leave an old one.
EDITIONS: Mapping[str, Edition] = {each.name: each for each in (Edition(), January2024(), December2023())}


def default_edition() -> Edition:
    """What a request is answered in that names no edition. Raises `ImproperlyConfigured` where the setting names none of ours."""
    try:
        return EDITIONS[settings.PLATFORM_DEFAULT_VERSION]
    except KeyError:
        raise ImproperlyConfigured(f"PLATFORM_DEFAULT_VERSION must be one of {', '.join(sorted(EDITIONS))}.") from None


def edition_of(request: HttpRequest) -> Edition:
    """The edition a request asks for. Raises `UnknownEdition` naming the known ones."""
    asked = request.headers.get("API-Version")
    if asked is None:
        return default_edition()
    asked = asked.strip()
    try:
        return EDITIONS[asked]
    except KeyError:
        raise UnknownEdition(
            f"API-Version '{asked[:40]}' is not known; known are {', '.join(sorted(EDITIONS))}."
        ) from None


def edition_for_errors(request: HttpRequest) -> Edition:
    """The same, but an unknown edition gets the default's wording: an error must be said somehow."""
    return EDITIONS.get(request.headers.get("API-Version", "").strip()) or default_edition()


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
