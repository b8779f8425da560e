"""Higher tiers that people ask for (see `accounts.tiers`), granted by themselves once nothing is missing."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import policies, tiers
from accounts.models import Membership, Session, User
from accounts.policies import Tier
from accounts.tiers import Facts, Requirement
from audit.trail import record
from auterity.kernel.access import Actor
from notifications.models import Category, Severity
from notifications.services import Notice, notify
from security.errors import TierAlreadyHeld, TierNotAllowed
from security.models import TierUpgrade, UpgradeStatus

WAITS: Final = dt.timedelta(days=7)
# What each tier takes (003). Of an authenticator and a passkey one will do for the second.
TAKES: Final = {
    Tier.STANDARD: (),
    Tier.ELEVATED: (Requirement.VERIFIED_EMAIL, Requirement.TOTP, Requirement.PASSKEY),
    Tier.MAXIMUM: (
        Requirement.VERIFIED_EMAIL, Requirement.TOTP, Requirement.PASSKEY, Requirement.BACKUP_CODES, Requirement.FRESH_LOGIN,
    ),
}  # fmt: skip
MEANS: Final = {
    Tier.STANDARD: "An active account.",
    Tier.ELEVATED: "A confirmed address, and an authenticator app or a passkey.",
    Tier.MAXIMUM: "A passkey, an authenticator app, backup codes and a login of the last 15 minutes.",
}


@dataclass(frozen=True, slots=True)
class Way:
    """What a requirement is, how to meet it, and at which address."""

    description: str
    how: str
    path: str
    max_age_seconds: int | None = None


WAYS: Final = {
    Requirement.VERIFIED_EMAIL: Way(
        "A confirmed e-mail address.", "Follow the link that was mailed to you.", "/api/auth/verify-email/send"
    ),
    Requirement.TOTP: Way("An authenticator app.", "Set one up and confirm it with a code.", "/api/v1/2fa/setup"),
    Requirement.PASSKEY: Way("A passkey.", "Register one in your browser.", "/api/v1/webauthn/register/begin"),
    Requirement.BACKUP_CODES: Way("Backup codes.", "Have them made and keep them.", "/api/v1/2fa/backup-codes"),
    Requirement.FRESH_LOGIN: Way(
        "A login of the last 15 minutes.", "Log in again.", "/api/v1/auth/jwt/login",
        int(tiers.MAXIMUM_FRESH.total_seconds()),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """The caller's tier at a moment. `since` is when the login that has it began, or the account, for the lowest."""

    tier: Tier
    since: dt.datetime
    enforced_minimum: Tier
    satisfied: list[str]
    missing_for_next: list[str]
    next_tier: Tier | None
    review_at: dt.datetime | None
    pending: TierUpgrade | None

    @property
    def unlocks(self) -> list[str]:
        return unlocked_by(self.tier)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What became of asking for a tier."""

    row: TierUpgrade
    current: Tier
    met: list[Requirement]


def unlocked_by(tier: Tier) -> list[str]:
    return [name for each in Tier if tiers.RANKS[each] <= tiers.RANKS[tier] for name in tiers.UNLOCKS[each]]


def met(facts: Facts, *, now: dt.datetime) -> list[Requirement]:
    """The requirements that these facts meet."""
    fresh = facts.fresh_at is not None and facts.fresh_at > now - tiers.MAXIMUM_FRESH
    so = {
        Requirement.VERIFIED_EMAIL: facts.email_verified,
        Requirement.TOTP: facts.totp,
        Requirement.PASSKEY: facts.passkey,
        Requirement.FRESH_LOGIN: fresh,
        Requirement.BACKUP_CODES: facts.backup_codes > 0,
    }
    return [each for each, is_so in so.items() if is_so]


def standing(*, actor: Actor, now: dt.datetime | None = None) -> Standing:
    """The caller's tier, recomputed. One that was asked for is granted here too, where nothing is missing any more."""
    moment = now or timezone.now()
    facts = tiers.facts_of(actor)
    tier = tiers.tier_of(facts, now=moment)
    _expire(moment)
    waiting = TierUpgrade.objects.of(actor).filter(user_id=actor.user_id, status=UpgradeStatus.PENDING)
    for row in waiting:
        if tiers.RANKS[tier] >= tiers.RANKS[Tier(row.target)]:
            _grant(row, moment)
    session = Session.objects.filter(pk=actor.session_id).first() if actor.session_id else None
    higher = next((each for each in Tier if tiers.RANKS[each] == tiers.RANKS[tier] + 1), None)
    began = User.objects.values_list("created_at", flat=True).get(pk=actor.user_id)
    return Standing(
        tier=tier,
        since=began if tier is Tier.STANDARD or session is None else session.created_at,
        enforced_minimum=Tier(policies.of(actor.organization_id).minimum_tier),
        satisfied=[each.value for each in met(facts, now=moment)],
        missing_for_next=[each.value for each in tiers.lacking(higher, facts, now=moment)] if higher else [],
        next_tier=higher,
        review_at=facts.fresh_at + tiers.MAXIMUM_FRESH if facts.fresh_at and tier is Tier.MAXIMUM else None,
        pending=waiting.order_by("-id").first(),
    )


def upgrade(*, actor: Actor, target: Tier, reason: str = "", now: dt.datetime | None = None) -> Upgrade:
    """Ask for a higher tier. It is granted at once where nothing is missing, else it waits for 7 days.

    Asking again for one that waits gives the same. Raises `TierAlreadyHeld` or `TierNotAllowed`.
    """
    moment = now or timezone.now()
    facts = tiers.facts_of(actor)
    held, here = tiers.tier_of(facts, now=moment), met(facts, now=moment)
    if target is Tier.MAXIMUM and not facts.allowed_maximum:
        raise TierNotAllowed
    _expire(moment)
    rows = TierUpgrade.objects.of(actor).filter(user_id=actor.user_id, target=target.value)
    waiting: TierUpgrade | None = rows.filter(status=UpgradeStatus.PENDING).first()
    if tiers.RANKS[held] < tiers.RANKS[target]:
        return Upgrade(waiting or _ask(actor, target, reason, moment), held, here)
    if waiting is None and rows.filter(status=UpgradeStatus.GRANTED).exists():
        raise TierAlreadyHeld(tier=held.value)
    row = waiting or _ask(actor, target, reason, moment)
    _grant(row, moment)
    return Upgrade(row, held, here)


def settle_pending(*, now: dt.datetime | None = None) -> int:
    """Grant what has come to lack nothing, and give up what was asked for too long ago. Returns how many were granted."""
    moment = now or timezone.now()
    _expire(moment)
    count = 0
    for row in TierUpgrade.unscoped.filter(status=UpgradeStatus.PENDING):
        for facts in _facts(row.organization_id, [row.user_id], now=moment).values():
            if tiers.RANKS[tiers.tier_of(facts, now=moment)] >= tiers.RANKS[Tier(row.target)]:
                count += _grant(row, moment)
    return count


def spread(organization_id: UUID, people: Sequence[UUID], *, now: dt.datetime) -> Counter[str]:
    """How many of these people have which tier at this moment, by the freshest of their logins."""
    found = Counter({each.value: 0 for each in Tier})
    found.update(tiers.tier_of(facts, now=now).value for facts in _facts(organization_id, people, now=now).values())
    return found


# -- inside --------------------------------------------------------------------------------------------------------------


def _facts(organization_id: UUID, people: Sequence[UUID], *, now: dt.datetime) -> dict[UUID, Facts]:
    alive = Session.objects.filter(
        organization_id=organization_id, user_id__in=people, revoked_at=None, expires_at__gt=now
    )
    fresh = dict(alive.exclude(fresh_at=None).order_by("fresh_at").values_list("user_id", "fresh_at"))
    roles = policies.of(organization_id).maximum_tier_roles
    members = Membership.objects.filter(organization_id=organization_id, is_active=True, user_id__in=people)
    found = {}
    for member in members.select_related("user"):
        found[member.user_id] = tiers.facts_about(
            member.user, fresh_at=fresh.get(member.user_id), allowed_maximum=not roles or member.role in roles
        )
    return found


def _ask(actor: Actor, target: Tier, reason: str, now: dt.datetime) -> TierUpgrade:
    row = TierUpgrade(
        organization_id=actor.organization_id, user_id=actor.user_id, target=target.value, reason=reason, expires_at=now + WAITS
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            record(
                "security.tier.requested", "request", organization_id=actor.organization_id, actor=actor,
                resource_type="user", resource_id=actor.user_id, details={"target": target.value, "reason": reason},
            )  # fmt: skip
    except IntegrityError:  # Asked twice in one moment.
        rows = TierUpgrade.objects.of(actor).filter(user_id=actor.user_id, target=target.value)
        found: TierUpgrade = rows.get(status=UpgradeStatus.PENDING)
        return found
    return row


def _grant(row: TierUpgrade, now: dt.datetime) -> bool:
    """Of several who grant at once one does, and tells it."""
    with transaction.atomic():
        same = TierUpgrade.objects.of(row.organization_id).filter(pk=row.pk, status=UpgradeStatus.PENDING)
        if not same.update(status=UpgradeStatus.GRANTED, granted_at=now, updated_at=now):
            row.refresh_from_db()
            return False
        row.status, row.granted_at = UpgradeStatus.GRANTED, now
        record(
            "security.tier.granted", "grant", organization_id=row.organization_id, user_id=row.user_id, severity="medium",
            resource_type="user", resource_id=row.user_id, details={"target": row.target},
        )  # fmt: skip
        notice = Notice(
            Category.SECURITY, Severity.SUCCESS, f"Your security tier is {row.target}",
            "Everything that it takes is there. It lasts as long as that does.", "/security", {"tier": row.target},
        )  # fmt: skip
        notify(organization_id=row.organization_id, user_ids=[row.user_id], notice=notice)
    return True


def _expire(now: dt.datetime) -> None:
    over = TierUpgrade.unscoped.filter(status=UpgradeStatus.PENDING, expires_at__lte=now)
    if over.exists():
        over.update(status=UpgradeStatus.EXPIRED, updated_at=now)
