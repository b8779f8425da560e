"""Shapes of `/api/auth` (000, Authentication Endpoints; 001, Authentication API)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.auterity.moments import Moment
from api.challenge import SecondFactorWanted, either


class Register(BaseModel):
    """`organization_name` (000) and `company` (001) are one field."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "email": "user@example.com",
                "password": "secure_password",
                "first_name": "John",
                "last_name": "Doe",
                "company": "AutoDealer Inc.",
            }
        }
    )

    email: str
    password: Annotated[str, Field(description="At least 8 characters, not a common password.")]
    first_name: str
    last_name: str
    company: str | None = None
    organization_name: str | None = None


class UserBody(BaseModel):
    id: UUID
    email: str
    first_name: str
    last_name: str
    company: str | None
    organization_name: str
    organization_id: UUID
    is_active: bool
    created_at: Moment
    role: str
    roles: list[str]


class Me(UserBody):
    permissions: list[str]
    email_verified: bool


class Login(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"email": "user@example.com", "password": "secure_password"}}
    )

    email: str
    password: Annotated[str, Field(min_length=1)]


class Tokens(BaseModel):
    """000, AuthTokens. `expires_in` in seconds. Refreshing with an access token gives no refresh token: the login's is good."""

    access_token: str
    refresh_token: str | None = None
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  Not a password.
    expires_in: int


class LoggedIn(RootModel[Tokens | SecondFactorWanted]):
    """The tokens, or the question for a second factor."""

    model_config = ConfigDict(json_schema_extra=either)


class Refresh(BaseModel):
    """Empty where the token comes as a bearer."""

    model_config = ConfigDict(json_schema_extra={"example": {"refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"}})

    refresh_token: str | None = None


class Logout(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"}})

    refresh_token: str | None = None


class CrossSystem(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"target_system": "relaycore", "permissions": ["ai:route", "metrics:read"]}}
    )

    target_system: str
    permissions: list[str]


class CrossSystemToken(BaseModel):
    token: str
    expires_at: Moment
    permissions: list[str]
