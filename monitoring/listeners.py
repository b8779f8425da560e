"""What executions tell, counted."""

from __future__ import annotations

from executions.events import ExecutionsMoved
from executions.models import LogKind
from monitoring.recording import RUNS


def on_moved(fact: ExecutionsMoved) -> None:
    """Ended runs. In process memory: this is called after each commit of a worker."""
    for line in fact.lines:
        if line.kind == LogKind.ENDED:
            RUNS.note(line.organization_id, line.status)
