"""Shapes of `/native/auth/device` (003, Native Auth Router: devices that prove themselves by a key)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment

PlatformName = Literal["windows", "macos", "linux", "ios", "android"]
DeviceStatus = Literal["pending", "active", "suspended", "revoked"]
Line = Annotated[str, Field(max_length=64)]
Signature = Annotated[
    str, Field(max_length=200, description="Base64url: 64 bytes of Ed25519; of ECDSA with SHA-256 r and s, or DER.")
]
DEVICE_ID = "018f3a52-7c1e-7d43-9b1a-2f6f0a7c5e11"


class Push(BaseModel):
    provider: Literal["apns", "fcm", "wns"]
    token: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[!-~]+$")]


class DeviceRegister(BaseModel):
    """`public_key` is PEM (SubjectPublicKeyInfo) or a JWK, as an object or as text. `proof` is the key's signature over the key's
    thumbprint (RFC 7638, base64url), a full stop, and the id of the login at hand."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Ann's laptop",
                "platform": "macos",
                "public_key": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            }
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"\S")]
    platform: PlatformName
    public_key: Annotated[str, Field(min_length=1, max_length=2000)] | dict[str, Any]
    client_id: UUID | None = None
    os_version: Line = ""
    app_version: Line = ""
    model: Annotated[str, Field(max_length=100)] = ""
    hardware_id_hash: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$")] | None = None
    push: Push | None = None
    proof: Signature | None = None


class Challenge(BaseModel):
    """What is signed is `nonce`, the device's id and `challenge_id`, one after the other as they are written here, in ASCII."""

    challenge_id: UUID
    nonce: Annotated[str, Field(description="Base64url of 32 bytes.")]
    expires_at: Moment


class DeviceRegistered(BaseModel):
    """`key_id` is the key's SHA-256 thumbprint (RFC 7638). `registered_devices` are those that are not revoked."""

    device_id: UUID
    status: Literal["pending", "active"]
    key_id: str
    key_algorithm: Literal["Ed25519", "P-256"]
    challenge: Challenge
    max_devices: int
    registered_devices: int
    created_at: Moment


class DeviceAuthenticate(BaseModel):
    """The id alone asks for a challenge; with `challenge_id` and `signature` it is answered."""

    model_config = ConfigDict(json_schema_extra={"example": {"device_id": DEVICE_ID}})

    device_id: UUID
    challenge_id: UUID | None = None
    signature: Signature | None = None
    app_version: Line = ""


class DeviceAuthentication(BaseModel):
    """Seconds in `expires_in`. Before the signature nobody is told how a device stands: `device_status` is `unknown` then.

    `refresh_token` is for `/native/auth/refresh`, and null where the device belongs to no installation: it signs again.
    """

    step: Literal["challenge", "authenticated"]
    challenge: Challenge | None
    access_token: str | None = None
    token_type: Literal["Bearer"] | None = None
    expires_in: int | None = None
    refresh_token: str | None = None
    session_id: UUID | None = None
    user_id: UUID | None = None
    device_status: Literal["unknown", "active"]


class DeviceQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    device_id: Annotated[UUID | None, Field(description="One of yours; the token's device when not said.")] = None
    all: Annotated[bool, Field(description="All of yours.")] = False


class DeviceBody(BaseModel):
    device_id: UUID
    name: str
    platform: PlatformName
    os_version: str | None
    app_version: str | None
    status: DeviceStatus
    key_id: str
    registered_at: Moment
    last_authenticated_at: Moment | None
    last_sync_at: Moment | None
    last_ip: str | None
    active_sessions: int
    push_enabled: bool
    update_required: bool


class DeviceStatuses(BaseModel):
    """`current_device_id` is the device by whose key the login at hand was opened."""

    current_device_id: UUID | None
    devices: list[DeviceBody]


class DeviceRevoked(BaseModel):
    device_id: UUID
    status: Literal["revoked"] = "revoked"
    revoked_sessions: int
