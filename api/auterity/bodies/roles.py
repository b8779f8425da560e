"""Shapes of roles."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment

EXAMPLE: dict[str, Any] = {
    "name": "Sales desk",
    "description": "Runs what others made.",
    "permissions": ["execution:read", "workflow:execute", "workflow:read"],
}


class RoleWish(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    name: Annotated[str, Field(description="At most 60 characters, once in the organization whatever the case.")]
    permissions: Annotated[list[str], Field(max_length=200, description="None that you do not hold yourself.")]
    description: str = ""


class RoleBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a0c1",
                **EXAMPLE,
                "built_in": False,
                "member_count": 3,
                "created_at": "2026-11-22T09:00:00Z",
                "updated_at": "2026-11-22T09:00:00Z",
            }
        }
    )

    id: Annotated[UUID | None, Field(description="Null for a built-in role, which is given by its name.")]
    name: str
    description: str
    permissions: list[str]
    built_in: bool
    member_count: Annotated[
        int | None, Field(description="Who has it, switched off ones too; null for a built-in one.")
    ]
    created_at: Moment | None
    updated_at: Moment | None


class RoleList(BaseModel):
    """Built-in roles first, lowest to highest."""

    roles: list[RoleBody]
    total: int
    permissions: Annotated[list[str], Field(description="All that there are.")]
