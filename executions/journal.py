"""The only writer of executions, steps and logs once a run is accepted.

Every write by a worker carries the fence its claim returned and the `seq` it last wrote. A worker that lost its lease matches no
row and so writes nothing; a commit that is repeated because the answer to the first was lost is recognised and not applied twice.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from ai.services import record_usage
from auterity.kernel.events import publish
from engine.ports import Usage
from executions import arrivals, sql
from executions.claims import Claim, Standing
from executions.events import ExecutionAccepted, ExecutionsMoved, QuestionsAsked
from executions.lines import line_of
from executions.models import (
    LIVE,
    EffectState,
    Execution,
    ExecutionStatus,
    ExecutionStep,
    LogKind,
    OpenQuestion,
    StepStatus,
    WorkflowFigures,
)
from executions.records import Line, QuestionRow, StepRow, add_lines, add_questions, add_steps, change_steps
from integrations.webhooks import enqueue_results


@dataclass(slots=True)
class Checkpoint:
    """Everything that becomes true about one execution in one commit.

    `delay` is the seconds until somebody should look again: the lease while `owner` keeps it, the back-off when it waits, and
    None when only something from outside can wake it. `waits` says that it waits for people, a date or other runs.
    `stored_output` is what the row keeps of `output`. `progressed` clears the count of attempts: it is false where a step is
    only begun once more. `parent` says that it may have started runs that end with it.
    """

    claim: Claim
    status: ExecutionStatus
    progress: float
    delay: float | None
    owner: str = ""
    ended: bool = False
    waits: bool = False
    parent: bool = False
    new_steps: list[StepRow] = field(default_factory=list)
    changed_steps: list[StepRow] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    questions: list[QuestionRow] = field(default_factory=list)
    closed_questions: list[UUID] = field(default_factory=list)
    usages: list[tuple[str, Usage]] = field(default_factory=list)
    output: Any = None
    stored_output: Any = None
    error_code: str = ""
    error_message: str = ""
    progressed: bool = True


def commit(checkpoints: Sequence[Checkpoint]) -> dict[UUID, Standing]:
    """Apply checkpoints in one transaction.

    Returns how things stand with the executions whose fence still held; the others wrote nothing.
    """
    if not checkpoints:
        return {}
    with transaction.atomic():
        moved, ended_at = _advance(checkpoints)
        applied = [each for each in checkpoints if each.claim.id in moved]
        ended = [each for each in applied if each.ended]
        add_steps([step for each in applied for step in each.new_steps])
        change_steps([step for each in applied for step in each.changed_steps])
        _close_questions([question for each in applied for question in each.closed_questions])
        _open_questions([question for each in applied for question in each.questions])
        _close_open_steps([each.claim for each in ended if each.status is not ExecutionStatus.COMPLETED])
        lines = [line for each in applied for line in each.lines]
        add_lines(lines)
        _record_usage(applied)
        enqueue_results(
            [
                (each.claim.organization_id, each.claim.webhook_url, _result(each))
                for each in ended
                if each.claim.webhook_url
            ]
        )
        _add_figures([(each, ended_at[each.claim.id]) for each in ended])
        _end_children([each.claim.id for each in ended if each.parent])
        signal([each.claim.parent_id for each in ended if each.claim.parent_id is not None])
        publish(ExecutionsMoved(lines))
        if asked := [question for each in applied for question in each.questions]:
            publish(QuestionsAsked(asked, {each.claim.id: each.claim.created_by for each in applied}))
    return moved | _already(checkpoints, moved)


def signal(ids: Iterable[UUID]) -> None:
    """Something came from outside for these executions: wake those that wait, and let those that are held notice.

    Call it in the transaction that stores what came.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return
    places, values = sql.ids(wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflow_executions SET signals = signals + 1, "  # noqa: S608  Every part is ours; values are parameters.
            f"due_at = CASE WHEN lease_owner = '' AND paused_at IS NULL THEN {sql.now()} ELSE due_at END "
            f"WHERE id IN {places} AND status IN ('pending', 'running')",
            values,
        )
    publish(ExecutionAccepted(wanted[0]))


def _advance(checkpoints: Sequence[Checkpoint]) -> tuple[dict[UUID, Standing], dict[UUID, dt.datetime]]:
    """How things stand with the executions that moved, and when those ended that did."""
    rows = [
        (
            each.claim.id,
            each.claim.fence,
            each.claim.seq,
            each.claim.seq + len(each.lines),
            each.claim.signals,
            each.status.value,
            each.progress,
            each.delay,
            each.owner,
            each.ended,
            each.waits,
            None if each.stored_output is None else orjson.dumps(each.stored_output).decode(),
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
            ("signals", "int"),
            ("status", "text"),
            ("progress", "float8"),
            ("delay", "float8"),
            ("owner", "text"),
            ("ended", "bool"),
            ("waits", "bool"),
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
            # Whoever keeps it renews; what came from outside since the worker last looked is looked at now.
            "due_at = CASE WHEN v.ended THEN NULL "
            f"WHEN v.owner <> '' THEN {sql.later('v.delay')} "
            "WHEN t.paused_at IS NOT NULL THEN NULL "
            f"WHEN t.signals <> v.signals THEN {sql.now()} ELSE {sql.later('v.delay')} END, "
            "waiting_since = CASE WHEN v.waits OR (v.owner = '' AND NOT v.ended AND t.paused_at IS NOT NULL) "
            f"THEN {sql.now()} END, "
            f"completed_at = CASE WHEN v.ended THEN {sql.now()} END"
        ),
        where="t.id = v.id AND t.fence = v.fence AND t.seq = v.old_seq AND t.status = 'running'",
        returning=("id", "signals", "paused_at", "completed_at"),
    )
    standing = {
        sql.uuid(identity): Standing(signals, paused_at is not None) for identity, signals, paused_at, _ in moved
    }
    return standing, {sql.uuid(each[0]): sql.moment(each[3]) for each in moved if each[3] is not None}


def _already(checkpoints: Sequence[Checkpoint], moved: dict[UUID, Standing]) -> dict[UUID, Standing]:
    """Checkpoints that an earlier try of the same commit had applied before its answer was lost."""
    missing = {each.claim.id: each for each in checkpoints if each.claim.id not in moved}
    if not missing:
        return {}
    found = Execution.unscoped.filter(id__in=missing).values_list("id", "fence", "seq", "signals", "paused_at")
    return {
        identity: Standing(signals, paused_at is not None)
        for identity, fence, seq, signals, paused_at in found
        if fence == missing[identity].claim.fence and seq == missing[identity].claim.seq + len(missing[identity].lines)
    }


def _open_questions(questions: Sequence[QuestionRow]) -> None:
    """Store questions, and answer those about events with what came while their run was under way."""
    arrivals.lock({(each.organization_id, each.event) for each in questions if each.event})
    add_questions(questions)
    answered = arrivals.answer_from_past([each for each in questions if each.event])
    signal(answered)


def _close_questions(ids: Sequence[UUID]) -> None:
    if ids:
        OpenQuestion.unscoped.filter(id__in=ids, closed_at=None).update(closed_at=Now())


def _close_open_steps(ended: Sequence[Claim], code: str = "", message: str = "") -> None:
    """Steps that were under way, or waiting, when the execution ended. Of an effect under way nobody knows what became."""
    if not ended:
        return
    ids = [each.id for each in ended]
    rows = ExecutionStep.objects.filter(execution_id__in=ids)
    rows.filter(status=StepStatus.RUNNING, effect=EffectState.INTENT).update(effect=EffectState.UNKNOWN)
    rows.filter(status__in=(StepStatus.RUNNING, StepStatus.WAITING)).update(
        status=StepStatus.CANCELLED,
        completed_at=ended[0].now(),
        due_at=None,
        waits_for="",
        **({"error_code": code, "error_message": message} if code else {}),
    )
    OpenQuestion.unscoped.filter(execution_id__in=ids, closed_at=None).update(closed_at=Now())


def _end_children(parents: Sequence[UUID]) -> None:
    """Runs that were started by an ended one and belong to it end with it."""
    if not parents:
        return
    attached = Q(parent_id__in=parents, detached=False, status__in=LIVE)
    for child in Execution.unscoped.filter(attached).order_by("id"):
        end_from_outside(
            execution=child,
            status=ExecutionStatus.CANCELLED,
            code="CANCELLED",
            message="Cancelled because the execution that started it ended.",
        )


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


def _add_figures(ended: Sequence[tuple[Checkpoint, dt.datetime]]) -> None:
    """Add ended executions to their workflows' figures, each with the moment that its row says it ended at; workflows in id
    order, so that two workers never wait in a ring."""
    sums: dict[UUID, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each, ended_at in ended:
        figures = sums[each.claim.workflow_id]
        figures[each.status.value] += 1
        figures["seconds"] += max(0.0, (ended_at - each.claim.started_at).total_seconds())
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
    return Checkpoint(
        claim,
        status,
        claim.progress,
        None,
        ended=True,
        parent=True,
        lines=[line],
        error_code=code,
        error_message=line.message,
    )


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
            waiting_since=None,
            paused_at=None,
            lease_owner="",
            error_code=code,
            error_message=message,
            completed_at=Now(),
        )
        if not won:
            return False
        execution.refresh_from_db()
        held = claim_of(execution)
        _close_open_steps([held], code, message)
        line = line_of(held, 0, LogKind.ENDED, message, status=status, progress=execution.progress, level="warning")
        add_lines([line])
        checkpoint = Checkpoint(held, status, execution.progress, None, error_code=code, error_message=message)
        if execution.webhook_url:
            enqueue_results([(execution.organization_id, execution.webhook_url, _result(checkpoint))])
        _add_figures([(checkpoint, held.claimed_at)])
        _end_children([execution.id])
        signal([execution.parent_id] if execution.parent_id else [])
        publish(ExecutionsMoved([line]))
    return True


def say_from_outside(
    execution: Execution, kind: LogKind, message: str, *, node_id: str | None = None, data: dict[str, Any] | None = None
) -> None:
    """Add a line to an execution that no worker holds; call it with its row locked."""
    Execution.unscoped.filter(id=execution.id).update(seq=F("seq") + 1)
    execution.seq += 1
    held = replace(claim_of(execution), claimed_at=timezone.now())
    status, progress = ExecutionStatus(execution.status), execution.progress
    line = line_of(held, 0, kind, message, status=status, progress=progress, node_id=node_id, data=data)
    add_lines([line])
    publish(ExecutionsMoved([line]))


def claim_of(execution: Execution) -> Claim:
    """What a decision from outside needs to know of an execution, as a claim that nobody holds."""
    return Claim(
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
        claimed_at=execution.completed_at or timezone.now(),
        steady=time.monotonic(),
        parent_id=execution.parent_id,
    )
