"""Shapes of `/native/auth` (003, Native Auth Router: installed apps) and of `/native/api/authenticate`."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.workflow_engine.bodies.auth import ShownRole
from api.workflow_engine.bodies.native_devices import PlatformName, Signature

CLIENT_ID = "018f3a52-7c1e-7d43-9b1a-2f6f0a7c5e21"
ScopeName = Literal["data.read", "data.write", "upload"]
Token = Annotated[str, Field(min_length=1, max_length=4096)]


class NewPerson(BaseModel):
    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(min_length=8, max_length=256)]
    first_name: Annotated[str, Field(min_length=1, max_length=150)]
    last_name: Annotated[str, Field(min_length=1, max_length=150)]


class ClientRegister(BaseModel):
    """`redirect_uri` is a loopback address (`http://127.0.0.1:…`) or a scheme of the app's own (`com.example.app:/…`)."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"client_name": "Auterity Desktop", "platform": "linux", "app_version": "1.4.2"}}
    )

    client_name: Annotated[str, Field(min_length=1, max_length=80)]
    platform: PlatformName
    app_version: Annotated[str, Field(min_length=1, max_length=64, description="Semantic Versioning.")]
    install_id: UUID | None = None
    redirect_uri: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    locale: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z0-9_-]*$")] = ""
    invite_code: Annotated[str, Field(max_length=200)] = ""
    user: NewPerson | None = None


class ClientRegistered(BaseModel):
    """`client_secret` is told this once, to a desktop app; null when the installation was registered before.

    `user_id` is always null: whether an account was made or there was one is told by mail alone. `email_verification_sent` says
    that its address gets a mail.
    """

    client_id: UUID
    client_secret: str | None
    install_id: UUID
    redirect_uris: list[str]
    scopes: list[ScopeName]
    user_id: UUID | None
    email_verification_sent: bool
    minimum_app_version: str
    created_at: Moment


class NativeLogin(BaseModel):
    """`totp_code` takes a backup code too. `device_id` is a device that was registered before."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"client_id": CLIENT_ID, "username": "user@example.com", "password": "secure_password"}
        }
    )

    client_id: UUID
    username: Annotated[str, Field(min_length=3, max_length=254)]
    password: Annotated[str, Field(min_length=1, max_length=256)]
    client_secret: Annotated[str, Field(max_length=200)] = ""
    totp_code: Annotated[str, Field(max_length=20)] = ""
    device_id: UUID | None = None
    device_name: Annotated[str, Field(max_length=100)] = ""


class NativePerson(BaseModel):
    id: UUID
    email: str
    full_name: str
    role: ShownRole
    organization_id: UUID


class NativeTokens(BaseModel):
    """Seconds in `expires_in` and `refresh_expires_in`. The refresh token is good at `/native/auth/refresh` alone."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  Not a password.
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    session_id: UUID
    server_time: Moment


class NativeLoggedIn(NativeTokens):
    user: NativePerson
    device_registered: bool


class NativeRefresh(BaseModel):
    """`device_id` is needed for a login by a device's key; `signature` is that key's over the refresh token, where it is sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"client_id": CLIENT_ID, "refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"}
        }
    )

    refresh_token: Token
    client_id: UUID
    device_id: UUID | None = None
    signature: Signature | None = None


class NativeExchange(BaseModel):
    """Of the login behind a refresh token, a device's signature, or the bearer token that came (`session`); when no `grant_type`
    is said, the first of these that is there."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"client_id": CLIENT_ID, "grant_type": "session", "scopes": ["data.read"]}}
    )

    client_id: UUID
    grant_type: Literal["refresh_token", "device", "session"] | None = None
    refresh_token: Token | None = None
    device_id: UUID | None = None
    challenge_id: UUID | None = None
    signature: Signature | None = None
    scopes: Annotated[
        list[ScopeName], Field(max_length=10, description="All that you may have when none is named.")
    ] = []


class NarrowTokens(BaseModel):
    """`expires_in` in seconds. The token opens operations that name one of its `scopes`, while its login is open."""

    api_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  Not a password.
    expires_in: int
    scopes: list[ScopeName]
    client_id: UUID
    user_id: UUID
    session_id: UUID
    device_id: UUID | None
