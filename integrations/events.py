"""What the outside world did to an organization, as other apps hear it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from auterity.kernel.events import Event


@dataclass(frozen=True, slots=True)
class WebhookGivenUp(Event):
    """A message is no longer tried. `host` is its receiver; the whole address may hold a secret."""

    organization_id: UUID
    delivery_id: UUID
    host: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class ConnectionBroken(Event):
    """A connection can no longer be used as it is stored; a person has to mend it."""

    organization_id: UUID
    connection_id: UUID
    name: str
    message: str
