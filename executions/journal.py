"""The only writer of executions, steps and logs once a run is accepted.

Every write by a worker carries the fence its claim returned and the `seq` it last wrote. A worker that lost its lease matches no
row and so writes nothing; a commit that is repeated because the answer to the first was lost is recognised and not applied twice.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from ai.services import record_usage
from auterity.kernel.events import publish
from engine.ports import Usage
from executions import sql
from executions.claims import Claim
from executions.events import ExecutionsMoved
from executions.lines import line_of
from executions.models import (
    LIVE,
    Execution,
    ExecutionLog,
    ExecutionStatus,
    ExecutionStep,
    LogKind,
    StepStatus,
    WorkflowFigures,
)
from integrations.webhooks import enqueue_results


@dataclass(slots=True)
class Checkpoint:
    """Everything that becomes true about one execution in one commit.

    `delay` is the seconds until somebody should look again: the lease while `owner` keeps it, the back-off when it waits, and
    None when it has ended. `progressed` clears the count of attempts: it is false where a step is only begun once more.
    """

    claim: Claim
    status: ExecutionStatus
    progress: float
    delay: float | None
    owner: str = ""
    new_steps: list[ExecutionStep] = field(default_factory=list)
    changed_steps: list[ExecutionStep] = field(default_factory=list)
    lines: list[ExecutionLog] = field(default_factory=list)
    usages: list[tuple[str, Usage]] = field(default_factory=list)
    output: Any = None
    error_code: str = ""
    error_message: str = ""
    progressed: bool = True

    @property
    def ended(self) -> bool:
        return self.delay is None


def commit(checkpoints: Sequence[Checkpoint]) -> set[UUID]:
    """Apply checkpoints in one transaction. Returns the executions whose fence still held; the others wrote nothing."""
    if not checkpoints:
        return set()
    with transaction.atomic():
        moved = _advance(checkpoints)
        applied = [each for each in checkpoints if each.claim.id in moved]
        _add_steps([step for each in applied for step in each.new_steps])
        _change_steps([step for each in applied for step in each.changed_steps])
        _close_open_steps([each for each in applied if each.ended and each.status is not ExecutionStatus.COMPLETED])
        lines = [line for each in applied for line in each.lines]
        ExecutionLog.unscoped.bulk_create(lines)
        _record_usage(applied)
        ended = [each for each in applied if each.ended]
        enqueue_results(
            [
                (each.claim.organization_id, each.claim.webhook_url, _result(each))
                for each in ended
                if each.claim.webhook_url
            ]
        )
        _add_figures(ended)
        publish(ExecutionsMoved(lines))
    return moved | _already(checkpoints, moved)


def _advance(checkpoints: Sequence[Checkpoint]) -> set[UUID]:
    rows = [
        (
            each.claim.id,
            each.claim.fence,
            each.claim.seq,
            each.claim.seq + len(each.lines),
            each.status.value,
            each.progress,
            each.delay,
            each.owner,
            None if each.output is None else orjson.dumps(each.output, option=orjson.OPT_NON_STR_KEYS).decode(),
            each.error_code,
            each.error_message,
            each.progressed,
        )
        for each in checkpoints
    ]
    moved = sql.update_many(
        "workflow_executions",
        columns=[
            ("id", "uuid"),
            ("fence", "bigint"),
            ("old_seq", "int"),
            ("new_seq", "int"),
            ("status", "text"),
            ("progress", "float8"),
            ("delay", "float8"),
            ("owner", "text"),
            ("output", "text"),
            ("error_code", "text"),
            ("error_message", "text"),
            ("progressed", "bool"),
        ],
        rows=rows,
        assign=(
            "status = v.status, progress = v.progress, seq = v.new_seq, lease_owner = v.owner, "
            "attempts = CASE WHEN v.progressed THEN 0 ELSE t.attempts END, "
            "output_data = v.output, error_code = v.error_code, error_message = v.error_message, "
            f"due_at = {sql.later('v.delay')}, completed_at = CASE WHEN v.delay IS NULL THEN {sql.now()} END"
        ),
        where="t.id = v.id AND t.fence = v.fence AND t.seq = v.old_seq AND t.status = 'running'",
    )
    return {sql.uuid(each) for each in moved}


def _already(checkpoints: Sequence[Checkpoint], moved: set[UUID]) -> set[UUID]:
    """Checkpoints that an earlier try of the same commit had applied before its answer was lost."""
    missing = {each.claim.id: each for each in checkpoints if each.claim.id not in moved}
    if not missing:
        return set()
    found = Execution.unscoped.filter(id__in=missing).values_list("id", "fence", "seq")
    return {
        identity
        for identity, fence, seq in found
        if fence == missing[identity].claim.fence and seq == missing[identity].claim.seq + len(missing[identity].lines)
    }


def _add_steps(steps: Sequence[ExecutionStep]) -> None:
    for step in steps:
        step.pk = None  # A key from a try that was rolled back may be somebody else's by now.
    ExecutionStep.objects.bulk_create(steps)


def _change_steps(steps: Sequence[ExecutionStep]) -> None:
    if not steps:
        return
    columns = [
        ("id", "bigint"),
        ("status", "text"),
        ("attempt", "int"),
        ("output_data", "text"),
        ("port", "text"),
        ("taken", "text"),
        ("error_code", "text"),
        ("error_message", "text"),
        ("completed_at", "timestamptz"),
        ("due_at", "timestamptz"),
        ("tokens", "int"),
        ("cost_usd", "numeric"),
        ("ai_ms", "float8"),
    ]
    fields: dict[str, Any] = {name: ExecutionStep._meta.get_field(name) for name, _ in columns}
    prepared = ("output_data", "taken", "cost_usd")
    sql.update_many(
        "execution_steps",
        columns=columns,
        rows=[
            [
                fields[name].get_db_prep_save(getattr(step, name), connection)
                if name in prepared
                else getattr(step, name)
                for name, _ in columns
            ]
            for step in steps
        ],
        assign=", ".join(f"{name} = v.{name}" for name, _ in columns[1:]),
        where="t.id = v.id",
    )


def _close_open_steps(ended: Sequence[Checkpoint]) -> None:
    """Steps that were under way, or waiting for their next attempt, when the execution ended."""
    if ended:
        ExecutionStep.objects.filter(
            execution_id__in=[each.claim.id for each in ended], status__in=(StepStatus.RUNNING, StepStatus.WAITING)
        ).update(status=StepStatus.CANCELLED, completed_at=ended[0].claim.now(), due_at=None)


def _record_usage(checkpoints: Iterable[Checkpoint]) -> None:
    by_organization: dict[UUID, list[tuple[UUID, str, Usage]]] = defaultdict(list)
    for each in checkpoints:
        by_organization[each.claim.organization_id] += [(each.claim.id, node, usage) for node, usage in each.usages]
    for organization_id, usages in by_organization.items():
        if usages:
            record_usage(organization_id=organization_id, usages=usages)


def _result(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a `webhook_url` is told (001, Execute Workflow)."""
    return {
        "execution_id": str(checkpoint.claim.id),
        "workflow_id": str(checkpoint.claim.workflow_id),
        "status": checkpoint.status.value,
        "output_data": checkpoint.output,
        "error_message": checkpoint.error_message or None,
    }


def _add_figures(ended: Sequence[Checkpoint]) -> None:
    """Add ended executions to their workflows' figures; workflows in id order, so that two workers never wait in a ring."""
    sums: dict[UUID, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in ended:
        figures = sums[each.claim.workflow_id]
        figures[each.status.value] += 1
        figures["seconds"] += max(0.0, (each.claim.now() - each.claim.started_at).total_seconds())
    for workflow_id in sorted(sums):
        changes = {
            name: F(name) + (amount if name == "seconds" else int(amount)) for name, amount in sums[workflow_id].items()
        }
        if not WorkflowFigures.objects.filter(workflow_id=workflow_id).update(**changes):
            WorkflowFigures.objects.bulk_create([WorkflowFigures(workflow_id=workflow_id)], ignore_conflicts=True)
            WorkflowFigures.objects.filter(workflow_id=workflow_id).update(**changes)


def ended_at_once(claim: Claim, status: ExecutionStatus, code: str, message: str) -> Checkpoint:
    """The checkpoint of an execution that ends without taking another step."""
    line = line_of(claim, 1, LogKind.ENDED, message, status=status, progress=claim.progress, level="error")
    return Checkpoint(claim, status, claim.progress, None, lines=[line], error_code=code, error_message=line.message)


def end_from_outside(*, execution: Execution, status: ExecutionStatus, code: str, message: str) -> bool:
    """End a live execution whoever holds it (cancel). Raising the fence makes the holder's next write void.

    Returns False when it had already ended: of two such decisions exactly one wins.
    """
    with transaction.atomic():
        won = Execution.unscoped.filter(id=execution.id, status__in=LIVE).update(
            status=status,
            fence=F("fence") + 1,
            seq=F("seq") + 1,
            due_at=None,
            lease_owner="",
            error_code=code,
            error_message=message,
            completed_at=Now(),
        )
        if not won:
            return False
        execution.refresh_from_db()
        ExecutionStep.objects.filter(execution=execution, status__in=(StepStatus.RUNNING, StepStatus.WAITING)).update(
            status=StepStatus.CANCELLED, error_code=code, error_message=message, completed_at=execution.completed_at
        )
        held = Claim(
            id=execution.id,
            organization_id=execution.organization_id,
            workflow_id=execution.workflow_id,
            version_id=execution.version_id,
            fence=execution.fence,
            seq=execution.seq,
            attempts=0,
            inputs={},
            context={},
            started_at=execution.started_at or execution.created_at,
            created_at=execution.created_at,
            deadline_at=execution.deadline_at,
            webhook_url=execution.webhook_url,
            created_by=execution.created_by_id,
            progress=execution.progress,
            claimed_at=execution.completed_at or execution.created_at,
            steady=time.monotonic(),
        )
        line = line_of(held, 0, LogKind.ENDED, message, status=status, progress=execution.progress, level="warning")
        ExecutionLog.unscoped.bulk_create([line])
        checkpoint = Checkpoint(held, status, execution.progress, None, error_code=code, error_message=message)
        if execution.webhook_url:
            enqueue_results([(execution.organization_id, execution.webhook_url, _result(checkpoint))])
        _add_figures([checkpoint])
        publish(ExecutionsMoved([line]))
    return True
