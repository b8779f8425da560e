"""What accounts tell the other apps. Open sockets end, or look again, when they hear one of these."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from auterity.kernel.events import Event


@dataclass(frozen=True, slots=True)
class SessionRevoked(Event):
    """A login ended; nothing that came from it may go on."""

    session_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class RightsChanged(Event):
    """Somebody's role or standing in one organization is another than before."""

    user_id: UUID
    organization_id: UUID
