"""Shapes of 004's Authentication."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.challenge import SecondFactorWanted, either
from api.cookies import GivenCsrfToken

UserName = Annotated[str, Field(min_length=3, max_length=150, pattern=r"^[A-Za-z0-9_.@+-]+$")]


class Registration(BaseModel):
    """`organization_name` and `company` are one field; without it the organization is a personal one."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "email": "user@example.com",
                "username": "username",
                "password": "password123",
                "full_name": "John Doe",
            }
        }
    )

    email: str
    username: UserName
    password: Annotated[str, Field(description="At least 8 characters, not a common password.")]
    full_name: Annotated[str, Field(min_length=1, max_length=255)]
    organization_name: str | None = None
    company: str | None = None


class BusinessUser(BaseModel):
    id: UUID
    email: str
    username: Annotated[str, Field(description="The e-mail address where somebody chose no other name.")]
    full_name: str
    role: str
    is_verified: bool


class PasswordLogin(BaseModel):
    """As a form or as JSON. `otp` is a code of the second factor, or a backup code."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"example": {"username": "user@example.com", "password": "password123"}}
    )

    username: Annotated[str, Field(min_length=1, max_length=254, description="The e-mail address or the user name.")]
    password: Annotated[str, Field(min_length=1)]
    grant_type: Literal["password", ""] | None = None
    scope: str | None = None
    otp: Annotated[str | None, Field(max_length=20)] = None


class BusinessToken(BaseModel):
    """`expires_in` in seconds. Where cookies were asked for the tokens are in them alone, and `csrf_token` is here."""

    access_token: str | None = None
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  Not a password.
    expires_in: int
    refresh_token: str | None = None
    csrf_token: GivenCsrfToken = None


class BusinessLoggedIn(RootModel[BusinessToken | SecondFactorWanted]):
    """The tokens, or the question for a second factor."""

    model_config = ConfigDict(json_schema_extra=either)
