"""Shapes of choosing another password and of confirming an address."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NewPassword = Annotated[str, Field(description="At least 8 characters, not a common password.")]
LinkToken = Annotated[str, Field(min_length=1, max_length=200, description="The last part of the mailed link.")]


class ChangePassword(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"current_password": "secure_password", "new_password": "a better password"}}
    )

    current_password: str
    new_password: NewPassword


class ForgotPassword(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"email": "user@example.com"}})

    email: str


class ResetPassword(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"token": "Yb0…", "password": "a better password"}})

    token: LinkToken
    password: NewPassword


class VerifyEmail(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"token": "Yb0…"}})

    token: LinkToken


class SendVerification(BaseModel):
    """Nothing need be said."""


class MailPromised(BaseModel):
    """The same whether or not a mail goes out."""

    message: str
