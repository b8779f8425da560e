"""A browser's login in cookies that no script reads: the access token and the refresh token of one session.

They are set where a login is asked for with `X-Session-Cookies: on`, a header that no foreign page can send unasked, so that
nobody logs another's browser in. Only dialects that say so know a caller by them (`Dialect.cookies`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from pydantic import Field

from accounts.pairs import TokenPair

ASKED_BY: Final = "X-Session-Cookies"
_YES = ("on", "true", "1")
_ACCESS: Final = "auterity_session"
_REFRESH: Final = "auterity_refresh"

# The field of a body that hands a login over: it is there where the tokens went into cookies, and only there.
GivenCsrfToken = Annotated[str | None, Field(exclude_if=lambda token: token is None)]


@dataclass(frozen=True, slots=True)
class Cookie:
    """`seconds` is how long a browser keeps it; 0 takes it away. `strict` cookies come with nothing that another site starts."""

    name: str
    value: str = field(repr=False)
    seconds: int
    strict: bool = True

    def put(self, response: HttpResponseBase) -> None:
        response.set_cookie(
            self.name,
            self.value,
            max_age=self.seconds,
            path="/",
            secure=settings.COOKIES_SECURE,
            httponly=True,
            samesite="Strict" if self.strict else "Lax",
        )


def are_asked_for(request: HttpRequest) -> bool:
    return request.headers.get(ASKED_BY, "").strip().lower() in _YES


def of_pair(pair: TokenPair) -> tuple[Cookie, ...]:
    """The cookies of a login; without a refresh token the one that the browser has stays."""
    access = Cookie(_named(_ACCESS), pair.access_token, pair.expires_in)
    if pair.refresh_token is None:
        return (access,)
    return (access, Cookie(_named(_REFRESH), pair.refresh_token, pair.refresh_expires_in))


def none_left(request: HttpRequest) -> tuple[Cookie, ...]:
    """Those that the browser sent, taken away."""
    return tuple(Cookie(name, "", 0) for name in map(_named, (_ACCESS, _REFRESH)) if name in request.COOKIES)


def access_token(request: HttpRequest) -> str:
    return request.COOKIES.get(_named(_ACCESS), "")


def refresh_token(request: HttpRequest) -> str:
    return request.COOKIES.get(_named(_REFRESH), "")


def _named(name: str) -> str:
    """Over TLS a browser takes `__Host-` from this host alone: neither a subdomain nor an unprotected page can plant it."""
    return f"__Host-{name}" if settings.COOKIES_SECURE else name
