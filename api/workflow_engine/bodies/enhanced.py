"""Shapes of `/api/v1/enhanced-auth` and `/api/v1/enhanced` (003, Enhanced Authentication; Enhanced Security)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.cookies import GivenCsrfToken
from api.workflow_engine.bodies.auth import ShownRole, TotpCode
from api.workflow_engine.bodies.webauthn import AssertedCredential

Method = Literal["totp", "webauthn", "backup_code", "email_code"]
Words = Annotated[str, Field(max_length=100)]
Fingerprint = Annotated[str, Field(min_length=8, max_length=128)]


class RiskThresholds(BaseModel):
    challenge: int
    block: int


class RiskFactor(BaseModel):
    name: str
    weight: int
    triggered: bool
    evidence: str


class Risk(BaseModel):
    """How unlike the account's earlier logins one is: the weights of what is triggered, added up."""

    score: Annotated[int, Field(ge=0, le=100)]
    level: Literal["low", "medium", "high", "critical"]
    thresholds: RiskThresholds
    factors: list[RiskFactor]
    assessed_at: Moment


class LoginDevice(BaseModel):
    fingerprint: Fingerprint | None = None
    name: Words = ""
    platform: Words = ""
    app_version: Words = ""
    timezone: Words = ""
    language: Words = ""


class AdvancedLogin(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "username": "user@example.com",
                "password": "secure_password",
                "device": {"fingerprint": "7b1f0a52c9d34e18", "name": "Work laptop"},
            }
        }
    )

    username: Annotated[str, Field(min_length=3, max_length=254)]
    password: Annotated[str, Field(min_length=1, max_length=256)]
    device: LoginDevice | None = None
    totp_code: TotpCode | None = None
    trust_device: bool = False
    remember_me: bool = False


class WantedFactor(BaseModel):
    required: bool
    mfa_token: str | None = None
    methods: list[Method]
    expires_at: Moment | None = None


class NewLogin(BaseModel):
    """The tokens of a login, all null where there is none. Where cookies were asked for the tokens are in them alone."""

    access_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  Not a password.
    expires_in: int | None = None
    refresh_token: str | None = None
    session_id: UUID | None = None
    user_id: UUID | None = None
    role: ShownRole | None = None
    csrf_token: GivenCsrfToken = None


class AdvancedLoggedIn(NewLogin):
    decision: Literal["allow", "challenge"]
    mfa: WantedFactor
    risk: Risk | None


class SessionValidate(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"renew": False}})

    renew: Annotated[
        bool | None,
        Field(
            description="New tokens now; false for never; else by a refresh token, when less than half the time is left."
        ),
    ] = None
    refresh_token: str | None = None
    device_fingerprint: Fingerprint | None = None


class SessionAnomaly(BaseModel):
    code: Literal["ip_changed", "user_agent_changed", "device_changed"]
    detail: str


class SessionValid(BaseModel):
    valid: bool
    session_id: UUID
    user_id: UUID
    expires_at: Moment
    seconds_left: int
    renewed: bool
    access_token: str | None = None
    refresh_token: str | None = None
    expires_in: int | None = None
    bound_to_device: bool
    anomalies: list[SessionAnomaly]


class PasswordAge(BaseModel):
    changed_at: Moment | None
    age_days: int | None
    expires_at: Moment | None


class TotpState(BaseModel):
    enabled: bool
    backup_codes_remaining: int


class ShownPasskey(BaseModel):
    credential_id: str
    nickname: str
    created_at: Moment
    last_used_at: Moment | None
    suspended: bool


class ShownSession(BaseModel):
    session_id: UUID
    current: bool
    ip: str
    user_agent: str
    created_at: Moment
    last_seen_at: Moment


class ShownLogin(BaseModel):
    at: Moment
    ip: str
    success: bool
    method: str
    risk_score: int | None


class Recommendation(BaseModel):
    code: str
    title: str
    impact: Annotated[int, Field(description="Points it would add.")]
    action_path: str


class SecurityStatus(BaseModel):
    score: Annotated[int, Field(ge=0, le=100)]
    tier: str
    email_verified: bool
    password: PasswordAge
    totp: TotpState
    passkeys: list[ShownPasskey]
    sessions: list[ShownSession]
    recent_logins: list[ShownLogin]
    failed_logins_24h: int
    open_incidents: int
    recommendations: list[Recommendation]


class MultiFactor(BaseModel):
    """With `mfa_token` it finishes a login, with a bearer token alone it makes that login fresh."""

    model_config = ConfigDict(json_schema_extra={"example": {"method": "totp", "mfa_token": "eyJ…", "code": "123456"}})

    method: Method
    mfa_token: Annotated[str | None, Field(max_length=4096)] = None
    code: Annotated[str | None, Field(max_length=20)] = None
    action: Literal["verify", "send_code"] = "verify"
    challenge_id: UUID | None = None
    credential: AssertedCredential | None = None
    trust_device_days: Annotated[int, Field(ge=0, le=30)] = 0


class MultiFactorDone(NewLogin):
    verified: bool
    code_sent_to: str | None = None
    attempts_left: int
    fresh_until: Moment | None = None
    trusted_until: Moment | None = None


class SessionDevice(BaseModel):
    name: str | None
    trusted: bool
    trusted_until: Moment | None


class SessionInfo(BaseModel):
    """`websocket_connections` are yours at the server that answers."""

    session_id: UUID
    user_id: UUID
    organization_id: UUID
    role: ShownRole
    permissions: list[str]
    tier: str
    auth_methods: list[str]
    created_at: Moment
    expires_at: Moment
    last_seen_at: Moment
    fresh_until: Moment | None
    ip: str
    user_agent: str
    device: SessionDevice
    risk: Risk | None
    other_sessions: int
    websocket_connections: int


class SecurityCheck(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"action": "export_data"}})

    action: Literal[
        "export_data",
        "change_password",
        "delete_account",
        "manage_api_keys",
        "manage_users",
        "change_policy",
        "execute_workflow",
        "connect_oauth",
    ]
    resource_id: UUID | None = None
    context: dict[str, Any] | None = None
    device_fingerprint: Fingerprint | None = None


class StepUpNeeded(BaseModel):
    required: bool
    methods: list[str]
    path: str


class SecurityChecked(BaseModel):
    allowed: bool
    action: str
    required_tier: str
    current_tier: str
    missing: list[Literal["verified_email", "totp", "passkey", "fresh_login", "role", "policy_ip"]]
    step_up: StepUpNeeded
    risk: Risk
    valid_until: Moment | None
    check_id: UUID
