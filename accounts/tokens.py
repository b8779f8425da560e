"""Signed tokens, and the one question every request asks: is the login behind this token still alive?

A token proves only what cannot change while it lives: who, which login (`sid`), what for (`typ`, `aud`), until when.
Role, permissions and standing are read from the database each time, in one query; the copies inside the token are for
clients (000, "JWT Token Structure"). Nothing in a token's header is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.errors import TokenExpired, TokenInvalid
from accounts.models import Session
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Role
from auterity.kernel.models import uuid7

ALGORITHM: Final = "HS256"
LEEWAY_SECONDS: Final = 30
LONGEST: Final = 4096  # Characters; ours have about 1,300.
REQUIRED: Final = ["iss", "aud", "typ", "sub", "sid", "jti", "ver", "iat", "exp"]


class TokenKind(StrEnum):
    """What a token is for, the claim `typ`."""

    ACCESS = "access"
    REFRESH = "refresh"
    CROSS_SYSTEM = "cross_system"


AUDIENCES: Final = {TokenKind.ACCESS: "auterity", TokenKind.REFRESH: "auterity:refresh"}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine token of ours says."""

    kind: TokenKind
    id: UUID
    user_id: UUID
    session_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A living login: who acts, and what the next token must carry."""

    actor: Actor
    session_id: UUID
    session_expires_at: datetime
    version: int


def signing_key(purpose: str = "sessions") -> bytes:
    """32 bytes of their own for each purpose, so that no other use of SECRET_KEY can sign a token.

    A cross-system token is signed for the purpose `cross_system:<target>`: the target can be given that key alone, and
    cannot make tokens for anybody else with it.
    """
    return _derive(settings.SECRET_KEY, purpose)


@lru_cache(maxsize=64)
def _derive(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"auterity.jwt.{purpose}".encode()).derive(
        secret.encode()
    )


def issue(
    kind: TokenKind,
    *,
    standing: Standing,
    now: datetime,
    expires_at: datetime,
    token_id: UUID | None = None,
    target_system: str = "",
    permissions: list[str] | None = None,
) -> str:
    """Sign a token. `token_id` becomes `jti`; `target_system` and `permissions` are for a cross-system token."""
    actor = standing.actor
    claims: dict[str, Any] = {
        "iss": settings.TOKEN_ISSUER,
        "aud": AUDIENCES.get(kind, target_system),
        "typ": kind.value,
        "sub": str(actor.user_id),
        "sid": str(standing.session_id),
        "jti": str(token_id or uuid7()),
        "ver": standing.version,
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    if kind is not TokenKind.REFRESH:
        granted = sorted(actor.permissions) if permissions is None else permissions
        claims |= {
            "email": actor.email,
            "org_id": str(actor.organization_id),
            "role": actor.role.value,
            "permissions": [str(permission) for permission in granted],
        }
    purpose = f"cross_system:{target_system}" if kind is TokenKind.CROSS_SYSTEM else "sessions"
    return jwt.encode(claims, signing_key(purpose), algorithm=ALGORITHM)


def read(token: str, *kinds: TokenKind, now: datetime | None = None) -> Claims:
    """Verify a token of one of these kinds (ACCESS, REFRESH). Raises `TokenInvalid` or, if all but its time is right,
    `TokenExpired`. Asks no database."""
    payload = _verified(token)
    now_seconds = (now or timezone.now()).timestamp()
    try:
        kind = TokenKind(payload["typ"])
        claims = Claims(kind, UUID(payload["jti"]), UUID(payload["sub"]), UUID(payload["sid"]), payload["ver"])
    except (ValueError, TypeError, AttributeError) as error:
        raise TokenInvalid from error
    times = [payload["iat"], payload["exp"], payload.get("nbf", 0)]
    if kind not in kinds or payload["aud"] != AUDIENCES[kind] or any(type(value) is not int for value in times):
        raise TokenInvalid
    if type(claims.version) is not int or max(payload["iat"], payload.get("nbf", 0)) > now_seconds + LEEWAY_SECONDS:
        raise TokenInvalid
    if payload["exp"] + LEEWAY_SECONDS <= now_seconds:
        expired_at = datetime.fromtimestamp(payload["exp"], UTC)
        raise TokenExpired(f"{kind.value.capitalize()} token has expired", expired_at=expired_at)
    return claims


def _verified(token: str) -> dict[str, Any]:
    """Signature, issuer and presence of the claims. Times are checked by `read`, against the caller's clock."""
    if not token.isascii() or len(token) > LONGEST:
        raise TokenInvalid
    try:
        return jwt.decode(
            token,
            signing_key(),
            algorithms=[ALGORITHM],
            issuer=settings.TOKEN_ISSUER,
            options={
                "require": REQUIRED,
                "verify_aud": False,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError as error:
        raise TokenInvalid from error


def authenticate_access(token: str, *, now: datetime | None = None) -> Actor:
    """The person behind an access token, with today's rights. Raises `TokenInvalid` or `TokenExpired`. One query."""
    now = now or timezone.now()
    return standing(read(token, TokenKind.ACCESS, now=now), now=now).actor


def authenticate_session(session_id: UUID, *, now: datetime | None = None) -> Actor:
    """The same question for an open connection that was let in by a token earlier. Raises `TokenInvalid`. One query."""
    return standing_of(session_id, now=now or timezone.now()).actor


def standing(claims: Claims, *, now: datetime) -> Standing:
    """Prove that the login is alive and that nobody raised the version since. Raises `TokenInvalid`. One query."""
    return _living(now, id=claims.session_id, user_id=claims.user_id, user__token_version=claims.version)


def standing_of(session_id: UUID, *, now: datetime) -> Standing:
    """Prove that a login is alive, without a token at hand. Raises `TokenInvalid`. One query."""
    return _living(now, id=session_id)


def _living(now: datetime, **proof: Any) -> Standing:
    rows = _let_in().filter(expires_at__gt=now, **proof)[:1]
    for session_id, user_id, organization_id, expires_at, email, version, role_name in rows:
        role = Role(role_name)
        actor = Actor(user_id, organization_id, role, ROLE_PERMISSIONS[role], email, session_id)
        return Standing(actor, session_id, expires_at, version)
    raise TokenInvalid


@lru_cache(maxsize=1)
def _let_in() -> QuerySet[Session, Any]:
    """Sessions nobody ended, of people, memberships and organizations that are switched on.

    Never evaluated itself. Kept, because putting it together costs a request more than asking the database does.
    """
    return Session.objects.filter(
        revoked_at=None,
        user__is_active=True,
        organization__is_active=True,
        user__memberships__organization_id=F("organization_id"),
        user__memberships__is_active=True,
    ).values_list(
        "id",
        "user_id",
        "organization_id",
        "expires_at",
        "user__email",
        "user__token_version",
        "user__memberships__role",
    )
