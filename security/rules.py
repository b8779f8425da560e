"""An organization's policies as one of its people sees them: what holds, whom it binds, whether they comply.

The values are those that the enforcing code reads (`accounts.policies`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from accounts import factors, policies, tiers
from accounts.models import Membership, Organization, Session, User
from accounts.policies import Rules, Shown, Tier
from auterity.kernel.access import Actor, Permission, Role

EVERYBODY: Final = tuple(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class Policy:
    """`remedy` says what the caller can do about not complying; None where they do."""

    shown: Shown
    applies_to_roles: tuple[str, ...]
    compliant: bool
    remedy: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    organization_id: UUID
    version: int
    updated_at: dt.datetime
    policies: list[Policy]


@dataclass(frozen=True, slots=True)
class _Person:
    """What the judging of somebody needs."""

    actor: Actor
    user: User
    session: Session | None
    rules: Rules
    now: dt.datetime

    @property
    def protected(self) -> bool:
        return bool(factors.enrolled(self.user.pk))


def listed(*, actor: Actor, category: str = "", now: dt.datetime | None = None) -> Listed:
    """Those that bind the caller; whoever manages the organization sees all of them."""
    rules = policies.of(actor.organization_id)
    session = Session.objects.filter(pk=actor.session_id).first() if actor.session_id else None
    person = _Person(actor, User.objects.get(pk=actor.user_id), session, rules, now or timezone.now())
    whole = actor.may(Permission.ORGANIZATION_MANAGE)
    found = []
    for each in policies.shown(actor.organization_id):
        roles = _roles(each.key, rules)
        if (category and each.category.value != category) or not (whole or actor.role.value in roles):
            continue
        remedy = _JUDGED[each.key](person) if each.key in _JUDGED and actor.role.value in roles else None
        found.append(Policy(each, roles, remedy is None, remedy))
    version, updated_at = policies.version(actor.organization_id)
    began = updated_at or Organization.objects.values_list("created_at", flat=True).get(pk=actor.organization_id)
    return Listed(actor.organization_id, version, began, found)


def people_of(organization_id: UUID) -> list[Membership]:
    """The active members with their `user`, oldest first. A service account is nobody who could have a second factor."""
    rows = Membership.objects.filter(
        organization_id=organization_id, is_active=True, user__is_active=True, user__is_service=False
    )
    return list(rows.select_related("user").order_by("id"))


# -- inside --------------------------------------------------------------------------------------------------------------


def _roles(key: str, rules: Rules) -> tuple[str, ...]:
    if key == "mfa_required_roles":
        return rules.mfa_required_roles or EVERYBODY
    return (rules.maximum_tier_roles or EVERYBODY) if key == "maximum_tier_roles" else EVERYBODY


def _second_factor(person: _Person) -> str | None:
    wanted = person.actor.role.value in person.rules.mfa_required_roles
    return "Set up an authenticator app or a passkey." if wanted and not person.protected else None


def _tier(person: _Person) -> str | None:
    held, least = tiers.current(person.actor, now=person.now), Tier(person.rules.minimum_tier)
    if tiers.RANKS[held] >= tiers.RANKS[least]:
        return None
    missing = tiers.lacking(least, tiers.facts_of(person.actor), now=person.now)
    return f"Your tier is {held.value}; {least.value} still takes {', '.join(each.value for each in missing)}."


def _password_age(person: _Person) -> str | None:
    days = person.rules.password_max_age_days
    set_at = person.user.password_changed_at or person.user.created_at
    old = bool(days) and set_at < person.now - dt.timedelta(days=days)
    return f"Choose another password: yours is older than {days} days." if old else None


def _network(person: _Person) -> str | None:
    address = person.session.address if person.session is not None else ""
    inside = not address or policies.allows(person.rules, address)
    return None if inside else "Log in from one of the networks that your organization allows."


def _session(person: _Person) -> str | None:
    hours, session = person.rules.session_hours, person.session
    long = (
        bool(hours)
        and session is not None
        and session.expires_at - session.created_at > dt.timedelta(hours=hours, minutes=1)
    )
    return "Log in again: this login lasts longer than is allowed now." if long else None


_JUDGED: Final[Mapping[str, Callable[[_Person], Any]]] = {
    "allowed_networks": _network,
    "mfa_required_roles": _second_factor,
    "minimum_tier": _tier,
    "password_max_age_days": _password_age,
    "session_hours": _session,
}
