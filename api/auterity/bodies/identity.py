"""Shapes of `/api/auth/passkeys`, `…/identities`, `…/sso` and `/api/organization/sso`. Secrets go in and never come out."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.cookies import GivenCsrfToken


class PasskeyBody(BaseModel):
    id: UUID
    credential_id: str
    nickname: str
    aaguid: UUID
    transports: list[str]
    backup_eligible: bool
    backed_up: bool
    sign_count: int
    suspended: Annotated[bool, Field(description="It counts no more: a copy of it was used.")]
    last_used_at: Moment | None
    created_at: Moment


class Passkeys(BaseModel):
    passkeys: list[PasskeyBody]
    total: int
    limit: int


class PasskeyRename(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"nickname": "Work laptop"}})

    nickname: Annotated[str, Field(min_length=1, max_length=60)]


class IdentityBody(BaseModel):
    id: UUID
    provider: Annotated[str, Field(description="`google`, or the name of your organization's provider.")]
    issuer: str
    external_account: str
    scopes: Annotated[list[str], Field(description="What this organization may do with it, by our names.")]
    last_used_at: Moment | None
    created_at: Moment


class Identities(BaseModel):
    identities: list[IdentityBody]
    total: int


class SsoConfigure(BaseModel):
    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {
                "name": "AutoDealer accounts",
                "issuer": "https://login.autodealer.example",
                "client_id": "auterity",
                "client_secret": "what the provider gave you",
                "allowed_domains": ["autodealer.example"],
            }
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=100)]
    issuer: Annotated[str, Field(min_length=8, max_length=400, description="As the provider describes itself.")]
    client_id: Annotated[str, Field(min_length=1, max_length=255)]
    client_secret: Annotated[
        str,
        Field(
            max_length=1000,
            description="Write-only. Left out, the stored one stays.",
            json_schema_extra={"writeOnly": True},
        ),
    ] = ""
    allowed_domains: Annotated[list[Annotated[str, Field(max_length=253)]], Field(min_length=1, max_length=50)]
    default_role: Literal["viewer", "member", "manager"] = "member"
    creates_members: Annotated[bool, Field(description="Unknown people become members.")] = True
    links_members: Annotated[bool, Field(description="A verified address is enough to be the member who has it.")] = (
        False
    )
    is_required: Annotated[bool, Field(description="Members who are no admins come in no other way.")] = False
    is_active: bool = True


class SsoBody(BaseModel):
    id: UUID
    name: str
    issuer: str
    client_id: str
    client_secret: Annotated[str, Field(description="Masked.")]
    allowed_domains: list[str]
    default_role: str
    creates_members: bool
    links_members: bool
    is_required: bool
    is_active: bool
    sign_in_url: Annotated[str, Field(description="The page for your people.")]
    redirect_uri: Annotated[str, Field(description="To be registered at the provider.")]
    created_at: Moment
    updated_at: Moment


class SsoTried(BaseModel):
    ok: bool
    message: str
    authorization_endpoint: str


class WayQuery(BaseModel):
    redirect_uri: Annotated[str, Field(max_length=2000, description="One that is configured, letter by letter.")] = ""
    redirect: Annotated[bool, Field(description="Answer 302 to the provider.")] = False
    login_hint: Annotated[str, Field(max_length=254)] = ""


class GoogleWayQuery(WayQuery):
    scopes: Annotated[str, Field(max_length=200, description="Comma list of login, calendar and drive.")] = "login"


class Way(BaseModel):
    authorization_url: str
    state: str
    scopes: list[str]
    expires_at: Moment


class WayBack(BaseModel):
    """What the provider's redirect carried. `iss` is passed on where it was there (RFC 9207)."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "4/0AY0e-g7…", "state": "nq2b…"}})

    state: Annotated[str, Field(max_length=200)]
    code: Annotated[str, Field(max_length=2000)] = ""
    redirect_uri: Annotated[str, Field(max_length=2000)] = ""
    error: Annotated[str, Field(max_length=200)] = ""
    iss: Annotated[str, Field(max_length=400)] | None = None


class CameBack(BaseModel):
    """The tokens of a login; null where an account was linked. With `X-Session-Cookies: on` they are in cookies that `/api/v1`
    knows the browser by, and `csrf_token` is what it proves its changes with."""

    action: Literal["linked", "login", "registered"]
    identity_id: UUID
    external_account: str
    user_id: UUID
    access_token: str | None = None
    refresh_token: str | None = None
    token_type: Literal["bearer"] | None = None
    expires_in: int | None = None
    csrf_token: GivenCsrfToken = None
