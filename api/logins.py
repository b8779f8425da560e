"""What every dialect's login needs of a request and shows of a person."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from accounts import tokens, totp
from accounts.clients import Client
from accounts.selectors import Profile
from api import csrf
from api.dialect import DIALECTS, Dialect
from api.tokens import Bearer, bearer_of
from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import DomainError


def bearer_token(request: Request) -> str:
    """The token of `Authorization: Bearer`, good or not; empty where there is none. A cookie is none."""
    bearer = bearer_of(request._request)
    return "" if not isinstance(bearer, Bearer) or bearer.by_cookie else bearer.token


def caller(request: Request) -> Actor | None:
    """Who calls a public view, where somebody is logged in: by bearer or, with a CSRF token for a change, by cookie.

    Raises `TokenInvalid`, `TokenExpired` or `CsrfFailed` where somebody means to be but is not.
    """
    bearer = bearer_of(request._request)
    if bearer is None:
        return None
    csrf.check(request._request)
    return bearer.actor()


def client(request: Request, dialect: Dialect, **said: Any) -> Client:
    """Who knocks, by what the request shows; `said` is what else it says of itself."""
    return Client(
        dialect=dialect.name,
        access_seconds=dialect.access_seconds,
        address=str(request.META.get("REMOTE_ADDR", "")),
        user_agent=request.headers.get("User-Agent", ""),
        **said,
    )


def code_kinds(code: str | None) -> tuple[str, str]:
    """(a code of an authenticator, a backup code), one of them empty, where a document has one field for both."""
    tidy = (code or "").strip()
    return (tidy, "") if tidy.isdigit() and len(tidy) == totp.DIGITS else ("", tidy)


def access_seconds_of(dialect: str, otherwise: int) -> int:
    """How long access tokens of a dialect are good for, by its name."""
    return next((each.access_seconds for each in DIALECTS if each.name == dialect), otherwise)


def shown_role(profile: Profile) -> str:
    """003's and 004's word for a role: an ordinary member is a `user`, and so is whoever has an organization to themselves."""
    alone = profile.organization.is_personal and not profile.user.is_staff
    return "user" if profile.role is Role.MEMBER or (alone and profile.role is Role.ADMIN) else profile.role.value


def somebody(request: Request) -> Actor | None:
    """As `caller`, and nobody where somebody only means to be."""
    try:
        return caller(request)
    except DomainError:
        return None


def seconds_left(request: Request) -> int:
    """How long the access token that came is good for."""
    bearer = bearer_of(request._request)
    return 0 if bearer is None else tokens.seconds_left(bearer.token)
