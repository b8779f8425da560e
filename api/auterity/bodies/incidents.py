"""Shapes of working on a security incident."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment


class IncidentChange(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"status": "investigating", "note": "I look into it."}})

    status: Literal["open", "investigating", "contained", "resolved", "false_positive"] | None = None
    assigned_to: Annotated[UUID | None, Field(description="A member of the organization.")] = None
    note: Annotated[str, Field(max_length=5000)] = ""


class IncidentState(BaseModel):
    id: UUID
    reference: str
    status: str
    assigned_to: UUID | None
    resolved_at: Moment | None
