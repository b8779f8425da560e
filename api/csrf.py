"""Proof that a request known by its cookie was meant by our own pages (contract, decision 12; 003, CSRF Protection).

A token is signed, good for twelve hours and for one login alone; before a login it is for one browser, by a cookie. Each one
has a nonce of its own, so that none repeats itself in compressed answers. Nothing is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
import time
from typing import Final
from uuid import UUID

from django.http import HttpRequest

from accounts import policies
from accounts.tokens import signing_key
from api.cookies import Cookie
from api.problems import CsrfFailed
from api.tokens import Bearer, bearer_of

HEADER: Final = "X-CSRF-TOKEN"
COOKIE: Final = "csrftoken"
LIFETIME_SECONDS: Final = 12 * 3600
SAFE: Final = ("GET", "HEAD", "OPTIONS", "TRACE")
_HEAD = struct.Struct(">Q16s")
_MAC_BYTES = 32
_LONGEST_COOKIE = 100


def for_session(session_id: UUID) -> str:
    """A token that this login can send."""
    return _made(f"session:{session_id}")


def for_browser(request: HttpRequest) -> tuple[str, Cookie]:
    """A token for a browser that nobody is logged in with, and the cookie that it goes with."""
    known = _browser(request) or secrets.token_urlsafe(24)
    return _made(f"browser:{known}"), Cookie(COOKIE, known, LIFETIME_SECONDS, strict=False)


def check(request: HttpRequest) -> None:
    """Raises `CsrfFailed` where a change is asked for with the session cookie and no token of that login, or with a bearer
    token and a wrong one: who sends one need not, but means it. An organization may make it compulsory for all its people."""
    bearer = bearer_of(request)
    if request.method in SAFE or not isinstance(bearer, Bearer) or bearer.claims is None:
        return
    if bearer.by_cookie or HEADER in request.headers or _is_compulsory(bearer.claims.organization_id):
        require(request, bearer.claims.session_id, or_browser=not bearer.by_cookie)


def check_even_reading(request: HttpRequest) -> None:
    """The same for a GET that changes something."""
    bearer = bearer_of(request)
    if isinstance(bearer, Bearer) and bearer.by_cookie and bearer.claims is not None:
        require(request, bearer.claims.session_id)


def require(request: HttpRequest, session_id: UUID, *, or_browser: bool = False) -> None:
    """Raises `CsrfFailed` unless the request carries a token of this login; `or_browser`: or one of its browser."""
    sent = request.headers.get(HEADER, "")
    subjects = [f"session:{session_id}"]
    if or_browser and (browser := _browser(request)):
        subjects.append(f"browser:{browser}")
    if not any(_fits(sent, subject) for subject in subjects):
        raise CsrfFailed


def _is_compulsory(organization_id: UUID | None) -> bool:
    return organization_id is not None and policies.of(organization_id).csrf_with_bearer


def _browser(request: HttpRequest) -> str:
    known = request.COOKIES.get(COOKIE, "")
    return known if len(known) <= _LONGEST_COOKIE else ""


def _made(subject: str) -> str:
    head = _HEAD.pack(int(time.time()), secrets.token_bytes(16))
    return base64.urlsafe_b64encode(head + _mac(head, subject)).decode()


def _fits(token: str, subject: str) -> bool:
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return False
    if len(raw) != _HEAD.size + _MAC_BYTES:
        return False
    head, mac = raw[: _HEAD.size], raw[_HEAD.size :]
    made_at, _ = _HEAD.unpack(head)
    return hmac.compare_digest(mac, _mac(head, subject)) and 0 <= time.time() - made_at + 30 <= LIFETIME_SECONDS + 30


def _mac(head: bytes, subject: str) -> bytes:
    return hmac.new(signing_key("csrf"), head + subject.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
