"""The `workflow_engine` dialect (003) as data, and the base class of its views."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, create_model

from api.base import DialectView
from api.dialect import DIALECTS, AnswerHeader, Dialect, Wording
from api.workflow_engine.bodies.errors import Refusal
from api.workflow_engine.limits import LIMITS
from api.workflow_engine.pages import Listing
from api.workflow_engine.refusals import say
from auterity.kernel.errors import Kind

RATE_HEADERS = (
    AnswerHeader(
        "X-RateLimit-Limit",
        "Requests that the tightest limit allows in its window.",
        {"type": "integer", "minimum": 1},
    ),
    AnswerHeader("X-RateLimit-Remaining", "Requests left in the window.", {"type": "integer", "minimum": 0}),
    AnswerHeader("X-RateLimit-Reset", "When the limit is whole again, in Unix seconds.", {"type": "integer"}),
    AnswerHeader("X-RateLimit-Window", "The window's length in seconds.", {"type": "integer", "minimum": 1}),
)

ABOUT = (
    "The API of 003. Answers are `{success, data, message}`, lists with `pagination` beside `data`; refusals are "
    "`{success, error: {code, message, details}, detail}`.\n\n"
    "**Browsers.** A login that is asked for with `X-Session-Cookies: on` sets HttpOnly cookies instead of telling its tokens. "
    "Whoever is known by cookie sends `X-CSRF-TOKEN` (from `GET /api/v1/auth/csrf-token`) with every POST, PUT, PATCH and "
    "DELETE; with a bearer token it may be left out.\n\n"
    "**Limits.** 100 requests a minute, 5 for logins, 10 for uploads; 429 says in `Retry-After` how many seconds to wait."
)

WORKFLOW_ENGINE = DIALECTS.add(
    Dialect(
        name="workflow_engine",
        prefixes=("/api/v1", "/native", "/public", "/api/enterprise-security"),
        slugs={
            "account_inactive": Wording(403, "ERR_403_ACCOUNT_INACTIVE"),
            "account_locked": Wording(403, "ERR_403_ACCOUNT_LOCKED"),
            "address_not_allowed": Wording(403, "ERR_403_NETWORK"),
            "address_unverified": Wording(403, "ERR_403_EMAIL_UNVERIFIED"),
            "alert_channel_refused": Wording(400, "ERR_400_CHANNEL"),
            "ai_quota_exceeded": Wording(429, "ERR_429_QUOTA"),
            "assertion_invalid": Wording(401, "ERR_401_ASSERTION_INVALID"),
            "attestation_invalid": Wording(400, "ERR_400_ATTESTATION_INVALID"),
            "body_too_large": Wording(413, "ERR_413_TOO_LARGE"),
            "challenge_invalid": Wording(400, "ERR_400_CHALLENGE_INVALID"),
            "change_id_reused": Wording(422, "ERR_422_VALIDATION"),
            "checksum_mismatch": Wording(400, "ERR_400_CHECKSUM"),
            "client_invalid": Wording(401, "ERR_401_CLIENT_INVALID"),
            "consent_denied": Wording(400, "ERR_400_OAUTH_DENIED"),
            "crashed": Wording(500, "ERR_500_INTERNAL"),
            "csrf_failed": Wording(403, "ERR_403_CSRF"),
            "cursor_expired": Wording(410, "ERR_410_CURSOR_EXPIRED"),
            "device_challenge_invalid": Wording(401, "ERR_401_CHALLENGE_INVALID"),
            "device_limit": Wording(409, "ERR_409_DEVICE_LIMIT"),
            "device_mismatch": Wording(401, "ERR_401_DEVICE_MISMATCH"),
            "device_revoked": Wording(403, "ERR_403_DEVICE_REVOKED"),
            "domain_refused": Wording(403, "ERR_403_DOMAIN"),
            "duplicate_incident": Wording(409, "ERR_409_DUPLICATE"),
            "exchange_refused": Wording(401, "ERR_401_OAUTH_EXCHANGE"),
            "file_refused": Wording(415, "ERR_415_MEDIA_TYPE"),
            "file_too_large": Wording(413, "ERR_413_TOO_LARGE"),
            "fresh_login_required": Wording(403, "ERR_403_FRESH_LOGIN_REQUIRED"),
            "grant_incomplete": Wording(400, "ERR_400_GRANT"),
            "idempotency_mismatch": Wording(422, "ERR_422_VALIDATION"),
            "key_in_use": Wording(409, "ERR_409_KEY_IN_USE"),
            "key_invalid": Wording(400, "ERR_400_KEY_INVALID"),
            "link_invalid": Wording(400, "ERR_400_RESET_TOKEN_INVALID"),
            "link_required": Wording(409, "ERR_409_ACCOUNT_EXISTS"),
            "login_needed": Wording(401, "ERR_401_TOKEN_REQUIRED"),
            "linked_elsewhere": Wording(409, "ERR_409_ACCOUNT_LINKED_ELSEWHERE"),
            "method_not_allowed": Wording(405, "ERR_405_METHOD"),
            "mfa_already_enabled": Wording(409, "ERR_409_ALREADY_ENABLED"),
            "mfa_attempts": Wording(429, "ERR_429_MFA_ATTEMPTS"),
            "mfa_invalid": Wording(401, "ERR_401_MFA_INVALID"),
            "mfa_method_unavailable": Wording(400, "ERR_400_METHOD_UNAVAILABLE"),
            "mfa_not_enabled": Wording(400, "ERR_400_NOT_ENABLED"),
            "mfa_required": Wording(401, "ERR_401_MFA_REQUIRED"),
            "mfa_token_invalid": Wording(401, "ERR_401_MFA_TOKEN_INVALID"),
            "native_refresh_only": Wording(401, "ERR_401_REFRESH_INVALID"),
            "no_pending_setup": Wording(400, "ERR_400_NO_PENDING_SETUP"),
            "not_acceptable": Wording(406, "ERR_406_NOT_ACCEPTABLE"),
            "oauth_not_configured": Wording(503, "ERR_503_OAUTH_NOT_CONFIGURED"),
            "own_login_required": Wording(403, "ERR_403_OWN_LOGIN_REQUIRED"),
            "passkey_cloned": Wording(401, "ERR_401_CREDENTIAL_CLONED"),
            "passkey_exists": Wording(409, "ERR_409_CREDENTIAL_EXISTS"),
            "passkey_limit": Wording(409, "ERR_409_CREDENTIAL_LIMIT"),
            "password_expired": Wording(403, "ERR_403_PASSWORD_EXPIRED"),
            "password_mismatch": Wording(400, "ERR_400_PASSWORD_MISMATCH"),
            "password_reused": Wording(400, "ERR_400_PASSWORD_REUSED"),
            "password_weak": Wording(400, "ERR_400_PASSWORD_WEAK"),
            "permission_denied": Wording(403, "ERR_403_ROLE"),
            "policy_requires_mfa": Wording(403, "ERR_403_POLICY_REQUIRES_MFA"),
            "precondition_failed": Wording(412, "ERR_412_CONFLICT"),
            "provider_unavailable": Wording(502, "ERR_502_PROVIDER"),
            "quota_exceeded": Wording(429, "ERR_429_QUOTA"),
            "redirect_refused": Wording(400, "ERR_400_REDIRECT_URI"),
            "redirect_uri_invalid": Wording(400, "ERR_400_REDIRECT_URI"),
            "refresh_invalid": Wording(401, "ERR_401_REFRESH_INVALID"),
            "refresh_reused": Wording(401, "ERR_401_REFRESH_REUSED"),
            "registration_closed": Wording(403, "ERR_403_REGISTRATION_CLOSED"),
            "reserved_event": Wording(400, "ERR_400_RESERVED_EVENT"),
            "risk_blocked": Wording(403, "ERR_403_RISK_BLOCKED"),
            "scope_denied": Wording(403, "ERR_403_SCOPE"),
            "scope_unknown": Wording(400, "ERR_400_SCOPE"),
            "session_ended": Wording(401, "ERR_401_SESSION_REVOKED"),
            "signature_invalid": Wording(401, "ERR_401_SIGNATURE_INVALID"),
            "sso_elsewhere": Wording(403, "ERR_403_SSO_ELSEWHERE"),
            "sso_required": Wording(403, "ERR_403_SSO_REQUIRED"),
            "state_invalid": Wording(400, "ERR_400_STATE_INVALID"),
            "storage_full": Wording(413, "ERR_413_TOO_LARGE"),
            "tier_already_held": Wording(409, "ERR_409_TIER_ALREADY_HELD"),
            "tier_not_allowed": Wording(403, "ERR_403_TIER_NOT_ALLOWED"),
            "tier_too_low": Wording(403, "ERR_403_TIER"),
            "token_expired": Wording(401, "ERR_401_TOKEN_EXPIRED"),
            "unknown_collection": Wording(400, "ERR_400_COLLECTION"),
            "unsupported_media_type": Wording(415, "ERR_415_MEDIA_TYPE"),
            "upgrade_required": Wording(426, "ERR_426_UPGRADE_REQUIRED"),
            "wrong_credentials": Wording(401, "ERR_401_INVALID_CREDENTIALS"),
        },
        kinds={
            Kind.INVALID: Wording(400, "ERR_400_VALIDATION"),
            Kind.UNAUTHENTICATED: Wording(401, "ERR_401_TOKEN_INVALID"),
            Kind.FORBIDDEN: Wording(403, "ERR_403_FORBIDDEN"),
            Kind.NOT_FOUND: Wording(404, "ERR_404_NOT_FOUND"),
            Kind.CONFLICT: Wording(409, "ERR_409_CONFLICT"),
            Kind.LIMITED: Wording(429, "ERR_429_RATE_LIMIT"),
            Kind.UNAVAILABLE: Wording(503, "ERR_503_UNAVAILABLE"),
        },
        say=say,
        access_seconds=3600,
        error_body=Refusal,
        cookies=True,
        about=ABOUT,
        limits=LIMITS,
        answer_headers=RATE_HEADERS,
    )
)


class Envelope(BaseModel):
    """003, Success: what stands around every answer's data."""

    success: Literal[True] = True
    message: str


class WorkflowEngineView(DialectView):
    """A view of 003. What it answers becomes the `data` of `{success, data, message}`; a `raw` view's is sent as it is.

    A list is answered by `api.workflow_engine.pages.paged` and declared as `list[Item]`.
    `Answer.beside` may hold another message, and an item may name in `listed_as` the shape of what stands beside it.
    """

    dialect = WORKFLOW_ENGINE
    raw: ClassVar[bool] = False

    def enveloped(self, body: Any, says: str, beside: dict[str, Any]) -> Any:
        return body if self.raw else {"success": True, "data": body, "message": says or "OK", **beside}

    @classmethod
    def documented(cls, answer: Any) -> Any:
        return answer if cls.raw or answer in (None, bytes, str) else _in_envelope(answer)


@cache
def _in_envelope(answer: Any) -> type[BaseModel]:
    """`Thing` becomes `ThingAnswer`, a list of them `ThingListing`."""
    if get_origin(answer) is list:
        (item,) = get_args(answer)
        base = getattr(item, "listed_as", Listing)
        return create_model(f"{item.__name__}Listing", __base__=base, data=(answer, ...))
    return create_model(f"{answer.__name__}Answer", __base__=Envelope, data=(answer, ...))
