"""Writing to the audit trail. One INSERT in the caller's transaction: what is rolled back was never done, and is not told.

Nothing here waits for anybody: numbers and hashes come later, by sealing (`audit.chain`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from audit import masking, origin
from audit.models import PLATFORM, AuditEvent, Kind, Outcome, Severity
from auterity.kernel.access import Actor

_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


def record(
    event_type: str,
    action: str,
    *,
    organization_id: UUID | None,
    actor: Actor | None = None,
    user_id: UUID | None = None,
    session_id: UUID | None = None,
    kind: Kind | None = None,
    resource_type: str = "",
    resource_id: object = "",
    outcome: str = Outcome.SUCCESS,
    severity: str = Severity.INFO,
    details: Mapping[str, Any] | None = None,
    address: str = "",
    user_agent: str = "",
    request_id: str = "",
    occurred_at: datetime | None = None,
) -> AuditEvent:
    """Append what happened to the organization's trail; to the platform's own where it is nobody's (None).

    `event_type` is dotted, lower case (`auth.login.opened`). `user_id` is who acted, where there is no `actor`. Address, agent
    and request id are those of the request at hand unless given. Secrets in `details` are masked by their names and their looks.
    Raises `ValueError` for an event type, an outcome or a severity that there is not: a defect of the caller.
    """
    if not _TYPE.fullmatch(event_type) or len(event_type) > 80:
        raise ValueError(f"'{event_type}' is no event type.")
    here = origin.at_hand()
    who = actor.user_id if actor is not None else user_id
    event = AuditEvent(
        organization_id=organization_id,
        chain=organization_id or PLATFORM,
        event_type=event_type,
        action=masking.text(action, 80),
        outcome=Outcome(outcome),
        severity=Severity(severity),
        kind=kind or _kind(actor, who, here),
        user_id=who,
        session_id=session_id or (actor.session_id if actor is not None else None),
        resource_type=masking.text(resource_type, 80),
        resource_id=masking.text(resource_id, 200),
        address=masking.text(address or here.address, 64),
        user_agent=masking.text(user_agent or here.user_agent, 400),
        request_id=masking.text(request_id or here.request_id, 64),
        path=masking.text(here.path, 200),
        occurred_at=occurred_at or timezone.now(),
        details=masking.kept(details),
    )
    event.save()
    return event


def _kind(actor: Actor | None, who: UUID | None, here: origin.Origin) -> Kind:
    if actor is not None and actor.key_id is not None:
        return Kind.API_KEY
    if who is not None:
        return Kind.USER
    return Kind.OUTSIDE if here.path else Kind.SYSTEM
