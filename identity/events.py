"""What this app tells the others: security teams open incidents by it, people are notified."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from auterity.kernel.events import Event


@dataclass(frozen=True, slots=True)
class PasskeyAdded(Event):
    passkey_id: UUID
    user_id: UUID
    organization_id: UUID
    nickname: str


@dataclass(frozen=True, slots=True)
class PasskeyRemoved(Event):
    passkey_id: UUID
    user_id: UUID
    organization_id: UUID
    nickname: str


@dataclass(frozen=True, slots=True)
class PasskeySuspended(Event):
    """Its count went back with a good signature: somebody has a copy of it."""

    passkey_id: UUID
    user_id: UUID
    nickname: str
    stored_count: int
    count: int


@dataclass(frozen=True, slots=True)
class IdentityLinked(Event):
    """An account at a provider signs in to one that was there before."""

    identity_id: UUID
    user_id: UUID
    issuer: str
