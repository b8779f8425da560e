"""What is done to a workflow as live facts: the same dictionary whether it comes from the bus or is replayed from the record.

Two topics a workflow. One carries what is recorded, in order, with a sequence number that is the workflow's revision; the other
what is not: who is there, where they point, and that comments changed. Secrets are masked before anything leaves here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from auterity.kernel.live import LIVE, Fact
from workflows import presence
from workflows.diff import ABSENT
from workflows.drafts import state_of
from workflows.events import WorkflowDeleted, WorkflowEdited
from workflows.log import PUBLISHED, SAVED
from workflows.merge import (
    EDGE_ADDED,
    EDGE_DELETED,
    NESTED,
    NODE_ADDED,
    NODE_DELETED,
    NODE_UPDATED,
    Json,
    values_of,
)
from workflows.models import Workflow, WorkflowOperation
from workflows.moments import written
from workflows.secrets import masked_setting
from workflows.shapes import UNPLACED, write_edge, write_graph, write_node

MAX_FRAME = 1024 * 1024  # bytes; what is larger is fetched over HTTP
_DEFAULTS: Json = {"position": UNPLACED, "inputs": [], "outputs": []}  # what is shown where nothing is stored


def topic_of(workflow_id: UUID | str) -> str:
    """The topic of what is recorded."""
    return f"workflow:{workflow_id}"


def room_of(workflow_id: UUID | str) -> str:
    """The topic of what is not."""
    return f"workflow-room:{workflow_id}"


def facts_of(workflow: Workflow, rows: Iterable[WorkflowOperation]) -> list[Fact]:
    """Facts of operations in order. What a save led to is read at its version."""
    return [fact_of(row, workflow) for row in rows]


def fact_of(row: WorkflowOperation, workflow: Workflow) -> Fact:
    """One operation for watchers; too large a one only says where to read the whole."""
    fact: Fact = {
        "seq": row.revision,
        "workflow_id": str(row.workflow_id),
        "operation": row.operation,
        "user_id": str(row.user_id),
        "client_op_id": row.client_op_id,
        "connection": str(row.connection) if row.connection else None,
        "cause": row.cause,
        "act": row.act,
        "target": row.target,
        "version": row.version,
        "at": written(row.created_at),
    }
    if row.operation == SAVED:
        return fact | picture_of(
            state_of(workflow, row.version).definition(), standing=row.data, workflow_id=workflow.id
        )
    if row.operation == PUBLISHED:
        return fact | {"published_version": row.data["published_version"]}
    shown = shown_edit(row)
    if len(orjson.dumps(shown)) > MAX_FRAME:
        return fact | {"operation": SAVED} | elsewhere(workflow.id)
    return fact | {"data": shown}


def picture_of(definition: Mapping[str, Any], *, standing: Mapping[str, Any], workflow_id: UUID) -> Json:
    """A whole definition as a snapshot shows it; where it is too large for a frame, where it can be read."""
    about = {name: standing[name] for name in ("name", "description", "is_active", "version", "published_version")}
    rest = {
        "variables": definition.get("variables") or [],
        "triggers": definition.get("triggers") or [],
        "settings": definition.get("settings") or {},
    }
    whole = {**write_graph(definition), **rest, "workflow": about}
    return whole if len(orjson.dumps(whole)) <= MAX_FRAME else {**elsewhere(workflow_id), "workflow": about}


def elsewhere(workflow_id: UUID) -> Json:
    """What stands for a definition that is too large: fetch it, then go on with frames newer than the `revision` it carries."""
    empty: Json = {"nodes": [], "edges": [], "variables": [], "triggers": [], "settings": {}, "workflow": {}}
    return {**empty, "truncated": True, "href": f"/api/workflows/{workflow_id}"}


def shown_edit(row: WorkflowOperation) -> Json:
    """`data` of an edit as its frame and the history show it (`websockets.yaml`, ws.collaboration, durable)."""
    if row.operation == NODE_ADDED:
        return {"node": write_node(row.data["node"])}
    if row.operation == NODE_DELETED:
        return {"node_id": row.before["node"]["id"]}
    if row.operation == EDGE_ADDED:
        return {"edge": write_edge(row.data["edge"])}
    if row.operation == EDGE_DELETED:
        return {"edge_id": row.before["edge"]["id"]}
    if row.operation == NODE_UPDATED:
        return {"node_id": row.subject, **_node_changes(row.subject, row.data)}
    return _rest_changes(row.data)


# -- listeners -------------------------------------------------------------------------------------------------------


def on_edited(event: WorkflowEdited) -> None:
    if not presence.anybody(event.workflow_id):
        return
    workflow = Workflow.objects.of(event.organization_id).get(id=event.workflow_id)
    topic = topic_of(event.workflow_id)
    LIVE.publish([(topic, fact) for fact in facts_of(workflow, event.operations)])


def on_deleted(event: WorkflowDeleted) -> None:
    LIVE.publish([(room_of(event.workflow_id), {"kind": "deleted"})])


# -- inside ----------------------------------------------------------------------------------------------------------


def _node_changes(node_id: str, change: Mapping[str, Any]) -> Json:
    """Changed fields under the names of both documents. `removed` are the paths of those that are gone."""
    changes: Json = {}
    removed: list[list[str]] = []
    for path, value in values_of(change).items():
        field, name = path[0], path[-1]
        if field == "config":
            shown = None if value is ABSENT else masked_setting(change["type"], name, value)
            for place in ("config", "data") if name != "label" else ("config",):
                changes.setdefault(place, {})[name] = shown
                removed += [[place, name]] if value is ABSENT else []
        elif field == "title":
            changes["title"] = value or node_id
        elif value is ABSENT and name in _DEFAULTS:
            changes[name] = _DEFAULTS[name]
        else:
            changes[name] = None if value is ABSENT else value
            removed += [[name]] if value is ABSENT else []
    if "label" in change:
        changes.setdefault("data", {})["label"] = change["label"]
    return {"changes": changes, "removed": removed}


def _rest_changes(change: Mapping[str, Any]) -> Json:
    changes: Json = {}
    removed: list[list[str]] = []
    for path, value in values_of(change).items():
        if path[0] in NESTED:
            changes.setdefault(path[0], {})[path[1]] = None if value is ABSENT else value
            removed += [list(path)] if value is ABSENT else []
        else:
            changes[path[0]] = value
    return {"changes": changes, "removed": removed}
