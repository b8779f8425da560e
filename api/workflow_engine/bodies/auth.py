"""Shapes of `/api/v1/auth` (003, Authentication; Custom Auth Router)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.cookies import GivenCsrfToken

ShownRole = Literal["admin", "manager", "user", "viewer"]
TotpCode = Annotated[str, Field(min_length=6, max_length=8, description="Of an authenticator app.")]
BackupCode = Annotated[str, Field(min_length=8, max_length=20)]


class JwtLogin(BaseModel):
    """As JSON or as a form."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"username": "user@example.com", "password": "secure_password"}}
    )

    username: Annotated[str, Field(min_length=3, max_length=254, description="The e-mail address or the user name.")]
    password: Annotated[str, Field(min_length=1, max_length=256)]
    totp_code: TotpCode | None = None
    backup_code: BackupCode | None = None
    remember_me: Annotated[bool, Field(description="30 days instead of 7.")] = False
    device_name: Annotated[str, Field(max_length=100)] = ""


class JwtTokens(BaseModel):
    """003's five keys and ours. `expires_in` and `refresh_expires_in` in seconds.

    Where cookies were asked for (`X-Session-Cookies: on`) the tokens are in them alone, and `csrf_token` is here.
    """

    access_token: str | None = None
    token_type: Literal["Bearer", "bearer"] = "Bearer"  # noqa: S105  Not a password.
    expires_in: int
    user_id: UUID
    role: ShownRole
    refresh_token: str | None = None
    refresh_expires_in: int | None = None
    session_id: UUID
    csrf_token: GivenCsrfToken = None


class JwtRefresh(BaseModel):
    """Empty where the token comes in a cookie or as a bearer."""

    model_config = ConfigDict(json_schema_extra={"example": {"refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"}})

    refresh_token: str | None = None


class JwtLogout(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"all_sessions": False}})

    refresh_token: str | None = None
    all_sessions: Annotated[bool, Field(description="End every login of yours.")] = False


class LoggedOut(BaseModel):
    revoked_sessions: int
    logged_out_at: Moment


class CsrfToken(BaseModel):
    csrf_token: str
