"""Registration, logins and tokens. Passwords are hashed before a transaction opens, never inside one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts import inputs, letters, logins, native_logins, sessions, tokens
from accounts.clients import Client
from accounts.errors import (
    EmailTaken,
    NotAuthenticated,
    RefreshReused,
    RegistrationClosed,
    TokenExpired,
    TokenInvalid,
    UsernameTaken,
)
from accounts.events import TokenReused
from accounts.models import LetterKind, Membership, Organization, RefreshToken, Session, User
from accounts.native_logins import NativeLogin
from accounts.pairs import TokenPair, pair_of
from accounts.tokens import TokenKind
from audit import trail
from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.events import publish

log = structlog.get_logger(__name__)

CROSS_SYSTEM_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Registered:
    """A new person, already the admin of a new organization."""

    user: User
    organization: Organization
    membership: Membership


@dataclass(frozen=True, slots=True)
class CrossSystemToken:
    token: str = field(repr=False)
    expires_at: datetime
    permissions: list[str]


def register(
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    company: str | None = None,
    username: str | None = None,
    one_name: bool = False,
) -> Registered:
    """Create an account and its organization, a personal one when no company is named (000 and 001, Register).

    `username` is a second name to log in with (004). `one_name`: a client knows of one name only, and there is no last one.
    Raises `RegistrationClosed` where people come by invitation only, `InvalidInput` with every wrong field, `EmailTaken` or
    `UsernameTaken`.
    """
    if not settings.REGISTRATION:
        raise RegistrationClosed
    person = inputs.person(
        email=email,
        password=password,
        first_name=first_name,
        last_name=last_name,
        company=company,
        username=username,
        one_name=one_name,
    )
    hashed = make_password(person.password)
    with transaction.atomic():
        user = new_user(person, hashed)
        organization = Organization.objects.create(
            name=person.company or f"{person.first_name}'s organization", is_personal=person.company is None
        )
        membership = Membership.objects.create(user=user, organization=organization, role=Role.ADMIN.value)
        letters.owe_proof(LetterKind.EMAIL_VERIFICATION, user.email)
    return Registered(user, organization, membership)


def new_user(person: inputs.Person, hashed: str, *, verified_at: datetime | None = None) -> User:
    """Store a checked person under a hashed password. Raises `EmailTaken` or `UsernameTaken`, also when two come at once.

    `verified_at` is when the mailbox was proved to be theirs.
    """
    try:
        with transaction.atomic():
            return User.objects.create(
                email=person.email,
                first_name=person.first_name,
                last_name=person.last_name,
                username=person.username,
                password=hashed,
                email_verified_at=verified_at,
            )
    except IntegrityError as error:
        if User.objects.filter(email=person.email).exists():
            raise EmailTaken from error
        if person.username is not None and _has_name(person.username):
            raise UsernameTaken from error
        raise


def _has_name(username: str) -> bool:
    return User.objects.alias(low=Lower("username")).filter(low=username.lower()).exists()


def login(
    *,
    email: str,
    password: str,
    dialect: str,
    access_seconds: int,
    address: str = "",
    user_agent: str = "",
    now: datetime | None = None,
) -> TokenPair:
    """Open a session by a password alone (000 and 001, Login). See `accounts.logins`, which is what doors call."""
    client = Client(dialect, access_seconds, address=address, user_agent=user_agent)
    return logins.by_password(email=email, password=password, client=client, now=now)


def refresh(
    *,
    token: str,
    access_seconds: int,
    refresh_only: bool = False,
    native: NativeLogin | None = None,
    now: datetime | None = None,
) -> TokenPair:
    """Exchange a refresh token, once, for a new pair; or a still valid access token, once, for a new access token.

    The second is what 001, "Token Refresh", sends; that token stays good for requests until its own `exp`. Using either
    a second time ends the session, with everything that came from it. `refresh_only` takes no access token.

    The login of a native installation or of a device takes a refresh token and its `native`, and no other login does; a token
    that is used twice there ends every login of the installation.
    Raises `TokenExpired`, `RefreshReused`, `NativeRefreshOnly`, or `TokenInvalid` for any other reason.
    """
    now = now or timezone.now()
    kinds = (TokenKind.REFRESH,) if refresh_only else (TokenKind.REFRESH, TokenKind.ACCESS)
    claims = tokens.read(token, *kinds, now=now)
    # Durable: the end of a session must not be rolled back by the error that tells of it.
    with transaction.atomic(durable=True):
        standing = tokens.standing(claims, now=now)
        native_logins.check(standing, native)
        spent = sessions.spend(claims, now=now)
        if spent:
            Session.objects.filter(pk=claims.session_id).update(last_seen_at=now)
            return pair_of(standing, access_seconds, now=now, with_refresh=claims.kind is TokenKind.REFRESH)
        ending = Q(pk=claims.session_id) if native is None else Q(client_id=native.client_id)
        reused = (
            sessions.revoke(Session.objects.filter(ending), reason="a token was used twice to refresh", now=now) > 0
        )
        if reused:
            trail.record(
                "auth.token.reused",
                "refresh",
                organization_id=standing.actor.organization_id,
                user_id=claims.user_id,
                session_id=claims.session_id,
                outcome="denied",
                severity="high",
                resource_type="session",
                resource_id=claims.session_id,
            )
            publish(TokenReused(claims.session_id, claims.user_id, standing.actor.organization_id))
    if not reused:  # The login ended this very moment, by somebody else's doing.
        raise TokenInvalid
    log.warning("refresh_token_reused", session_id=str(claims.session_id), user_id=str(claims.user_id))
    raise RefreshReused


def switch_organization(
    *,
    actor: Actor,
    organization_id: UUID,
    dialect: str,
    access_seconds: int,
    address: str = "",
    user_agent: str = "",
    now: datetime | None = None,
) -> TokenPair:
    """Open a second login of the same person in another organization of theirs. See `accounts.logins`."""
    client = Client(dialect, access_seconds, address=address, user_agent=user_agent)
    return logins.switch_organization(actor=actor, organization_id=organization_id, client=client, now=now)


def logout(*, actor: Actor, refresh_token: str | None = None, now: datetime | None = None) -> None:
    """End the actor's session: its access tokens and its refresh token die at once, in every process.

    Ending the whole login needs no list of single revoked tokens; a stolen copy of any of its tokens dies with it. A
    refresh token of another login of the same person ends that one too; anything else given there changes nothing.
    """
    now = now or timezone.now()
    if actor.session_id is None:
        raise NotAuthenticated
    ending = {actor.session_id}
    if refresh_token:
        try:
            claims = tokens.read(refresh_token, TokenKind.REFRESH, now=now)
        except (TokenInvalid, TokenExpired):
            log.info("logout_with_unusable_refresh_token", user_id=str(actor.user_id))
        else:
            ending.add(claims.session_id)
    with transaction.atomic():
        own = Session.objects.filter(id__in=ending, user_id=actor.user_id)
        if sessions.revoke(own, reason="logout", now=now):
            trail.record("auth.logout", "logout", organization_id=actor.organization_id, actor=actor)


def cross_system_token(
    *, actor: Actor, target_system: str, permissions: Sequence[str], now: datetime | None = None
) -> CrossSystemToken:
    """A token for another system, for one hour, with some of the caller's permissions (001, "Cross-System Token").

    It opens nothing here: not a request, not a refresh, not another of its kind. Raises `InvalidInput` for an unknown
    target or no permissions, `PermissionDenied` for one the caller lacks, `TokenInvalid` when the login has ended.
    """
    now = (now or timezone.now()).replace(microsecond=0)
    if target_system not in settings.CROSS_SYSTEMS:
        raise InvalidInput.of("target_system", f"Unknown system. Known are {', '.join(settings.CROSS_SYSTEMS)}.")
    if not permissions:
        raise InvalidInput.of("permissions", "Name at least one permission.", "required")
    if actor.session_id is None:
        raise NotAuthenticated
    standing = tokens.standing_of(actor.session_id, now=now)
    asked = list(dict.fromkeys(permissions))
    lacking = [name for name in asked if name not in standing.actor.permissions]
    if lacking:
        raise PermissionDenied("You cannot pass on a permission you do not have.", required=lacking[0])
    expires_at = now + CROSS_SYSTEM_LIFETIME
    trail.record(
        "auth.cross_system_token.issued",
        "issue",
        organization_id=standing.actor.organization_id,
        actor=actor,
        severity="low",
        resource_type="system",
        resource_id=target_system,
        details={"permissions": asked, "expires_at": expires_at.isoformat()},
    )
    token = tokens.issue(
        TokenKind.CROSS_SYSTEM,
        standing=standing,
        now=now,
        expires_at=expires_at,
        target_system=target_system,
        permissions=asked,
    )
    return CrossSystemToken(token, expires_at, asked)


def end_sessions(*, session_ids: Iterable[UUID], reason: str) -> int:
    """An operator ends these logins. Returns how many were still open."""
    with transaction.atomic():
        return sessions.revoke(Session.objects.filter(id__in=list(session_ids)), reason=reason, now=timezone.now())


def end_all_sessions(*, user_ids: Iterable[UUID], reason: str) -> int:
    """An operator ends every login of these people. Returns how many were still open."""
    with transaction.atomic():
        return sessions.revoke_all(user_ids, reason=reason, now=timezone.now())


def forget_ended(*, before: datetime, limit: int = 1000) -> int:
    """Delete logins whose seven days were over before that moment, with their refresh tokens; at most `limit` of them.

    Nothing can depend on them any more. Returns how many logins it deleted.
    """
    ended = list(
        Session.objects.filter(expires_at__lt=before).order_by("expires_at").values_list("pk", flat=True)[:limit]
    )
    with transaction.atomic():
        RefreshToken.objects.filter(session_id__in=ended).delete()
        return Session.objects.filter(pk__in=ended).delete()[0]
