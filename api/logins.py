"""What every dialect's login needs of a request and shows of a person."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.selectors import Profile
from api.dialect import DIALECTS
from api.tokens import bearer_of
from auterity.kernel.access import Role


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
