"""The record of what is done to a workflow: the one place that raises its revision, always under the workflow's lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from auterity.kernel.access import Actor
from auterity.kernel.events import publish
from workflows.diff import Part, diff
from workflows.drafts import remember
from workflows.events import WorkflowEdited
from workflows.merge import State, Step, grain
from workflows.models import Workflow, WorkflowOperation

SAVED, PUBLISHED = "saved", "published"
MAX_ID = 100  # characters of an id that are indexed
MAX_TOUCHED = 2000  # fields that a save is known to have changed; with more, all of them count as changed

Json = dict[str, Any]


def record_edits(
    actor: Actor,
    workflow: Workflow,
    steps: Sequence[Step],
    state: State,
    *,
    client_op_id: str | None = None,
    connection: UUID | None = None,
    act: str = "do",
    target: int | None = None,
) -> list[WorkflowOperation]:
    """Store edits of a locked workflow's draft, one revision and one version each; `state` is what they lead to.

    The first is what was asked for, the others what it brings about.
    """
    head, at = workflow.revision + 1, timezone.now()
    rows = [
        WorkflowOperation(
            organization_id=workflow.organization_id,
            workflow=workflow,
            created_at=at,
            revision=head + place,
            version=workflow.version + 1 + place,
            user_id=actor.user_id,
            operation=step.operation,
            subject=step.key[:MAX_ID],
            data=step.data,
            before=step.before,
            client_op_id=None if place else client_op_id,
            connection=connection,
            cause=head if place else None,
            act=act,
            target=target,
        )
        for place, step in enumerate(steps)
    ]
    WorkflowOperation.objects.of(workflow.organization_id).bulk_create(rows)
    workflow.revision, workflow.version = rows[-1].revision, rows[-1].version
    workflow.save(update_fields=["revision", "version", "updated_at"])
    remember(workflow, workflow.version, state)
    publish(WorkflowEdited(workflow.organization_id, workflow.id, tuple(rows)))
    return rows


def record_saved(
    actor: Actor,
    workflow: Workflow,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    was: Mapping[str, Any] | None = None,
) -> None:
    """Store that a locked workflow was saved; the caller saves its row. `before` and `after` are definitions, or the same one;
    `was` are the workflow's own fields that changed, such as its name, as they were."""
    changed = before is not after
    touched = _touched(before, after) if changed else {}
    about = {"version_before": workflow.version - changed, "touched": touched, "was": dict(was or {})}
    _record(actor, workflow, SAVED, {**_standing(workflow), **about})


def record_published(actor: Actor, workflow: Workflow) -> None:
    """Store that another version of a locked workflow was published; the caller saves it."""
    _record(actor, workflow, PUBLISHED, _standing(workflow))


def touched_by(row: WorkflowOperation, part: str, key: str) -> list[list[str]] | None:
    """The fields of a node (or of the settings) that a save changed; None where it may have changed all of them."""
    touched = row.data.get("touched") or {}
    if touched.get("all"):
        return None
    found = touched.get("rest", []) if part == "rest" else (touched.get(part) or {}).get(key, [])
    return found if isinstance(found, list) else None


# -- inside ----------------------------------------------------------------------------------------------------------


def _record(actor: Actor, workflow: Workflow, operation: str, data: Json) -> None:
    workflow.revision += 1
    row = WorkflowOperation(
        organization_id=workflow.organization_id,
        workflow=workflow,
        created_at=timezone.now(),
        revision=workflow.revision,
        version=workflow.version,
        user_id=actor.user_id,
        operation=operation,
        data=data,
    )
    row.save(force_insert=True)
    publish(WorkflowEdited(workflow.organization_id, workflow.id, (row,)))


def _standing(workflow: Workflow) -> Json:
    return {
        "name": workflow.name,
        "description": workflow.description,
        "is_active": workflow.is_active,
        "version": workflow.version,
        "published_version": workflow.published_version,
    }


def _touched(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """Which fields a save changed: paths by node and by edge, `whole` for those that are new or gone, and the rest."""
    found = diff(before, after)
    rest = {grain(each.path) for each in found.rest}
    rest |= {("variables", str(each["name"])) for each in (*found.variables.added, *found.variables.removed)}
    rest |= {("variables", each.key) for each in found.variables.changed}
    parts = {"nodes": _fields(found.nodes), "edges": _fields(found.edges)}
    if len(rest) + sum(len(each) for part in parts.values() for each in part.values()) > MAX_TOUCHED:
        return {"all": True}
    return {**parts, "rest": sorted(list(each) for each in rest)}


def _fields(part: Part) -> dict[str, Any]:
    whole = {str(each.get("id")): "whole" for each in (*part.added, *part.removed)}
    fields: dict[str, Any] = {}
    for each in (*part.changed, *part.layout):
        fields[each.key] = sorted({*map(tuple, fields.get(each.key, [])), *(grain(one.path) for one in each.changes)})
    return {**whole, **{key: [list(path) for path in paths] for key, paths in fields.items()}}
