"""Who holds an execution: claimed with a lease and a higher fence, kept by renewing, lost by dying or by being too slow."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from executions import sql
from executions.models import SUSPECT_AFTER, Execution, ExecutionStep

_CLAIMED = (
    "id, organization_id, workflow_id, version_id, fence, seq, attempts, input_data, context, started_at, created_at, "
    "deadline_at, webhook_url, created_by_id, progress"
)


@dataclass(slots=True)
class Claim:
    """An execution this worker holds.

    `claimed_at` is the database's clock and `steady` this machine's monotonic one at that moment, so that a wall clock that
    jumps moves nothing.
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
        return self.claimed_at + dt.timedelta(seconds=time.monotonic() - self.steady)


def claim(*, owner: str, limit: int, lease: float, suspect: bool = False) -> list[Claim]:
    """Take up to `limit` due executions: a lease, a higher fence, one more attempt. Their recorded steps come along.

    Those that `SUSPECT_AFTER` workers took without recording any progress are `suspect`, and claimed by themselves: of a
    batch that goes down with its worker, only the one to blame goes on failing.
    """
    now = sql.now()
    which = ">=" if suspect else "<"
    text = f"""
        UPDATE workflow_executions SET fence = fence + 1, attempts = attempts + 1, lease_owner = %s, status = 'running',
               due_at = {sql.later("%s")}, started_at = COALESCE(started_at, {now})
         WHERE id IN (SELECT id FROM workflow_executions WHERE due_at <= (SELECT {now}) AND attempts {which} {SUSPECT_AFTER}
                       ORDER BY due_at LIMIT %s {sql.skip_locked()})
           AND due_at <= (SELECT {now})
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
        started_at=sql.moment(started),
        created_at=sql.moment(created),
        deadline_at=sql.moment(deadline),
        webhook_url=webhook_url,
        created_by=sql.uuid(created_by) if created_by else None,
        progress=progress,
        claimed_at=sql.moment(now),
        steady=time.monotonic(),
    )


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
