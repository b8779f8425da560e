"""How the caller of a `webhook-trigger` proves who it is: by a token, by signing the body, or by signing id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

SIGNATURE: Final = "x-webhook-signature"
TIMESTAMP: Final = "x-webhook-timestamp"
TOKEN: Final = "x-webhook-token"  # noqa: S105  A header's name.
STANDARD_ID: Final = "webhook-id"
STANDARD_TIMESTAMP: Final = "webhook-timestamp"
STANDARD_SIGNATURE: Final = "webhook-signature"
SECRETS: Final = frozenset({"authorization", "proxy-authorization", "cookie", SIGNATURE, TOKEN, STANDARD_SIGNATURE})
_STANDARD_SECRET: Final = "whsec_"  # noqa: S105  How such secrets begin.
_MOST_SIGNATURES: Final = 10  # A sender names one for each key while it changes keys.

Headers = Mapping[str, str]  # by lower-case name


def proves(config: Any, secret: str, *, raw: bytes, headers: Headers) -> bool:
    """Whether a call carries the proof that the trigger's settings ask for. Without a secret none does."""
    if config.authentication == "none":
        return True
    return bool(secret) and _WAYS[config.authentication](config, secret, raw, headers)


def standard_key(secret: str) -> bytes:
    """The bytes of a signing key: base64 behind `whsec_` (Standard Webhooks, "Signature scheme"), or else the text's own.

    Raises `ValueError` for what begins so and is no base64.
    """
    if not secret.startswith(_STANDARD_SECRET):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_STANDARD_SECRET), validate=True)
    except binascii.Error as error:
        raise ValueError("A secret that begins with whsec_ goes on in base64.") from error


# -- inside ----------------------------------------------------------------------------------------------------------


def _by_token(_config: Any, secret: str, _raw: bytes, headers: Headers) -> bool:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    given = [headers.get(TOKEN, ""), bearer if scheme.lower() == "bearer" else ""]
    return _any_is([each for each in given if each], secret)


def _by_body(config: Any, secret: str, raw: bytes, headers: Headers) -> bool:
    """The hex HMAC-SHA256 of the body. A time of sending is not part of it, and is looked at where one is asked for or given."""
    expected = hmac.digest(secret.encode(), raw, hashlib.sha256).hex()
    given = [headers.get(name) for name in (config.signature_header.lower(), SIGNATURE)]
    wanted = config.timestamp_header.lower()
    times = [headers.get(each) for each in (wanted, TIMESTAMP) if each and (each == wanted or each in headers)]
    return _any_is([each.removeprefix("sha256=") for each in given if each], expected) and all(
        _near(each, config.tolerance_seconds) for each in times
    )


def _by_standard(config: Any, secret: str, raw: bytes, headers: Headers) -> bool:
    """Standard Webhooks, "Verifying signatures": one `v1` of the list is the base64 HMAC-SHA256 of `id.timestamp.body`.

    An id with a full stop in it is refused: where it ends could be moved into the body.
    """
    sent_id, sent_at = headers.get(STANDARD_ID, ""), headers.get(STANDARD_TIMESTAMP, "")
    try:
        key = standard_key(secret)
    except ValueError:
        return False
    signed = f"{sent_id}.{sent_at}.".encode() + raw
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    given = headers.get(STANDARD_SIGNATURE, "").split(" ")[:_MOST_SIGNATURES]
    versions = [each.removeprefix("v1,") for each in given if each.startswith("v1,")]
    return (
        bool(key and sent_id)
        and "." not in sent_id
        and _any_is(versions, expected)
        and _near(sent_at, config.tolerance_seconds)
    )


_WAYS: Final[Mapping[str, Callable[[Any, str, bytes, Headers], bool]]] = {
    "token": _by_token,
    "hmac": _by_body,
    "standard-webhooks": _by_standard,
}


def _any_is(given: list[str], expected: str) -> bool:
    return any(hmac.compare_digest(each.encode(), expected.encode()) for each in given)


def _near(moment: str | None, seconds: int) -> bool:
    """Whether a time in unix seconds is at most so far from now."""
    return (
        moment is not None
        and re.fullmatch(r"[0-9]{1,12}", moment) is not None
        and abs(time.time() - int(moment)) <= seconds
    )
