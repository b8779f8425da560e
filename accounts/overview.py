"""How well one's own account is protected: a score of documented parts, and what would raise it (003, security status)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from accounts import attempts, factors, policies, tiers
from accounts.factors import Factor
from accounts.models import LoginAttempt, User
from accounts.policies import Tier
from auterity.kernel.access import Actor

RECENT: Final = 20  # logins that are listed


@dataclass(frozen=True, slots=True)
class Part:
    """Points that an account has or could have. `action_path` is where it is done."""

    code: str
    points: int
    met: bool
    title: str
    action_path: str


@dataclass(frozen=True, slots=True)
class Overview:
    """`parts` add up to 100; `score` is what is met of them."""

    tier: Tier
    parts: tuple[Part, ...]
    email_verified: bool
    password_changed_at: datetime | None
    password_expires_at: datetime | None
    totp: bool
    backup_codes_remaining: int
    recent_logins: list[LoginAttempt]
    failed_logins_24h: int

    @property
    def score(self) -> int:
        return sum(each.points for each in self.parts if each.met)

    @property
    def recommendations(self) -> list[Part]:
        """What is missing, the most useful first."""
        return sorted((each for each in self.parts if not each.met), key=lambda each: -each.points)


def of(actor: Actor, *, now: datetime | None = None) -> Overview:
    """The actor's own account as it is now. Read only."""
    now = now or timezone.now()
    user, facts = User.objects.get(pk=actor.user_id), tiers.facts_of(actor)
    days = policies.for_person(user.pk).password_max_age_days
    since = user.password_changed_at or user.created_at
    failed = attempts.failed_since(user.pk, now - timedelta(hours=24))
    return Overview(
        tier=tiers.tier_of(facts, now=now),
        parts=parts_of(
            facts, second_factor=bool(factors.enrolled(user.pk)), password_since=since, failed=failed, now=now
        ),
        email_verified=facts.email_verified,
        password_changed_at=user.password_changed_at,
        password_expires_at=since + timedelta(days=days) if days else None,
        totp=facts.totp,
        backup_codes_remaining=facts.backup_codes,
        recent_logins=list(attempts.of(user.pk)[:RECENT]),
        failed_logins_24h=failed,
    )


def parts_of(
    facts: tiers.Facts, *, second_factor: bool, password_since: datetime, failed: int, now: datetime
) -> tuple[Part, ...]:
    """Pure: the parts of the score."""
    settled = password_since > now - timedelta(days=365)
    return (
        Part("verify_email", 15, facts.email_verified, "Confirm your address", "/api/auth/verify-email/send"),
        Part("enable_second_factor", 35, second_factor, "Set up a second factor", "/api/v1/2fa/setup"),
        Part("add_passkey", 20, facts.passkey, "Add a passkey", "/api/v1/webauthn/register/begin"),
        Part("backup_codes", 10, facts.backup_codes > 2, "Make new backup codes", "/api/v1/2fa/backup-codes"),
        Part("renew_password", 10, settled, "Choose another password", "/api/v1/auth/change-password"),
        Part(
            "check_failed_logins",
            10,
            failed < 3,
            "Look at the logins that failed",
            "/api/v1/enhanced-auth/security/status",
        ),
    )


# -- asked before something sensitive ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a sensitive action would be let through now, and what is missing."""

    action: str
    required: Tier
    current: Tier
    missing: tuple[str, ...]
    methods: tuple[Factor, ...]
    valid_until: datetime | None

    @property
    def allowed(self) -> bool:
        return not self.missing


def check(actor: Actor, action: str, *, now: datetime | None = None) -> Checked:
    """By the same function that the action asks (`tiers.require_action`). `missing` may name `role` too."""
    now = now or timezone.now()
    needed, facts = tiers.ACTIONS[action], tiers.facts_of(actor)
    missing = tiers.missing_for(actor, action, facts, now=now)
    fresh = facts.fresh_at + tiers.FRESH if facts.fresh_at is not None else None
    return Checked(
        action=action,
        required=tiers.tier_for(actor, action),
        current=tiers.tier_of(facts, now=now),
        missing=tuple(missing),
        methods=tuple(factors.methods(actor.user_id)),
        valid_until=None if missing else fresh if needed.fresh else now + tiers.FRESH,
    )
