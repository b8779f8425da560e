"""The frames that every socket has in common, in the two shapes of the `auterity` documents
(`websockets.yaml`, common)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import jwt
import orjson

from api.problems import Crashed
from api.socket_codes import (
    AWAY,
    CRASHED,
    FORBIDDEN,
    JSON_DEPTH,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    OUTBOUND_BYTES,
    TOO_MANY,
)
from api.socket_codes import MALFORMED as MALFORMED  # For those who write sockets, as is the next.
from api.socket_codes import TOO_SLOW as TOO_SLOW
from auterity.kernel.errors import DomainError, Kind


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
    if error.kind is Kind.LIMITED:
        return Refusal("RATE_LIMIT_EXCEEDED", TOO_MANY, error.message)
    return Refusal("FORBIDDEN", FORBIDDEN, error.message)


def whole_number(value: Any) -> int | None:
    """A sequence number from a frame or a query, or None for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def too_deep(value: Any, most: int = JSON_DEPTH) -> bool:
    """Whether objects and lists lie in one another deeper than this."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def expiry_of(token: str) -> dt.datetime:
    """When a token ends that has been verified already."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return dt.datetime.fromtimestamp(claims["exp"], dt.UTC)


def flat_frame(kind: str, about: dict[str, Any]) -> dict[str, Any]:
    """The shape of 000: a frame's own fields beside its type."""
    return {"type": kind, **about, "timestamp": now()}


def data_frame(kind: str, about: dict[str, Any]) -> dict[str, Any]:
    """The shape of 001: a frame's own fields inside `data`; `seq` stays at the top."""
    seq = {"seq": about["seq"]} if "seq" in about else {}
    data = {name: value for name, value in about.items() if name != "seq"}
    return {"type": kind, "data": data, "timestamp": now(), **seq}


def error_frame(code: str, message: str, about: Any = None, *, retryable: bool, request_id: str) -> dict[str, Any]:
    """`websockets.yaml`, errors, flat. Its fields in another shape are `error_fields`."""
    return flat_frame("error", error_fields(code, message, about, retryable=retryable, request_id=request_id))


def error_fields(code: str, message: str, about: Any = None, *, retryable: bool, request_id: str) -> dict[str, Any]:
    return {
        "code": code,
        "message": message,
        "retryable": retryable,
        "request_id": request_id,
        **({"id": about} if about is not None else {}),
    }


def shortened(frame: dict[str, Any], most: int = 4096) -> dict[str, Any]:
    """A frame that is too large, without what makes it so: texts, lists and objects that are long, each named in `omitted`."""
    inside = frame.get("data") if isinstance(frame.get("data"), dict) else frame
    assert inside is not None  # noqa: S101  States a fact to the type checker.
    large = [name for name, value in inside.items() if len(orjson.dumps(value)) > most]
    rest = {name: value for name, value in inside.items() if name not in large} | {"omitted": large}
    return {**frame, "data": rest} if inside is not frame else rest


def text_of(frame: dict[str, Any]) -> str:
    """A frame on the wire. What is larger than a client may be sent at once goes without its large parts."""
    text = orjson.dumps(frame)
    return (text if len(text) <= OUTBOUND_BYTES else orjson.dumps(shortened(frame))).decode()


def written(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return written(dt.datetime.now(dt.UTC))
