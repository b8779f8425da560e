"""Shapes of an organization's members."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery


class MemberBody(BaseModel):
    """`is_active` is false where the membership or the whole account is switched off."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    role: str
    roles: list[str]
    role_id: Annotated[UUID | None, Field(description="Of a role that the organization made itself.")]
    is_service: Annotated[bool, Field(description="A service account, which acts by API keys.")]
    is_active: bool
    created_at: Moment


class MemberPage(Page):
    members: list[MemberBody]


class MemberQuery(PageQuery):
    search: Annotated[str, Field(max_length=200, description="In names and addresses.")] = ""
    role: Annotated[str | None, Field(description="viewer, member (or user), manager or admin.")] = None


class MemberAdd(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "email": "second@example.com",
                "password": "secure_password",
                "first_name": "Jane",
                "last_name": "Smith",
                "roles": ["user"],
            }
        }
    )

    email: str
    password: Annotated[str, Field(description="At least 8 characters, not a common password.")]
    first_name: str
    last_name: str
    roles: Annotated[list[str] | None, Field(description="The highest counts; `user` is an ordinary member.")] = None
    role_id: Annotated[UUID | None, Field(description="A role of the organization's own, in place of `roles`.")] = None


class MemberUpdate(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(json_schema_extra={"example": {"is_active": False}})

    roles: Annotated[list[str] | None, Field(description="The highest counts.")] = None
    role_id: Annotated[UUID | None, Field(description="A role of the organization's own, in place of `roles`.")] = None
    is_active: bool | None = None
