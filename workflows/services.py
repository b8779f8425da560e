"""Writing workflows. Each function checks the permission, works in one transaction and stores either all or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.utils import timezone

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput, RevisionConflict
from auterity.kernel.events import publish
from engine.graph import MAX_NODES, Problem, check
from workflows import selectors, triggers
from workflows.errors import DefinitionRefused, WorkflowInactive, WorkflowNotFound
from workflows.events import WorkflowSaved
from workflows.models import Workflow, WorkflowVersion
from workflows.plans import turn_problems
from workflows.shapes import read_definition

MAX_DEFINITION_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WorkflowChange:
    """What an update says. None means "leave as it is" (001: PUT keeps the fields left out).

    `parts` are a request's parts of a definition in either documented shape, merged with what is stored when it is saved;
    `definition` is a whole canonical one.
    """

    name: str | None = None
    description: str | None = None
    category: str | None = None
    is_active: bool | None = None
    definition: dict[str, Any] | None = None
    parts: Mapping[str, Any] | None = None
    version: int | None = None


@transaction.atomic
def create_workflow(
    *,
    actor: Actor,
    name: str,
    definition: dict[str, Any],
    description: str = "",
    category: str = "",
    is_active: bool = True,
    template_id: UUID | None = None,
) -> Workflow:
    """Store a workflow with its first version. Raises `DefinitionRefused` or `InvalidInput`."""
    require(actor, Permission.WORKFLOW_CREATE)
    _check_texts(name=name, category=category)
    _check_definition(definition, must_run=is_active)
    workflow = Workflow(
        organization_id=actor.organization_id,
        name=name.strip(),
        description=description,
        category=category,
        is_active=is_active,
        template_id=template_id,
        created_by_id=actor.user_id,
    )
    workflow.save(force_insert=True)
    _add_version(actor, workflow, definition)
    triggers.sync(workflow, definition)
    return workflow


@transaction.atomic
def update_workflow(*, actor: Actor, workflow_id: UUID, change: WorkflowChange) -> Workflow:
    """Apply a change. A new definition makes a new version; a stale `version` raises `RevisionConflict`."""
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = _locked(actor, workflow_id)
    if change.version is not None and change.version != workflow.version:
        raise RevisionConflict(
            f"You edited version {change.version}; the stored one is version {workflow.version}. "
            "Read it again, then repeat your change.",
            given=change.version,
            current=workflow.version,
        )
    _check_texts(name=change.name, category=change.category)
    active = workflow.is_active if change.is_active is None else change.is_active
    switched = active != workflow.is_active
    stored = selectors.get_version(actor=actor, workflow=workflow)
    definition = change.definition or read_definition(change.parts or {}, stored.definition)
    if definition is not None or (active and switched):
        _check_definition(definition or stored.definition, must_run=active)
    for field in ("name", "description", "category", "is_active"):
        value = getattr(change, field)
        if value is not None:
            setattr(workflow, field, value.strip() if field == "name" else value)
    if definition is not None and _checksum(definition) != stored.checksum:
        workflow.version += 1
        _add_version(actor, workflow, definition)
    workflow.save()
    if switched or definition is not None:
        triggers.sync(workflow, definition or stored.definition)
    return workflow


@transaction.atomic
def set_active(*, actor: Actor, workflow_id: UUID, active: bool) -> Workflow:
    """Switch a workflow on or off. Switching on checks the definition: raises `DefinitionRefused`."""
    return update_workflow(actor=actor, workflow_id=workflow_id, change=WorkflowChange(is_active=active))


@transaction.atomic
def restore_version(*, actor: Actor, workflow_id: UUID, number: int) -> Workflow:
    """Make an old version the newest again, as a new version with the same content."""
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = selectors.get_workflow(actor=actor, workflow_id=workflow_id)
    old = selectors.get_version(actor=actor, workflow=workflow, number=number)
    return update_workflow(actor=actor, workflow_id=workflow_id, change=WorkflowChange(definition=old.definition))


@transaction.atomic
def delete_workflow(*, actor: Actor, workflow_id: UUID) -> None:
    """Hide a workflow. Its executions stay readable."""
    require(actor, Permission.WORKFLOW_DELETE)
    workflow = _locked(actor, workflow_id)
    workflow.deleted_at = timezone.now()
    workflow.is_active = False
    workflow.save()
    triggers.sync(workflow, {})


def runnable_version(*, actor: Actor, workflow_id: UUID) -> UUID:
    """The id of the version an execution begins on now, in one small query: this is what every accept asks.

    Raises `WorkflowNotFound` or `WorkflowInactive`.
    """
    require(actor, Permission.WORKFLOW_EXECUTE)
    found = (
        WorkflowVersion.objects.of(actor)
        .filter(workflow_id=workflow_id, workflow__deleted_at=None)
        .order_by("-number")
        .values_list("id", "workflow__is_active")
        .first()
    )
    if found is None:
        raise WorkflowNotFound
    version_id, is_active = found
    if not is_active:
        raise WorkflowInactive
    return version_id


def _locked(actor: Actor, workflow_id: UUID) -> Workflow:
    found = Workflow.objects.of(actor).select_for_update(no_key=True).filter(id=workflow_id, deleted_at=None).first()
    if found is None:
        raise WorkflowNotFound
    return found


def _add_version(actor: Actor, workflow: Workflow, definition: dict[str, Any]) -> None:
    WorkflowVersion(
        organization_id=workflow.organization_id,
        workflow=workflow,
        number=workflow.version,
        definition=definition,
        checksum=_checksum(definition),
        created_by_id=actor.user_id,
    ).save(force_insert=True)
    publish(WorkflowSaved(workflow.organization_id, workflow.id, workflow.version, actor.user_id))


def _checksum(definition: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(definition, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _check_definition(definition: dict[str, Any], *, must_run: bool) -> None:
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


def _check_texts(*, name: str | None, category: str | None) -> None:
    problems = []
    if name is not None and not 1 <= len(name.strip()) <= 200:
        problems.append(FieldProblem("name", "A name has 1 to 200 characters."))
    if category is not None and len(category) > 100:
        problems.append(FieldProblem("category", "A category has at most 100 characters."))
    if problems:
        raise InvalidInput(problems)
