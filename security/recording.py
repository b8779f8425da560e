"""What accounts tell, put into the audit trail. A listener runs after the commit, still inside its request: where that comes
from is known here too.
"""

from __future__ import annotations

from uuid import UUID

from accounts.credentials import LoginOutcome
from accounts.events import (
    LoginOpened,
    LoginRefused,
    PasswordChanged,
    PoliciesChanged,
    RightsChanged,
    SecondFactorChanged,
    SessionRevoked,
    SteppedUp,
    TokenReused,
)
from accounts.models import Membership, Session
from audit.trail import record
from auterity.kernel.events import listen

# What an event is called, how it ended, how bad it is.
_REFUSED = {
    LoginOutcome.FAILED.value: ("auth.login.failed", "failure", "low"),
    LoginOutcome.CHALLENGED.value: ("auth.login.challenged", "failure", "info"),
    LoginOutcome.BLOCKED.value: ("auth.login.blocked", "denied", "high"),
    LoginOutcome.LOCKED.value: ("auth.login.locked", "denied", "medium"),
}


def subscribe() -> None:
    """Called once, at start-up."""
    listen(LoginOpened, on_opened)
    listen(LoginRefused, on_refused)
    listen(SteppedUp, on_stepped_up)
    listen(SecondFactorChanged, on_second_factor)
    listen(PasswordChanged, on_password)
    listen(SessionRevoked, on_revoked)
    listen(TokenReused, on_reused)
    listen(RightsChanged, on_rights)
    listen(PoliciesChanged, on_policies)


def on_opened(fact: LoginOpened) -> None:
    session = Session.objects.filter(pk=fact.session_id).first()
    record(
        "auth.login.opened",
        "login",
        organization_id=fact.organization_id,
        user_id=fact.user_id,
        session_id=fact.session_id,
        resource_type="session",
        resource_id=fact.session_id,
        address=fact.address,
        user_agent=fact.user_agent,
        details={} if session is None else {"dialect": session.dialect, "factors": session.factors},
    )


def on_refused(fact: LoginRefused) -> None:
    """Into the trail of the organization that the login would have opened; where nobody is known, into the platform's."""
    event_type, outcome, severity = _REFUSED[str(fact.outcome)]
    record(
        event_type,
        "login",
        organization_id=fact.organization_id or _home_of(fact.user_id),
        user_id=fact.user_id,
        outcome=outcome,
        severity=severity,
        address=fact.address,
        user_agent=fact.user_agent,
        details={"method": fact.method, "risk_score": fact.risk_score},
    )


def on_stepped_up(fact: SteppedUp) -> None:
    record(
        "auth.step_up",
        "prove",
        organization_id=fact.organization_id,
        user_id=fact.user_id,
        session_id=fact.session_id,
        details={"factors": list(fact.factors)},
    )


def on_second_factor(fact: SecondFactorChanged) -> None:
    record(
        f"auth.mfa.{fact.change}",
        fact.change,
        organization_id=fact.organization_id or _home_of(fact.user_id),
        user_id=fact.user_id,
        severity="medium" if fact.change == "disabled" else "info",
        resource_type="user",
        resource_id=fact.user_id,
        details={"factor": fact.factor},
    )


def on_password(fact: PasswordChanged) -> None:
    record(
        "auth.password.changed",
        fact.how,
        organization_id=fact.organization_id or _home_of(fact.user_id),
        user_id=fact.user_id,
        severity="medium",
        resource_type="user",
        resource_id=fact.user_id,
    )


def on_revoked(fact: SessionRevoked) -> None:
    session = Session.objects.filter(pk=fact.session_id).first()
    record(
        "auth.session.revoked",
        "revoke",
        organization_id=session.organization_id if session else _home_of(fact.user_id),
        user_id=fact.user_id,
        session_id=fact.session_id,
        resource_type="session",
        resource_id=fact.session_id,
        details={"reason": session.revoke_reason if session else ""},
    )


def on_reused(fact: TokenReused) -> None:
    record(
        "auth.token.reused",
        "refresh",
        organization_id=fact.organization_id,
        user_id=fact.user_id,
        session_id=fact.session_id,
        outcome="denied",
        severity="high",
        resource_type="session",
        resource_id=fact.session_id,
    )


def on_rights(fact: RightsChanged) -> None:
    record(
        "member.rights_changed",
        "change",
        organization_id=fact.organization_id,
        severity="medium",
        resource_type="user",
        resource_id=fact.user_id,
    )


def on_policies(fact: PoliciesChanged) -> None:
    record(
        "policy.changed",
        "change",
        organization_id=fact.organization_id,
        user_id=fact.user_id,
        severity="high",
        resource_type="organization",
        resource_id=fact.organization_id,
        details={"changes": [{"policy": name, "from": old, "to": new} for name, (old, new) in fact.changes.items()]},
    )


def _home_of(user_id: UUID | None) -> UUID | None:
    """The organization a login without a word goes to: the oldest one that lets the person in."""
    if user_id is None:
        return None
    rows = Membership.objects.filter(user_id=user_id, is_active=True, organization__is_active=True)
    return rows.order_by("id").values_list("organization_id", flat=True).first()
