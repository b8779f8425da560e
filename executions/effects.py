"""The ledger of side effects: what each step did outside, under its key, and what people say where nobody could tell.

The states themselves are written with the steps (`executions.jobs`); only settling writes here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from audit.trail import record
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.errors import PermissionDenied
from engine.waiting import Reason
from executions import journal, questions, selectors
from executions.errors import EffectKnown, EffectNotFound, EffectUnderWay
from executions.ledger import settled_line
from executions.models import (
    LIVE,
    EffectState,
    Execution,
    ExecutionLog,
    ExecutionStep,
    LogKind,
    OpenQuestion,
    StepStatus,
)

MAY_SETTLE = (Role.MANAGER, Role.ADMIN)
MAX_NOTE = 2000  # characters
_SETTLED = (EffectState.SETTLED_DONE, EffectState.SETTLED_NOT)
_HEAVY = ("output_data", "taken", "state")


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect. `key` is what the other side was sent; `kept_from` says that it took place in an earlier execution.

    `question_id` is the open question by which the execution asks what became of it.
    """

    id: int
    key: str
    execution_id: UUID
    node_id: str
    node_name: str
    node_type: str
    what: str
    state: str
    attempts: int
    receipt: str
    first_at: dt.datetime
    last_at: dt.datetime
    kept_from: UUID | None
    question_id: UUID | None = None
    settled_by: str | None = None
    settled_at: dt.datetime | None = None
    note: str | None = None


def list_effects(*, actor: Actor, execution_id: UUID) -> list[Entry]:
    """The effects of one execution in the order they began. Raises `ExecutionNotFound`. At most four queries."""
    execution = selectors.get_execution(actor=actor, execution_id=execution_id)
    rows = ExecutionStep.objects.filter(execution=execution).exclude(effect="").order_by("id")
    return entries(actor, list(rows.defer(*_HEAVY)))


def list_unknown(*, actor: Actor) -> QuerySet[ExecutionStep]:
    """Effects of the organization of which nobody knows what became, newest first. `entries` shows a page of them."""
    require(actor, Permission.EXECUTION_READ)
    found = ExecutionStep.objects.filter(
        effect=EffectState.UNKNOWN, kept_from=None, execution__organization_id=actor.organization_id
    )
    return found.order_by("-id").defer(*_HEAVY)


def entries(actor: Actor, rows: Sequence[ExecutionStep]) -> list[Entry]:
    """Rows of the actor's organization as clients see them."""
    asking = {row.execution_id for row in rows if row.waits_for == Reason.SETTLE}
    asked = dict[tuple[UUID, str], UUID]()
    if asking:
        found = OpenQuestion.objects.of(actor).filter(execution_id__in=asking, reason=Reason.SETTLE, closed_at=None)
        asked = {(each.execution_id, each.node_id): each.id for each in found.only("id", "execution_id", "node_id")}
    settled = {(row.execution_id, row.node_id) for row in rows if row.effect in _SETTLED or row.attempt > 1}
    said = dict[tuple[UUID, str], ExecutionLog]()
    if settled:
        lines = ExecutionLog.objects.of(actor).filter(
            execution_id__in={each for each, _ in settled}, node_id__in={each for _, each in settled}, kind=LogKind.NOTE
        )
        for line in lines.order_by("seq"):
            if "settled_by" in (line.data or {}):
                said[(line.execution_id, line.node_id or "")] = line
    return [_entry(row, asked.get(_place(row)), said.get(_place(row))) for row in rows]


@transaction.atomic
def settle(*, actor: Actor, effect_id: int, happened: bool, note: str = "") -> Entry:
    """Say what became of an effect that nobody could tell. An execution that asks is answered, and goes on.

    Raises `EffectNotFound`, `PermissionDenied`, `EffectKnown`, `EffectUnderWay`, and what `questions.answer` raises.
    """
    require(actor, Permission.WORKFLOW_EXECUTE)
    mine = ExecutionStep.objects.filter(id=effect_id, execution__organization_id=actor.organization_id)
    execution_id = mine.exclude(effect="").values_list("execution_id", flat=True).first()
    if execution_id is None:
        raise EffectNotFound
    if actor.role not in MAY_SETTLE:
        raise PermissionDenied("A manager or an admin says what became of an effect.")
    execution = Execution.objects.of(actor).select_for_update().get(id=execution_id)
    row = mine.select_for_update(of=("self",)).get()
    if row.effect != EffectState.UNKNOWN:
        raise EffectKnown(state=row.effect)
    if execution.status in LIVE:
        _answer(actor, row, happened, note)
    else:
        row.effect = EffectState.SETTLED_DONE if happened else EffectState.SETTLED_NOT
        row.save(update_fields=["effect"])
        told, data = settled_line(row.node_name, actor.email or "An operator", happened, note)
        journal.say_from_outside(execution, LogKind.NOTE, told, node_id=row.node_id, data=data)
    record(
        "effect.settled",
        "settle",
        organization_id=actor.organization_id,
        actor=actor,
        severity="medium",
        resource_type="execution",
        resource_id=execution_id,
        details={"effect": effect_id, "node": row.node_id, "happened": happened, "note": note},
    )
    [entry] = entries(actor, [row])
    return entry


def what_of(row: ExecutionStep) -> str:
    """A few words that name no secret: a call's method and host, how many receive a message. Paths and addresses stay out."""
    config = row.input_data if isinstance(row.input_data, dict) else {}
    url = config.get("url")
    if isinstance(url, str):
        return f"{config.get('method') or 'GET'} {_host(url)}"
    receivers = [each for name in ("to", "cc", "bcc", "assignees") for each in _listed(config.get(name))]
    if receivers:
        return f"to {len(receivers)} {'recipient' if len(receivers) == 1 else 'recipients'}"
    return row.node_type


# -- inside ----------------------------------------------------------------------------------------------------------


def _answer(actor: Actor, row: ExecutionStep, happened: bool, note: str) -> None:
    question = (
        OpenQuestion.objects.of(actor)
        .filter(execution_id=row.execution_id, node_id=row.node_id, reason=Reason.SETTLE, closed_at=None)
        .first()
    )
    if question is None or row.status != StepStatus.WAITING:
        raise EffectUnderWay
    questions.answer(actor=actor, question_id=question.id, given={"happened": happened, "comment": note})


def _place(row: ExecutionStep) -> tuple[UUID, str]:
    return row.execution_id, row.node_id


def _entry(row: ExecutionStep, question_id: UUID | None, said: ExecutionLog | None) -> Entry:
    about: dict[str, Any] = said.data if said is not None else {}
    return Entry(
        id=row.id,
        key=f"{row.kept_from or row.execution_id}/{row.node_id}/{row.iteration}",
        execution_id=row.execution_id,
        node_id=row.node_id,
        node_name=row.node_name,
        node_type=row.node_type,
        what=what_of(row),
        state=row.effect,
        attempts=row.attempt,
        receipt=row.receipt,
        first_at=row.started_at,
        last_at=row.completed_at or row.started_at,
        kept_from=row.kept_from,
        question_id=question_id,
        settled_by=about.get("settled_by"),
        settled_at=said.created_at if said is not None else None,
        note=about.get("note"),
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url.strip()).hostname or "?"
    except ValueError:
        return "?"


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [each for each in value.split(",") if each.strip()]
    return [each for each in value if each] if isinstance(value, list) else []
