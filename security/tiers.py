"""How well an account is protected: three tiers, recomputed from what is so at the moment, and upgrades that were asked for."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import backup_codes, factors, policies
from accounts.factors import Factor
from accounts.models import Membership, Session, User
from accounts.policies import Tier
from audit.trail import record
from auterity.kernel.access import Actor
from notifications.models import Category, Severity
from notifications.services import Notice, notify
from security.errors import TierAlreadyHeld, TierNotAllowed
from security.models import TierUpgrade, UpgradeStatus

FRESH_SECONDS: Final = 15 * 60
WAITS: Final = dt.timedelta(days=7)
RANKS: Final = {each: at for at, each in enumerate(Tier)}


@dataclass(frozen=True, slots=True)
class Requirement:
    """`how` says how to meet it, `path` is where."""

    code: str
    description: str
    how: str
    path: str
    max_age_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A tier: what it takes, and what it opens. Of `any_of` one is enough."""

    tier: Tier
    description: str
    all_of: tuple[Requirement, ...] = ()
    any_of: tuple[Requirement, ...] = ()
    unlocks: tuple[tuple[str, str], ...] = ()

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        return self.all_of + self.any_of

    def missing(self, met: frozenset[str]) -> list[str]:
        """The codes that are not met yet; of `any_of` all of them as long as none is."""
        lacking = [each.code for each in self.all_of if each.code not in met]
        if self.any_of and not met & {each.code for each in self.any_of}:
            lacking += [each.code for each in self.any_of]
        return lacking


EMAIL: Final = Requirement(
    "verified_email", "A confirmed e-mail address", "Follow the link that was mailed to you.", "/api/auth/send-verification"
)
TOTP: Final = Requirement("totp", "An authenticator app", "Set one up and confirm a code.", "/api/v1/2fa/setup")
PASSKEY: Final = Requirement("passkey", "A passkey", "Register one in your browser.", "/api/v1/webauthn/register/begin")
CODES: Final = Requirement("backup_codes", "Backup codes", "Make them and keep them safe.", "/api/v1/2fa/backup-codes")
FRESH: Final = Requirement(
    "fresh_login", "A login within 15 minutes", "Log in again.", "/api/v1/auth/jwt/login", FRESH_SECONDS
)
DEFINITIONS: Final = {
    each.tier: each
    for each in (
        Definition(Tier.STANDARD, "An active account.", unlocks=(("workflows", "Build and run workflows"),)),
        Definition(
            Tier.ELEVATED, "A confirmed address and a second factor.", (EMAIL,), (TOTP, PASSKEY),
            (
                ("data_export", "Export and import data"),
                ("drive_oauth", "Connect a drive by OAuth"),
                ("security_alerts", "Receive security alerts"),
            ),
        ),
        Definition(
            Tier.MAXIMUM, "A passkey, an authenticator app, backup codes and a login a moment ago.",
            (PASSKEY, TOTP, CODES, FRESH), (),
            (
                ("policies", "Change security policies"),
                ("user_deactivation", "Deactivate people"),
                ("admin_socket", "Watch the administrators' socket"),
            ),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody's tier at a moment. `since` is when the login that has it began, or the account for the lowest."""

    tier: Tier
    since: dt.datetime
    enforced_minimum: Tier
    met: frozenset[str]
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
    met: frozenset[str]

    @property
    def granted(self) -> bool:
        return self.row.status == UpgradeStatus.GRANTED


def unlocked_by(tier: Tier) -> list[str]:
    return [name for each in Tier if RANKS[each] <= RANKS[tier] for name, _ in DEFINITIONS[each].unlocks]


def met_by(user: User, session: Session | None, *, now: dt.datetime) -> frozenset[str]:
    """The requirements that somebody meets; a login's freshness is that of the login at hand, if there is one."""
    own = factors.enrolled(user.pk)
    fresh = session is not None and session.fresh_at is not None and (now - session.fresh_at).total_seconds() <= FRESH_SECONDS
    facts = {
        EMAIL.code: user.email_verified_at is not None,
        TOTP.code: Factor.TOTP in own,
        PASSKEY.code: Factor.WEBAUTHN in own,
        CODES.code: backup_codes.left(user.pk) > 0,
        FRESH.code: fresh,
    }
    return frozenset(code for code, is_so in facts.items() if is_so)


def tier_for(met: frozenset[str]) -> Tier:
    """The highest tier of which nothing is missing. Each includes what those below it take."""
    best = Tier.STANDARD
    for each in Tier:
        if DEFINITIONS[each].missing(met):
            break
        best = each
    return best


def current(*, actor: Actor, now: dt.datetime | None = None) -> Standing:
    """The caller's tier. One that was asked for is granted here too, where nothing is missing any more."""
    moment = now or timezone.now()
    user, session = _who(actor)
    met = met_by(user, session, now=moment)
    tier = tier_for(met)
    _settle_own(actor, tier, moment)
    above = [each for each in Tier if RANKS[each] == RANKS[tier] + 1]
    since = user.created_at if tier is Tier.STANDARD or session is None else session.created_at
    fresh = session.fresh_at if session is not None and tier is Tier.MAXIMUM else None
    rows = TierUpgrade.objects.of(actor).filter(user_id=actor.user_id, status=UpgradeStatus.PENDING)
    return Standing(
        tier=tier,
        since=since,
        enforced_minimum=Tier(policies.of(actor.organization_id).minimum_tier),
        met=met,
        missing_for_next=DEFINITIONS[above[0]].missing(met) if above else [],
        next_tier=above[0] if above else None,
        review_at=fresh + dt.timedelta(seconds=FRESH_SECONDS) if fresh else None,
        pending=rows.order_by("-id").first(),
    )


def upgrade(*, actor: Actor, target: Tier, reason: str = "", now: dt.datetime | None = None) -> Upgrade:
    """Ask for a higher tier. It is granted at once where nothing is missing, else it waits for 7 days.

    Asking again for the same gives the same. Raises `TierAlreadyHeld` or `TierNotAllowed`.
    """
    moment = now or timezone.now()
    user, session = _who(actor)
    met = met_by(user, session, now=moment)
    held = tier_for(met)
    reserved = policies.of(actor.organization_id).maximum_tier_roles
    if target is Tier.MAXIMUM and reserved and actor.role.value not in reserved:
        raise TierNotAllowed
    rows = TierUpgrade.objects.of(actor).filter(user_id=actor.user_id, target=target.value)
    _expire(moment)
    waiting = rows.filter(status=UpgradeStatus.PENDING).first()
    if RANKS[held] >= RANKS[target]:
        if waiting is None:
            # Everything is there, and nobody has been told yet: that is what this asks for. A second time there is nothing to ask.
            if rows.filter(status=UpgradeStatus.GRANTED).exists():
                raise TierAlreadyHeld(tier=held.value)
            waiting = _ask(actor, target, reason, moment)
        _grant(waiting, moment)
        return Upgrade(waiting, held, met)
    return Upgrade(waiting or _ask(actor, target, reason, moment), held, met)


def settle_pending(*, now: dt.datetime | None = None) -> int:
    """Grant what has come to lack nothing, and give up what was asked for too long ago. Returns how many were granted."""
    moment = now or timezone.now()
    _expire(moment)
    count = 0
    for row in TierUpgrade.unscoped.filter(status=UpgradeStatus.PENDING).select_related("user"):
        alive = Session.objects.filter(
            user_id=row.user_id, organization_id=row.organization_id, revoked_at=None, expires_at__gt=moment
        )
        session = alive.exclude(fresh_at=None).order_by("-fresh_at").first()
        if RANKS[tier_for(met_by(row.user, session, now=moment))] >= RANKS[Tier(row.target)]:
            count += _grant(row, moment)
    return count


def spread(organization_id: UUID, people: Sequence[UUID], *, now: dt.datetime) -> Counter[str]:
    """How many of these people have which tier at this moment."""
    alive = Session.objects.filter(organization_id=organization_id, user_id__in=people, revoked_at=None, expires_at__gt=now)
    freshest = {each.user_id: each for each in alive.exclude(fresh_at=None).order_by("fresh_at")}
    found = Counter({each.value: 0 for each in Tier})
    for user in User.objects.filter(pk__in=people):
        found[tier_for(met_by(user, freshest.get(user.pk), now=now)).value] += 1
    return found


# -- inside --------------------------------------------------------------------------------------------------------------


def _who(actor: Actor) -> tuple[User, Session | None]:
    member = Membership.objects.select_related("user").get(user_id=actor.user_id, organization_id=actor.organization_id)
    return member.user, Session.objects.filter(pk=actor.session_id).first() if actor.session_id else None


def _ask(actor: Actor, target: Tier, reason: str, now: dt.datetime) -> TierUpgrade:
    row = TierUpgrade(
        organization_id=actor.organization_id, user_id=actor.user_id, target=target.value, reason=reason, expires_at=now + WAITS
    )
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


def _settle_own(actor: Actor, tier: Tier, now: dt.datetime) -> None:
    _expire(now)
    for row in TierUpgrade.objects.of(actor).filter(user_id=actor.user_id, status=UpgradeStatus.PENDING):
        if RANKS[tier] >= RANKS[Tier(row.target)]:
            _grant(row, now)


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
