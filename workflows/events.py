"""What happened to a workflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from auterity.kernel.events import Event

if TYPE_CHECKING:
    from workflows.models import WorkflowOperation


@dataclass(frozen=True, slots=True)
class WorkflowEdited(Event):
    """What was recorded about a workflow in one commit, in order: edits of its draft, a save, or a publishing."""

    organization_id: UUID
    workflow_id: UUID
    operations: tuple[WorkflowOperation, ...]


@dataclass(frozen=True, slots=True)
class WorkflowDeleted(Event):
    organization_id: UUID
    workflow_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class CommentChanged(Event):
    """A comment was `added`, `updated` (its text, or whether it is resolved) or `deleted`."""

    organization_id: UUID
    workflow_id: UUID
    comment_id: UUID
    change: str
    user_id: UUID


@dataclass(frozen=True, slots=True)
class CommentMentioned(Event):
    """Somebody named these members in a comment, for the first time in this comment."""

    organization_id: UUID
    workflow_id: UUID
    workflow_name: str
    comment_id: UUID
    node_id: str
    by_user_id: UUID
    by_name: str
    user_ids: tuple[UUID, ...]
    excerpt: str
