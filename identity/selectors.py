"""What there is of somebody's passkeys, accounts at providers and grants."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from auterity.kernel.access import Actor
from identity.models import ExternalIdentity, Health, OAuthGrant, Passkey


@dataclass(frozen=True, slots=True)
class Stores:
    """Where calendar and drive live for somebody: `google` where a grant that works covers them, else `local`."""

    calendar: str
    drive: str


def passkeys(actor: Actor) -> list[Passkey]:
    """The actor's own, oldest first."""
    return list(Passkey.objects.filter(user_id=actor.user_id).order_by("id"))


def can_answer(user_id: UUID) -> bool:
    """Whether somebody can prove themselves by a passkey."""
    return Passkey.objects.filter(user_id=user_id, suspended_at=None).exists()


def identities(actor: Actor) -> list[ExternalIdentity]:
    """The actor's accounts at providers; those at other organizations' providers are left out."""
    rows = ExternalIdentity.objects.filter(user_id=actor.user_id).select_related("provider").order_by("id")
    return [each for each in rows if each.provider is None or each.provider.organization_id == actor.organization_id]


def grant(actor: Actor) -> OAuthGrant | None:
    """What the actor let the organization at hand do at Google."""
    rows = OAuthGrant.objects.of(actor).select_related("identity").filter(user_id=actor.user_id)
    found: OAuthGrant | None = rows.first()
    return found


def stores(held: OAuthGrant | None) -> Stores:
    works = held is not None and held.health in (Health.OK, Health.UNKNOWN)
    covered = set(held.scopes) if held is not None and works else set()
    return Stores(*("google" if each in covered else "local" for each in ("calendar", "drive")))
