"""Signed tokens, and the one question every request asks: is the login behind this token still alive?

A token proves only what cannot change while it lives: who, which login (`sid`), what for (`typ`, `aud`), until when.
Role, permissions and standing are read from the database each time, in one query; the copies inside the token are for
clients (000, "JWT Token Structure"). Nothing in a token's header is believed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import jwt
import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import F, OuterRef, Subquery
from django.utils import timezone

from accounts import networks
from accounts.errors import TokenExpired, TokenInvalid
from accounts.models import Membership, Session
from accounts.rights import granted
from audit.origin import at_hand
from auterity.kernel import sql
from auterity.kernel.access import Actor, Permission, Role, Scope, scopes_within
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
    NARROW = "narrow"  # for some scopes of a login; only where an operation names one is it taken


AUDIENCES: Final = {
    TokenKind.ACCESS: "auterity",
    TokenKind.NARROW: "auterity:narrow",
    TokenKind.REFRESH: "auterity:refresh",
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine token of ours says."""

    kind: TokenKind
    id: UUID
    user_id: UUID
    session_id: UUID
    version: int
    organization_id: UUID | None = None  # An access or narrow token's; as it was when the token was made.
    scopes: frozenset[Scope] | None = None  # a narrow token's


@dataclass(frozen=True, slots=True)
class Standing:
    """A living login: who acts, and what the next token must carry.

    `client_id` is of a login in a native installation, `device_id` of one by a device's own key.
    """

    actor: Actor
    session_id: UUID
    session_expires_at: datetime
    version: int
    device_id: UUID | None = None
    client_id: UUID | None = None


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
    scopes: Collection[Scope] | None = None,
) -> str:
    """Sign a token. `token_id` becomes `jti`; `target_system` and `permissions` are for a cross-system token, `scopes` for a
    narrow one."""
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
    if standing.device_id is not None:
        claims["device_id"] = str(standing.device_id)
    if kind is TokenKind.NARROW:
        claims |= {"org_id": str(actor.organization_id), "scopes": sorted(scopes or ())}
    elif kind is not TokenKind.REFRESH:
        granted = sorted(actor.permissions) if permissions is None else permissions
        claims |= {
            "email": actor.email,
            "org_id": str(actor.organization_id),
            "role": actor.role_name,
            "permissions": [str(permission) for permission in granted],
        }
    purpose = f"cross_system:{target_system}" if kind is TokenKind.CROSS_SYSTEM else "sessions"
    return jwt.encode(claims, signing_key(purpose), algorithm=ALGORITHM)


def read(token: str, *kinds: TokenKind, now: datetime | None = None) -> Claims:
    """Verify a token of one of these kinds (ACCESS, NARROW, REFRESH). Raises `TokenInvalid` or, if all but its time is right,
    `TokenExpired`. Asks no database."""
    payload = _verified(token)
    now_seconds = (now or timezone.now()).timestamp()
    try:
        kind = TokenKind(payload["typ"])
        organization_id = UUID(payload["org_id"]) if kind in (TokenKind.ACCESS, TokenKind.NARROW) else None
        scopes = frozenset(Scope(each) for each in payload["scopes"]) if kind is TokenKind.NARROW else None
        ids = (UUID(payload["jti"]), UUID(payload["sub"]), UUID(payload["sid"]))
        claims = Claims(kind, *ids, payload["ver"], organization_id, scopes)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
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


def seconds_left(token: str, *, now: datetime | None = None) -> int:
    """How long a token of ours is good for still. Raises `TokenInvalid`."""
    return max(0, _verified(token)["exp"] - int((now or timezone.now()).timestamp()))


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
    """Prove that the login is alive and that nobody raised the version since. Raises `TokenInvalid`, or `AddressNotAllowed`
    where the request at hand comes from elsewhere than the organization's policy says. One query.

    The actor of a narrow token has those of its scopes that the person may still use."""
    found = _living(now, claims.session_id, claims.user_id, claims.version)
    if claims.scopes is None:
        return found
    scopes = claims.scopes & scopes_within(found.actor.permissions)
    return replace(found, actor=replace(found.actor, scopes=scopes))


def standing_of(session_id: UUID, *, now: datetime) -> Standing:
    """Prove that a login is alive, without a token at hand. Raises `TokenInvalid`. One query."""
    return _living(now, session_id, None, None)


def living(session_ids: Collection[UUID], *, now: datetime | None = None) -> dict[UUID, Actor]:
    """Of these logins the ones that are alive, each with today's rights. One query, however many open connections ask."""
    rows = Session.objects.filter(
        id__in=session_ids,
        revoked_at=None,
        expires_at__gt=now or timezone.now(),
        user__is_active=True,
        organization__is_active=True,
        user__memberships__organization_id=F("organization_id"),
        user__memberships__is_active=True,
    ).values_list(
        "id",
        "user_id",
        "organization_id",
        "user__memberships__role",
        "user__memberships__custom_role__permissions",
        "user__memberships__custom_role__name",
        "user__email",
    )
    return {
        session_id: Actor(
            user_id, organization_id, Role(role), granted(Role(role), custom), email, session_id, name or ""
        )
        for session_id, user_id, organization_id, role, custom, name, email in rows
    }


def rights_today(session_ids: Collection[UUID]) -> dict[UUID, frozenset[Permission]]:
    """What the people of these logins, ended ones too, may do today where they had logged in. Nothing for somebody whose
    membership or organization is switched off; somebody whose account is, is left out. One query."""
    here = Membership.objects.filter(
        user_id=OuterRef("user_id"), organization_id=OuterRef("organization_id"), is_active=True
    )
    rows = Session.objects.filter(id__in=session_ids, user__is_active=True).values_list(
        "id",
        "organization__is_active",
        Subquery(here.values("role")[:1]),
        Subquery(here.values("custom_role__permissions")[:1]),
    )
    return {
        session_id: granted(Role(role), custom) if role is not None and is_active else frozenset()
        for session_id, is_active, role, custom in rows
    }


def _living(now: datetime, session_id: UUID, user_id: UUID | None, version: int | None) -> Standing:
    found = sql.fetch(_LIVING, [sql.value(session_id), sql.value(now)])
    if not found:
        raise TokenInvalid
    owner, organization_id, expires_at, email, its_version, role_name, custom, custom_name, policies, *native = found[0]
    if (user_id is not None and user_id != sql.uuid(owner)) or version not in (None, its_version):
        raise TokenInvalid
    here = at_hand()
    if here.path:  # Outside a request nobody comes from anywhere.
        networks.check_stored(policies, here.address)
    role = Role(role_name)
    actor = Actor(
        sql.uuid(owner),
        sql.uuid(organization_id),
        role,
        granted(role, custom),
        email,
        session_id,
        custom_name or "",
        minimum_tier=_minimum_tier(policies),
    )
    device_id, client_id = (sql.uuid(each) if each is not None else None for each in native)
    return Standing(actor, session_id, sql.moment(expires_at), its_version, device_id, client_id)


def _minimum_tier(policies: str | None) -> str:
    """Of an organization's policies as they stand in the database: most ask for no tier and are not parsed."""
    return str(orjson.loads(policies)["minimum_tier"]) if policies and '"minimum_tier"' in policies else ""


# Sessions nobody ended, of people, memberships and organizations that are switched on.
_LIVING = """
    SELECT s.user_id, s.organization_id, s.expires_at, u.email, u.token_version, m.role, r.permissions, r.name,
           p.chosen, s.device_id, s.client_id
      FROM sessions s
      JOIN users u ON u.id = s.user_id AND u.is_active
      JOIN organizations o ON o.id = s.organization_id AND o.is_active
      JOIN user_roles m ON m.user_id = s.user_id AND m.organization_id = s.organization_id AND m.is_active
      LEFT JOIN custom_roles r ON r.id = m.custom_role_id
      LEFT JOIN organization_policies p ON p.organization_id = s.organization_id
     WHERE s.id = %s AND s.revoked_at IS NULL AND s.expires_at > %s"""
