"""Writing workflows. Each function checks the permission, works in one transaction and stores either all or nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import tiers
from audit.trail import record
from auterity.kernel import sql
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput, RevisionConflict
from auterity.kernel.events import publish
from workflows import publishing, selectors, staleness, triggers
from workflows.changes import OWN_FIELDS, WorkflowChange
from workflows.drafts import checksum
from workflows.errors import NothingPublished, WorkflowInactive, WorkflowNotFound
from workflows.events import WorkflowDeleted
from workflows.log import record_saved
from workflows.models import Workflow, WorkflowVersion
from workflows.sealing import sealed_definition
from workflows.shapes import read_definition
from workflows.versions import MAX_NOTE, add_version, check_definition, keep, locked


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
    draft: bool = False,
    note: str = "",
) -> Workflow:
    """Store a workflow with its first version, published unless it is a draft. Raises `DefinitionRefused` or `InvalidInput`."""
    require(actor, Permission.WORKFLOW_CREATE)
    _check_texts(name=name, category=category, note=note)
    check_definition(definition, must_run=is_active and not draft)
    definition = sealed_definition(actor.organization_id, definition)
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
    version = add_version(actor, workflow, definition, note=note, first=True)
    if not draft:
        publishing.make_published(actor, workflow, version)
        workflow.save()
        triggers.sync(workflow, definition)
    return workflow


@transaction.atomic
def update_workflow(*, actor: Actor, workflow_id: UUID, change: WorkflowChange) -> Workflow:
    """Apply a change. A new definition makes a new version; a stale `version` or `revision` raises `RevisionConflict`.

    What is saved is published, unless it is a draft or its tests must pass first: then it waits to be published. Switching on
    checks what is published then; raises `NothingPublished` where nothing is.
    """
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = locked(actor, workflow_id)
    staleness.check(actor, workflow, change)
    _check_texts(name=change.name, category=change.category, note=change.note)
    stored = selectors.get_version(actor=actor, workflow=workflow)
    definition = change.definition or read_definition(change.parts or {}, stored.definition)
    waits = change.draft or (
        definition is not None and publishing.needs_tests(workflow=workflow, definition=definition)
    )
    before = {name: getattr(workflow, name) for name in OWN_FIELDS}
    published, earlier = workflow.published_version, stored.definition
    active = workflow.is_active if change.is_active is None else change.is_active
    switched = active != workflow.is_active
    for field in OWN_FIELDS:
        value = getattr(change, field)
        if value is not None:
            setattr(workflow, field, value.strip() if field == "name" else value)
    if definition is not None:
        check_definition(definition, must_run=active and not waits)
        definition = sealed_definition(actor.organization_id, definition)
        if checksum(definition) != stored.checksum:
            stored = add_version(actor, workflow, definition, note=change.note)
        if not waits and workflow.published_version != stored.number:
            publishing.make_published(actor, workflow, keep(workflow, stored.number))
    was = {name: value for name, value in before.items() if getattr(workflow, name) != value}
    if was or workflow.published_version != published or stored.definition is not earlier:
        record_saved(actor, workflow, earlier, stored.definition, was)
    workflow.save()
    if switched or (definition is not None and not waits):
        _follow_published(workflow, must_run=active and switched)
    return workflow


@transaction.atomic
def set_active(*, actor: Actor, workflow_id: UUID, active: bool) -> Workflow:
    """Switch a workflow on or off. Switching on checks the published version: raises `DefinitionRefused`, `NothingPublished`."""
    return update_workflow(actor=actor, workflow_id=workflow_id, change=WorkflowChange(is_active=active))


@transaction.atomic
def restore_version(*, actor: Actor, workflow_id: UUID, number: int) -> Workflow:
    """Make an old version the newest again, as a new version with the same content, saved as any other change."""
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = selectors.get_workflow(actor=actor, workflow_id=workflow_id)
    old = selectors.get_version(actor=actor, workflow=workflow, number=number)
    change = WorkflowChange(definition=old.definition, note=f"Restored from version {number}")
    return update_workflow(actor=actor, workflow_id=workflow_id, change=change)


@transaction.atomic
def delete_workflow(*, actor: Actor, workflow_id: UUID, version: int | None = None) -> None:
    """Hide a workflow. Its executions stay readable. A stale `version` raises `RevisionConflict`."""
    require(actor, Permission.WORKFLOW_DELETE)
    workflow = locked(actor, workflow_id)
    _check_version(workflow, version)
    workflow.deleted_at = timezone.now()
    workflow.is_active = False
    workflow.save()
    triggers.sync(workflow, {})
    publish(WorkflowDeleted(workflow.organization_id, workflow.id, actor.user_id))
    record(
        "workflow.deleted",
        "delete",
        organization_id=workflow.organization_id,
        actor=actor,
        severity="medium",
        resource_type="workflow",
        resource_id=workflow.id,
        details={"name": workflow.name, "version": workflow.version},
    )


def kept_version(*, actor: Actor, workflow_id: UUID, number: int | None = None) -> WorkflowVersion:
    """A version (the newest where no number is given) to be run or tried: it has a row from now on, if it had none.

    Raises `WorkflowNotFound`, `VersionNotFound`.
    """
    workflow = selectors.get_workflow(actor=actor, workflow_id=workflow_id)
    version = selectors.get_version(actor=actor, workflow=workflow, number=number)
    if not version._state.adding:
        return version
    with transaction.atomic():
        return keep(locked(actor, workflow_id), version.number)


def runnable_version(*, actor: Actor, workflow_id: UUID, number: int | None = None) -> UUID:
    """The id of the published version, on which an execution begins now, in one small query: this is what every accept asks.

    `number` asks for a certain version instead. Raises `WorkflowNotFound`, `WorkflowInactive` or `NothingPublished`.
    """
    tiers.require_action(actor, "execute_workflow")
    found = sql.fetch(_RUNNABLE, [number, sql.value(workflow_id), sql.value(actor.organization_id)])
    if not found:
        unpublished = number is None and Workflow.objects.of(actor).filter(id=workflow_id, deleted_at=None).exists()
        raise NothingPublished if unpublished else WorkflowNotFound
    version_id, is_active = found[0]
    if not is_active:
        raise WorkflowInactive
    return sql.uuid(version_id)


_RUNNABLE = """
    SELECT v.id, w.is_active FROM workflows w
      JOIN workflow_versions v ON v.workflow_id = w.id AND v.number = COALESCE(%s, w.published_version)
     WHERE w.id = %s AND w.organization_id = %s AND w.deleted_at IS NULL"""


def _follow_published(workflow: Workflow, *, must_run: bool) -> None:
    """Bring the schedules in line with what is published; with `must_run` it is checked too."""
    published = selectors.published_version(workflow=workflow)
    if published is None:
        if must_run:
            raise NothingPublished
        return
    if must_run:
        check_definition(published.definition, must_run=True)
    triggers.sync(workflow, published.definition)


def _check_version(workflow: Workflow, named: int | None) -> None:
    if named is not None and named != workflow.version:
        raise RevisionConflict(
            f"You edited version {named}; the stored one is version {workflow.version}. "
            "Read it again, then repeat your change.",
            given=named,
            current=workflow.version,
        )


def _check_texts(*, name: str | None, category: str | None, note: str) -> None:
    problems = []
    if name is not None and not 1 <= len(name.strip()) <= 200:
        problems.append(FieldProblem("name", "A name has 1 to 200 characters."))
    if category is not None and len(category) > 100:
        problems.append(FieldProblem("category", "A category has at most 100 characters."))
    if len(note.strip()) > MAX_NOTE:
        problems.append(FieldProblem("note", f"A note has at most {MAX_NOTE} characters."))
    if problems:
        raise InvalidInput(problems)
