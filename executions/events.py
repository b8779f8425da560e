"""What happened to executions, as other apps and the live stream hear it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from auterity.kernel.events import Event

if TYPE_CHECKING:
    from executions.records import Line


@dataclass(frozen=True, slots=True)
class ExecutionAccepted(Event):
    """A run is stored and due. Whoever can wake a worker does."""

    execution_id: UUID


@dataclass(frozen=True, slots=True)
class ExecutionsMoved(Event):
    """New journal lines are committed, in order for each execution."""

    lines: Sequence[Line]
