"""Who holds an execution: claimed with a lease and a higher fence, kept by renewing, lost by dying or by being too slow."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction

from engine.waiting import ANSWERED
from executions import slots, sql
from executions.models import Execution
from executions.records import QuestionRow, StepRow, load_questions, load_steps
from executions.turns import Turns

_CLAIMED = (
    "id, organization_id, workflow_id, version_id, fence, seq, attempts, input_data, context, started_at, created_at, "
    "deadline_at, webhook_url, created_by_id, progress, signals, paused_at, parent_id, depth, rerun_of, body"
)


@dataclass(slots=True)
class Claim:
    """An execution this worker holds.

    `claimed_at` is the database's clock and `steady` this machine's monotonic one at that moment, so that a wall clock that
    jumps moves nothing. `held_until` (monotonic too) is when the lease ends unless it is renewed: a worker that was stopped for
    longer begins no effect, though nobody has told it yet that others may have taken over.
    """

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
    claimed_at: dt.datetime
    steady: float
    signals: int = 0
    paused: bool = False
    parent_id: UUID | None = None
    depth: int = 0
    rerun_of: UUID | None = None
    body: str = ""
    steps: list[StepRow] = field(default_factory=list)
    questions: dict[str, QuestionRow] = field(default_factory=dict)
    held_until: float = math.inf

    @property
    def held(self) -> bool:
        return time.monotonic() < self.held_until

    @property
    def fresh(self) -> bool:
        """Nobody has worked on it yet."""
        return self.seq == 0 or self.fence == 1

    @property
    def late(self) -> bool:
        return self.now() >= self.deadline_at

    def now(self) -> dt.datetime:
        """This moment by the database's clock."""
        return self.claimed_at + dt.timedelta(seconds=time.monotonic() - self.steady)


def claim(*, owner: str, limit: int, lease: float, turns: Turns | None = None) -> list[Claim]:
    """Take up to `limit` due executions, as `turns` says: a lease, a higher fence, one more attempt. Their recorded steps come
    along. The time an execution waited moves its deadline on."""
    turns = turns or Turns()
    places = turns.look()  # Most looks find nothing; only a writer takes SQLite's one lock.
    if not places:
        return []
    with transaction.atomic():
        chosen = turns.choose(places, limit)
        if not chosen:
            return []
        found, values = sql.ids(chosen)
        claims = _take(
            f"id IN {found} AND (due_at <= (SELECT {sql.now()}) OR parked_at IS NOT NULL)", owner, lease, values
        )
    return _with_records(claims)


def claim_suspect(*, owner: str, lease: float) -> list[Claim]:
    """Take one of those that `SUSPECT_AFTER` workers took without recording any progress. They are claimed by themselves: of a
    batch that goes down with its worker, only the one to blame goes on failing."""
    if not slots.suspects(lock=False):  # Most looks find nothing; only a writer takes SQLite's one lock.
        return []
    with transaction.atomic():
        chosen = slots.suspects(lock=True)  # By itself: inside the UPDATE, PostgreSQL may carry it out once a row.
        if not chosen:
            return []
        found, values = sql.ids(chosen)
        claims = _take(f"id IN {found} AND due_at <= (SELECT {sql.now()})", owner, lease, values)
    return _with_records(claims)


def _take(which: str, owner: str, lease: float, values: list[Any]) -> list[Claim]:
    now = sql.now()
    text = f"""
        UPDATE workflow_executions SET fence = fence + 1, attempts = attempts + 1, lease_owner = %s, status = 'running',
               due_at = {sql.later("%s")}, started_at = COALESCE(started_at, {now}),
               deadline_at = {sql.moved_on("deadline_at", since="COALESCE(waiting_since, parked_at)")},
               waiting_since = NULL, parked_at = NULL
         WHERE {which} AND status IN ('pending', 'running')
     RETURNING {_CLAIMED}, {now}"""  # noqa: S608  Every part is ours; values are parameters.
    until = time.monotonic() + lease
    claims = [_claim(row) for row in sql.fetch(text, [owner, lease, *values])]
    for each in claims:
        each.held_until = until
    return claims


def _with_records(claims: list[Claim]) -> list[Claim]:
    steps = load_steps([each.id for each in claims if each.seq or each.rerun_of])
    asking = [key for key, rows in steps.items() if any(row.waits_for in ANSWERED for row in rows)]
    questions = load_questions(asking)
    for each in claims:
        each.steps, each.questions = steps.get(each.id, []), questions.get(each.id, {})
    return claims


def _claim(row: tuple[Any, ...]) -> Claim:
    (identity, organization, workflow, version, fence, seq, attempts, inputs, context, *moments) = row
    (
        started,
        created,
        deadline,
        webhook_url,
        created_by,
        progress,
        signals,
        paused_at,
        parent,
        depth,
        rerun_of,
        body,
        now,
    ) = moments
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
        started_at=sql.moment(started),
        created_at=sql.moment(created),
        deadline_at=sql.moment(deadline),
        webhook_url=webhook_url,
        created_by=sql.uuid(created_by) if created_by else None,
        progress=progress,
        claimed_at=sql.moment(now),
        steady=time.monotonic(),
        signals=signals,
        paused=paused_at is not None,
        parent_id=sql.uuid(parent) if parent else None,
        depth=depth,
        rerun_of=sql.uuid(rerun_of) if rerun_of else None,
        body=body,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What came from outside about an execution that is held: see `Execution.signals`."""

    signals: int
    paused: bool


def standings(ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """How things stand with executions at hand, in one small query."""
    found = Execution.unscoped.filter(id__in=list(ids)).values_list("id", "signals", "paused_at")
    return {identity: Standing(signals, paused_at is not None) for identity, signals, paused_at in found}


def renew(*, owner: str, claims: Collection[Claim], lease: float) -> set[UUID]:
    """Push the leases of these executions on, in one statement. Returns those that are no longer this worker's."""
    fences = {each.id: each.fence for each in claims}
    if not fences:
        return set()
    until = time.monotonic() + lease
    held = dict(Execution.unscoped.filter(id__in=fences, lease_owner=owner).values_list("id", "fence"))
    lost = {each for each, fence in fences.items() if held.get(each) != fence}
    mine = [each for each in fences if each not in lost]
    if mine:
        places, values = sql.ids(mine)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE workflow_executions SET due_at = {sql.later('%s')} WHERE id IN (SELECT id FROM workflow_executions "  # noqa: S608  Every part is ours; values are parameters.
                f"WHERE id IN {places} AND lease_owner = %s ORDER BY id {sql.skip_locked()}) RETURNING id",
                [lease, *values, owner],
            )
            renewed = {sql.uuid(identity) for (identity,) in cursor.fetchall()}
        for each in claims:
            each.held_until = until if each.id in renewed else each.held_until
    return lost
