"""Whether what was proved is enough, and opening the login once it is. Called by `accounts.logins` alone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from accounts import attempts, mfa_tokens, policies, risk, sessions, vouching
from accounts import factors as known
from accounts.clients import Client
from accounts.credentials import LoginOutcome
from accounts.errors import MfaRequired, PasswordExpired, RiskBlocked
from accounts.factors import Factor
from accounts.models import Membership, User
from accounts.pairs import TokenPair, pair_of
from accounts.policies import Rules
from accounts.risk import Assessment
from auterity.kernel.access import Role


def check_age(user: User, *, now: datetime) -> None:
    """Raises `PasswordExpired` where an organization of the person wants a newer password."""
    days = policies.for_person(user.pk).password_max_age_days
    if days and (user.password_changed_at or user.created_at) < now - timedelta(days=days):
        raise PasswordExpired


def ask(
    user: User,
    membership: Membership,
    rules: Rules,
    found: Assessment | None,
    *,
    client: Client,
    factors: Collection[Factor],
    judged: bool,
    now: datetime,
) -> None:
    """Raises `MfaRequired` or `RiskBlocked` where these factors are not enough, and keeps that as an attempt."""
    enough = known.suffices(factors, user.pk)
    wanted = bool(known.enrolled(user.pk)) or policies.wants_second_factor(rules, Role(membership.role))
    if found is not None and (judged or rules.risk_every_login):
        if found.score >= found.block:
            _not_yet(LoginOutcome.BLOCKED, membership, found, client=client, factors=factors)
            raise RiskBlocked(level=found.level)
        wanted = wanted or found.score >= found.challenge
    if enough or not wanted:
        return
    _not_yet(LoginOutcome.CHALLENGED, membership, found, client=client, factors=factors)
    token, expires_at = mfa_tokens.issue(
        user, client=client, factors=factors, organization_id=membership.organization_id, now=now
    )
    raise MfaRequired(
        mfa_token=token,
        methods=[*known.methods(user.pk)],
        expires_at=expires_at,
        risk=found.as_json() if found is not None else None,
    )


def _not_yet(
    outcome: LoginOutcome,
    membership: Membership,
    found: Assessment | None,
    *,
    client: Client,
    factors: Collection[Factor],
) -> None:
    attempts.record(
        outcome,
        client=client,
        factors=factors,
        user_id=membership.user_id,
        organization_id=membership.organization_id,
        risk=found,
    )


def let_in(
    membership: Membership,
    rules: Rules,
    *,
    client: Client,
    factors: Collection[Factor],
    until: datetime | None,
    fresh_at: datetime | None,
    found: Assessment | None,
    now: datetime,
) -> TokenPair:
    """Open the login, for as long as the policy allows, and keep it as an attempt that got in."""
    ends = [
        each for each in (until, now + timedelta(hours=rules.session_hours) if rules.session_hours else None) if each
    ]
    judged = found.as_json() if found is not None else None
    with transaction.atomic():
        vouching.ask_last(membership, factors, client)
        standing = sessions.start(
            membership,
            client=client,
            factors=factors,
            fingerprint=risk.fingerprint_of(client),
            now=now,
            until=min(ends, default=None),
            fresh_at=fresh_at,
            risk=judged,
        )
        attempts.record(
            LoginOutcome.SUCCESS,
            client=client,
            factors=factors,
            user_id=membership.user_id,
            organization_id=membership.organization_id,
            session_id=standing.session_id,
            risk=found,
        )
        User.objects.filter(pk=membership.user_id).update(last_login=now)
        return pair_of(standing, client.access_seconds, now=now, risk=judged)
