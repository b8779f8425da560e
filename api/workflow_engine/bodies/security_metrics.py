"""Shapes of the security dashboard, incidents, threats and alerts (003, Security Metrics)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.auterity.moments import Instant, Moment
from api.workflow_engine.pages import PerPageQuery, SortedQuery

SeverityName = Literal["low", "medium", "high", "critical"]
IncidentStateName = Literal["open", "investigating", "contained", "resolved", "false_positive"]
IncidentKind = Literal[
    "unauthorized_access", "data_leak", "malware", "phishing", "credential_clone", "policy_violation", "availability", "other"
]  # fmt: skip
ThreatKind = Literal[
    "brute_force", "credential_stuffing", "impossible_velocity", "token_replay", "passkey_clone", "rate_abuse", "injection_probe",
    "privilege_probe",
]  # fmt: skip


class DashboardQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    period: Literal["24h", "7d", "30d", "90d"] = "7d"


class PeriodBody(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    since: Annotated[Moment, Field(alias="from")]
    to: Moment


class LoginFigures(BaseModel):
    success: int
    failed: int
    blocked_by_risk: int
    challenged: int
    unique_users: int


class MfaFigures(BaseModel):
    users: int
    with_totp: int
    with_passkey: int
    coverage_percent: float


class SessionFigures(BaseModel):
    active: int
    revoked: int


class SeverityCounts(BaseModel):
    low: int = 0
    medium: int = 0
    high: int = 0
    critical: int = 0


class IncidentFigures(BaseModel):
    """Open ones; the mean is over those resolved in the period."""

    open: int
    by_severity: SeverityCounts
    mean_hours_to_resolve: float | None


class ThreatSourceFigures(BaseModel):
    ip: str
    events: int
    last_seen_at: Moment


class ThreatFigures(BaseModel):
    active: int
    top_sources: list[ThreatSourceFigures]


class AlertFigures(BaseModel):
    configured: int
    fired: int


class TierFigures(BaseModel):
    standard: int
    elevated: int
    maximum: int


class SeriesPoint(BaseModel):
    at: Moment
    login_success: int
    login_failed: int
    threats: int
    incidents: int


class Trend(BaseModel):
    """Against the period before; null where that was empty."""

    login_failed_percent: float | None
    incidents_percent: float | None


class SecurityDashboard(BaseModel):
    period: PeriodBody
    logins: LoginFigures
    mfa: MfaFigures
    sessions: SessionFigures
    incidents: IncidentFigures
    threats: ThreatFigures
    alerts: AlertFigures
    tiers: TierFigures
    timeseries: list[SeriesPoint]
    trend: Trend


class IncidentQuery(SortedQuery):
    status: IncidentStateName | None = None
    severity: SeverityName | None = None
    search: Annotated[str, Field(max_length=200)] = ""


class NamedPerson(BaseModel):
    """`id` is null for the product itself, and for somebody whose account is gone."""

    id: UUID | None
    name: str


class AffectedBody(BaseModel):
    user_ids: list[UUID]
    resource_type: str | None
    resource_ids: list[str]


class TimelineEntry(BaseModel):
    at: Moment
    actor: str
    action: str
    note: str


class IncidentBody(BaseModel):
    id: UUID
    reference: str
    title: str
    description: str
    category: IncidentKind
    severity: SeverityName
    status: IncidentStateName
    source: Literal["user", "detector", "alert"]
    reported_by: NamedPerson
    assigned_to: NamedPerson | None
    affected: AffectedBody
    evidence_event_ids: list[UUID]
    timeline: list[TimelineEntry]
    created_at: Moment
    resolved_at: Moment | None


class AffectedWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    user_ids: Annotated[list[UUID], Field(max_length=100)] = []
    resource_type: Annotated[str, Field(max_length=80)] = ""
    resource_ids: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] = []


class IncidentReport(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "title": "Strange mail asks for passwords",
                "description": "Three of us got a mail that pretends to be from our bank.",
                "severity": "medium",
                "category": "phishing",
            }
        },
    )

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=5, max_length=200)]
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=10_000)]
    severity: SeverityName
    category: IncidentKind = "other"
    affected: AffectedWish = AffectedWish()
    evidence_event_ids: Annotated[list[UUID], Field(max_length=100)] = []
    occurred_at: Instant | None = None


class ThreatQuery(PerPageQuery):
    type: ThreatKind | None = None
    status: Literal["active", "mitigated", "expired"] | None = None
    min_score: Annotated[int, Field(ge=0, le=100)] = 0


class ThreatSource(BaseModel):
    ip: str | None
    user_id: UUID | None
    user_agent: str | None


class ThreatTarget(BaseModel):
    user_ids: list[UUID]
    paths: list[str]


class ThreatRule(BaseModel):
    name: str
    threshold: int
    window_seconds: int


class ThreatEvidence(BaseModel):
    event_id: UUID
    at: Moment
    summary: str


class ThreatMitigation(BaseModel):
    action: Literal["none", "rate_limited", "ip_blocked", "account_locked", "session_revoked", "passkey_suspended"]
    until: Moment | None


class ThreatBody(BaseModel):
    id: UUID
    type: ThreatKind
    status: Literal["active", "mitigated", "expired"]
    score: Annotated[int, Field(ge=0, le=100)]
    source: ThreatSource
    target: ThreatTarget
    events: int
    first_seen_at: Moment
    last_seen_at: Moment
    rule: ThreatRule
    evidence: list[ThreatEvidence]
    mitigation: ThreatMitigation
    incident_id: UUID | None


class AlertCondition(BaseModel):
    model_config = ConfigDict(extra="forbid")

    operator: Literal["gt", "gte", "lt", "lte", "eq"]
    threshold: Annotated[float, Field(strict=True, ge=-1e9, le=1e9, allow_inf_nan=False)]
    window_minutes: Annotated[int, Field(strict=True, ge=1, le=1440)]


class AlertChannel(BaseModel):
    """`target`: an address of a member, a URL, or for in_app a role, a member's address or id (empty: the admins)."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["email", "webhook", "in_app"]
    target: Annotated[str, Field(max_length=2000)] = ""


class AlertWish(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "Many failed logins",
                "metric": "failed_logins",
                "condition": {"operator": "gte", "threshold": 20, "window_minutes": 15},
                "channels": [{"type": "in_app", "target": "admin"}],
            }
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=100)]
    metric: Literal[
        "failed_logins", "risk_blocks", "threat_score", "incident_severity", "mfa_coverage", "token_reuse", "audit_event"
    ]  # fmt: skip
    condition: AlertCondition
    id: UUID | None = None
    enabled: bool = True
    severity: SeverityName = "medium"
    channels: Annotated[list[AlertChannel], Field(max_length=10)] = []
    cooldown_minutes: Annotated[int, Field(strict=True, ge=0, le=1440)] = 60
    filter: Annotated[
        dict[str, Any], Field(description="For audit_event: event_type, severity, outcome, user_id and so on.")
    ] = {}
    dry_run: bool = False
    delete: bool = False


class AlertPreview(BaseModel):
    """The rule replayed over the last 7 days."""

    current_value: float
    would_fire: bool
    fires_last_7d: int


class AlertBody(BaseModel):
    """`id` is null for a dry run of a rule that is not stored."""

    id: UUID | None
    name: str
    metric: str
    condition: AlertCondition
    enabled: bool
    severity: SeverityName
    channels: list[AlertChannel]
    cooldown_minutes: int
    created: bool
    deleted: bool
    last_fired_at: Moment | None
    preview: AlertPreview
