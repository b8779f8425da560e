"""A login walked through step by step, for support staff: the same checks as `logins`, each told with its outcome.

It counts as a login that was tried. What it tells would give away which accounts there are, so its door is narrow.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from django.utils import timezone

from accounts import (
    attempts,
    factors,
    guesses,
    logins,
    networks,
    policies,
    second_factors,
    secret_words,
    sessions,
    tiers,
    totp,
)
from accounts.clients import Client
from accounts.credentials import LoginOutcome
from accounts.errors import MemberNotFound, MfaAttempts, MfaInvalid, MfaRequired
from accounts.factors import Factor
from accounts.models import Membership, User, normal_email
from accounts.pairs import TokenPair
from accounts.policies import Rules
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.errors import DomainError

_Got = TypeVar("_Got")


@dataclass(frozen=True, slots=True)
class Check:
    """One step. What was not come to has not passed."""

    name: str
    passed: bool
    detail: str
    duration_ms: float


@dataclass(slots=True)
class Trace:
    """`problem` is what a login would have been refused with; None where it would have been let in."""

    checks: list[Check] = field(default_factory=list)
    problem: DomainError | None = None
    user: User | None = None
    role: str | None = None
    methods: list[str] = field(default_factory=list)
    failed_attempts: int = 0
    locked_until: datetime | None = None
    drift_steps: int | None = None
    pair: TokenPair | None = None

    def step(self, name: str, about: str, act: Callable[[], _Got]) -> _Got | None:
        """Do one step, unless an earlier one failed."""
        if self.problem is not None:
            self.checks.append(Check(name, False, "Not looked at.", 0.0))
            return None
        began, found, detail = time.perf_counter(), None, about
        try:
            found = act()
        except DomainError as error:
            self.problem, detail = error, error.message
        passed = self.problem is None
        self.checks.append(Check(name, passed, detail, round((time.perf_counter() - began) * 1000, 3)))
        return found


def walk(
    *,
    email: str,
    password: str,
    totp_code: str,
    client: Client,
    issue_token: bool,
    asked_by: Actor | None,
    now: datetime | None = None,
) -> Trace:
    """`asked_by` is the admin who asks, None where the server lets everybody. No token is made unless `issue_token` says so and
    everything is right. Raises `PermissionDenied`, or `MemberNotFound` for an account that is not of the admin's organization.
    """
    now, trace = now or timezone.now(), Trace()
    trace.user = user = User.objects.filter(email=normal_email(email)).first()
    if asked_by is not None:
        require(asked_by, Permission.ORGANIZATION_MANAGE)
        here = Membership.objects.filter(organization_id=asked_by.organization_id)
        if user is None or not here.filter(user=user).exists():
            raise MemberNotFound
    trace.locked_until = guesses.locked_until(guesses.PASSWORD, normal_email(email), now=now)
    trace.step(
        "password", "The password is right.", lambda: secret_words.verified(email, password, client=client, now=now)
    )
    there = "There is such an account." if user is not None else "There is no such account."
    trace.checks.insert(0, Check("account_exists", user is not None, there, 0.0))
    trace.failed_attempts = guesses.failures(guesses.PASSWORD, normal_email(email), now=now)
    if user is None:
        return trace
    organization_id = asked_by.organization_id if asked_by is not None else None
    membership = trace.step("active", "The account may come in.", lambda: sessions.membership_of(user, organization_id))
    trace.role = membership.role if membership is not None else None
    verified = user.email_verified_at is not None
    said = "The address is confirmed." if verified else "The address is not confirmed; a login does not need that."
    trace.checks.append(Check("email_verified", verified, said, 0.0))
    locked = trace.locked_until is not None
    trace.checks.append(Check("not_locked", not locked, "Locked." if locked else "Not locked.", 0.0))
    rules = policies.of(membership.organization_id) if membership is not None else policies.DEFAULT
    trace.methods = [*factors.methods(user.pk)]
    given = {Factor.PASSWORD}
    trace.step(
        "second_factor",
        "Proved, or not wanted.",
        lambda: _second(user, membership, rules, totp_code, client, given, now),
    )
    row = totp.of(user.pk)
    trace.drift_steps = row.drift if row is not None else None
    trace.step("policy_ip", "The network is allowed.", lambda: networks.check(rules.allowed_networks, client.address))
    trace.checks.append(_tier(trace, user, rules, now))
    if issue_token:
        opened = trace.step(
            "token_issue",
            "Issued.",
            lambda: logins.open_login(user, client=client, factors=given, organization_id=organization_id, now=now),
        )
        trace.pair = opened
    return trace


def _tier(trace: Trace, user: User, rules: Rules, now: datetime) -> Check:
    """Whether a login of this moment would have the tier that the organization wants of everybody."""
    if trace.problem is not None:
        return Check("policy_tier", False, "Not looked at.", 0.0)
    began, least = time.perf_counter(), policies.Tier(rules.minimum_tier)
    missing = tiers.lacking(least, tiers.facts_about(user, fresh_at=now), now=now)
    said = f"The organization wants the tier {least.value} of everybody."
    if missing:
        said += f" Missing: {', '.join(missing)}; a login does not need that, sensitive actions do."
    return Check("policy_tier", not missing, said, round((time.perf_counter() - began) * 1000, 3))


def _second(
    user: User,
    membership: Membership | None,
    rules: Rules,
    code: str,
    client: Client,
    given: set[Factor],
    now: datetime,
) -> None:
    """Raises `MfaRequired` where one is wanted and no code came, `MfaInvalid` or `MfaAttempts` for a wrong one."""
    own = factors.methods(user.pk)
    if code and Factor.TOTP in own:
        try:
            second_factors.prove(user, Factor.TOTP, code, now=now)
        except (MfaInvalid, MfaAttempts):
            attempts.record(
                LoginOutcome.FAILED,
                client=client,
                factors=[*given, Factor.TOTP],
                user_id=user.pk,
                organization_id=membership.organization_id if membership is not None else None,
            )
            raise
        given.add(Factor.TOTP)
    compulsory = membership is not None and policies.wants_second_factor(rules, Role(membership.role))
    if (factors.enrolled(user.pk) or compulsory) and not factors.suffices(given, user.pk):
        raise MfaRequired(mfa_token="", methods=[*own], expires_at=now)
