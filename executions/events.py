"""What happened to executions, as other apps and the live stream hear it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from auterity.kernel.events import Event

if TYPE_CHECKING:
    from executions.records import Line, QuestionRow


@dataclass(frozen=True, slots=True)
class ExecutionAccepted(Event):
    """A run is stored and due. Whoever can wake a worker does."""

    execution_id: UUID


@dataclass(frozen=True, slots=True)
class ExecutionsMoved(Event):
    """New journal lines are committed, in order for each execution."""

    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class QuestionsAsked(Event):
    """Steps that wait ask people, or other systems, something. `authors` are who started their executions."""

    questions: Sequence[QuestionRow]
    authors: Mapping[UUID, UUID | None]


@dataclass(frozen=True, slots=True)
class WorkflowBraked(Event):
    """A workflow's automatic starts are refused until a moment, unless an operator releases it earlier."""

    organization_id: UUID
    workflow_id: UUID
    reason: str
    message: str
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class WorkflowBrakeReleased(Event):
    """A workflow's automatic starts are accepted again. `by` is the operator's address, or empty when the time was over."""

    organization_id: UUID
    workflow_id: UUID
    by: str
