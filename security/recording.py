"""What is put into the audit trail after the fact: ends of logins, whoever ended them and for whatever reason.

Everything else is recorded where it is done, in its own transaction.
"""

from __future__ import annotations

from uuid import UUID

from accounts import policies
from accounts.events import SessionRevoked
from accounts.models import Session
from audit.trail import record
from auterity.kernel.events import listen


def subscribe() -> None:
    """Called once, at start-up."""
    listen(SessionRevoked, on_revoked)


def on_revoked(fact: SessionRevoked) -> None:
    """Still inside the request that ended it, so that where that comes from is known too."""
    session = Session.objects.filter(pk=fact.session_id).first()
    if session is None:
        return  # It went with its account.
    record(
        "auth.session.ended",
        "end",
        organization_id=session.organization_id,
        user_id=fact.user_id,
        session_id=fact.session_id,
        resource_type="session",
        resource_id=fact.session_id,
        details={"reason": session.revoke_reason},
    )


def days_kept(organization_id: UUID) -> int | None:
    """For how long the organization's policy keeps its trail; None where it has not said."""
    return policies.of(organization_id).data_retention_days or None
