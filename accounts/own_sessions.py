"""A person's own logins and the devices they told us to know again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import risk, sessions
from accounts.clients import Client, line
from accounts.errors import NotAuthenticated, SessionNotFound
from accounts.models import Session, TrustedDevice
from audit import trail
from auterity.kernel.access import Actor

LONGEST_TRUST: Final = timedelta(days=30)


def alive(actor: Actor, *, now: datetime | None = None) -> QuerySet[Session]:
    """The actor's logins that are open, in every organization, newest first; lazily, with `organization`."""
    rows = Session.objects.filter(user_id=actor.user_id, revoked_at=None, expires_at__gt=now or timezone.now())
    return rows.select_related("organization").order_by("-id")


def revoke(*, actor: Actor, session_id: UUID) -> None:
    """End one of them, also the one at hand, and trust its device no longer.

    Raises `SessionNotFound`, also for somebody else's and for one that has ended.
    """
    now = timezone.now()
    with transaction.atomic():
        ending = alive(actor, now=now).filter(pk=session_id)
        device = ending.values_list("fingerprint", flat=True).first()
        if not sessions.revoke(ending, reason="revoked by its owner", now=now):
            raise SessionNotFound
        _devices(actor).filter(fingerprint=device).delete()
        _note(actor, "auth.session.revoked", session_id, count=1)


def revoke_others(*, actor: Actor) -> int:
    """End all but the one at hand, and trust no other device any longer. Returns how many logins ended."""
    if actor.session_id is None:
        raise NotAuthenticated
    now = timezone.now()
    with transaction.atomic():
        others = alive(actor, now=now).exclude(pk=actor.session_id)
        ended = sessions.revoke(others, reason="revoked by its owner", now=now)
        mine = Session.objects.filter(pk=actor.session_id).values("fingerprint")
        _devices(actor).exclude(fingerprint__in=mine).delete()
        _note(actor, "auth.session.revoked", "all others", count=ended)
        return ended


def differences(session: Session, client: Client) -> list[tuple[str, str]]:
    """How the client that uses a login now differs from the one that opened it: `(code, detail)`."""
    found = []
    if line(client.address, 64) != session.address:
        found.append(("ip_changed", f"It was opened from {session.address or 'an address that is not known'}."))
    if line(client.user_agent, 400) != session.user_agent:
        found.append(("user_agent_changed", f"It was opened by {session.user_agent or 'a program without a name'}."))
    if client.fingerprint and session.fingerprint and risk.fingerprint_of(client) != session.fingerprint:
        found.append(("device_changed", "It was opened on another device."))
    return found


def trust(*, actor: Actor, client: Client, days: int, now: datetime | None = None) -> datetime:
    """Know this device again for so many days, at most 30: its logins are not questioned for being new. Returns until when."""
    name = client.device_name or client.user_agent
    return _trust(actor.user_id, actor.organization_id, risk.fingerprint_of(client), name, days, now or timezone.now())


def trust_session(session: Session, *, days: int, name: str = "", now: datetime) -> datetime:
    """The same for the device that a login was opened on."""
    name = name or session.device_name or session.user_agent
    return _trust(session.user_id, session.organization_id, session.fingerprint, name, days, now)


def trusted_until(session: Session, *, now: datetime | None = None) -> datetime | None:
    """Until when the device of a login is known again; None where it is not."""
    rows = TrustedDevice.objects.filter(user_id=session.user_id, fingerprint=session.fingerprint)
    found = rows.filter(trusted_until__gt=now or timezone.now()).first()
    return found.trusted_until if found is not None else None


def distrust(session: Session) -> bool:
    """Question the device of a login again as if it were new. Returns whether it was trusted."""
    with transaction.atomic():
        found = TrustedDevice.objects.filter(user_id=session.user_id, fingerprint=session.fingerprint)
        if not found.delete()[0]:
            return False
        trail.record(
            "auth.device.distrusted",
            "revoke",
            organization_id=session.organization_id,
            user_id=session.user_id,
            severity="low",
            resource_type="user",
            resource_id=session.user_id,
        )
    return True


def _devices(actor: Actor) -> QuerySet[TrustedDevice]:
    return TrustedDevice.objects.filter(user_id=actor.user_id)


def _note(actor: Actor, event_type: str, resource_id: object, **about: object) -> None:
    trail.record(
        event_type,
        "revoke",
        organization_id=actor.organization_id,
        actor=actor,
        severity="low",
        resource_type="session",
        resource_id=resource_id,
        details=about,
    )


def _trust(user_id: UUID, organization_id: UUID, fingerprint: str, name: str, days: int, now: datetime) -> datetime:
    until, name = now + min(timedelta(days=days), LONGEST_TRUST), line(name, 100)
    with transaction.atomic():
        TrustedDevice.objects.update_or_create(
            user_id=user_id, fingerprint=fingerprint, defaults={"trusted_until": until, "name": name}
        )
        trail.record(
            "auth.device.trusted",
            "trust",
            organization_id=organization_id,
            user_id=user_id,
            severity="low",
            resource_type="user",
            resource_id=user_id,
            details={"name": name, "until": until.isoformat()},
        )
    return until
