"""Shapes of a workflow's comments and of its history (`docs/howto/edit-together.md`)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery


class EditorBody(BaseModel):
    user_id: UUID
    name: str


class OperationBody(BaseModel):
    """One thing that was done to a workflow. `data` is what its frame on the socket carries; of a save, what was changed."""

    revision: int
    version: int
    operation: Annotated[str, Field(description="An operation of the socket, or saved, or published.")]
    data: dict[str, Any]
    user: EditorBody
    at: Moment
    client_op_id: str | None
    cause: Annotated[int | None, Field(description="The revision of the operation that brought this one about.")]
    act: Annotated[str, Field(description="do, undo or redo")]
    target: Annotated[int | None, Field(description="The revision that is undone or redone.")]


class OperationPage(Page):
    operations: list[OperationBody]


class OperationQuery(PageQuery):
    user_id: Annotated[UUID | None, Field(description="Of one person.")] = None
    node_id: Annotated[str | None, Field(max_length=100, description="To one node.")] = None


class CommentCreate(BaseModel):
    """On the whole workflow, on a node, or in answer to a comment."""

    body: Annotated[str, Field(description="1 to 5,000 characters.")]
    node_id: Annotated[str, Field(max_length=100)] = ""
    parent_id: Annotated[UUID | None, Field(description="The comment that this one answers.")] = None
    mentions: Annotated[list[UUID], Field(description="Members who are to be told, at most 20.")] = []


class CommentUpdate(BaseModel):
    """Fields left out are kept."""

    body: str | None = None
    mentions: Annotated[list[UUID] | None, Field(description="Members who are to be told.")] = None


class CommentBody(BaseModel):
    """A comment. `resolved` belongs to the first one of a thread; a deleted one has no text."""

    id: UUID
    workflow_id: UUID
    node_id: str | None
    parent_id: UUID | None
    body: str
    mentions: list[UUID]
    created_by: EditorBody
    created_at: Moment
    edited_at: Moment | None
    resolved: bool
    resolved_at: Moment | None
    resolved_by: EditorBody | None
    deleted: bool


class CommentPage(Page):
    comments: list[CommentBody]


class CommentQuery(PageQuery):
    node_id: Annotated[str | None, Field(max_length=100, description="On one node, answers included.")] = None
    resolved: Annotated[
        bool | None, Field(description="Only threads that are settled, or only those that are not.")
    ] = None
