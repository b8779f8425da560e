"""What accounts tell the other apps. Open sockets end, or look again, when they hear one of these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
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


@dataclass(frozen=True, slots=True)
class QuotaNearlyUsed(Event):
    """So many percent (80 or 100) of a limit are used; told once a period, of a level once a month.

    `counter` and `period` are `accounts.limits` `Counter` and `Period`; `resets_at` is when the count begins anew (a level
    does not). `accounts.models` keeps the same as `QuotaWarning`, for whoever was down when it was told.
    """

    organization_id: UUID
    counter: str
    period: str
    percent: int
    used: int
    limit: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class MemberJoined(Event):
    """Somebody accepted an invitation and belongs to the organization now."""

    user_id: UUID
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class LoginOpened(Event):
    """Somebody logged in. `address` and `user_agent` are what the client said of itself, made harmless."""

    session_id: UUID
    user_id: UUID
    organization_id: UUID
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class TokenReused(Event):
    """A token that buys one refresh was used twice, and the login it belongs to was ended for it."""

    session_id: UUID
    user_id: UUID
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class ApiKeyMade(Event):
    """`user_id` is who the key acts for, `made_by` who made it."""

    key_id: UUID
    user_id: UUID
    made_by: UUID
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class ApiKeyEnded(Event):
    """A key was revoked or keys were forbidden; nothing that came by it may go on."""

    key_id: UUID
    user_id: UUID
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class SecondFactorChanged(Event):
    """`change` is enabled, disabled, codes_made or code_used; `factor` is which."""

    user_id: UUID
    organization_id: UUID | None
    factor: str
    change: str


@dataclass(frozen=True, slots=True)
class PasswordChanged(Event):
    """`how` is changed, reset or operator."""

    user_id: UUID
    organization_id: UUID | None
    how: str


@dataclass(frozen=True, slots=True)
class PoliciesChanged(Event):
    """`changes` are by policy key: what it was and what it is."""

    organization_id: UUID
    user_id: UUID
    changes: dict[str, list[Any]]
