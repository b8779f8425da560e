"""What every dialect's login needs of a request and shows of a person."""

from __future__ import annotations

from rest_framework.request import Request

from accounts import tokens
from accounts.clients import Client
from accounts.selectors import Profile
from api.dialect import DIALECTS, Dialect
from api.tokens import bearer_of
from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import DomainError


def bearer_token(request: Request) -> str:
    """The token of `Authorization: Bearer`, good or not; empty where there is none."""
    bearer = bearer_of(request._request)
    return "" if bearer is None else bearer.token


def user_agent(request: Request) -> str:
    return request.headers.get("User-Agent", "")


def address(request: Request) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def access_seconds_of(dialect: str, otherwise: int) -> int:
    """How long access tokens of a dialect are good for, by its name."""
    return next((each.access_seconds for each in DIALECTS if each.name == dialect), otherwise)


def shown_role(profile: Profile) -> str:
    """003's and 004's word for a role: an ordinary member is a `user`, and so is whoever has an organization to themselves."""
    alone = profile.organization.is_personal and not profile.user.is_staff
    return "user" if profile.role is Role.MEMBER or (alone and profile.role is Role.ADMIN) else profile.role.value


def somebody(request: Request) -> Actor | None:
    """Who a public address is asked by, where they say so and are; nobody for a token that is no good."""
    bearer = bearer_of(request._request)
    if bearer is None:
        return None
    try:
        return bearer.actor()
    except DomainError:
        return None


def seconds_left(request: Request) -> int:
    """How long the access token that came is good for."""
    bearer = bearer_of(request._request)
    return 0 if bearer is None else tokens.seconds_left(bearer.token)


def client(request: Request, dialect: Dialect, *, remember: bool = False) -> Client:
    """Who asks to be let in by a dialect's door."""
    return Client(
        dialect=dialect.name,
        access_seconds=dialect.access_seconds,
        address=address(request),
        user_agent=user_agent(request),
        remember=remember,
    )
