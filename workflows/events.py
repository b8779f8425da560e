"""What happened to a workflow."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from auterity.kernel.events import Event


@dataclass(frozen=True, slots=True)
class WorkflowSaved(Event):
    organization_id: UUID
    workflow_id: UUID
    version: int
    user_id: UUID


@dataclass(frozen=True, slots=True)
class WorkflowPublished(Event):
    """Runs begin on this version from now on."""

    organization_id: UUID
    workflow_id: UUID
    version: int
    user_id: UUID
