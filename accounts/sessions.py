"""The life of one login: opened, renewed by spending a token, ended. Callers hold the transaction and the clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, QuerySet

from accounts.errors import AccountInactive
from accounts.events import SessionRevoked
from accounts.models import RefreshToken, Session, User
from accounts.tokens import Claims, Standing, TokenKind
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Role
from auterity.kernel.events import publish


def start(user: User, *, dialect: str, address: str, user_agent: str, now: datetime) -> Standing:
    """Open a login in the oldest organization that lets the person in. Raises `AccountInactive` when none does."""
    membership = (
        user.memberships.filter(user__is_active=True, is_active=True, organization__is_active=True)
        .order_by("id")
        .first()
    )
    if membership is None:
        raise AccountInactive
    session = Session.objects.create(
        user=user,
        organization_id=membership.organization_id,
        dialect=dialect,
        expires_at=now + settings.REFRESH_WINDOW,
        last_seen_at=now,
        user_agent=_line(user_agent, 400),
        address=_line(address, 64),
    )
    role = Role(membership.role)
    actor = Actor(user.pk, membership.organization_id, role, ROLE_PERMISSIONS[role], user.email, session.pk)
    return Standing(actor, session.pk, session.expires_at, user.token_version)


def spend(claims: Claims, *, now: datetime) -> bool:
    """Use up a token that may buy one refresh. False when it was spent before, or its login ended this moment.

    Of any number of callers at the same time exactly one gets True: a refresh token is spent by one guarded UPDATE, its
    conditions checked again by PostgreSQL on the row it waited for (hence no join); an access token by a unique row.
    """
    if claims.kind is TokenKind.REFRESH:
        alive = Session.objects.filter(id=OuterRef("session_id"), revoked_at=None)
        unused = RefreshToken.objects.filter(Exists(alive), id=claims.id, session_id=claims.session_id, used_at=None)
        return unused.update(used_at=now) == 1
    _, first_time = RefreshToken.objects.get_or_create(
        id=claims.id, defaults={"session_id": claims.session_id, "used_at": now, "expires_at": now}
    )
    return first_time


def revoke(sessions: QuerySet[Session], *, reason: str, now: datetime) -> int:
    """End those of the sessions that are still open, and tell it on commit. Returns how many."""
    ended = list(sessions.filter(revoked_at=None).select_for_update().order_by("id").values_list("id", "user_id"))
    Session.objects.filter(id__in=[session_id for session_id, _ in ended]).update(revoked_at=now, revoke_reason=reason)
    for session_id, user_id in ended:
        publish(SessionRevoked(session_id=session_id, user_id=user_id))
    return len(ended)


def revoke_all(user_ids: Iterable[UUID], *, reason: str, now: datetime) -> int:
    """End every login of these people and make every token issued so far worthless, also one being issued right now."""
    user_ids = list(user_ids)
    User.objects.filter(id__in=user_ids).update(token_version=F("token_version") + 1)
    return revoke(Session.objects.filter(user_id__in=user_ids), reason=reason, now=now)


def _line(text: str, longest: int) -> str:
    """A client's own words about itself, made harmless for a column and a log line."""
    return "".join(character if character.isprintable() else "?" for character in text[:longest])
