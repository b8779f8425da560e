"""An execution's journal lines as live facts: the same dictionary whether it comes from the bus or is replayed from the table."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from auterity.kernel.live import LIVE
from executions.events import ExecutionsMoved
from executions.models import ExecutionLog
from executions.records import Line


def topic_of(execution_id: UUID | str) -> str:
    return f"execution:{execution_id}"


def fact_of(line: ExecutionLog | Line) -> dict[str, Any]:
    """One journal line for watchers. No payloads: who wants an output reads the execution."""
    return {
        "execution_id": str(line.execution_id),
        "workflow_id": str(line.workflow_id),
        "seq": line.seq,
        "kind": str(line.kind),
        "level": line.level,
        "status": str(line.status),
        "progress": line.progress,
        "node_id": line.node_id,
        "message": line.message,
        "at": line.created_at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def on_moved(fact: ExecutionsMoved) -> None:
    LIVE.publish([(topic_of(line.execution_id), fact_of(line)) for line in fact.lines])
