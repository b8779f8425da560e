"""Narrow tokens: a quarter of an hour of a login, for named scopes only, for work in the background (003, Native API Router).

Such a token opens an operation only where the operation names a scope in its `needs=` and the token has it. It has the login's
`sid` and dies with it; it buys no other token and opens no socket.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from accounts import tokens
from accounts.errors import NotAuthenticated
from accounts.tokens import Standing, TokenKind
from auterity.kernel.access import Actor, Scope, scopes_within
from auterity.kernel.errors import ScopeDenied

LIFETIME: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class NarrowToken:
    """`expires_in` is in seconds."""

    token: str = field(repr=False)
    expires_in: int
    scopes: list[Scope]
    standing: Standing


def issue(*, actor: Actor, scopes: Collection[Scope] = (), now: datetime | None = None) -> NarrowToken:
    """A token for these scopes of the actor's login; without any for all that the person may have.

    Raises `NotAuthenticated` where no whole login acts, `TokenInvalid` where it has ended, and `ScopeDenied` for a scope whose
    permission the person lacks.
    """
    if actor.session_id is None or actor.scopes is not None:
        raise NotAuthenticated
    now = now or timezone.now()
    standing = tokens.standing_of(actor.session_id, now=now)
    within = scopes_within(standing.actor.permissions)
    lacking = sorted(set(scopes) - within)
    if lacking or not within:
        raise ScopeDenied("You cannot have a token with a scope that your role does not allow.", required=lacking)
    chosen = sorted(set(scopes) or within)
    until = min(now + LIFETIME, standing.session_expires_at)
    token = tokens.issue(TokenKind.NARROW, standing=standing, now=now, expires_at=until, scopes=chosen)
    return NarrowToken(token, int((until - now).total_seconds()), chosen, standing)
