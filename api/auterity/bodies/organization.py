"""Shapes of organizations and of switching between them."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from api.auterity.moments import Moment
from api.auterity.pages import Page


class OrganizationBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001",
                "name": "AutoDealer Group",
                "is_personal": False,
                "created_at": "2026-11-22T09:00:00Z",
                "updated_at": "2026-11-22T09:00:00Z",
            }
        }
    )

    id: UUID
    name: str
    is_personal: bool
    created_at: Moment
    updated_at: Moment


class OrganizationUpdate(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "AutoDealer Group"}})

    name: str


class OwnOrganization(OrganizationBody):
    """One that the caller belongs to, and as what. `current` is the one that the token at hand is for."""

    role: str
    roles: list[str]
    current: bool


class OrganizationPage(Page):
    organizations: list[OwnOrganization]


class SwitchOrganization(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"organization_id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001"}}
    )

    organization_id: UUID
