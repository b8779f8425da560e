"""An execution's journal lines as live facts: the same dictionary whether it comes from the bus or is replayed from the table."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from auterity.kernel.live import LIVE, WIDE
from executions.events import ExecutionsMoved
from executions.models import ExecutionLog, LogKind
from executions.records import Line


def topic_of(execution_id: UUID | str) -> str:
    return f"execution:{execution_id}"


def organization_topic(organization_id: UUID | str) -> str:
    """Every execution's lines of one organization."""
    return f"{WIDE}{organization_id}"


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
        **({"code": _code(line)} if line.kind == LogKind.STEP_FAILED else {}),
        "at": line.created_at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def on_moved(fact: ExecutionsMoved) -> None:
    """Each line to the watchers of its execution, and to those of its organization when there are any."""
    if LIVE.unheard:
        return
    facts = [(line, fact_of(line)) for line in fact.lines]
    LIVE.publish([(topic_of(told["execution_id"]), told) for _, told in facts])
    heard = LIVE.watched(*(organization_topic(each) for each in {line.organization_id for line in fact.lines}))
    if heard:
        wide = [(organization_topic(line.organization_id), told) for line, told in facts]
        LIVE.publish([each for each in wide if each[0] in heard])


def _code(line: ExecutionLog | Line) -> str:
    """What a step failed with."""
    return str((line.data or {}).get("code") or "STEP_FAILED")
