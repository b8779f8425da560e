"""The shape of an explanation: why an execution is where it is."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.auterity.bodies.executions import ExecutionStatus
from api.auterity.moments import Moment


class ReasonBody(BaseModel):
    """`kind` while it runs: pending, slot, brake, inactive, lease, step, retry, delay, approval, form, settle, event, runs, pace,
    paused, due, deadline or stuck; once it has ended: completed, failed, poison, cancelled, deadline or time."""

    kind: str
    sentence: str
    node_id: str | None
    since: Moment | None
    until: Moment | None
    details: dict[str, Any]
    mend: Annotated[str | None, Field(description="What somebody can do about it.")]


class ExplanationBody(BaseModel):
    execution_id: UUID
    status: ExecutionStatus
    summary: Annotated[str, Field(description="One sentence: the first of the reasons.")]
    reasons: list[ReasonBody]
