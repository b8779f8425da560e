"""Details as they may be kept: plain JSON, of bounded size, with whatever looks like a secret masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

MASK: Final = "***"
MOST_BYTES: Final = 16 * 1024
_LONGEST: Final = 2000  # characters of one text
_DEEPEST: Final = 8
_MOST_ITEMS: Final = 200

# Parts of a key's name, by which what it holds is masked whatever it is. A name is read without its case, `-`, `_` and blanks.
_SECRET_PARTS: Final = (
    "password", "passwd", "passphrase", "passcode", "secret", "token", "apikey", "accesskey", "privatekey", "signingkey",
    "encryptionkey", "authorization", "cookie", "credential", "backupcode", "recoverycode", "otpauth", "bearer", "signature",
    "verifier", "connectionstring", "csrf", "totpcode", "otpcode", "mfacode", "emailcode", "logincode", "verificationcode",
)  # fmt: skip
_SECRET_NAMES: Final = frozenset(
    {"pwd", "pass", "pin", "otp", "totp", "code", "cvc", "cvv", "ssn", "iban", "cardnumber", "auth", "key"}
)
# Names that hold such a part and tell no secret.
_HARMLESS: Final = frozenset(
    {
        "tokens",
        "tokenkind",
        "tokentype",
        "tokenid",
        "tokencount",
        "passwordchangedat",
        "passwordminlength",
        "passwordclasses",
        "passwordhistory",
        "passwordmaxagedays",
        "csrfwithbearer",  # policies
    }
)
_SECRET_TEXT: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JWT
    r"|(?i:\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}"
    r"|\b(?:sk|pk|rk|ghp|gho|xox[abps]|glpat|aut)[-_][\w-]{12,}"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s:@]{1,200}:[^/\s@]{1,200}(?=@)",  # name and password in a URL
    re.DOTALL,
)


def kept(details: Mapping[str, Any] | None) -> dict[str, Any]:
    """`details` made safe to keep. What is too large is left out, and that is said."""
    found: dict[str, Any] = _clean(dict(details or {}), 0)
    size = len(orjson.dumps(found))
    return found if size <= MOST_BYTES else {"left_out": "too large", "bytes": size}


def text(given: Any, longest: int) -> str:
    """One printable line of at most so many characters."""
    line = str(given if given is not None else "")[:longest]
    return "".join(each if each.isprintable() else "?" for each in line)


def looks_secret(name: str) -> bool:
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    return bare not in _HARMLESS and (bare in _SECRET_NAMES or any(part in bare for part in _SECRET_PARTS))


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**53) < value < 2**53 else str(value)
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {
            _plain(key): MASK if looks_secret(str(key)) and each not in (None, "", [], {}) and not isinstance(each, bool)
            else _clean(each, depth + 1)
            for key, each in list(value.items())[:_MOST_ITEMS]
        }  # fmt: skip
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(each, depth + 1) for each in list(value)[:_MOST_ITEMS]]
    return _plain(value)


def _plain(value: Any) -> str:
    """Text that every database and every JSON parser takes."""
    said = str(value)[:_LONGEST].replace("\x00", "").encode("utf-8", "replace").decode()
    return _SECRET_TEXT.sub(MASK, said)
