"""Shapes of API keys and service accounts."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery

ApiKeyStatus = TypeAliasType("ApiKeyStatus", Literal["active", "expired", "revoked"])
WISH: dict[str, Any] = {
    "name": "Nightly import",
    "scopes": ["workflow:execute", "workflow:read"],
    "networks": ["203.0.113.0/24"],
    "expires_in_days": 90,
}
SHOWN: dict[str, Any] = {
    "id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a0d1",
    "name": "Nightly import",
    "scopes": ["workflow:execute", "workflow:read"],
    "networks": ["203.0.113.0/24"],
    "last_four": "x7Qk",
    "status": "active",
    "user_id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001",
    "is_service": False,
    "created_at": "2026-11-22T09:00:00Z",
    "expires_at": "2027-02-20T09:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
}


class ApiKeyWish(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": WISH})

    name: Annotated[str, Field(description="What it is for; at most 100 characters.")]
    scopes: Annotated[list[str], Field(max_length=200, description="Permissions, none that you do not hold yourself.")]
    networks: Annotated[
        list[str], Field(max_length=20, description="Addresses or networks it may be used from; empty for everywhere.")
    ] = []
    expires_in_days: Annotated[int | None, Field(description="1 to 3,650, or null for no end.")] = 90


class ApiKeyBody(BaseModel):
    """Of the key itself only the last four characters."""

    model_config = ConfigDict(json_schema_extra={"example": SHOWN})

    id: UUID
    name: str
    scopes: list[str]
    networks: list[str]
    last_four: str
    status: ApiKeyStatus
    user_id: Annotated[UUID, Field(description="In whose name it acts.")]
    is_service: Annotated[bool, Field(description="Whether that is a service account.")]
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Annotated[Moment | None, Field(description="To the minute.")]
    revoked_at: Moment | None


class ApiKeyMadeBody(ApiKeyBody):
    """`key` is shown this once."""

    model_config = ConfigDict(json_schema_extra={"example": {**SHOWN, "key": "aut_0pXWm3…x7Qk"}})

    key: str


class ApiKeyPage(Page):
    api_keys: list[ApiKeyBody]


class ApiKeyQuery(PageQuery):
    everybodys: Annotated[bool, Field(description="Not only your own; needs organization:manage.")] = False


class ApiKeyPolicy(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"allowed": True, "longest_days": 365}})

    allowed: Annotated[bool, Field(description="Where not, no key of the organization opens anything.")]
    longest_days: Annotated[int | None, Field(ge=1, le=3650, description="Of new keys; null for no bound.")] = None


class ServiceAccountWish(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "Dealer system", "role": "member"}})

    name: str
    role: Annotated[str, Field(description="viewer, member, manager or admin; none above your own.")] = "member"
    role_id: Annotated[UUID | None, Field(description="A role of the organization's own, in place of `role`.")] = None


class ServiceAccountChange(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(json_schema_extra={"example": {"is_active": False}})

    role: str | None = None
    role_id: UUID | None = None
    is_active: bool | None = None


class ServiceAccountBody(BaseModel):
    id: UUID
    name: str
    role: str
    role_id: UUID | None
    is_active: bool
    created_at: Moment


class ServiceAccountPage(Page):
    service_accounts: list[ServiceAccountBody]
