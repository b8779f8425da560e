"""What every dialect's login needs of a request and shows of a person."""

from __future__ import annotations

from typing import Any, Final

from rest_framework.request import Request

from accounts import errors, logins, tokens, totp
from accounts.clients import Client
from accounts.errors import TokenInvalid
from accounts.pairs import TokenPair
from accounts.selectors import Profile
from api import cookies, csrf
from api.cookies import Cookie
from api.dialect import DIALECTS, Dialect
from api.tokens import Bearer, bearer_of
from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import DomainError

NO_STORE: Final = {"Cache-Control": "no-store"}
REFUSALS: Final = (
    errors.WrongCredentials,
    errors.MfaInvalid,
    errors.AccountInactive,
    errors.AccountLocked,
    errors.AddressNotAllowed,
    errors.PasswordExpired,
    errors.RiskBlocked,
)


def by_password(
    request: Request, dialect: Dialect, *, email: str, password: str, code: str | None, **said: Any
) -> TokenPair:
    """The login of a document that has one field for the code of an authenticator and for a backup code. Raises `REFUSALS` and
    `MfaRequired`; `said` is what the client says of itself."""
    totp_code, backup_code = code_kinds(code)
    return logins.by_password(
        email=email,
        password=password,
        totp_code=totp_code,
        backup_code=backup_code,
        client=client(request, dialect, **said),
    )


def handed_over(
    request: Request, pair: TokenPair, *, in_cookies: bool | None = None
) -> tuple[dict[str, Any], tuple[Cookie, ...]]:
    """A new login as its client keeps it: fields of the body, and a browser's cookies where it asks for them (decision 28).

    What is in cookies is not in the body; `csrf_token` is what such a login proves itself with. `in_cookies` says so where the
    request does not: a login that came by cookie is renewed there.
    """
    if cookies.are_asked_for(request._request) if in_cookies is None else in_cookies:
        return {"csrf_token": csrf.for_session(pair.session_id)}, cookies.of_pair(pair)
    shown = {"access_token": pair.access_token}
    return (shown if pair.refresh_token is None else shown | {"refresh_token": pair.refresh_token}), ()


def bearer_token(request: Request) -> str:
    """The token of `Authorization: Bearer`, good or not; empty where there is none. A cookie is none."""
    bearer = bearer_of(request._request)
    return "" if not isinstance(bearer, Bearer) or bearer.by_cookie else bearer.token


def caller(request: Request) -> Actor | None:
    """Who calls a public view, where somebody is logged in: by bearer or, with a CSRF token for a change, by cookie.

    Raises `TokenInvalid`, `TokenExpired` or `CsrfFailed` where somebody means to be but is not: a narrow token is no login.
    """
    bearer = bearer_of(request._request)
    if bearer is None:
        return None
    csrf.check(request._request)
    actor = bearer.actor()
    if actor.scopes is not None:
        raise TokenInvalid
    return actor


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
