"""The frames that every socket of the flat style has in common, and the codes it closes with (`websockets.yaml`, common)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import jwt

from api.problems import Crashed
from auterity.kernel.errors import DomainError, Kind

NOT_AUTHENTICATED, FORBIDDEN, NOT_FOUND, MALFORMED, TOO_SLOW, CRASHED, AWAY = 4401, 4403, 4404, 4400, 4420, 1011, 4503


class Refusal(Exception):
    """Closes the socket with a code after one error frame."""

    def __init__(self, code: str, close: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code, self.close, self.message = code, close, message
        self.reason = reason or code.lower()


def refusal_of(error: DomainError) -> Refusal:
    if isinstance(error, Crashed):
        return Refusal("INTERNAL_ERROR", CRASHED, error.message)
    if error.kind is Kind.UNAVAILABLE:
        return Refusal("INTERNAL_ERROR", AWAY, error.message)
    if error.kind is Kind.UNAUTHENTICATED:
        code = "TOKEN_EXPIRED" if error.slug == "token_expired" else "NOT_AUTHENTICATED"
        return Refusal(code, NOT_AUTHENTICATED, error.message)
    if error.kind is Kind.NOT_FOUND:
        return Refusal("NOT_FOUND", NOT_FOUND, error.message)
    return Refusal("FORBIDDEN", FORBIDDEN, error.message)


def whole_number(value: Any) -> int | None:
    """A sequence number from a frame or a query, or None for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def expiry_of(token: str) -> dt.datetime:
    """When a token ends that has been verified already."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return dt.datetime.fromtimestamp(claims["exp"], dt.UTC)


def error_frame(code: str, message: str, about: Any = None, *, retryable: bool, request_id: str) -> dict[str, Any]:
    """`websockets.yaml`, errors, flat."""
    return {
        "type": "error",
        "code": code,
        "message": message,
        "retryable": retryable,
        "request_id": request_id,
        **({"id": about} if about is not None else {}),
        "timestamp": now(),
    }


def written(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return written(dt.datetime.now(dt.UTC))
