"""Shapes of `/api/integrations/connections`. Credentials go in and never come out."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery

Name = Annotated[str, Field(min_length=1, max_length=100)]
Secrets = Annotated[
    dict[str, Any],
    Field(
        description="Write-only. Answers show each stored name with a mask; a mask sent back means what is stored.",
        json_schema_extra={"writeOnly": True},
    ),
]


class ConnectionQuery(PageQuery):
    type: Annotated[str, Field(max_length=40, description="Only connections of this type.")] = ""


class ConnectionCreate(BaseModel):
    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {
                "name": "Lead scores",
                "type": "custom_model",
                "config": {"endpoint_url": "https://models.example.com/lead-scorer"},
                "credentials": {"api_key": "the model's key"},
            }
        },
    )

    name: Name
    type: Annotated[str, Field(max_length=40, description="Such as twilio or postgres; see connection-types.")]
    config: Annotated[dict[str, Any], Field(description="The type's settings.")] = {}
    credentials: Secrets = {}


class ConnectionUpdate(BaseModel):
    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_extra={"example": {"name": "Lead scores of the group", "disabled": False}},
    )

    name: Name | None = None
    config: Annotated[dict[str, Any] | None, Field(description="All of the type's settings.")] = None
    credentials: Annotated[
        dict[str, Any] | None, Field(description="All credentials; a mask keeps what is stored.")
    ] = None
    disabled: bool | None = None


class ConnectionBody(BaseModel):
    id: UUID
    name: str
    type: str
    config: dict[str, Any]
    credentials: Annotated[dict[str, str], Field(description="Which credentials are stored, each masked.")]
    disabled: bool
    last_used_at: Moment | None
    created_at: Moment
    updated_at: Moment


class ConnectionPage(Page):
    connections: list[ConnectionBody]


class ConnectionTested(BaseModel):
    ok: bool
    code: Annotated[str, Field(description="ok, rejected, unavailable, timeout, unknown_outcome or not_configured.")]
    message: str
    elapsed_ms: float


class ConnectionTypeBody(BaseModel):
    """What a form for this type asks for, as JSON Schema."""

    name: str
    kind: str
    title: str
    config_schema: dict[str, Any]
    credentials_schema: dict[str, Any]


class ConnectionTypes(BaseModel):
    types: list[ConnectionTypeBody]
    total: int
