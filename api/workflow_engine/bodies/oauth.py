"""Shapes of `/api/v1/oauth` (003, OAuth Router)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.cookies import GivenCsrfToken

Store = Literal["local", "google"]


class AuthorizeQuery(BaseModel):
    scopes: Annotated[str, Field(max_length=200, description="Comma list of login, calendar and drive.")] = "login"
    redirect_uri: Annotated[str, Field(max_length=2000, description="One that is configured, letter by letter.")] = ""
    redirect: Annotated[bool, Field(description="Answer 302 to the provider.")] = False
    login_hint: Annotated[str, Field(max_length=254)] = ""


class Authorization(BaseModel):
    provider: Literal["google"]
    authorization_url: str
    state: str
    code_challenge_method: Literal["S256"] = "S256"
    scopes: list[str]
    expires_at: Moment


class OAuthCallback(BaseModel):
    """What the provider's redirect carried. `iss` is passed on where it was there (RFC 9207)."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "4/0AY0e-g7…", "state": "nq2b…"}})

    code: Annotated[str, Field(max_length=2000)] = ""
    state: Annotated[str, Field(max_length=200)]
    redirect_uri: Annotated[str, Field(max_length=2000)] | None = None
    error: Annotated[str, Field(max_length=200)] | None = None
    error_description: Annotated[str, Field(max_length=2000)] | None = None
    iss: Annotated[str, Field(max_length=400)] | None = None


class OAuthConnection(BaseModel):
    id: UUID
    external_account: str
    scopes: list[str]
    connected_at: Moment
    token_expires_at: Moment | None


class OAuthTokens(BaseModel):
    access_token: str | None = None
    token_type: str | None = None
    expires_in: int | None = None
    refresh_token: str | None = None
    csrf_token: GivenCsrfToken = None


class OAuthArrived(BaseModel):
    """`tokens` are ours, empty where an account was linked. A browser that asks for cookies has them
    there, and a `csrf_token`."""

    provider: Literal["google"]
    action: Literal["linked", "login", "registered"]
    connection: OAuthConnection
    tokens: OAuthTokens
    user_id: UUID


class Capabilities(BaseModel):
    login: bool
    calendar: bool
    drive: bool


class OAuthProvider(BaseModel):
    provider: str
    configured: bool
    connected: bool
    connection_id: UUID | None
    external_account: str | None
    scopes: list[str]
    capabilities: Capabilities
    connected_at: Moment | None
    token_expires_at: Moment | None
    last_used_at: Moment | None
    health: Literal["ok", "expired", "revoked", "unknown"]
    last_error: str | None


class EffectiveStores(BaseModel):
    calendar: Store
    drive: Store


class OAuthStatus(BaseModel):
    providers: list[OAuthProvider]
    effective_stores: EffectiveStores


class StatusQuery(BaseModel):
    verify: Annotated[bool, Field(description="Try each connection now, renewing a token that has expired.")] = False
