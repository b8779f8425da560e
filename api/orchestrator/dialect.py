"""The `orchestrator` dialect (002) as data, and the base class of its views."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest

from accounts.errors import MfaRequired
from api.base import DialectView
from api.dialect import DIALECTS, Dialect, Worded, Wording, challenge
from api.orchestrator.bodies.errors import OrchestratorError
from api.orchestrator.limits import LIMITS
from api.workflow_engine.dialect import RATE_HEADERS
from auterity.kernel.errors import DomainError, InvalidInput, Kind


def _say(request: HttpRequest, error: DomainError, wording: Wording) -> Worded:
    """002, 3.1: `details` is a list of `{field, message}`."""
    if isinstance(error, MfaRequired):
        return challenge(error)
    if isinstance(error, InvalidInput):
        details = [each.as_dict() for each in error.problems]
    else:
        details = [{"field": name, "message": str(value)} for name, value in error.details.items()]
    reason = {
        "code": wording.code,
        "message": error.message,
        "details": details,
        "request_id": getattr(request, "request_id", ""),
        "timestamp": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return Worded(wording.status, {"error": reason})


ORCHESTRATOR = DIALECTS.add(
    Dialect(
        name="orchestrator",
        prefixes=("/v1",),
        slugs={
            "ai_unavailable": Wording(503, "AI_SERVICE_ERROR"),
            "ai_quota_exceeded": Wording(429, "QUOTA_EXCEEDED"),
            "body_too_large": Wording(413, "INVALID_REQUEST"),
            "crashed": Wording(500, "INTERNAL_ERROR"),
            "dms_unavailable": Wording(503, "INTEGRATION_ERROR"),
            "file_refused": Wording(415, "INVALID_REQUEST"),
            "file_too_large": Wording(413, "INVALID_REQUEST"),
            "malformed_body": Wording(400, "INVALID_REQUEST"),
            "method_not_allowed": Wording(405, "INVALID_REQUEST"),
            "no_pending_setup": Wording(409, "CONFLICT"),
            "not_acceptable": Wording(406, "INVALID_REQUEST"),
            "precondition_failed": Wording(412, "CONFLICT"),
            "quota_exceeded": Wording(429, "QUOTA_EXCEEDED"),
            "storage_full": Wording(413, "QUOTA_EXCEEDED"),
            "unsupported_media_type": Wording(415, "INVALID_REQUEST"),
        },
        kinds={
            Kind.INVALID: Wording(422, "VALIDATION_ERROR"),
            Kind.UNAUTHENTICATED: Wording(401, "AUTHENTICATION_REQUIRED"),
            Kind.FORBIDDEN: Wording(403, "INSUFFICIENT_PERMISSIONS"),
            Kind.NOT_FOUND: Wording(404, "RESOURCE_NOT_FOUND"),
            Kind.CONFLICT: Wording(409, "CONFLICT"),
            Kind.LIMITED: Wording(429, "RATE_LIMIT_EXCEEDED"),
            Kind.UNAVAILABLE: Wording(503, "SERVICE_UNAVAILABLE"),
        },
        say=_say,
        access_seconds=86_400,
        error_body=OrchestratorError,
        about=(
            "The API of 002. Answers are bare objects, lists `{data, pagination}`; a refusal is "
            "`{error: {code, message, details, request_id, timestamp}}`."
        ),
        limits=LIMITS,
        answer_headers=RATE_HEADERS,
    )
)


class OrchestratorView(DialectView):
    """A view of 002."""

    dialect = ORCHESTRATOR
