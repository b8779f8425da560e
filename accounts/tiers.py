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
from accounts.errors import TierTooLow
from accounts.factors import Factor
from accounts.models import Session, User
from accounts.policies import Tier
from auterity.kernel.access import Actor

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


# What each tier opens that the one below does not; the services that guard these ask for the tier by `require_tier`.
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
    user = User.objects.get(pk=actor.user_id)
    own = factors.enrolled(actor.user_id)
    session = Session.objects.filter(pk=actor.session_id).first() if actor.session_id is not None else None
    roles = policies.of(actor.organization_id).maximum_tier_roles
    return Facts(
        email_verified=user.email_verified_at is not None,
        totp=Factor.TOTP in own,
        passkey=Factor.WEBAUTHN in own,
        backup_codes=backup_codes.left(actor.user_id),
        fresh_at=session.fresh_at if session is not None else None,
        allowed_maximum=not roles or actor.role.value in roles,
    )


def current(actor: Actor, *, now: datetime | None = None) -> Tier:
    """The actor's tier."""
    return tier_of(facts_of(actor), now=now or timezone.now())


def require_tier(actor: Actor, tier: Tier, *, now: datetime | None = None) -> None:
    """Raises `TierTooLow` naming what is missing."""
    now, facts = now or timezone.now(), facts_of(actor)
    held = tier_of(facts, now=now)
    if RANKS[held] < RANKS[tier]:
        missing = lacking(tier, facts, now=now)
        raise TierTooLow(required_tier=tier.value, current_tier=held.value, missing=[each.value for each in missing])
