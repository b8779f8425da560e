"""The statements behind `executions.turns`: where something is due, which rows those are, and how many slots are taken.

Each is a few look-ups in an index, however much is due.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any
from uuid import UUID

from django.db import connection

from executions import sql
from executions.models import SUSPECT_AFTER
from workflows.plans import LANES

GO_ON, LINE, HALTED = -1, -2, -3  # kinds of places beside the lanes
# As the partial indexes say it (`executions.models`).
AT_REST = "e.due_at IS NOT NULL AND e.lease_owner = ''"
HELD = "e.status = 'running' AND e.waiting_since IS NULL"
STANDING = "e.parked_at IS NOT NULL AND e.paused_at IS NULL AND e.completed_at IS NULL"

Arm = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something can be taken: a lane of an organization (its number is the `kind`), a workflow's line, or what has a
    slot already (`GO_ON`). `HALTED` names a workflow of which nothing begins. `allowed` is the organization's own limit."""

    kind: int
    organization_id: UUID | None
    workflow_id: UUID | None
    version_id: UUID | None
    allowed: int | None


@dataclass(frozen=True, slots=True)
class Candidate:
    id: UUID
    organization_id: UUID
    workflow_id: UUID
    version_id: UUID
    needs_slot: bool


def places() -> list[Place]:
    """Where something is due, or stands in line. Reads only."""
    return [
        Place(kind, _id(organization), _id(workflow), _id(version), allowed)
        for kind, organization, workflow, version, allowed in sql.fetch(look_for(), [])
    ]


def go_on(limit: int) -> Arm:
    """What has a slot: leases that ran out, and retries."""
    active = "(SELECT o.is_active FROM organizations o WHERE o.id = e.organization_id)"
    due = f"e.due_at IS NOT NULL AND e.due_at <= (SELECT {sql.now()}) AND e.attempts < {SUSPECT_AFTER}"
    return _arm(f"{HELD} AND {due} AND {active}", "e.due_at", limit)


def in_lane(place: Place, limit: int) -> Arm:
    """What is due of an organization in a lane, the longest due first."""
    due = f"{AT_REST} AND e.due_at <= (SELECT {sql.now()}) AND e.attempts < {SUSPECT_AFTER}"
    where = f"{due} AND e.lane = %s AND e.organization_id = %s"
    return _arm(where, "e.due_at", limit, place.kind, place.organization_id)


def in_line(place: Place, limit: int) -> Arm:
    """Who stands first in a workflow's line."""
    return _arm(f"{STANDING} AND e.workflow_id = %s", "e.lane, e.id", limit, place.workflow_id)


def suspects(*, lock: bool) -> list[UUID]:
    """The longest due of those that several workers took in vain, or none."""
    due = f"e.due_at <= (SELECT {sql.now()}) AND e.attempts >= {SUSPECT_AFTER}"
    active = "(SELECT o.is_active FROM organizations o WHERE o.id = e.organization_id)"
    text = (
        f"SELECT e.id FROM workflow_executions e WHERE {due} AND {active} ORDER BY e.due_at LIMIT 1 "  # noqa: S608  Every part is ours.
        f"{sql.skip_locked() if lock else ''}"
    )
    return [sql.uuid(identity) for (identity,) in sql.fetch(text, [])]


def pick(arms: Sequence[Arm]) -> list[Candidate]:
    """The rows of several places, locked until the transaction ends; what another worker has locked is left out."""
    if not arms:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(text for text, _ in arms), [each for _, values in arms for each in values])
        return [Candidate(*map(sql.uuid, ids), bool(needs)) for *ids, needs in cursor.fetchall()]  # type: ignore[arg-type,call-arg]


def oldest_due() -> dt.datetime | None:
    """The moment at which the longest-due execution of an active organization became due, or None when none is."""
    now = sql.now()
    text = f"""
        WITH RECURSIVE {_walk()}, due(moment) AS (
            SELECT {_first("due_at", f"{AT_REST} AND e.lane = t.lane AND e.organization_id = t.organization_id")}
              FROM turn t JOIN organizations o ON o.id = t.organization_id AND o.is_active
             UNION ALL
            SELECT {_first("due_at", f"{HELD} AND e.due_at IS NOT NULL")}
        )
        SELECT MIN(d.moment) FROM due d WHERE d.moment <= (SELECT {now})"""  # noqa: S608  Every part is ours.
    with connection.cursor() as cursor:
        cursor.execute(text, [])
        (found,) = cursor.fetchone()
    return None if found is None else sql.moment(found)


def lock(organizations: Iterable[UUID]) -> None:
    """One worker at a time chooses of an organization, until its transaction ends. SQLite has one writer anyway."""
    if connection.vendor != "postgresql":
        return
    keys = sorted(
        int.from_bytes(hashlib.sha256(b"turns" + each.bytes).digest()[:8], "big", signed=True) for each in organizations
    )
    if keys:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(u.k) FROM unnest(%s::bigint[]) AS u(k)", [keys])


def taken(bounds: Mapping[tuple[UUID, UUID | None], float]) -> dict[tuple[UUID, UUID | None], int]:
    """Slots that an organization's runs, or those of one of its workflows, have; counted up to the bound, where there is one."""
    wanted = [(organization, workflow, int(bound)) for (organization, workflow), bound in bounds.items() if bound < inf]
    if not wanted:
        return {}
    arms, values = [], []
    for at, (organization, workflow, bound) in enumerate(wanted):
        which = "e.organization_id = %s" + (" AND e.workflow_id = %s" if workflow else "")
        arms.append(
            f"SELECT {at}, COUNT(*) FROM (SELECT 1 FROM workflow_executions e WHERE {HELD} AND {which} LIMIT %s) h"  # noqa: S608  Every part is ours; values are parameters.
        )
        values += [sql.value(organization), *([sql.value(workflow)] if workflow else []), bound]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(arms), values)
        return {(wanted[at][0], wanted[at][1]): count for at, count in cursor.fetchall()}


def park(ids: Sequence[UUID]) -> None:
    """Let runs stand in their workflow's line. Their place in it is by the moment they were accepted."""
    if not ids:
        return
    places, values = sql.ids(ids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE workflow_executions SET due_at = NULL, parked_at = COALESCE(parked_at, {sql.now()}) WHERE id IN {places}",  # noqa: S608  Every part is ours; values are parameters.
            values,
        )


# -- inside ----------------------------------------------------------------------------------------------------------


def _id(item: Any) -> UUID | None:
    return None if item is None else sql.uuid(item)


def _arm(where: str, order: str, limit: int, *values: Any) -> Arm:
    text = f"""
        SELECT * FROM (
            SELECT e.id, e.organization_id, e.workflow_id, e.version_id,
                   (e.status = 'pending' OR e.waiting_since IS NOT NULL) AS needs_slot
              FROM workflow_executions e WHERE {where} ORDER BY {order} LIMIT %s {sql.skip_locked()}) a"""  # noqa: S608  Every part is ours; values are parameters.
    return text, [*map(sql.value, values), limit]


def look_for() -> str:
    """A walk from organization to organization, and from line to line, through an index: each step is one look-up."""
    now = sql.now()
    of_lane = f"{AT_REST} AND e.lane = t.lane AND e.organization_id = t.organization_id"
    order = "e.workflow_id, e.lane, e.id"
    of_line = f"{STANDING} AND e.workflow_id = l.workflow_id"
    return f"""
        WITH RECURSIVE {_walk()}, line(workflow_id) AS (
            SELECT {_first("workflow_id", STANDING, order)}
             UNION ALL
            SELECT {_first("workflow_id", f"{STANDING} AND e.workflow_id > l.workflow_id", order)}
              FROM line l WHERE l.workflow_id IS NOT NULL
        )
        SELECT t.lane, t.organization_id, NULL, NULL, r.concurrent_runs
          FROM turn t JOIN organizations o ON o.id = t.organization_id AND o.is_active
          LEFT JOIN run_limits r ON r.organization_id = t.organization_id
         WHERE {_first("due_at", of_lane)} <= (SELECT {now})
         UNION ALL
        SELECT {LINE}, w.organization_id, w.id, {_first("version_id", of_line, "e.lane, e.id")}, r.concurrent_runs
          FROM line l JOIN workflows w ON w.id = l.workflow_id
          JOIN organizations o ON o.id = w.organization_id AND o.is_active
          LEFT JOIN run_limits r ON r.organization_id = w.organization_id
         UNION ALL
        SELECT {GO_ON}, NULL, NULL, NULL, NULL WHERE {_first("due_at", f"{HELD} AND e.due_at IS NOT NULL")} <= (SELECT {now})
         UNION ALL
        SELECT {HALTED}, b.organization_id, b.workflow_id, NULL, NULL FROM workflow_brakes b
         WHERE b.reason = 'poison' AND b.released_at IS NULL AND b.until > (SELECT {now})"""  # noqa: S608  Every part is ours.


def _walk() -> str:
    """Every (lane, organization) that has something at rest, due or not; by `executions_turns`, one look-up a step.

    PostgreSQL takes that index because no other has this order; SQLite, whose row comparison reads a whole lane, is told to.
    """
    if connection.vendor == "postgresql":
        after = f"{AT_REST} AND (e.lane, e.organization_id) > (t.lane, t.organization_id)"
        order = "e.lane, e.organization_id"
        first = f"SELECT {_first('lane', AT_REST, order)}, {_first('organization_id', AT_REST, order)}"
        following = f"{_first('lane', after, order)}, {_first('organization_id', after, order)}"
    else:
        lanes = " UNION ALL ".join(f"SELECT {lane} AS lane" for lane in sorted(LANES.values()))
        in_lane = f"{AT_REST} AND e.lane = t.lane"
        hint = "INDEXED BY executions_turns"
        first = f"SELECT t.lane, {_first('organization_id', in_lane, hint=hint)} FROM ({lanes}) t"  # noqa: S608  Every part is ours.
        after = f"{in_lane} AND e.organization_id > t.organization_id"
        following = f"t.lane, {_first('organization_id', after, hint=hint)}"
    return f"""turn(lane, organization_id) AS (
            {first} UNION ALL SELECT {following} FROM turn t WHERE t.organization_id IS NOT NULL
        )"""  # noqa: S608  Every part is ours.


def _first(column: str, which: str, order: str = "", hint: str = "") -> str:
    order = order or f"e.{column}"
    return f"(SELECT e.{column} FROM workflow_executions e {hint} WHERE {which} ORDER BY {order} LIMIT 1)"  # noqa: S608  Every part is ours.
