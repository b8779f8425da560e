"""Shapes of a workflow as a document (`format: auterity-workflow`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.bodies.workflows import GRAPH_EXAMPLE, ProblemBody, WorkflowBody


class ExportQuery(BaseModel):
    format: Annotated[Literal["json", "yaml"], Field(description="How the document is written.")] = "json"
    version: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="The newest where none is named.")] = None


class Blank(BaseModel):
    """A field that does not travel: a secret, a credential in a header, or an id of something in one organization."""

    node: str
    title: str
    type: str
    field: str
    kind: Literal["secret", "credential", "connection", "workflow", "prompt", "model"]


class WorkflowDocument(BaseModel):
    """A workflow that can be kept, reviewed and read in elsewhere. Secrets do not travel; `fill_in` lists what must be given.

    Sent to import, `fill` may hold the values: node id to field to text.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "format": "auterity-workflow",
                "format_version": 1,
                "name": "Customer Follow-up Workflow",
                "description": "Automated customer follow-up process",
                "category": "sales",
                "definition": GRAPH_EXAMPLE,
            }
        },
    )

    format: Any = "auterity-workflow"
    format_version: Any = 1
    name: Any = ""
    description: Any = ""
    category: Any = ""
    definition: Any = None
    fill_in: Any = []
    tests: Any = []
    fill: Any = {}


class ImportQuery(BaseModel):
    check_only: Annotated[bool, Field(description="Only say what would become of the document.")] = False
    is_active: Annotated[bool, Field(description="Whether a complete workflow is switched on at once.")] = True


class FieldProblemBody(BaseModel):
    field: str
    message: str


class ImportReport(BaseModel):
    """`draft` says that it becomes, or became, an inactive draft, because something must be filled in or mended first."""

    valid: bool
    draft: bool
    name: str
    nodes: int
    edges: int
    tests: int
    fill_in: list[Blank]
    problems: list[FieldProblemBody]
    faults: Annotated[list[ProblemBody], Field(description="What keeps it from running, and warnings.")]


class Imported(ImportReport):
    workflow: WorkflowBody
