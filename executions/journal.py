"""The only writer of executions, steps and logs once a run is accepted.

Every write by a worker carries the fence its claim returned and the `seq` it last wrote. A worker that lost its lease matches no
row and so writes nothing; a commit that is repeated because the answer to the first was lost is recognised and not applied twice.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import F

from ai.services import record_usage
from auterity.kernel.events import publish
from engine.ports import Usage
from executions import sql
from executions.events import ExecutionsMoved
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

_CLAIMED = (
    "id, organization_id, workflow_id, version_id, fence, seq, attempts, input_data, context, started_at, created_at, "
    "deadline_at, webhook_url, created_by_id, progress"
)


@dataclass(slots=True)
class Claim:
    """An execution this worker holds. `skew` is how far the database's clock is ahead of this worker's."""

    id: UUID
    organization_id: UUID
    workflow_id: UUID
    version_id: UUID
    fence: int
    seq: int
    attempts: int
    inputs: dict[str, Any]
    context: dict[str, Any]
    started_at: dt.datetime
    created_at: dt.datetime
    deadline_at: dt.datetime
    webhook_url: str
    created_by: UUID | None
    progress: float
    skew: dt.timedelta
    steps: list[ExecutionStep] = field(default_factory=list)

    @property
    def fresh(self) -> bool:
        """Nothing is recorded yet."""
        return self.seq == 0

    @property
    def late(self) -> bool:
        return self.now() >= self.deadline_at

    def now(self) -> dt.datetime:
        """This moment by the database's clock."""
        return dt.datetime.now(dt.UTC) + self.skew


@dataclass(slots=True)
class Checkpoint:
    """Everything that becomes true about one execution in one commit.

    `delay` is the seconds until somebody should look again: the lease while `owner` keeps it, the back-off when it waits, and None
    when it has ended.
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

    @property
    def ended(self) -> bool:
        return self.delay is None


def claim(*, owner: str, limit: int, lease: float) -> list[Claim]:
    """Take up to `limit` due executions: a lease, a higher fence, one more attempt. Their recorded steps come along."""
    now = sql.now()
    text = f"""
        UPDATE workflow_executions SET fence = fence + 1, attempts = attempts + 1, lease_owner = %s, status = 'running',
               due_at = {sql.later("%s")}, started_at = COALESCE(started_at, {now})
         WHERE id IN (SELECT id FROM workflow_executions WHERE due_at <= {now}
                       ORDER BY due_at LIMIT %s {sql.skip_locked()})
           AND due_at <= {now}
     RETURNING {_CLAIMED}, {now}"""  # noqa: S608  Every part is ours; values are parameters.
    with connection.cursor() as cursor:
        cursor.execute(text, [owner, lease, limit])
        claims = [_claim(row) for row in cursor.fetchall()]
    known = {each.id: each for each in claims if not each.fresh}
    for step in ExecutionStep.objects.filter(execution_id__in=known).order_by("id") if known else ():
        known[step.execution_id].steps.append(step)
    return claims


def _claim(row: tuple[Any, ...]) -> Claim:
    (identity, organization, workflow, version, fence, seq, attempts, inputs, context, *moments) = row
    started, created, deadline, webhook_url, created_by, progress, now = moments
    return Claim(
        id=sql.uuid(identity),
        organization_id=sql.uuid(organization),
        workflow_id=sql.uuid(workflow),
        version_id=sql.uuid(version),
        fence=fence,
        seq=seq,
        attempts=attempts,
        inputs=orjson.loads(inputs),
        context=orjson.loads(context),
        started_at=_known(started),
        created_at=_known(created),
        deadline_at=_known(deadline),
        webhook_url=webhook_url,
        created_by=sql.uuid(created_by) if created_by else None,
        progress=progress,
        skew=_known(now) - dt.datetime.now(dt.UTC),
    )


def _known(item: Any) -> dt.datetime:
    moment = sql.moment(item)
    assert moment is not None, "the column is never null once a row is claimed"  # noqa: S101  States a fact to the type checker.
    return moment


def renew(*, owner: str, fences: dict[UUID, int], lease: float) -> set[UUID]:
    """Push the leases of these executions on, in one statement. Returns those that are no longer this worker's."""
    if not fences:
        return set()
    held = dict(Execution.unscoped.filter(id__in=fences, lease_owner=owner).values_list("id", "fence"))
    lost = {each for each, fence in fences.items() if held.get(each) != fence}
    mine = [each for each in fences if each not in lost]
    if mine:
        places, values = sql.ids(mine)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE workflow_executions SET due_at = {sql.later('%s')} WHERE id IN (SELECT id FROM workflow_executions "  # noqa: S608  Every part is ours; values are parameters.
                f"WHERE id IN {places} AND lease_owner = %s ORDER BY id {sql.skip_locked()})",
                [lease, *values, owner],
            )
    return lost


def commit(checkpoints: Sequence[Checkpoint]) -> set[UUID]:
    """Apply checkpoints in one transaction. Returns the executions whose fence still held; the others wrote nothing."""
    if not checkpoints:
        return set()
    with transaction.atomic():
        moved = _advance(checkpoints)
        applied = [each for each in checkpoints if each.claim.id in moved]
        ExecutionStep.objects.bulk_create([step for each in applied for step in each.new_steps])
        _change_steps([step for each in applied for step in each.changed_steps])
        _close_open_steps([each for each in applied if each.ended and each.status is not ExecutionStatus.COMPLETED])
        lines = [line for each in applied for line in each.lines]
        ExecutionLog.unscoped.bulk_create(lines)
        _record_usage(applied)
        ended = [each for each in applied if each.ended]
        enqueue_results([(each.claim.organization_id, each.claim.webhook_url, _result(each)) for each in ended if each.claim.webhook_url])
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
        ],
        rows=rows,
        assign=(
            "status = v.status, progress = v.progress, seq = v.new_seq, attempts = 0, lease_owner = v.owner, "
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
    fields = {name: ExecutionStep._meta.get_field(name) for name, _ in columns}
    prepared = ("output_data", "taken", "cost_usd")
    sql.update_many(
        "execution_steps",
        columns=columns,
        rows=[
            [
                fields[name].get_db_prep_save(getattr(step, name), connection) if name in prepared else getattr(step, name)
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
        changes = {name: F(name) + (amount if name == "seconds" else int(amount)) for name, amount in sums[workflow_id].items()}
        if not WorkflowFigures.objects.filter(workflow_id=workflow_id).update(**changes):
            WorkflowFigures.objects.bulk_create([WorkflowFigures(workflow_id=workflow_id)], ignore_conflicts=True)
            WorkflowFigures.objects.filter(workflow_id=workflow_id).update(**changes)


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
            completed_at=dt.datetime.now(dt.UTC),
        )
        if not won:
            return False
        execution.refresh_from_db()
        ExecutionStep.objects.filter(execution=execution, status__in=(StepStatus.RUNNING, StepStatus.WAITING)).update(
            status=StepStatus.CANCELLED, error_code=code, error_message=message, completed_at=execution.completed_at
        )
        line = ExecutionLog(
            organization_id=execution.organization_id,
            execution=execution,
            workflow_id=execution.workflow_id,
            seq=execution.seq,
            kind=LogKind.ENDED,
            level="warning",
            message=message,
            status=status,
            progress=execution.progress,
            created_at=execution.completed_at,
        )
        ExecutionLog.unscoped.bulk_create([line])
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
            skew=dt.timedelta(0),
        )
        checkpoint = Checkpoint(held, status, execution.progress, None, error_code=code, error_message=message)
        if execution.webhook_url:
            enqueue_results([(execution.organization_id, execution.webhook_url, _result(checkpoint))])
        _add_figures([checkpoint])
        publish(ExecutionsMoved([line]))
    return True
