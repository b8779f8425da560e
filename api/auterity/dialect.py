"""The `auterity` dialect (000 and 001) as data, and the base class of its views."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from api.auterity.bodies.errors import ErrorBody
from api.auterity.editions import CODES, DEFAULT, EDITIONS, Edition, edition_for_errors, edition_of
from api.base import DialectView
from api.dialect import DIALECTS, Dialect, Header, Worded, Wording
from api.parsers import JsonParser, JsonRenderer, VendorJsonParser, VendorJsonRenderer
from auterity.kernel.errors import DomainError, Kind


def _say(request: HttpRequest, error: DomainError, wording: Wording) -> Worded:
    return edition_for_errors(request).say(request, error, wording)


AUTERITY = DIALECTS.add(
    Dialect(
        name="auterity",
        prefixes=("/api", "/ws", "/docs", "/redoc", "/openapi.json"),
        slugs={
            "account_inactive": Wording(400, "ACCOUNT_INACTIVE"),
            "body_too_large": Wording(413, "VALIDATION_ERROR"),
            "crashed": Wording(500, "INTERNAL_SERVER_ERROR"),
            "email_taken": Wording(400, "VALIDATION_ERROR"),
            "execution_ended": Wording(409, "WORKFLOW_CONFLICT"),
            "execution_not_found": Wording(404, "EXECUTION_NOT_FOUND"),
            "file_not_found": Wording(404, "RESOURCE_NOT_FOUND"),
            "file_refused": Wording(415, "VALIDATION_ERROR"),
            "file_too_large": Wording(413, "VALIDATION_ERROR"),
            "method_not_allowed": Wording(405, "VALIDATION_ERROR"),
            "not_acceptable": Wording(406, "VALIDATION_ERROR"),
            "revision_conflict": Wording(409, "WORKFLOW_CONFLICT"),
            "storage_full": Wording(413, "VALIDATION_ERROR"),
            "template_not_found": Wording(404, "TEMPLATE_NOT_FOUND"),
            "token_expired": Wording(401, "TOKEN_EXPIRED"),
            "unsupported_media_type": Wording(415, "VALIDATION_ERROR"),
            "workflow_busy": Wording(409, "WORKFLOW_CONFLICT"),
            "workflow_not_found": Wording(404, "WORKFLOW_NOT_FOUND"),
            "workflow_version_not_found": Wording(404, "WORKFLOW_NOT_FOUND"),
            "workflow_not_published": Wording(400, "WORKFLOW_EXECUTION_FAILED"),
            "workflow_tests_failed": Wording(409, "WORKFLOW_CONFLICT"),
            "workflow_not_runnable": Wording(400, "WORKFLOW_EXECUTION_FAILED"),
        },
        kinds={
            Kind.INVALID: Wording(400, "VALIDATION_ERROR"),
            Kind.UNAUTHENTICATED: Wording(401, "INVALID_CREDENTIALS"),
            Kind.FORBIDDEN: Wording(403, "INSUFFICIENT_PERMISSIONS"),
            Kind.NOT_FOUND: Wording(404, "RESOURCE_NOT_FOUND"),
            Kind.CONFLICT: Wording(409, "RESOURCE_CONFLICT"),
            Kind.LIMITED: Wording(429, "RATE_LIMIT_EXCEEDED"),
            Kind.UNAVAILABLE: Wording(503, "SERVICE_UNAVAILABLE"),
        },
        say=_say,
        access_seconds=1800,
        error_body=ErrorBody,
        codes=CODES,
        headers=(
            Header("API-Version", "The edition of this API to answer as.", tuple(sorted(EDITIONS)), DEFAULT.name),
        ),
    )
)


class AuterityView(DialectView):
    """A view of 000 and 001: honours `API-Version` and the vendor media type (000, Version Headers)."""

    dialect = AUTERITY
    renderer_classes = [JsonRenderer, VendorJsonRenderer]
    parser_classes = [JsonParser, VendorJsonParser]
    edition: Edition

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.edition = edition_of(request)
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        edition = getattr(self, "edition", None)
        if edition is not None and response.status_code < 400 and isinstance(response, Response):
            response.data = edition.answer(response.data)
            response["API-Version"] = edition.name
            response["Vary"] = "API-Version, Accept"
        return super().finalize_response(request, response, *args, **kwargs)
