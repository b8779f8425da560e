"""The life of one login: opened, renewed by spending a token, ended. Callers hold the transaction and the clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, QuerySet

from accounts import factors as factors_of
from accounts.clients import Client, line
from accounts.errors import AccountInactive
from accounts.events import LoginOpened, SessionRevoked
from accounts.factors import Factor
from accounts.models import Membership, RefreshToken, Session, TrustedDevice, User
from accounts.rights import held_by
from accounts.tokens import Claims, Standing, TokenKind
from auterity.kernel.access import Actor, Role
from auterity.kernel.events import publish

LONG = timedelta(days=30)  # for whoever asks to be remembered
FRESH = timedelta(minutes=10)


def membership_of(user: User, organization_id: UUID | None = None) -> Membership:
    """The oldest membership that lets the person in, or that in `organization_id`. Raises `AccountInactive`.

    A service account is nobody who logs in, whatever it proves.
    """
    let_in = user.memberships.select_related("custom_role").filter(
        user__is_active=True, user__is_service=False, is_active=True, organization__is_active=True
    )
    if organization_id is not None:
        let_in = let_in.filter(organization_id=organization_id)
    membership = let_in.order_by("id").first()
    if membership is None:
        raise AccountInactive
    return membership


def start(
    membership: Membership,
    *,
    client: Client,
    factors: Collection[Factor],
    fingerprint: str,
    now: datetime,
    until: datetime | None = None,
    fresh_at: datetime | None = None,
    risk: dict[str, Any] | None = None,
) -> Standing:
    """Open a login. Only `accounts.logins` calls this: what has to be asked before is asked there.

    It lasts `REFRESH_WINDOW`, 30 days for a client that is to be remembered, or to `until` if that is sooner.
    """
    user = membership.user
    expires_at = now + (LONG if client.remember else settings.REFRESH_WINDOW)
    session = Session.objects.create(
        user=user,
        organization_id=membership.organization_id,
        dialect=client.dialect,
        expires_at=expires_at if until is None else min(expires_at, until),
        last_seen_at=now,
        user_agent=line(client.user_agent, 400),
        address=line(client.address, 64),
        factors=sorted(factors),
        fresh_at=fresh_at,
        device_name=line(client.device_name, 100),
        fingerprint=fingerprint,
        client_id=client.client_id,
        device_id=client.device_id,
        risk=risk,
    )
    publish(LoginOpened(session.pk, user.pk, membership.organization_id, session.address, session.user_agent))
    custom = membership.custom_role.name if membership.custom_role is not None else ""
    actor = Actor(
        user.pk,
        membership.organization_id,
        Role(membership.role),
        held_by(membership),
        user.email,
        session.pk,
        custom,
    )
    return Standing(actor, session.pk, session.expires_at, user.token_version, session.device_id, session.client_id)


def of_two_factors(session: Session) -> bool:
    """Whether a login was proved by two factors, as the person's own are today."""
    return factors_of.suffices([Factor(each) for each in session.factors], session.user_id)


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


def revoke_in(organization_id: UUID, user_ids: Iterable[UUID], *, reason: str, now: datetime) -> int:
    """End every login that these people have in one organization; one of theirs in another is not that organization's to end.

    A login that is being opened this very moment is not seen here. Its rights are read from the membership with each request.
    """
    return revoke(
        Session.objects.filter(organization_id=organization_id, user_id__in=list(user_ids)), reason=reason, now=now
    )


def revoke_all(user_ids: Iterable[UUID], *, reason: str, now: datetime) -> int:
    """End every login of these people, make every token issued so far worthless, also one being issued right now, and trust
    none of their devices any longer."""
    user_ids = list(user_ids)
    TrustedDevice.objects.filter(user_id__in=user_ids).delete()
    User.objects.filter(id__in=user_ids).update(token_version=F("token_version") + 1)
    return revoke(Session.objects.filter(user_id__in=user_ids), reason=reason, now=now)
