"""Shapes of `/api/v1/webauthn` (003, WebAuthn Router). A credential is read as 003 writes it and as browsers do."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.cookies import GivenCsrfToken
from api.workflow_engine.bodies.auth import ShownRole

B64 = Annotated[str, Field(max_length=65536, pattern=r"^[A-Za-z0-9_-]*=*$", description="Base64url.")]
Nickname = Annotated[
    str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]
Verification = Literal["required", "preferred"]


def _either(snake: str, camel: str) -> AliasChoices:
    return AliasChoices(snake, camel)


class AttestationResponse(BaseModel):
    client_data_json: Annotated[B64, Field(validation_alias=_either("client_data_json", "clientDataJSON"))]
    attestation_object: Annotated[B64, Field(validation_alias=_either("attestation_object", "attestationObject"))]
    transports: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)] = []


class AttestedCredential(BaseModel):
    id: B64
    raw_id: Annotated[B64, Field(validation_alias=_either("raw_id", "rawId"))]
    type: Annotated[str, Field(max_length=32)]
    response: AttestationResponse


class AssertionResponse(BaseModel):
    client_data_json: Annotated[B64, Field(validation_alias=_either("client_data_json", "clientDataJSON"))]
    authenticator_data: Annotated[B64, Field(validation_alias=_either("authenticator_data", "authenticatorData"))]
    signature: B64
    user_handle: Annotated[B64 | None, Field(validation_alias=_either("user_handle", "userHandle"))] = None


class AssertedCredential(BaseModel):
    id: B64
    raw_id: Annotated[B64, Field(validation_alias=_either("raw_id", "rawId"))]
    type: Annotated[str, Field(max_length=32)]
    response: AssertionResponse


class RegisterBegin(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"nickname": "Work laptop"}})

    nickname: Nickname | None = None
    authenticator_attachment: Literal["platform", "cross-platform"] | None = None
    resident_key: Literal["required", "preferred", "discouraged"] = "preferred"
    user_verification: Verification = "preferred"


class RegisterComplete(BaseModel):
    challenge_id: UUID
    credential: AttestedCredential
    nickname: Nickname | None = None


class AuthenticateBegin(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"username": "user@example.com"}})

    username: Annotated[str, Field(max_length=254)] | None = None
    mfa_token: Annotated[str, Field(max_length=4096)] | None = None
    user_verification: Verification | None = None


class AuthenticateComplete(BaseModel):
    challenge_id: UUID
    credential: AssertedCredential
    mfa_token: Annotated[str, Field(max_length=4096)] | None = None
    remember_me: bool = False


class Descriptor(BaseModel):
    type: str
    id: B64
    transports: list[str]


class RelyingParty(BaseModel):
    id: str
    name: str


class CredentialOwner(BaseModel):
    id: B64
    name: str
    display_name: str


class CredentialKind(BaseModel):
    type: str
    alg: int


class CreationOptions(BaseModel):
    challenge: B64
    rp: RelyingParty
    user: CredentialOwner
    pub_key_cred_params: list[CredentialKind]
    timeout: Annotated[int, Field(description="In milliseconds.")]
    exclude_credentials: list[Descriptor]
    authenticator_selection: dict[str, Any]
    attestation: str


class RequestOptions(BaseModel):
    challenge: B64
    rp_id: str
    timeout: Annotated[int, Field(description="In milliseconds.")]
    allow_credentials: list[Descriptor]
    user_verification: str


class RegistrationBegun(BaseModel):
    """`publicKey` is the same as browsers take it (`parseCreationOptionsFromJSON`)."""

    challenge_id: UUID
    expires_at: Moment
    public_key: CreationOptions
    publicKey: dict[str, Any]


class AuthenticationBegun(BaseModel):
    """`publicKey` is the same as browsers take it (`parseRequestOptionsFromJSON`)."""

    challenge_id: UUID
    expires_at: Moment
    public_key: RequestOptions
    publicKey: dict[str, Any]


class RegisteredCredential(BaseModel):
    credential_id: B64
    nickname: str
    aaguid: UUID
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    transports: list[str]
    created_at: Moment
    total_credentials: int
    security_tier: str


class UsedCredential(BaseModel):
    nickname: str
    last_used_at: Moment


class PasskeyTokens(BaseModel):
    """Seconds where a key says `expires_in`. After a step-up the access token is the one that was sent, without a refresh token,
    and `fresh_until` says until when the login counts as fresh. A browser that asks for cookies has its tokens there, and a
    `csrf_token` here."""

    access_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  Not a password.
    expires_in: int
    refresh_token: str | None = None
    refresh_expires_in: int | None
    csrf_token: GivenCsrfToken = None
    session_id: UUID
    user_id: UUID
    role: ShownRole
    credential: UsedCredential
    fresh_until: Moment | None = None
