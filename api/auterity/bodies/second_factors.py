"""Shapes of finishing a login with a second factor, and of setting one up."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment

Method = Literal["totp", "backup_code", "email_code"]
Code = Annotated[str, Field(min_length=6, max_length=20, description="Six digits, or a backup code.")]
MfaToken = Annotated[str, Field(min_length=1, max_length=4096, description="From the answer of the login.")]


class FinishLogin(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"mfa_token": "eyJ…", "method": "totp", "code": "123456"}})

    mfa_token: MfaToken
    code: Code
    method: Method = "totp"


class SendLoginCode(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"mfa_token": "eyJ…"}})

    mfa_token: MfaToken


class CodeSent(BaseModel):
    """`sent_to` is the address, all but hidden."""

    sent_to: str


class TotpBegin(BaseModel):
    """`password` stands for a fresh login where no second factor is set up."""

    label: Annotated[str, Field(max_length=60, description="What the app shows; the address otherwise.")] = ""
    password: str | None = None


class TotpSetup(BaseModel):
    setup_id: UUID
    method: Literal["totp"]
    secret: str
    otpauth_uri: str
    qr_svg: str
    digits: int
    period_seconds: int
    algorithm: Literal["SHA1"]
    expires_at: Moment


class TotpConfirm(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"code": "123456"}})

    code: Code
    setup_id: UUID | None = None


class TotpEnabled(BaseModel):
    """`backup_codes` are shown this once."""

    enabled_at: Moment
    backup_codes: list[str]
    fresh_until: Moment


class TotpDisable(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"password": "correct horse battery", "code": "492039"}})

    password: str
    code: Code


class SecondFactorsEnded(BaseModel):
    revoked_sessions: int


class SecondFactorsBody(BaseModel):
    """`enrolled` are asked for at each login; `methods` are the ways to answer; `compulsory` is the organization's policy."""

    enrolled: list[str]
    methods: list[str]
    compulsory: bool
    totp_enabled_at: Moment | None
    backup_codes_remaining: int
    fresh_until: Moment | None


class BackupCodesBegin(BaseModel):
    """Nothing need be said."""


class BackupCodesBody(BaseModel):
    """All earlier ones are worthless now."""

    codes: list[str]
    generated_at: Moment


class StepUp(BaseModel):
    """A code of the second factor, or the password where there is none."""

    method: Method | None = None
    code: Annotated[str, Field(max_length=20)] = ""
    password: str | None = None


class Fresh(BaseModel):
    fresh_until: Moment
