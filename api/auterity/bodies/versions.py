"""Shapes of a workflow's versions: drafts, what is published, and what is different between two."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.bodies.workflows import Graph
from api.auterity.moments import Moment
from api.auterity.pages import Page


class VersionBody(BaseModel):
    """`published` is the version that runs begin on; `pending` ones were saved after it and wait to be published."""

    id: UUID
    workflow_id: UUID
    version: int
    created_at: Moment
    created_by: UUID
    created_by_name: str
    created_by_email: str
    note: str
    checksum: str
    published: bool
    pending: bool
    published_at: Annotated[Moment | None, Field(description="The last time it was published.")]
    published_by: UUID | None


class VersionDetail(VersionBody):
    definition: Graph
    variables: list[dict[str, Any]]
    triggers: list[dict[str, Any]]
    settings: dict[str, Any]


class VersionPage(Page):
    versions: list[VersionBody]


class Publish(BaseModel):
    """What is published, and what you saw published when you decided so."""

    model_config = ConfigDict(json_schema_extra={"example": {"version": 3, "published_version": 2, "run_tests": True}})

    version: Annotated[int | None, Field(description="The newest where none is named.")] = None
    published_version: Annotated[
        int | None, Field(description="The published version you saw, null for none; another one by now is a conflict.")
    ] = None
    run_tests: Annotated[bool, Field(description="Run the test cases first, also where the settings do not ask.")] = (
        False
    )


class Rollback(BaseModel):
    """Sent empty, or with the published version you saw."""

    model_config = ConfigDict(json_schema_extra={"example": {"published_version": 3}})

    published_version: Annotated[
        int | None, Field(description="The published version you saw; another one by now is a conflict.")
    ] = None


class FieldChange(BaseModel):
    """One field: its path, and its value before and after. A secret is shown as a mask."""

    path: str
    kind: Literal["added", "removed", "changed"]
    old: Any
    new: Any


class DifferenceBody(BaseModel):
    """One difference in a sentence, and in data: the whole thing where it is new or gone, else its changed fields."""

    part: Annotated[str, Field(description="nodes, edges, variables, triggers, settings or layout")]
    kind: Annotated[str, Field(description="added, removed, changed, moved or reordered")]
    key: str
    sentence: str
    before: Any
    after: Any
    changes: list[FieldChange]


class DiffBody(BaseModel):
    """What leads from one version to the other; `layout` is only where things stand."""

    workflow_id: UUID
    from_version: int
    to_version: int
    identical: bool
    nodes: list[DifferenceBody]
    edges: list[DifferenceBody]
    variables: list[DifferenceBody]
    triggers: list[DifferenceBody]
    settings: list[DifferenceBody]
    layout: list[DifferenceBody]
