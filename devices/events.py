"""What this app tells the others: people are notified by it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from auterity.kernel.events import Event


@dataclass(frozen=True, slots=True)
class DeviceRegistered(Event):
    device_id: UUID
    user_id: UUID
    organization_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class DeviceSuspended(Event):
    """`by_operator`, or after wrong signatures."""

    device_id: UUID
    user_id: UUID
    name: str
    by_operator: bool


@dataclass(frozen=True, slots=True)
class DeviceRevoked(Event):
    device_id: UUID
    user_id: UUID
    name: str
