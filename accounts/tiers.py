"""How well an account is protected (003, security tiers): a pure function of what is true of it at this moment.

A tier is lost as soon as one of its requirements is; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.utils import timezone

from accounts import backup_codes, factors, policies
from accounts.errors import FreshLoginRequired, TierTooLow
from accounts.factors import Factor
from accounts.models import Session, User
from accounts.policies import Tier
from accounts.sessions import FRESH
from auterity.kernel.access import Actor, Permission, require

MAXIMUM_FRESH: Final = timedelta(minutes=15)
RANKS: Final[Mapping[Tier, int]] = {tier: rank for rank, tier in enumerate(Tier)}


class Requirement(StrEnum):
    VERIFIED_EMAIL = "verified_email"
    TOTP = "totp"
    PASSKEY = "passkey"
    FRESH_LOGIN = "fresh_login"
    BACKUP_CODES = "backup_codes"


@dataclass(frozen=True, slots=True)
class Facts:
    """`fresh_at` is when the person last proved themselves in the login at hand."""

    email_verified: bool
    totp: bool
    passkey: bool
    backup_codes: int
    fresh_at: datetime | None
    allowed_maximum: bool = True  # by the organization's policy


# What each tier opens that the one below does not, where the organization's policy has tiers count; see `ACTIONS`.
UNLOCKS: Final[Mapping[Tier, Mapping[str, str]]] = {
    Tier.STANDARD: {},
    Tier.ELEVATED: {
        "data_export": "Export and import data.",
        "oauth_drive": "Connect calendars and drives.",
        "security_alerts": "Manage security alerts.",
    },
    Tier.MAXIMUM: {
        "policies": "Change the organization's policies.",
        "user_deactivation": "Deactivate people.",
        "admin_websocket": "Watch the administrators' live feed.",
    },
}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a sensitive action asks of whoever does it, beside what the service itself looks at. `permission` is what each form
    of it needs; the export of a whole organization needs more than that of one's own data."""

    permission: Permission | None = None
    fresh: bool = True
    tier: Tier = Tier.STANDARD


# The services that do one of these ask for it. The tiers count where the organization's policy says so (`enforce_tiers`); its
# `minimum_tier` counts everywhere.
ACTIONS: Final[Mapping[str, Needs]] = {
    "change_password": Needs(fresh=False),
    "change_policy": Needs(Permission.ORGANIZATION_MANAGE, tier=Tier.MAXIMUM),
    "connect_oauth": Needs(tier=Tier.ELEVATED),
    "delete_account": Needs(),
    "execute_workflow": Needs(Permission.WORKFLOW_EXECUTE, fresh=False),
    "export_data": Needs(tier=Tier.ELEVATED),
    "manage_api_keys": Needs(),
    "manage_users": Needs(Permission.ORGANIZATION_MANAGE, fresh=False, tier=Tier.MAXIMUM),
}


def lacking(tier: Tier, facts: Facts, *, now: datetime) -> list[Requirement]:
    """What of a tier's requirements is not met; empty when the tier is held. Pure.

    An authenticator or a passkey will do for `elevated`: without both, the authenticator is named.
    """
    missing: list[Requirement] = []
    if tier is Tier.STANDARD:
        return missing
    if not facts.email_verified:
        missing.append(Requirement.VERIFIED_EMAIL)
    if tier is Tier.ELEVATED:
        if not (facts.totp or facts.passkey):
            missing.append(Requirement.TOTP)
        return missing
    if not facts.totp:
        missing.append(Requirement.TOTP)
    if not facts.passkey:
        missing.append(Requirement.PASSKEY)
    if not facts.backup_codes:
        missing.append(Requirement.BACKUP_CODES)
    if facts.fresh_at is None or facts.fresh_at <= now - MAXIMUM_FRESH:
        missing.append(Requirement.FRESH_LOGIN)
    return missing


def tier_of(facts: Facts, *, now: datetime) -> Tier:
    """The highest tier whose requirements are all met. Pure."""
    held = Tier.STANDARD
    for tier in Tier:
        if lacking(tier, facts, now=now) or (tier is Tier.MAXIMUM and not facts.allowed_maximum):
            break
        held = tier
    return held


def facts_of(actor: Actor) -> Facts:
    """What is true of the actor's account and login now."""
    session = Session.objects.filter(pk=actor.session_id).first() if actor.session_id is not None else None
    roles = policies.of(actor.organization_id).maximum_tier_roles
    return facts_about(
        User.objects.get(pk=actor.user_id),
        fresh_at=session.fresh_at if session is not None else None,
        allowed_maximum=not roles or actor.role.value in roles,
    )


def facts_about(user: User, *, fresh_at: datetime | None, allowed_maximum: bool = True) -> Facts:
    """What is true of an account now, in a login of theirs that was proved at `fresh_at`."""
    own = factors.enrolled(user.pk)
    return Facts(
        email_verified=user.email_verified_at is not None,
        totp=Factor.TOTP in own,
        passkey=Factor.WEBAUTHN in own,
        backup_codes=backup_codes.left(user.pk),
        fresh_at=fresh_at,
        allowed_maximum=allowed_maximum,
    )


def current(actor: Actor, *, now: datetime | None = None) -> Tier:
    """The actor's tier."""
    return tier_of(facts_of(actor), now=now or timezone.now())


def tier_for(actor: Actor, action: str) -> Tier:
    """The tier that an action needs in the actor's organization."""
    rules = policies.of(actor.organization_id)
    own = ACTIONS[action].tier if rules.enforce_tiers else Tier.STANDARD
    return max(own, Tier(rules.minimum_tier), key=RANKS.__getitem__)


def missing_for(actor: Actor, action: str, facts: Facts, *, now: datetime) -> list[str]:
    """What stands against a sensitive action: `role`, `fresh_login`, or a requirement of the tier that the policy sets."""
    needed, lowest = ACTIONS[action], tier_for(actor, action)
    missing = [each.value for each in lacking(lowest, facts, now=now)]
    if lowest is Tier.MAXIMUM and not facts.allowed_maximum:
        missing.append("role")
    if needed.fresh and (facts.fresh_at is None or facts.fresh_at <= now - FRESH):
        missing.append(Requirement.FRESH_LOGIN.value)
    if needed.permission is not None and not actor.may(needed.permission):
        missing.append("role")
    return list(dict.fromkeys(missing))


def require_export(actor: Actor) -> None:
    """What the trail asks before it is exported (`accounts.apps`). Raises as `require_action`."""
    require_action(actor, "export_data")


def require_action(actor: Actor, action: str, *, now: datetime | None = None) -> None:
    """Raises `PermissionDenied`, `FreshLoginRequired` or `TierTooLow` unless the actor may do this now.

    No query is made for an action that needs neither a fresh login nor a tier of its own, unless the organization's policy
    asks a tier of the login at hand. A key or a process has none: who made it was asked.
    """
    needed = ACTIONS[action]
    if needed.permission is not None:
        require(actor, needed.permission)
    if not needed.fresh and needed.tier is Tier.STANDARD and not actor.minimum_tier:
        return
    now, facts = now or timezone.now(), facts_of(actor)
    missing = missing_for(actor, action, facts, now=now)
    if missing == [Requirement.FRESH_LOGIN.value]:
        raise FreshLoginRequired(methods=[*factors.methods(actor.user_id)])
    if missing:
        lowest = tier_for(actor, action)
        raise TierTooLow(required_tier=lowest.value, current_tier=tier_of(facts, now=now).value, missing=missing)
