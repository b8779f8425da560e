"""The bearer token of a request, read once: the rate limits ask whose it is, the door whether the login behind it is alive.

Where the path's dialect knows browsers by cookie, the cookie's token stands for it while no Authorization header is sent.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from accounts import tokens
from accounts.errors import TokenInvalid
from accounts.tokens import Claims, TokenKind
from api import cookies
from auterity.kernel.access import Actor
from auterity.kernel.errors import DomainError

MOST_ENDED = 10_000


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token and what it says, or why it is no good. Without a database: a login that was ended still has claims here."""

    token: str
    claims: Claims | None
    problem: DomainError | None = None
    by_cookie: bool = False

    @property
    def claimed(self) -> Claims | None:
        """What it says, unless this process saw that the login behind it has ended."""
        return self.claims if self.claims is not None and self.claims.session_id not in _ENDED else None

    def actor(self) -> Actor:
        """The person behind it, with today's rights. Raises `TokenInvalid` or `TokenExpired`. One query."""
        if self.claims is None:
            raise self.problem or TokenInvalid
        try:
            actor = tokens.standing(self.claims, now=timezone.now()).actor
        except TokenInvalid:
            _ENDED[self.claims.session_id] = None
            if len(_ENDED) > MOST_ENDED:
                _ENDED.popitem(last=False)
            raise
        if _ENDED:
            _ENDED.pop(self.claims.session_id, None)
        return actor


# Logins that were found to have ended. Whoever goes on sending such a token uses up their own address's tokens, not the person's.
_ENDED: OrderedDict[UUID, None] = OrderedDict()


def bearer_of(request: HttpRequest) -> Bearer | None:
    """The token of `Authorization: Bearer`, or of the session cookie; None where there is none."""
    found: Bearer | None
    try:
        found = request._bearer  # type: ignore[attr-defined]
    except AttributeError:
        found = request._bearer = _read(request)  # type: ignore[attr-defined]
    return found


def claims_of(request: HttpRequest) -> Claims | None:
    """Whose request this says to be, by a genuine token. Whether the login is alive is not asked."""
    bearer = bearer_of(request)
    return bearer.claimed if bearer is not None else None


def _read(request: HttpRequest) -> Bearer | None:
    scheme, _, sent = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    by_cookie = not scheme and getattr(request, "takes_cookies", False)
    token = cookies.access_token(request) if by_cookie else sent.strip()
    if not token or not (by_cookie or scheme.lower() == "bearer"):
        return None
    try:
        return Bearer(token, tokens.read(token, TokenKind.ACCESS), None, by_cookie)
    except DomainError as error:
        return Bearer(token, None, error, by_cookie)
