"""Shapes of invitations."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from api.auterity.bodies.members import MemberBody
from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery

InvitationStatus = TypeAliasType("InvitationStatus", Literal["open", "accepted", "revoked", "expired"])


class InvitationCreate(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"email": "jane@example.com", "role": "manager"}})

    email: str
    role: Annotated[str, Field(description="viewer, member (or user), manager or admin; none above your own.")] = "user"
    role_id: Annotated[UUID | None, Field(description="A role of the organization's own, in place of `role`.")] = None


class InvitationBody(BaseModel):
    """The link is in the mail only."""

    id: UUID
    email: str
    role: str
    role_id: Annotated[UUID | None, Field(description="Of a role that the organization made itself.")]
    status: InvitationStatus
    invited_by: Annotated[str | None, Field(description="Whose address invited; null once that account is gone.")]
    created_at: Moment
    expires_at: Moment
    accepted_at: Moment | None
    revoked_at: Moment | None
    mailed_at: Annotated[Moment | None, Field(description="When the newest mail went out; null while it waits.")]
    mail_problem: Annotated[
        str, Field(description="Why the newest mail did not go out yet; empty if nothing is wrong.")
    ]


class InvitationPage(Page):
    invitations: list[InvitationBody]


class InvitationQuery(PageQuery):
    status: InvitationStatus | None = None


class InvitationAccept(BaseModel):
    """With a bearer token of the invited address only `token` is needed; with an account of it, `password` too; else all."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "token": "Yb0…",
                "password": "secure_password",
                "first_name": "Jane",
                "last_name": "Smith",
            }
        }
    )

    token: Annotated[str, Field(min_length=1, max_length=200)]
    password: str = ""
    first_name: str = ""
    last_name: str = ""


class InvitationAccepted(BaseModel):
    """Log in, or switch, to the organization to work in it: accepting gives no token."""

    organization_id: UUID
    organization_name: str
    member: MemberBody
