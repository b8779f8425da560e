"""What stands against an edit, as it is told to whoever sent it: both values, and who changed what when. Secrets are masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from auterity.kernel.access import Actor
from workflows.diff import ABSENT
from workflows.errors import EditConflict
from workflows.log import MAX_ID, PUBLISHED, SAVED, touched_by
from workflows.merge import (
    NODE_ADDED,
    NODE_DELETED,
    NODE_UPDATED,
    SETTINGS_UPDATED,
    Json,
    Path,
    State,
    Step,
    alike,
    values_of,
)
from workflows.models import Workflow, WorkflowOperation
from workflows.moments import written
from workflows.secrets import masked_setting
from workflows.shapes import write_node


def check(actor: Actor, workflow: Workflow, state: State, step: Step, base_revision: int) -> None:
    """Raise `EditConflict` where somebody else changed, after that revision, a field that this step changes to something else.

    Deleting a node counts as changing all of it.
    """
    if step.operation not in (NODE_UPDATED, NODE_DELETED, SETTINGS_UPDATED):
        return
    wanted = values_of(step.data)
    others: dict[Path, WorkflowOperation] = {}
    rows = WorkflowOperation.objects.of(actor).filter(workflow=workflow, revision__gt=base_revision)
    rows = rows.exclude(user_id=actor.user_id).exclude(operation=PUBLISHED)
    rows = rows.filter(subject=step.key[:MAX_ID]) | rows.filter(operation=SAVED)
    for row in rows.order_by("revision").select_related("user"):
        for path in _touched(row, step):
            others[path] = row
    if step.operation == NODE_DELETED:
        disputed = list(others)
    else:
        disputed = [
            path for path, value in wanted.items() if path in others and not alike(state.value(step.key, path), value)
        ]
    if disputed:
        raise EditConflict(
            "Somebody else changed this after you looked at it. Send it again with force to have yours.",
            key=step.key,
            current=write_node(state.nodes[step.key]) if step.key else None,
            fields=[
                {**field, **_who(others[path])}
                for path, field in zip(disputed, fields_of(state, step, disputed), strict=True)
            ],
        )


def told(workflow: Workflow, conflict: EditConflict) -> EditConflict:
    """The conflict with who changed the thing last, and when."""
    rows = WorkflowOperation.objects.of(workflow.organization_id).filter(workflow=workflow)
    if not conflict.key:
        return conflict
    about = rows.filter(subject=conflict.key[:MAX_ID]).order_by("-revision").select_related("user").first()
    if about is not None:
        conflict.details |= _who(about)
        for each in conflict.details["fields"]:
            each.update({name: value for name, value in _who(about).items() if name not in each})
    return conflict


def fields_of(state: State, step: Step, paths: Iterable[Path]) -> list[Json]:
    """Each field with the value that was asked for and the one that stands there."""
    values = values_of(step.data)
    node_type = state.nodes[step.key]["type"] if step.key else None
    return [
        {
            "field": ".".join(path),
            "yours": _shown(node_type, path, values.get(path, ABSENT)),
            "theirs": _shown(node_type, path, state.value(step.key, path)),
        }
        for path in paths
    ]


# -- inside ----------------------------------------------------------------------------------------------------------


def _touched(row: WorkflowOperation, step: Step) -> Iterator[Path]:
    """The fields of the step's node, or of the settings, that an earlier operation changed."""
    mine = list(values_of(step.data)) or [("node",)]
    if row.operation == SAVED:
        found = touched_by(row, "nodes" if step.key else "rest", step.key)
        yield from mine if found is None else (tuple(each) for each in found)
    elif row.operation == step.operation == SETTINGS_UPDATED or row.operation == NODE_UPDATED:
        yield from values_of(row.data)
    elif step.key and row.operation in (NODE_ADDED, NODE_DELETED):
        yield from mine


def _who(row: WorkflowOperation) -> Json:
    name = f"{row.user.first_name} {row.user.last_name}".strip()
    return {
        "changed_by": {"user_id": str(row.user_id), "name": name},
        "changed_at": written(row.created_at),
        "revision": row.revision,
    }


def _shown(node_type: Any, path: Path, value: Any) -> Any:
    if value is ABSENT:
        return None
    return masked_setting(node_type, path[1], value) if path[0] == "config" else value
