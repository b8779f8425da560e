"""Writing a version: the one place that adds one, always under the workflow's lock."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import orjson

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from auterity.kernel.events import publish
from engine.graph import MAX_NODES, Problem, check
from workflows.errors import DefinitionRefused, WorkflowNotFound
from workflows.events import WorkflowSaved
from workflows.models import Workflow, WorkflowVersion
from workflows.plans import turn_problems

MAX_DEFINITION_BYTES = 4 * 1024 * 1024
MAX_NOTE = 500  # characters


def locked(actor: Actor, workflow_id: UUID) -> Workflow:
    """The workflow, until the open transaction ends this writer's alone. Raises `WorkflowNotFound`."""
    found = Workflow.objects.of(actor).select_for_update(no_key=True).filter(id=workflow_id, deleted_at=None).first()
    if found is None:
        raise WorkflowNotFound
    return found


def add_version(
    actor: Actor, workflow: Workflow, definition: dict[str, Any], *, note: str = "", first: bool = False
) -> WorkflowVersion:
    """Store a new version of a locked workflow; the caller saves the workflow."""
    workflow.version += 0 if first else 1
    version = WorkflowVersion(
        organization_id=workflow.organization_id,
        workflow=workflow,
        number=workflow.version,
        definition=definition,
        checksum=checksum(definition),
        note=note.strip(),
        created_by_id=actor.user_id,
    )
    version.save(force_insert=True)
    publish(WorkflowSaved(workflow.organization_id, workflow.id, workflow.version, actor.user_id))
    return version


def checksum(definition: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(definition, option=orjson.OPT_SORT_KEYS)).hexdigest()


def check_definition(definition: dict[str, Any], *, must_run: bool) -> None:
    """Structural problems always forbid storing; the others only an active workflow. An empty graph is a fair beginning."""
    try:
        size = len(orjson.dumps(definition))
    except TypeError as error:
        raise InvalidInput.of("definition", f"This holds a value that JSON cannot carry: {error}.") from error
    if size > MAX_DEFINITION_BYTES:
        raise InvalidInput.of("definition", f"A definition may have {MAX_DEFINITION_BYTES:,} bytes; this has {size:,}.")
    problems = [*turn_problems(definition.get("settings")), *check(definition)]
    refused = [each for each in problems if _forbids(each, must_run)]
    if refused:
        raise DefinitionRefused(refused[:MAX_NODES])


def _forbids(problem: Problem, must_run: bool) -> bool:
    return problem.structural or (must_run and not problem.warning)
