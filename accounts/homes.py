"""What happened to a person's account concerns every organization that lets them in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts.models import Membership
from audit import trail


def record(event_type: str, action: str, *, user_id: UUID, **about: Any) -> None:
    """Write it into the trail of each of them; `about` is as `audit.trail.record` takes it."""
    here = Membership.objects.filter(user_id=user_id, is_active=True).values_list("organization_id", flat=True)
    for organization_id in here:
        trail.record(event_type, action, organization_id=organization_id, user_id=user_id, **about)
