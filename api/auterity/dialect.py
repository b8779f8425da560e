"""The `auterity` dialect (000 and 001) as data, and the base class of its views."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.errors import MfaRequired
from api.auterity.bodies.errors import ErrorBody
from api.auterity.editions import CODES, EDITIONS, Edition, default_edition, edition_for_errors, edition_of
from api.auterity.limits import LIMITS
from api.base import DialectView
from api.dialect import DIALECTS, AnswerHeader, Dialect, Header, Worded, Wording, challenge
from api.parsers import JsonParser, JsonRenderer, VendorJsonParser, VendorJsonRenderer
from auterity.kernel.errors import DomainError, Kind


def _say(request: HttpRequest, error: DomainError, wording: Wording) -> Worded:
    if isinstance(error, MfaRequired):
        return challenge(error)
    return edition_for_errors(request).say(request, error, wording)


def _dress(request: HttpRequest, response: HttpResponseBase) -> None:
    edition_for_errors(request).dress(response)


AUTERITY = DIALECTS.add(
    Dialect(
        name="auterity",
        prefixes=("/api", "/api/v1/health", "/ws", "/health", "/docs", "/redoc", "/openapi.json"),
        slugs={
            "account_inactive": Wording(400, "ACCOUNT_INACTIVE"),
            "ai_quota_exceeded": Wording(429, "AI_QUOTA_EXCEEDED"),
            "ai_unavailable": Wording(503, "AI_SERVICE_UNAVAILABLE"),
            "body_too_large": Wording(413, "VALIDATION_ERROR"),
            "crashed": Wording(500, "INTERNAL_SERVER_ERROR"),
            "dms_unavailable": Wording(503, "DMS_CONNECTION_FAILED"),
            "edit_conflict": Wording(409, "WORKFLOW_CONFLICT"),
            "email_taken": Wording(400, "VALIDATION_ERROR"),
            "execution_ended": Wording(409, "WORKFLOW_CONFLICT"),
            "execution_not_found": Wording(404, "EXECUTION_NOT_FOUND"),
            "file_not_found": Wording(404, "RESOURCE_NOT_FOUND"),
            "file_refused": Wording(415, "VALIDATION_ERROR"),
            "file_too_large": Wording(413, "VALIDATION_ERROR"),
            "method_not_allowed": Wording(405, "VALIDATION_ERROR"),
            "not_acceptable": Wording(406, "VALIDATION_ERROR"),
            "precondition_failed": Wording(412, "WORKFLOW_CONFLICT"),
            "nothing_to_undo": Wording(409, "WORKFLOW_CONFLICT"),
            "revision_conflict": Wording(409, "WORKFLOW_CONFLICT"),
            "storage_full": Wording(413, "VALIDATION_ERROR"),
            "template_not_found": Wording(404, "TEMPLATE_NOT_FOUND"),
            "template_version_not_found": Wording(404, "TEMPLATE_NOT_FOUND"),
            "token_expired": Wording(401, "TOKEN_EXPIRED"),
            "unsupported_media_type": Wording(415, "VALIDATION_ERROR"),
            "workflow_busy": Wording(409, "WORKFLOW_CONFLICT"),
            "workflow_not_found": Wording(404, "WORKFLOW_NOT_FOUND"),
            "workflow_version_not_found": Wording(404, "WORKFLOW_NOT_FOUND"),
            "workflow_not_published": Wording(400, "WORKFLOW_EXECUTION_FAILED"),
            "workflow_tests_failed": Wording(409, "WORKFLOW_CONFLICT"),
            "workflow_not_runnable": Wording(400, "WORKFLOW_EXECUTION_FAILED"),
            "provider_unavailable": Wording(502, "SERVICE_UNAVAILABLE"),
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
            Header(
                "API-Version", "The edition of this API to answer as.", tuple(sorted(EDITIONS)), default_edition().name
            ),
        ),
        limits=LIMITS,
        dress=_dress,
        media=(JsonRenderer.media_type, VendorJsonRenderer.media_type),
        answer_headers=(
            AnswerHeader(
                "API-Version",
                "The edition that answered.",
                {"type": "string", "enum": sorted(EDITIONS), "example": default_edition().name},
            ),
            AnswerHeader(
                "X-RateLimit-Limit",
                "Requests that the tightest limit allows in its window.",
                {"type": "integer", "minimum": 1},
            ),
            AnswerHeader("X-RateLimit-Remaining", "Requests left in the window.", {"type": "integer", "minimum": 0}),
            AnswerHeader("X-RateLimit-Reset", "When the limit is whole again, in Unix seconds.", {"type": "integer"}),
            AnswerHeader("X-RateLimit-Window", "The window's length in seconds.", {"type": "integer", "minimum": 1}),
        ),
    )
)


class AuterityView(DialectView):
    """A view of 000 and 001: honours `API-Version` and the vendor media type (000, Version Headers)."""

    dialect = AUTERITY
    json_types = True
    renderer_classes = [JsonRenderer, VendorJsonRenderer]
    parser_classes = [JsonParser, VendorJsonParser]
    edition: Edition

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.edition = edition_of(request)
        super().initial(request, *args, **kwargs)

    def shown(self, body: Any) -> Any:
        return self.edition.answer(body)
