"""Who has a workflow's draft open. The rows are the truth for every process; one that died is noticed by its silence."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from auterity.kernel.access import Actor, Permission
from workflows import selectors
from workflows.models import WorkflowParticipant
from workflows.moments import written

BEAT_SECONDS = 10.0
GONE_AFTER = dt.timedelta(seconds=35)  # three beats and a little
COLORS = (
    "#1c7ed6", "#e8590c", "#2f9e44", "#9c36b5", "#e03131", "#0c8599", "#f08c00", "#6741d9", "#c2255c", "#5c940d",
    "#1098ad", "#ae3ec9", "#3b5bdb", "#d9480f", "#087f5b", "#495057",
)  # fmt: skip

Participant = dict[str, Any]


@transaction.atomic
def join(*, actor: Actor, workflow_id: UUID, connection: UUID) -> list[Participant]:
    """Note that a connection has the workflow open, and answer who is there, this one included. Raises `WorkflowNotFound`."""
    workflow = selectors.get_workflow(actor=actor, workflow_id=workflow_id)
    now = timezone.now()
    rows = WorkflowParticipant.objects.of(actor).filter(workflow=workflow)
    rows.filter(seen_at__lt=now - GONE_AFTER).delete()
    taken = dict(rows.values_list("user_id", "color"))
    free = [each for each in COLORS if each not in taken.values()] or COLORS
    color = taken.get(actor.user_id) or free[actor.user_id.int % len(free)]
    if not rows.filter(connection=connection).update(seen_at=now):
        WorkflowParticipant(
            organization_id=actor.organization_id,
            workflow=workflow,
            user_id=actor.user_id,
            connection=connection,
            color=color,
            can_edit=actor.may(Permission.WORKFLOW_UPDATE),
            created_at=now,
            seen_at=now,
        ).save(force_insert=True)
    return present([workflow_id])[workflow_id]


@transaction.atomic
def leave(*, workflow_id: UUID, user_id: UUID, connection: UUID) -> tuple[bool, bool]:
    """Note that a connection is closed. Whether it was its user's last one, and whether nobody is left."""
    rows = WorkflowParticipant.unscoped.filter(workflow_id=workflow_id)
    rows.filter(connection=connection).delete()
    left = set(rows.filter(seen_at__gte=timezone.now() - GONE_AFTER).values_list("user_id", flat=True))
    return user_id not in left, not left


def beat(connections: Collection[UUID]) -> set[UUID]:
    """Say that these connections of this process are alive, in one statement. Those that have no row any more."""
    rows = WorkflowParticipant.unscoped.filter(connection__in=connections)
    if rows.update(seen_at=timezone.now()) == len(connections):
        return set()
    return set(connections) - set(rows.values_list("connection", flat=True))


def anybody(workflow_id: UUID) -> bool:
    """Whether a workflow is open anywhere, so that it is worth telling what is done to it."""
    rows = WorkflowParticipant.unscoped.filter(workflow_id=workflow_id, seen_at__gte=timezone.now() - GONE_AFTER)
    return bool(rows.exists())


def present(workflow_ids: Collection[UUID]) -> dict[UUID, list[Participant]]:
    """Who is there: one entry a user however many connections, the longest there first.

    For sockets: the caller has proved that it may see these workflows.
    """
    rows = WorkflowParticipant.unscoped.filter(workflow_id__in=workflow_ids, seen_at__gte=timezone.now() - GONE_AFTER)
    found: dict[UUID, dict[UUID, Participant]] = defaultdict(dict)
    for row in rows.select_related("user").order_by("created_at", "id"):
        found[row.workflow_id].setdefault(row.user_id, shown(row))
    return {each: list(found[each].values()) for each in workflow_ids}


def shown(row: WorkflowParticipant) -> Participant:
    """`websockets.yaml`, collaboration_snapshot, participants."""
    return {
        "user_id": str(row.user_id),
        "name": f"{row.user.first_name} {row.user.last_name}".strip() or row.user.email,
        "color": row.color,
        "since": written(row.created_at),
        "can_edit": row.can_edit,
    }
