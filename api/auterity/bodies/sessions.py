"""Shapes of a person's own logins and trusted devices, and of an organization's policies."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.auterity.pages import Page


class SessionBody(BaseModel):
    """`factors` are what the login was proved with; `current` is the one of the token that asked. `device_id` is of a login by a
    registered device's own key, whose name `device_name` is then."""

    id: UUID
    current: bool
    organization_id: UUID
    organization_name: str
    dialect: str
    address: str
    user_agent: str
    device_name: str
    device_id: UUID | None
    factors: list[str]
    risk_score: int | None
    created_at: Moment
    last_seen_at: Moment
    expires_at: Moment
    trusted_until: Moment | None


class SessionPage(Page):
    sessions: list[SessionBody]


class SessionsEnded(BaseModel):
    revoked_sessions: int


class TrustDevice(BaseModel):
    """The device of the login at hand."""

    model_config = ConfigDict(json_schema_extra={"example": {"days": 30, "device_name": "Ann's laptop"}})

    days: Annotated[int, Field(ge=1, le=30)] = 30
    device_name: Annotated[str, Field(max_length=100)] = ""


class DeviceTrusted(BaseModel):
    trusted_until: Moment


class PolicyBody(BaseModel):
    key: str
    category: str
    title: str
    description: str
    value: Any
    default: Any
    enforced: bool


class PoliciesBody(BaseModel):
    """`version` rises with each change."""

    organization_id: UUID
    version: int
    updated_at: Moment | None
    policies: list[PolicyBody]


class PoliciesUpdate(BaseModel):
    """By policy key; null puts one back to its default. What is not named stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"policies": {"password_min_length": 12, "mfa_required_roles": ["admin"]}}}
    )

    policies: dict[str, Any]
