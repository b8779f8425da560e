"""Shapes of `/api/v1/2fa` (003, Two-Factor Authentication)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment

Code = Annotated[str, Field(min_length=6, max_length=20)]


class TwoFactorSetup(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"method": "totp", "label": "Work phone"}})

    method: Literal["totp"] = "totp"
    password: str | None = None
    label: Annotated[str, Field(max_length=60)] = ""


class TwoFactorSecret(BaseModel):
    setup_id: UUID
    method: Literal["totp"]
    secret: str
    otpauth_uri: str
    qr_svg: str
    digits: int
    period_seconds: int
    algorithm: str
    expires_at: Moment


class TwoFactorCode(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"code": "123456"}})

    code: Code
    setup_id: UUID | None = None
    method: Literal["totp", "backup_code"] | None = None


class TwoFactorVerified(BaseModel):
    """`backup_codes` are shown once, when the second factor is turned on."""

    verified: bool
    purpose: Literal["enabled", "step_up"]
    enabled: bool
    enabled_at: Moment | None
    backup_codes: list[str]
    backup_codes_remaining: int
    fresh_until: Moment


class TwoFactorDisable(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"password": "secure_password", "code": "123456"}})

    password: str
    code: Code | None = None


class TwoFactorDisabled(BaseModel):
    enabled: bool
    disabled_at: Moment
    tier_before: str
    tier_after: str
    revoked_sessions: int


class BackupCodesQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    regenerate: Annotated[bool, Field(description="Ten new ones in place of all there are.")] = False


class TwoFactorBackupCodes(BaseModel):
    """`codes` are shown only by the call that made them."""

    codes: list[str]
    total: int
    remaining: int
    used: int
    generated_at: Moment
    regenerated: bool
