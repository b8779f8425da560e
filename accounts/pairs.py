"""The two tokens of a login."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from accounts import tokens
from accounts.models import RefreshToken
from accounts.tokens import Standing, TokenKind
from auterity.kernel.access import Actor


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login or a refresh gives. Times are in seconds.

    `refresh_token` is None when an access token was used to refresh: the login's own refresh token stays good.
    `risk` is how the login was judged (`accounts.risk`), None for a refresh.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    actor: Actor
    refresh_expires_in: int
    session_id: UUID
    risk: dict[str, Any] | None = field(default=None, repr=False)


def pair_of(
    standing: Standing,
    access_seconds: int,
    *,
    now: datetime,
    with_refresh: bool = True,
    risk: dict[str, Any] | None = None,
) -> TokenPair:
    """The tokens of a login that is alive, in the caller's transaction."""
    until = min(now + timedelta(seconds=access_seconds), standing.session_expires_at)
    refresh_token = None
    if with_refresh:
        row = RefreshToken.objects.create(session_id=standing.session_id, expires_at=standing.session_expires_at)
        refresh_token = tokens.issue(
            TokenKind.REFRESH, standing=standing, now=now, expires_at=row.expires_at, token_id=row.pk
        )
    access_token = tokens.issue(TokenKind.ACCESS, standing=standing, now=now, expires_at=until)
    return TokenPair(
        access_token,
        refresh_token,
        int((until - now).total_seconds()),
        standing.actor,
        int((standing.session_expires_at - now).total_seconds()),
        standing.session_id,
        risk,
    )
