"""Reading executions. Every function starts from an actor and sees that actor's organization only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.models import first_id_of
from engine.graph import InvalidDefinition
from executions.errors import ExecutionNotFound, LogNotFound
from executions.history import run_from
from executions.models import (
    LIVE,
    Execution,
    ExecutionLog,
    ExecutionStatus,
    ExecutionStep,
    OpenQuestion,
    StepStatus,
    WorkflowFigures,
)
from executions.payloads import shown
from workflows import selectors as workflows
from workflows.models import Workflow
from workflows.plans import plan_of

CLOCKS_APART = dt.timedelta(minutes=10)  # how far a worker's clock may be from the database's
_EPOCH = dt.datetime(1971, 1, 1, tzinfo=dt.UTC)
_LAST = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a workflow's executions add up to; durations in seconds (001, Get Workflow)."""

    total: int = 0
    successful: int = 0
    failed: int = 0
    cancelled: int = 0
    timeout: int = 0
    live: int = 0
    seconds: float = 0.0
    last_execution: dt.datetime | None = None

    @property
    def average_duration(self) -> float:
        ended = self.total - self.live
        return round(self.seconds / ended, 3) if ended else 0.0


@dataclass(frozen=True, slots=True)
class StepView:
    """A step as clients see it, skipped and not yet reached ones included. `input` is what arrived at the node."""

    node_id: str
    node_name: str
    node_type: str
    status: str
    input: Any = None
    output: Any = None
    error_code: str = ""
    error_message: str = ""
    attempt: int = 0
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    kept_from: UUID | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """000, ExecutionMetrics. Milliseconds; US dollars."""

    total_duration_ms: float
    ai_processing_time_ms: float
    api_calls_count: int
    tokens_used: int
    cost_estimate: float


@dataclass(frozen=True, slots=True)
class ExecutionView:
    execution: Execution
    steps: list[StepView]
    metrics: Metrics
    waiting_for: dict[str, Any] | None


ENDED_STEP = (StepStatus.COMPLETED, StepStatus.FAILED)
OUTSIDE_CALLS = frozenset({"api-integration", "ai-text-processing", "email-sender"})


def get_execution(*, actor: Actor, execution_id: UUID) -> Execution:
    """Raises `ExecutionNotFound` for a missing or foreign one alike."""
    require(actor, Permission.EXECUTION_READ)
    found = Execution.objects.of(actor).filter(id=execution_id).first()
    if found is None:
        raise ExecutionNotFound
    return found


def has_ended(*, actor: Actor, execution_id: UUID) -> bool:
    """One column of one row: for who waits."""
    return Execution.objects.of(actor).filter(id=execution_id).exclude(status__in=LIVE).exists()


def describe(*, actor: Actor, execution_id: UUID) -> ExecutionView:
    """An execution with its steps in the order they began, then the skipped ones, and what it cost. Two queries, or three."""
    execution = get_execution(actor=actor, execution_id=execution_id)
    return view_of(execution)


def view_of(execution: Execution) -> ExecutionView:
    rows = list(ExecutionStep.objects.filter(execution=execution).order_by("id"))
    return ExecutionView(execution, _steps(execution, rows), _metrics(execution, rows), _waiting_for(execution, rows))


def list_executions(*, actor: Actor, workflow_id: UUID, status: str | None = None) -> tuple[QuerySet[Execution], int]:
    """Newest first by key, without payloads, and how many there are by the kept figures: no million rows are counted."""
    require(actor, Permission.EXECUTION_READ)
    workflows.get_workflow(actor=actor, workflow_id=workflow_id, deleted=True)
    found = Execution.objects.of(actor).filter(workflow_id=workflow_id).defer("input_data", "context", "output_data")
    found = found.order_by("-id")
    total = _count(figures([workflow_id])[workflow_id], status, workflow_id)
    return (found.filter(status=status) if status else found), total


def all_executions(*, actor: Actor) -> QuerySet[Execution]:
    """The organization's, newest first by key, without payloads; lazily."""
    require(actor, Permission.EXECUTION_READ)
    found = Execution.objects.of(actor).order_by("-id")
    return found.defer("input_data", "context", "output_data")


def changed_executions(*, actor: Actor, since: dt.datetime) -> QuerySet[Any]:
    """Those that were made, began or ended since a moment, which `moment` tells; in no order.

    They are found by their lines: what it costs depends on what happened since, not on how many there are.
    """
    first = first_id_of(max(since, _EPOCH) - CLOCKS_APART)
    made = Execution.objects.of(actor).filter(id__gte=first).order_by().values("id")
    moved = ExecutionLog.objects.of(actor).filter(id__gte=first).order_by().values("execution_id")
    rows = all_executions(actor=actor).filter(id__in=made.union(moved)).order_by()
    began, ended = (Coalesce(name, "created_at") for name in ("started_at", "completed_at"))
    return rows.annotate(moment=Greatest("created_at", began, ended)).filter(moment__gte=since)


def figures(workflow_ids: Iterable[UUID]) -> dict[UUID, Figures]:
    """Figures of several workflows in three small queries. The caller has proved that it may see them."""
    wanted = list(workflow_ids)
    kept = {each.workflow_id: each for each in WorkflowFigures.objects.filter(workflow_id__in=wanted)}
    live = dict(
        Execution.unscoped.filter(workflow_id__in=wanted, status__in=LIVE)
        .values_list("workflow_id")
        .annotate(count=Count("id"))
    )
    newest = Execution.unscoped.filter(workflow_id=OuterRef("id")).order_by("-id").values("created_at")[:1]
    last = dict(Workflow.unscoped.filter(id__in=wanted).annotate(last=Subquery(newest)).values_list("id", "last"))
    return {each: _figures(kept.get(each), live.get(each, 0), last.get(each)) for each in wanted}


def steps_of(*, actor: Actor, execution_id: UUID) -> list[StepView]:
    return describe(actor=actor, execution_id=execution_id).steps


def list_logs(
    *,
    actor: Actor,
    execution_id: UUID | None = None,
    workflow_id: UUID | None = None,
    level: str | None = None,
    node_id: str | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    search: str = "",
    oldest_first: bool = False,
) -> QuerySet[ExecutionLog]:
    """Newest first unless said otherwise; of one execution in its own order. `search` looks in messages, ignoring case."""
    require(actor, Permission.LOGS_READ)
    found = ExecutionLog.objects.of(actor)
    key = "id" if execution_id is None else "seq"
    found = found.order_by(key if oldest_first else f"-{key}")
    if execution_id is not None:
        found = found.filter(execution_id=execution_id)
    if search:
        found = found.filter(message__icontains=search)
    # Ids are made by the workers' clocks and `created_at` by the database's; the ids only bring the index to the right place.
    if since is not None and _EPOCH < since < _LAST:
        found = found.filter(id__gte=first_id_of(since - CLOCKS_APART))
    if until is not None and _EPOCH < until < _LAST:
        found = found.filter(id__lt=first_id_of(until + CLOCKS_APART))
    exact = {
        "workflow_id": workflow_id,
        "level": level,
        "node_id": node_id,
        "created_at__gte": since,
        "created_at__lt": until,
    }
    return found.filter(**{name: wanted for name, wanted in exact.items() if wanted is not None})


def logs_after(*, rows: QuerySet[ExecutionLog], line: ExecutionLog) -> QuerySet[ExecutionLog]:
    """Those of `list_logs` that come after one of its lines."""
    order = str(rows.query.order_by[0])
    key = order.removeprefix("-")
    return rows.filter(**{f"{key}__{'lt' if order.startswith('-') else 'gt'}": getattr(line, key)})


def get_log(*, actor: Actor, log_id: UUID) -> ExecutionLog:
    require(actor, Permission.LOGS_READ)
    found = ExecutionLog.objects.of(actor).filter(id=log_id).first()
    if found is None:
        raise LogNotFound
    return found


def lines_after(*, actor: Actor, execution_id: UUID, seq: int, limit: int) -> list[ExecutionLog]:
    """The live stream from a sequence number on, in order: what a client that reconnects has missed."""
    require(actor, Permission.EXECUTION_READ)
    return list(ExecutionLog.objects.of(actor).filter(execution_id=execution_id, seq__gt=seq).order_by("seq")[:limit])


def newest_seqs(execution_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How far the streams of these executions have come; a deleted one is left out. One query.

    The caller has proved that it may see them.
    """
    return dict(Execution.unscoped.filter(id__in=list(execution_ids)).values_list("id", "seq"))


def under_way(*, actor: Actor, limit: int) -> list[Execution]:
    """The organization's newest executions that have not ended, without payloads."""
    require(actor, Permission.EXECUTION_READ)
    found = Execution.objects.of(actor).filter(status__in=LIVE).order_by("-id")
    return list(found.defer("input_data", "context", "output_data")[:limit])


def all_known(*, actor: Actor, execution_ids: Iterable[UUID], workflow_ids: Iterable[UUID]) -> bool:
    """Whether each of these is an execution, or a workflow, of the actor's organization."""
    require(actor, Permission.EXECUTION_READ)
    executions, named = set(execution_ids), set(workflow_ids)
    return Execution.objects.of(actor).filter(id__in=executions).count() == len(executions) and Workflow.objects.of(
        actor
    ).filter(id__in=named).count() == len(named)


# -- inside ----------------------------------------------------------------------------------------------------------


def _steps(execution: Execution, rows: list[ExecutionStep]) -> list[StepView]:
    """A pure step's input is not stored twice: it is what the recorded outputs before it add up to."""
    try:
        graph = plan_of(execution.version_id).graph_of(execution.body)
    except InvalidDefinition:
        return [_step(row, row.input_data) for row in rows]
    outputs = {row.node_id: shown(row.output_data) for row in rows if row.status in ENDED_STEP}
    run = run_from(rows, graph, inputs=execution.input_data, context=execution.context, about={}, outputs=outputs)
    nodes = [graph.nodes[graph.by_id[row.node_id]] for row in rows]
    begun = [
        _step(row, run.input_of(node) if row.input_data is None else row.input_data)
        for row, node in zip(rows, nodes, strict=True)
    ]
    if execution.status in LIVE:
        return begun
    unreached = "skipped" if execution.status == ExecutionStatus.COMPLETED else "cancelled"
    reached = {row.node_id for row in rows}
    rest = [node for node in graph.nodes if node.id not in reached]
    return begun + [StepView(node.id, node.title, node.type.name, unreached) for node in rest]


def _step(row: ExecutionStep, arrived: Any) -> StepView:
    return StepView(
        node_id=row.node_id,
        node_name=row.node_name,
        node_type=row.node_type,
        status="running" if row.status == "waiting" else row.status,
        input=arrived,
        output=shown(row.output_data),
        error_code=row.error_code,
        error_message=row.error_message,
        attempt=row.attempt,
        started_at=row.started_at,
        completed_at=row.completed_at,
        due_at=row.due_at,
        kept_from=row.kept_from,
    )


def _metrics(execution: Execution, rows: list[ExecutionStep]) -> Metrics:
    end = execution.completed_at or dt.datetime.now(dt.UTC)
    return Metrics(
        total_duration_ms=round((end - execution.started_at).total_seconds() * 1000, 3)
        if execution.started_at
        else 0.0,
        ai_processing_time_ms=round(sum(row.ai_ms for row in rows), 3),
        api_calls_count=sum(row.attempt for row in rows if row.node_type in OUTSIDE_CALLS and row.kept_from is None),
        tokens_used=sum(row.tokens for row in rows),
        cost_estimate=float(sum(row.cost_usd for row in rows)),
    )


def _waiting_for(execution: Execution, rows: list[ExecutionStep]) -> dict[str, Any] | None:
    """What holds the run up now: that it is paused, else the waiting step that may go on first."""
    if execution.status not in LIVE:
        return None
    if execution.paused_at is not None:
        return {"reason": "paused", "node_id": None, "until": None, "since": execution.paused_at}
    if execution.parked_at is not None:
        return {"reason": "slot", "node_id": None, "until": None, "since": execution.parked_at}
    waits = [row for row in rows if row.status == StepStatus.WAITING]
    if not waits:
        return None
    row = min(waits, key=lambda each: (each.due_at is None, each.due_at or each.started_at))
    told = {"reason": row.waits_for or "retry", "node_id": row.node_id, "until": row.due_at, "since": row.started_at}
    if not row.waits_for:
        return {**told, "last_error": row.error_message}
    question = OpenQuestion.objects.of(execution.organization_id).filter(
        execution=execution, node_id=row.node_id, closed_at=None
    )
    asked = question.first()
    return (
        told if asked is None else {**told, "question_id": asked.id, "title": asked.title, "event": asked.event or None}
    )


def _figures(kept: WorkflowFigures | None, live: int, last: dt.datetime | None) -> Figures:
    if kept is None:
        return Figures(total=live, live=live, last_execution=last)
    ended = kept.completed + kept.failed + kept.cancelled + kept.timeout
    return Figures(
        total=ended + live,
        successful=kept.completed,
        failed=kept.failed + kept.timeout,
        cancelled=kept.cancelled,
        timeout=kept.timeout,
        live=live,
        seconds=kept.seconds,
        last_execution=last,
    )


def _count(found: Figures, status: str | None, workflow_id: UUID) -> int:
    if status is None:
        return found.total
    kept = {
        "completed": found.successful,
        "failed": found.failed - found.timeout,
        "cancelled": found.cancelled,
        "timeout": found.timeout,
    }
    if status in kept:
        return kept[status]
    return Execution.unscoped.filter(workflow_id=workflow_id, status=status).count()
