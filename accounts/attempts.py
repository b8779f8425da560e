"""The record of logins that were tried: what risk is judged by, and what people and operators are shown."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from accounts import guesses
from accounts.clients import Client, line
from accounts.credentials import LoginOutcome
from accounts.factors import Factor
from accounts.models import LoginAttempt
from accounts.risk import Assessment, fingerprint_of, network_of
from audit import trail
from auterity.kernel.models import first_id_of

_SEVERITY: Final = {
    LoginOutcome.SUCCESS: "info",
    LoginOutcome.CHALLENGED: "info",
    LoginOutcome.FAILED: "low",
    LoginOutcome.LOCKED: "medium",
    LoginOutcome.BLOCKED: "high",
}


def record(
    outcome: LoginOutcome,
    *,
    client: Client,
    factors: Collection[Factor],
    user_id: UUID | None,
    organization_id: UUID | None = None,
    session_id: UUID | None = None,
    risk: Assessment | None = None,
) -> None:
    """Keep one attempt, and tell of it unless it got in (`LoginOpened` does)."""
    method = "+".join(sorted(factors))
    trail.record(
        f"auth.login.{outcome}",
        "login",
        organization_id=organization_id,
        user_id=user_id,
        session_id=session_id,
        outcome="success"
        if outcome == LoginOutcome.SUCCESS
        else "failure"
        if outcome == LoginOutcome.FAILED
        else "denied",
        severity=_SEVERITY[outcome],
        details={"factors": sorted(factors), "dialect": client.dialect, **({"risk": risk.score} if risk else {})},
        address=client.address,
        user_agent=client.user_agent,
    )
    LoginAttempt.objects.create(
        user_id=user_id,
        organization_id=organization_id,
        outcome=outcome,
        method=method,
        dialect=client.dialect[:32],
        address=line(client.address, 64),
        network=network_of(client.address),
        fingerprint=fingerprint_of(client),
        user_agent=line(client.user_agent, 400),
        session_id=session_id,
        risk_score=risk.score if risk else None,
        risk=risk.as_json() if risk else None,
    )


def of(user_id: UUID) -> QuerySet[LoginAttempt]:
    """Those at one account, newest first; lazily."""
    return LoginAttempt.objects.filter(user_id=user_id).order_by("-id")


def failed_since(user_id: UUID, since: datetime) -> int:
    """How many failed at one account since that moment."""
    wrong = (LoginOutcome.FAILED, LoginOutcome.LOCKED, LoginOutcome.BLOCKED)
    return of(user_id).filter(pk__gte=first_id_of(since), outcome__in=wrong, created_at__gte=since).count()


def locked_out_since(since: datetime) -> list[str]:
    """The addresses of people who were turned away since a moment for too many wrong passwords, and still would be."""
    turned_away = LoginAttempt.objects.filter(
        pk__gte=first_id_of(since), outcome=LoginOutcome.LOCKED, user__isnull=False
    )
    emails = turned_away.order_by("user__email").values_list("user__email", flat=True).distinct()[:1000]
    return guesses.locked_among(guesses.PASSWORD, emails, now=timezone.now())


def forget(*, before: datetime, limit: int = 1000) -> int:
    """Delete attempts of before that moment; at most `limit` of them. Returns how many."""
    old = list(
        LoginAttempt.objects.filter(pk__lt=first_id_of(before)).order_by("pk").values_list("pk", flat=True)[:limit]
    )
    return LoginAttempt.objects.filter(pk__in=old).delete()[0]
