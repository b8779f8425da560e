"""Shapes of executions and their logs (000, Execution Status Schema; 001, Execute Workflow and Get Execution Status)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from api.auterity.moments import Instant, Moment
from api.auterity.pages import Page, PageQuery

# Named types, so that the OpenAPI document has them once and by name.
ExecutionStatus = TypeAliasType(
    "ExecutionStatus", Literal["pending", "running", "completed", "failed", "cancelled", "timeout"]
)
StepStatus = TypeAliasType(
    "StepStatus", Literal["pending", "running", "completed", "failed", "cancelled", "timeout", "skipped"]
)
LogLevel = TypeAliasType("LogLevel", Literal["debug", "info", "warning", "error"])


class Execute(BaseModel):
    """`inputs` (000) and `input_data` (001) are one field."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "input_data": {
                    "customer_email": "customer@example.com",
                    "customer_name": "Jane Smith",
                    "deal_amount": 25000,
                },
                "execution_mode": "async",
                "webhook_url": "https://your-app.com/webhook",
            }
        }
    )

    input_data: dict[str, Any] | None = None
    inputs: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    execution_mode: Literal["async", "sync"] = "async"
    webhook_url: Annotated[str | None, Field(max_length=2000, description="Gets the signed result by POST.")] = None

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if self.input_data is not None and self.inputs is not None and self.input_data != self.inputs:
            raise ValueError("inputs and input_data are one field; send one of them, or the same value in both")
        return self

    @property
    def given(self) -> dict[str, Any]:
        return self.input_data if self.input_data is not None else self.inputs or {}


class Accepted(BaseModel):
    """The answer of `execute`: both documents' keys."""

    execution_id: UUID
    workflow_id: UUID
    status: ExecutionStatus
    started_at: Moment | None
    created_at: Moment
    input_data: dict[str, Any]


class StepBody(BaseModel):
    """`step_id` = `node_id`, `output` = `output_data`; `duration` in seconds, `duration_ms` in milliseconds."""

    step_id: str
    node_id: str
    node_name: str
    node_type: str
    status: StepStatus
    attempt: int
    input_data: Any = None
    output_data: Any = None
    output: Any = None
    error_code: str | None = None
    error_message: str | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None
    duration: float | None = None
    duration_ms: float | None = None
    kept_from: Annotated[
        UUID | None, Field(description="The earlier execution that this record was taken over from.")
    ] = None


class MetricsBody(BaseModel):
    total_duration_ms: float
    ai_processing_time_ms: float
    api_calls_count: int
    tokens_used: int
    cost_estimate: Annotated[float, Field(description="US dollars.")]


class ExecutionSummary(BaseModel):
    id: UUID
    workflow_id: UUID
    status: ExecutionStatus
    progress: Annotated[float, Field(ge=0, le=100)]
    started_at: Moment | None
    completed_at: Moment | None
    duration: Annotated[float | None, Field(description="Seconds.")]
    error_message: str | None
    created_by: UUID | None
    created_at: Moment


class ExecutionBody(ExecutionSummary):
    """000's WorkflowExecution with 001's keys. A run that waits is `running` and says in `waiting_for` for what."""

    version_id: UUID
    rerun_of: UUID | None
    input_data: dict[str, Any]
    output_data: Any
    error_code: str | None
    current_step: str | None
    waiting_for: dict[str, Any] | None
    steps: list[StepBody]
    metrics: MetricsBody


class ExecutionPage(Page):
    executions: list[ExecutionSummary]


class ExecutionQuery(PageQuery):
    status: ExecutionStatus | None = None


class Steps(BaseModel):
    execution_id: UUID
    steps: list[StepBody]


class LogBody(BaseModel):
    """A line of `execution_logs` (001). `seq` is its place in the execution's live stream."""

    id: UUID
    execution_id: UUID
    workflow_id: UUID
    seq: int
    node_id: str | None
    level: LogLevel
    message: str
    data: dict[str, Any] | None
    created_at: Moment


class LogPage(Page):
    """`total` is counted up to 10,000 lines; `total_exact` says whether there are more."""

    logs: list[LogBody]
    total_exact: bool = True
    next_cursor: Annotated[UUID | None, Field(description="Send it as `cursor` for the lines after these.")] = None


class LogQuery(PageQuery):
    execution_id: UUID | None = None
    workflow_id: UUID | None = None
    level: LogLevel | None = None
    node_id: Annotated[str | None, Field(max_length=100)] = None
    since: Instant | None = None
    until: Annotated[Instant | None, Field(description="Before this moment.")] = None
    search: Annotated[str, Field(max_length=200, description="Looks in the messages, ignoring case.")] = ""
    sort: Annotated[Literal["newest", "oldest"], Field(description="Which line comes first.")] = "newest"
    cursor: Annotated[UUID | None, Field(description="`next_cursor` of the page before; `page` is not looked at.")] = (
        None
    )
