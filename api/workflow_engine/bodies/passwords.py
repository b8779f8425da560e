"""Shapes of the password addresses of `/api/v1/auth` (003, Custom Auth Router)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment

ChosenPassword = Annotated[str, Field(min_length=8, max_length=256, description="As your organization's policy says.")]


class PasswordChange(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"current_password": "secure_password", "new_password": "a better password"}}
    )

    current_password: str
    new_password: ChosenPassword
    confirm_password: str | None = None
    revoke_other_sessions: bool = True


class PasswordStrength(BaseModel):
    score: Annotated[int, Field(ge=0, le=4)]
    warnings: list[str]


class PasswordChanged(BaseModel):
    changed_at: Moment
    revoked_sessions: int
    strength: PasswordStrength


class PasswordForgotten(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"email": "user@example.com"}})

    email: str
    redirect_path: Annotated[
        str | None, Field(max_length=300, description="Where the web app goes on: a path of this server.")
    ] = None


class LinkPromised(BaseModel):
    """The same whether or not a mail goes out. `expires_in` in seconds."""

    accepted: bool
    expires_in: int


class PasswordChosenAnew(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"token": "Yb0…", "new_password": "a better password"}})

    token: Annotated[str, Field(min_length=1, max_length=200, description="The last part of the mailed link.")]
    new_password: ChosenPassword
    confirm_password: str | None = None


class PasswordReset(BaseModel):
    user_id: UUID
    changed_at: Moment
    revoked_sessions: int
    mfa_still_required: bool
