"""Shapes of `/api/workflows` (000, Workflow Definition Schema; 001, Workflow API)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery

GRAPH_EXAMPLE: dict[str, Any] = {
    "nodes": [
        {"id": "start", "type": "start", "data": {"label": "Start Process"}, "position": {"x": 100, "y": 100}},
        {
            "id": "send_email",
            "type": "email",
            "data": {"label": "Send Follow-up Email", "to": "{{customer_email}}", "template": "follow_up_template"},
            "position": {"x": 300, "y": 100},
        },
    ],
    "edges": [{"id": "e1", "source": "start", "target": "send_email"}],
}


class Graph(BaseModel):
    """Nodes and edges in the form of 000 or of 001; an answer carries the names of both."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": GRAPH_EXAMPLE})

    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []


class GraphParts(BaseModel):
    """The parts of a definition, under `definition` (001) or at the top level (000)."""

    definition: dict[str, Any] | None = None
    nodes: list[Any] | None = None
    edges: list[Any] | None = None
    variables: list[Any] | None = None
    triggers: list[Any] | None = None
    settings: dict[str, Any] | None = None


Draft = Annotated[
    bool, Field(description="Store the definition without publishing it: runs stay on the published one.")
]
Note = Annotated[str, Field(description="What you say about this version, at most 500 characters.")]


class WorkflowCreate(GraphParts):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Customer Follow-up Workflow",
                "description": "Automated customer follow-up process",
                "definition": GRAPH_EXAMPLE,
                "is_active": True,
            }
        }
    )

    name: str
    description: str | None = None
    category: str | None = None
    is_active: bool = True
    draft: Draft = False
    note: Note = ""


class WorkflowUpdate(GraphParts):
    """Fields left out are kept. `version`, or `revision`, is the one you edited; a stale one is refused with both values."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "Customer Follow-up Workflow v2", "definition": GRAPH_EXAMPLE, "version": 1}
        }
    )

    name: str | None = None
    description: str | None = None
    category: str | None = None
    is_active: bool | None = None
    version: int | None = None
    revision: Annotated[int | None, Field(description="The `revision` of the answer that you edited.")] = None
    draft: Draft = False
    note: Note = ""


class Validate(GraphParts):
    """A definition to check. Nothing is stored and nothing runs."""

    model_config = ConfigDict(json_schema_extra={"example": {"definition": GRAPH_EXAMPLE}})


class ProblemBody(BaseModel):
    message: str
    field: str
    node_id: str | None
    edge_id: str | None
    severity: Annotated[str, Field(description="error or warning")]


class Validation(BaseModel):
    valid: bool
    problems: list[ProblemBody]


class WorkflowBody(BaseModel):
    """000's WorkflowDefinition with 001's `definition`."""

    id: UUID
    name: str
    description: str
    category: str
    definition: Graph
    is_active: bool
    created_at: Moment
    updated_at: Moment
    created_by: UUID
    version: int
    revision: Annotated[
        int, Field(description="Counts everything that is done to it; frames of its socket carry it too.")
    ]
    published_version: Annotated[int | None, Field(description="The version that runs begin on.")]
    has_draft: Annotated[bool, Field(description="Whether the newest version, which is shown here, is not published.")]
    organization_id: UUID
    template_id: UUID | None
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    variables: list[dict[str, Any]]
    triggers: list[dict[str, Any]]
    settings: dict[str, Any]
    problems: Annotated[list[ProblemBody], Field(description="What keeps a draft from running, and warnings.")] = []


class ExecutionStats(BaseModel):
    """001, Get Workflow. `average_duration` in seconds."""

    total_executions: int
    successful_executions: int
    failed_executions: int
    average_duration: float


class WorkflowDetail(WorkflowBody):
    execution_stats: ExecutionStats


class WorkflowSummary(BaseModel):
    """001, List Workflows."""

    id: UUID
    name: str
    description: str
    category: str
    is_active: bool
    version: int
    published_version: int | None
    has_draft: bool
    created_at: Moment
    updated_at: Moment
    created_by: UUID
    execution_count: int
    last_execution: Moment | None


class WorkflowPage(Page):
    workflows: list[WorkflowSummary]


class WorkflowQuery(PageQuery):
    is_active: bool | None = None
    search: Annotated[str, Field(max_length=200, description="Looks in name and description.")] = ""
    category: Annotated[str, Field(max_length=100)] = ""


class NodeTypeBody(BaseModel):
    """A kind of node: what it is called, what it does, its ports, and the JSON Schema of its settings."""

    type: str
    aliases: list[str]
    title: str
    summary: str
    trigger: bool
    effect: str
    config_schema: dict[str, Any]


class NodeTypes(BaseModel):
    node_types: list[NodeTypeBody]
    functions: Annotated[dict[str, str], Field(description="The functions of expressions, each with a line of help.")]
