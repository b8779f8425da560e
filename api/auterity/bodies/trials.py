"""Shapes of trying a workflow out without running it, and of its test cases."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from api.auterity.moments import Moment
from api.auterity.pages import Page

# Named types, so that the OpenAPI document has them once and by name.
TrialStatus = TypeAliasType("TrialStatus", Literal["completed", "failed"])
TrialStepStatus = TypeAliasType("TrialStepStatus", Literal["completed", "failed", "skipped", "not_reached"])
TrialSource = TypeAliasType("TrialSource", Literal["ran", "pinned", "mocked", "sampled"])

Version = Annotated[
    int | Literal["draft"] | None, Field(description="A version's number; the newest for draft or none.")
]
Pinned = Annotated[dict[str, Any], Field(description="A node's id and the output it is given.")]
Mocks = Annotated[
    dict[str, Any],
    Field(
        description="A node's id and `{output, port}` or `{error: {code, message}}` in place of what it does outside."
    ),
]


class DryRun(BaseModel):
    """`inputs` and `input_data` are one field, as in execute."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "input_data": {"customer_email": "customer@example.com"},
                "pinned": {"look_up": {"status": 200, "body": {"name": "Jane"}}},
                "mocks": {"send_email": {"error": {"code": "unavailable", "message": "The mail server is down."}}},
            }
        }
    )

    input_data: dict[str, Any] | None = None
    inputs: dict[str, Any] | None = None
    context: dict[str, Any] = {}
    version: Version = None
    pinned: Pinned = {}
    mocks: Mocks = {}

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if self.input_data is not None and self.inputs is not None and self.input_data != self.inputs:
            raise ValueError("inputs and input_data are one field; send one of them, or the same value in both")
        return self

    @property
    def given(self) -> dict[str, Any]:
        return self.input_data if self.input_data is not None else self.inputs or {}

    @property
    def number(self) -> int | None:
        return self.version if isinstance(self.version, int) else None


class TrialError(BaseModel):
    node_id: str | None
    code: str
    message: str


class TrialNote(BaseModel):
    level: str
    message: str
    data: dict[str, Any]


class TrialStepBody(BaseModel):
    """`config` is what would have been sent, filled in, without secrets. `source` says where the output comes from."""

    node_id: str
    node_name: str
    node_type: str
    status: TrialStepStatus
    source: TrialSource | None
    input: Any
    config: dict[str, Any] | None
    output: Any
    port: str
    taken_edges: list[str]
    error: TrialError | None
    notes: list[TrialNote]


class TrialBody(BaseModel):
    """What a run would come to. Nothing was stored, and nothing was done outside."""

    workflow_id: UUID
    version: int
    status: TrialStatus
    steps: list[TrialStepBody]
    output: Any
    error: TrialError | None
    warnings: list[str]
    duration_ms: float


class NodeTest(BaseModel):
    """What arrives at the node: given, or as an earlier execution recorded it, or both (what is given goes first)."""

    model_config = ConfigDict(json_schema_extra={"example": {"inputs": {"customer_email": "customer@example.com"}}})

    input: Any = None
    inputs: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    steps: Annotated[dict[str, Any] | None, Field(description="Outputs of earlier steps by node id.")] = None
    from_execution: UUID | None = None
    version: Version = None
    perform: Annotated[bool, Field(description="Really do it, once, now: send the mail, make the call.")] = False

    @property
    def number(self) -> int | None:
        return self.version if isinstance(self.version, int) else None


class NodeTestBody(BaseModel):
    """`performed` is true when the step really happened outside; else `output` of a step with an effect is made up."""

    workflow_id: UUID
    version: int
    performed: bool
    message: str
    step: TrialStepBody
    warnings: list[str]


Assertions = Annotated[
    list[Any],
    Field(
        description="Each `{expression, message}` over output, steps, error, status and input, or `{path, equals, message}`; "
        "a text alone is an expression."
    ),
]


class TestCaseCreate(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "A large deal goes to the manager",
                "input_data": {"amount": 25000},
                "assertions": [
                    "steps.mail.config.to == 'manager@example.com'",
                    {"path": "output.status", "equals": "sent"},
                ],
            }
        }
    )

    name: str
    input_data: dict[str, Any] = {}
    context: dict[str, Any] = {}
    pinned: Pinned = {}
    mocks: Mocks = {}
    assertions: Assertions = []
    expected_status: TrialStatus = "completed"


class TestCaseUpdate(BaseModel):
    """Fields left out are kept. The last result is forgotten."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"assertions": ["output.total == 42"], "expected_status": "completed"}}
    )

    name: str | None = None
    input_data: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    pinned: dict[str, Any] | None = None
    mocks: dict[str, Any] | None = None
    assertions: list[Any] | None = None
    expected_status: TrialStatus | None = None


class AssertionResult(BaseModel):
    """`actual` stands left of the comparison; of another expression it is the value."""

    model_config = ConfigDict(extra="allow")

    passed: bool
    actual: Any
    problem: str


class CaseResultBody(BaseModel):
    """`problem` says why a case could not run at all."""

    passed: bool
    status: str
    expected_status: str
    status_passed: bool
    problem: str
    error: dict[str, Any] | None
    output: Any
    assertions: list[AssertionResult]
    seconds: float


class TestCaseBody(BaseModel):
    id: UUID
    workflow_id: UUID
    name: str
    input_data: dict[str, Any]
    context: dict[str, Any]
    pinned: dict[str, Any]
    mocks: dict[str, Any]
    assertions: list[dict[str, Any]]
    expected_status: str
    created_at: Moment
    updated_at: Moment
    created_by: UUID
    last_run_at: Moment | None
    last_version: int | None
    last_passed: bool | None
    last_result: CaseResultBody | None


class TestCasePage(Page):
    tests: list[TestCaseBody]


class RunTests(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"version": "draft"}})

    version: Version = None

    @property
    def number(self) -> int | None:
        return self.version if isinstance(self.version, int) else None


class CaseReport(CaseResultBody):
    id: UUID
    name: str


class TestReportBody(BaseModel):
    workflow_id: UUID
    version: int
    passed: bool
    total: int
    failed: int
    results: list[CaseReport]
