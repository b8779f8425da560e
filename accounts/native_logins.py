"""Logins of native installations and of devices: their refresh tokens are good at one door, with what they are bound to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts import tokens
from accounts.errors import NativeRefreshOnly, TokenInvalid
from accounts.models import RefreshToken
from accounts.tokens import Standing, TokenKind


@dataclass(frozen=True, slots=True)
class NativeLogin:
    """What an installation says it renews; `device_id` is of a login by a device's own key."""

    client_id: UUID
    device_id: UUID | None = None


def check(standing: Standing, native: NativeLogin | None) -> None:
    """Raises `NativeRefreshOnly` at an ordinary door, `TokenInvalid` for another installation's or device's login."""
    if native is None:
        if standing.client_id is not None or standing.device_id is not None:
            raise NativeRefreshOnly
        return
    if standing.client_id != native.client_id or standing.device_id not in (None, native.device_id):
        raise TokenInvalid


def behind(refresh_token: str, native: NativeLogin, *, now: datetime) -> Standing:
    """The login that an unspent refresh token would renew. Spends nothing. Raises `TokenInvalid` or `TokenExpired`."""
    claims = tokens.read(refresh_token, TokenKind.REFRESH, now=now)
    standing = tokens.standing(claims, now=now)
    check(standing, native)
    if not RefreshToken.objects.filter(pk=claims.id, session_id=claims.session_id, used_at=None).exists():
        raise TokenInvalid
    return standing
