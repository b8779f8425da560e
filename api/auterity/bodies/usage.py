"""Shapes of usage quotas (000, Usage Quotas)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from accounts.limits import Period
from api.auterity.moments import Moment

# 000 promises numbers, and its clients compare with them: the largest whole number that every JSON reader keeps exactly.
NO_LIMIT = 2**53 - 1


class UsageLimits(BaseModel):
    """9007199254740991 is no limit."""

    workflow_executions: int
    ai_api_calls: int
    ai_tokens: int
    storage_mb: Annotated[int, Field(description="Mebibytes.")]
    collaborators: Annotated[int, Field(description="Active members and open invitations.")]

    @model_validator(mode="before")
    @classmethod
    def _without_a_limit(cls, given: Mapping[str, int | None]) -> dict[str, int]:
        return {name: NO_LIMIT if limit is None else limit for name, limit in given.items()}


class UsageCounts(BaseModel):
    workflow_executions: int
    ai_api_calls: int
    ai_tokens: int
    storage_mb: float
    collaborators: int


class UsageQuotaBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "organization_id": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001",
                "period": "monthly",
                "limits": {
                    "workflow_executions": 10000,
                    "ai_api_calls": NO_LIMIT,
                    "ai_tokens": 2000000,
                    "storage_mb": 5120,
                    "collaborators": 25,
                },
                "current_usage": {
                    "workflow_executions": 1204,
                    "ai_api_calls": 310,
                    "ai_tokens": 182330,
                    "storage_mb": 96.21,
                    "collaborators": 7,
                },
                "reset_date": "2026-12-01T00:00:00Z",
            }
        }
    )

    organization_id: UUID
    period: Period
    limits: UsageLimits
    current_usage: UsageCounts
    reset_date: Annotated[Moment, Field(description="When the first three begin anew; the others are levels.")]


class UsageQuery(BaseModel):
    period: Period = Period.MONTHLY
