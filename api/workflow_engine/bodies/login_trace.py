"""Shapes of `/api/v1/auth/jwt/login-debug` (003, JWT Router)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.workflow_engine.bodies.auth import JwtTokens, TotpCode


class TracedLogin(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"username": "user@example.com", "password": "secure_password"}}
    )

    username: Annotated[str, Field(min_length=3, max_length=254)]
    password: Annotated[str, Field(min_length=1, max_length=256)]
    totp_code: TotpCode | None = None
    issue_token: bool = False


class LoginCheck(BaseModel):
    name: str
    passed: bool
    detail: str
    duration_ms: float


class TracedAccount(BaseModel):
    user_id: UUID | None
    role: str | None
    last_login_at: Moment | None
    failed_attempts: int
    locked_until: Moment | None
    mfa_methods: list[str]


class ServerClock(BaseModel):
    server_time: Moment
    totp_drift_steps: int | None


class TracedToken(BaseModel):
    access_token: str | None
    token_type: str | None
    expires_in: int | None


class LoginTrace(BaseModel):
    authenticated: bool
    failure_code: str | None
    checks: list[LoginCheck]
    account: TracedAccount
    clock: ServerClock
    token: TracedToken
    request_id: str


class LoginTraced(JwtTokens):
    """For whoever may see details `{success, data, message}`; for everybody else what a login answers."""

    success: bool | None = None
    data: LoginTrace | None = None
    message: str | None = None
    expires_in: int | None = None  # type: ignore[assignment]
    user_id: UUID | None = None  # type: ignore[assignment]
    session_id: UUID | None = None  # type: ignore[assignment]
    role: str | None = None  # type: ignore[assignment]
