"""Shapes of `/v1/auth` (002, 2.1)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.challenge import SecondFactorWanted, either


class OrchestratorLogin(BaseModel):
    """`otp_code` is a code of the second factor, or a backup code."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"email": "user@example.com", "password": "secure_password"}}
    )

    email: str
    password: Annotated[str, Field(min_length=1)]
    otp_code: Annotated[str | None, Field(max_length=20)] = None


class OrchestratorRefresh(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"}})

    refresh_token: str


class OrchestratorTokens(BaseModel):
    """`expires_in` in seconds. Each refresh token works once."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  Not a password.
    expires_in: int


class OrchestratorUser(BaseModel):
    id: UUID
    email: str
    organization_id: UUID
    role: Literal["admin", "manager", "member", "viewer"]


class OrchestratorLoggedIn(OrchestratorTokens):
    user: OrchestratorUser


class OrchestratorLoginAnswer(RootModel[OrchestratorLoggedIn | SecondFactorWanted]):
    """The tokens, or the question for a second factor."""

    model_config = ConfigDict(json_schema_extra=either)


class OrchestratorMessage(BaseModel):
    message: str


class Enrolment(BaseModel):
    """Shown once; it counts when a code of it was sent to `/v1/auth/mfa/verify`."""

    secret: str
    otpauth_uri: str
    recovery_codes: list[str]


class EnrolmentCode(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"otp_code": "123456"}})

    otp_code: Annotated[str, Field(min_length=6, max_length=20)]


class Enrolled(BaseModel):
    mfa_enabled: bool
