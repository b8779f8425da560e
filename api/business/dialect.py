"""The `business` dialect (004) as data, and the base class of its views. Its addresses are the ones that 004 documents."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.errors import MfaRequired
from api.base import DialectView
from api.business.bodies.errors import BusinessRefusal
from api.business.limits import LIMITS
from api.dialect import DIALECTS, Dialect, Worded, Wording, challenge
from api.workflow_engine import refusals
from api.workflow_engine.dialect import RATE_HEADERS, WORKFLOW_ENGINE
from auterity.kernel.errors import DomainError, InvalidInput, Kind

INVALID = Wording(422, "ERR_422_VALIDATION")


def _say(request: HttpRequest, error: DomainError, wording: Wording) -> Worded:
    """004's `detail`, in the body that clients of 003 read too; `errors` lists the fields of a 422."""
    if isinstance(error, MfaRequired):
        return challenge(error)
    worded = refusals.say(request, error, wording)
    if isinstance(error, InvalidInput):
        worded.body["errors"] = [each.as_dict() for each in error.problems]
    return worded


BUSINESS = DIALECTS.add(
    Dialect(
        name="business",
        prefixes=(
            "/api/v1/auth/login",
            "/api/v1/auth/me",
            "/api/v1/auth/register",
            "/api/v1/chat/sessions",
            "/api/v1/integrations",
        ),
        slugs={
            **WORKFLOW_ENGINE.slugs,
            "account_locked": Wording(429, "ERR_429_ACCOUNT_LOCKED"),
            "email_taken": Wording(400, "ERR_400_TAKEN"),
            "malformed_body": Wording(400, "ERR_400_VALIDATION"),
            "password_mismatch": INVALID,
            "password_reused": INVALID,
            "password_weak": INVALID,
            "username_taken": Wording(400, "ERR_400_TAKEN"),
        },
        kinds={**WORKFLOW_ENGINE.kinds, Kind.INVALID: INVALID},
        say=_say,
        access_seconds=1800,
        error_body=BusinessRefusal,
        cookies=True,
        about=(
            "The API of 004. Answers are bare objects and lists; a refusal is `{detail}`, with `errors` for the fields of a 422, "
            "in one body with the other dialect of `/api/v1`."
        ),
        limits=LIMITS,
        answer_headers=RATE_HEADERS,
    )
)


class BusinessView(DialectView):
    """A view of 004."""

    dialect = BUSINESS
