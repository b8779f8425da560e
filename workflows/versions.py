"""Writing a version: the one place that adds one, always under the workflow's lock."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from django.db import transaction

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from engine.graph import MAX_NODES, Problem, check
from workflows.drafts import checksum, version_of
from workflows.errors import DefinitionRefused, WorkflowNotFound
from workflows.merge import State
from workflows.models import Workflow, WorkflowVersion
from workflows.plans import turn_problems
from workflows.sealing import sealed_definition

MAX_DEFINITION_BYTES = 4 * 1024 * 1024
MAX_NOTE = 500  # characters
KEPT_EVERY = 100  # edits of a draft after which it is stored whole, so that what is read never needs more of them


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
    return version


def keep(workflow: Workflow, number: int) -> WorkflowVersion:
    """The row of a locked workflow's version, stored now if it has none yet. Raises `VersionNotFound`."""
    rows = WorkflowVersion.objects.of(workflow.organization_id)
    found = rows.filter(workflow=workflow, number=number).first()
    if found is None:
        found = _sealed(version_of(workflow, number))
        found.save(force_insert=True)
    return found


@transaction.atomic
def keep_draft(*, organization_id: UUID, workflow_id: UUID) -> None:
    """Store the newest version whole, for those who look at it later: whoever edited it has left. A deleted one is left alone."""
    rows = Workflow.objects.of(organization_id).select_for_update(no_key=True)
    workflow = rows.filter(id=workflow_id, deleted_at=None).first()
    if workflow is not None:
        keep(workflow, workflow.version)


def keep_now_and_then(workflow: Workflow, state: State) -> None:
    """Store a locked workflow's newest version whole once enough edits have come since the last one that is."""
    rows = WorkflowVersion.objects.of(workflow.organization_id).filter(workflow=workflow)
    last = rows.order_by("-number").values_list("number", flat=True).first() or 0
    if workflow.version - last >= KEPT_EVERY:
        _sealed(version_of(workflow, workflow.version, state)).save(force_insert=True)


def _sealed(version: WorkflowVersion) -> WorkflowVersion:
    """A row about to be stored, without what an older row, or this process' memory of one, still held in the clear."""
    sealed = sealed_definition(version.organization_id, version.definition)
    if sealed is not version.definition:
        version.definition, version.checksum = sealed, checksum(sealed)
    return version


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
