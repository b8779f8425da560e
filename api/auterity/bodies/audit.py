"""Shapes of the audit trail."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Instant, Moment
from audit.selectors import MOST_A_PAGE, Wanted

Outcome = Literal["success", "failure", "denied"]
Severity = Literal["info", "low", "medium", "high", "critical"]


class AuditFilter(BaseModel):
    """What to look for; each is optional. Times are of recording."""

    model_config = ConfigDict(extra="ignore")

    event_type: Annotated[str, Field(max_length=80, description="`auth.login.failed`, or `auth.*` for all below.")] = ""
    action: Annotated[str, Field(max_length=80)] = ""
    outcome: Outcome | None = None
    severity: Severity | None = None
    user_id: Annotated[UUID | None, Field(description="Who acted.")] = None
    session_id: UUID | None = None
    resource_type: Annotated[str, Field(max_length=80)] = ""
    resource_id: Annotated[str, Field(max_length=200)] = ""
    address: Annotated[str, Field(max_length=64)] = ""
    request_id: Annotated[str, Field(max_length=64)] = ""
    since: Instant | None = None
    until: Instant | None = None

    def wanted(self) -> Wanted:
        given = self.model_dump(include=set(Wanted.__slots__), exclude_none=True)
        return Wanted(**given)


class AuditQuery(AuditFilter):
    limit: Annotated[int, Field(ge=1, le=MOST_A_PAGE, description="Events a page.")] = 50
    cursor: Annotated[UUID | None, Field(description="`next_cursor` of the page before.")] = None


class AuditExportQuery(AuditFilter):
    format: Annotated[Literal["ndjson", "csv"], Field(description="csv is for spreadsheets: no cell is a formula.")] = (
        "ndjson"
    )


class AuditEventBody(BaseModel):
    """`sequence` and the hashes are null for a moment, until the event is chained to the one before it."""

    id: UUID
    sequence: int | None
    event_type: str
    action: str
    outcome: Outcome
    severity: Severity
    kind: Annotated[str, Field(description="Who acted: user, api_key, operator, system or outside.")]
    user_id: UUID | None
    session_id: UUID | None
    resource_type: str
    resource_id: str
    address: str
    user_agent: str
    request_id: str
    path: str
    details: Annotated[dict[str, Any], Field(description="What else is known. Secrets are masked.")]
    occurred_at: Moment
    recorded_at: Moment
    previous_hash: str | None
    hash: str | None


class AuditPage(BaseModel):
    """Newest first."""

    events: list[AuditEventBody]
    next_cursor: Annotated[UUID | None, Field(description="Send it as `cursor` for older events; null at the end.")]
