"""Shapes of tiers, policies, the audit log and compliance (003, Security Tier; Enterprise Security)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from api.auterity.moments import Instant, Moment

TierName = Literal["standard", "elevated", "maximum"]
PolicyCategory = Literal["password", "mfa", "session", "network", "data", "ai"]
MOST_DETAIL_BYTES = 16 * 1024


class PendingUpgrade(BaseModel):
    upgrade_id: UUID
    target: TierName
    status: str
    expires_at: Moment


class TierStanding(BaseModel):
    """`since`: when the login that has it began. `review_at`: when it will need a new login."""

    tier: TierName
    since: Moment
    enforced_minimum: TierName
    satisfied: list[str]
    missing_for_next: list[str]
    next_tier: TierName | None
    unlocks: list[str]
    review_at: Moment | None
    pending_upgrade: PendingUpgrade | None


class TierUpgradeWish(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"target_tier": "elevated"}})

    target_tier: Literal["elevated", "maximum"]
    reason: Annotated[str, Field(max_length=500)] = ""


class UpgradeRequirement(BaseModel):
    code: str
    met: bool
    how: str
    action_path: str


class TierUpgradeBody(BaseModel):
    """Of `totp` and `passkey` one is enough for the tier elevated."""

    upgrade_id: UUID
    target_tier: TierName
    status: Literal["granted", "pending"]
    current_tier: TierName
    requirements: list[UpgradeRequirement]
    granted_at: Moment | None
    expires_at: Moment | None
    unlocks: list[str]


class TierQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    tier: TierName | None = None


class TierRequirement(BaseModel):
    code: Literal["verified_email", "totp", "passkey", "fresh_login", "backup_codes"]
    description: str
    max_age_seconds: int | None
    met: bool


class Capability(BaseModel):
    capability: str
    description: str


class TierDefinition(BaseModel):
    tier: TierName
    rank: int
    description: str
    requirements: list[TierRequirement]
    unlocks: list[Capability]
    session_lifetime_seconds: int


class TierDefinitions(BaseModel):
    tiers: list[TierDefinition]


class PolicyQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    category: PolicyCategory | None = None


class EffectivePolicy(BaseModel):
    """`enforced`: the organization chose another value than the default."""

    key: str
    category: PolicyCategory
    title: str
    description: str
    value: Any
    default: Any
    enforced: bool
    applies_to_roles: list[str]
    compliant: bool
    remedy: str | None


class EffectivePolicies(BaseModel):
    organization_id: UUID
    version: int
    updated_at: Moment
    policies: list[EffectivePolicy]


class AuditLogEntry(BaseModel):
    """Who and from where is taken from the request and cannot be said."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"event_type": "custom.door.opened", "action": "open", "resource_type": "door", "resource_id": "7"}
        },
    )  # fmt: skip

    event_type: Annotated[
        str, Field(min_length=3, max_length=80, description="custom.name: a to z, 0 to 9, _ and dots.")
    ]
    action: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    resource_type: Annotated[str, Field(max_length=80)] = ""
    resource_id: Annotated[str, Field(max_length=200)] = ""
    outcome: Literal["success", "failure", "denied"] = "success"
    severity: Literal["info", "low", "medium", "high", "critical"] = "info"
    details: Annotated[dict[str, Any], Field(description="At most 16 kB. What looks like a secret is masked.")] = {}
    occurred_at: Annotated[Instant | None, Field(description="Within the last 7 days.")] = None

    @field_validator("details")
    @classmethod
    def _small(cls, given: dict[str, Any]) -> dict[str, Any]:
        if len(orjson.dumps(given)) > MOST_DETAIL_BYTES:
            raise ValueError("details have at most 16 kB.")
        return given


class AuditLogged(BaseModel):
    event_id: UUID
    sequence: int
    hash: str
    previous_hash: str
    recorded_at: Moment


class ComplianceQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    framework: Literal["soc2", "gdpr", "iso27001", "internal"] = "internal"


class Evidence(BaseModel):
    """`query` says in words what was counted."""

    query: str
    count: int
    sample_ids: list[str]


class ControlBody(BaseModel):
    id: str
    title: str
    status: Literal["pass", "fail", "warn", "not_applicable"]
    evidence: Evidence
    remedy: str | None


class AuditChainBody(BaseModel):
    intact: bool
    checked_events: int
    first_broken_sequence: int | None


class ComplianceUsers(BaseModel):
    total: int
    mfa_enabled: int
    stale_90d: int
    over_privileged: int


class ComplianceStatus(BaseModel):
    framework: str
    status: Literal["compliant", "at_risk", "non_compliant"]
    score: Annotated[int, Field(ge=0, le=100)]
    checked_at: Moment
    controls: list[ControlBody]
    audit_chain: AuditChainBody
    users: ComplianceUsers
