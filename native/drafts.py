"""Drafts of workflows as clients copy and change them. Every change goes through the services that REST and the editors use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from executions.services import delete_workflow
from native.collections import Json, Writable, Written
from native.errors import RowNotFound
from native.records import Workflows
from workflows import selectors, services
from workflows.changes import WorkflowChange
from workflows.errors import WorkflowNotFound
from workflows.models import Workflow
from workflows.rebasing import save_rebased
from workflows.shapes import read_definition, write_graph
from workflows.versions import locked

PARTS = ("definition", "nodes", "edges", "variables", "triggers", "settings")
_TEXTS = ("name", "description", "category", "note")


class WorkflowDrafts(Workflows, Writable):
    """The organization's workflows with their newest definition. What comes from a client is stored and not published."""

    name = "workflow_drafts"
    listed = False
    policy = "merge"
    chunk = 10  # definitions may be large

    def whole(self, actor: Actor, rows: Sequence[Workflow]) -> list[Json]:
        alive = [each for each in rows if not self.is_deleted(each)]
        definitions = selectors.newest_definitions(actor=actor, workflows=alive)
        return [
            {**about, **_shown(definitions[row.id])} if row.id in definitions else {}
            for row, about in zip(rows, self.listing(rows), strict=True)
        ]

    def create(self, actor: Actor, data: Mapping[str, Any]) -> Written:
        require(actor, Permission.WORKFLOW_CREATE)
        said = _read(data)
        definition = read_definition(said["parts"])
        if said["name"] is None or definition is None:
            missing = "name" if said["name"] is None else "definition"
            raise InvalidInput.of(f"data.{missing}", "A workflow needs a name and a definition.", "required")
        made = services.create_workflow(
            actor=actor,
            name=said["name"],
            definition=definition,
            description=said["description"] or "",
            category=said["category"] or "",
            is_active=said["is_active"] is not False,
            note=said["note"] or "",
            draft=True,
        )
        return Written(made.id, made.revision)

    def update(
        self, actor: Actor, row_id: UUID, base: int, data: Mapping[str, Any], *, yours_win: bool | None
    ) -> Written:
        require(actor, Permission.WORKFLOW_UPDATE)
        gone = _gone(actor, row_id)
        if gone is not None:
            return Written(row_id, self.version(gone), taken=False, reason="deleted_on_server")
        said = _read(data)
        change = WorkflowChange(**{**said, "note": said["note"] or ""})
        done = save_rebased(actor=actor, workflow_id=row_id, change=change, base=base, yours_win=yours_win)
        reason = "merge_failed" if done.unsound else "version_mismatch" if done.disputed else ""
        return Written(row_id, self.version(done.workflow), done.taken or not reason, done.disputed, reason)

    @transaction.atomic
    def delete(self, actor: Actor, row_id: UUID, base: int, *, yours_win: bool | None) -> Written:
        require(actor, Permission.WORKFLOW_DELETE)
        gone = _gone(actor, row_id)
        if gone is not None:
            return Written(row_id, self.version(gone))
        workflow = locked(actor, row_id)
        if base > workflow.revision or base < 1:
            raise InvalidInput.of("base_version", f"This workflow has come to version {workflow.revision} only.")
        stale = base != workflow.revision
        if stale and not yours_win:
            return Written(row_id, workflow.revision, taken=False, reason="version_mismatch")
        delete_workflow(actor=actor, workflow_id=row_id)
        return Written(row_id, workflow.revision + 1, reason="version_mismatch" if stale else "")

    def current(self, actor: Actor, row_id: UUID) -> tuple[int, Json]:
        row = selectors.get_workflow(actor=actor, workflow_id=row_id, deleted=True)
        return self.version(row), self.whole(actor, [row])[0]


def _gone(actor: Actor, row_id: UUID) -> Workflow | None:
    """The workflow where it is deleted. Raises `RowNotFound` where there never was one here."""
    try:
        found = selectors.get_workflow(actor=actor, workflow_id=row_id, deleted=True)
    except WorkflowNotFound:
        raise RowNotFound from None
    return found if found.deleted_at is not None else None


def _read(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `WorkflowChange`; what a client only copied, such as `updated_at`, is not looked at.

    Raises `InvalidInput`.
    """
    problems = [
        FieldProblem(f"data.{name}", "This must be text.")
        for name in _TEXTS
        if data.get(name) is not None and not isinstance(data[name], str)
    ]
    active = data.get("is_active")
    if active is not None and not isinstance(active, bool):
        problems.append(FieldProblem("data.is_active", "This must be true or false."))
    if problems:
        raise InvalidInput(problems)
    parts = {name: data[name] for name in PARTS if name in data}
    return {**{name: data.get(name) for name in _TEXTS}, "is_active": active, "parts": parts}


def _shown(definition: Mapping[str, Any]) -> Json:
    return {
        **write_graph(definition),
        "variables": definition.get("variables") or [],
        "triggers": definition.get("triggers") or [],
        "settings": definition.get("settings") or {},
    }
