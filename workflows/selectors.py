"""Reading workflows. Every function starts from an actor and sees that actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from auterity.kernel.access import Actor, Permission, require
from engine.graph import Problem, check
from workflows.drafts import version_of
from workflows.errors import CaseNotFound, WorkflowNotFound
from workflows.models import Workflow, WorkflowOperation, WorkflowTestCase, WorkflowVersion


def list_workflows(
    *, actor: Actor, search: str = "", category: str = "", is_active: bool | None = None
) -> QuerySet[Workflow]:
    """Newest first, lazily. `search` looks in name and description, ignoring case (001)."""
    require(actor, Permission.WORKFLOW_READ)
    found = Workflow.objects.of(actor).filter(deleted_at=None).order_by("-id")
    if search:
        found = found.filter(Q(name__icontains=search) | Q(description__icontains=search))
    if category:
        found = found.filter(category=category)
    return found if is_active is None else found.filter(is_active=is_active)


def changed_workflows(*, actor: Actor) -> QuerySet[Workflow]:
    """As `list_workflows`, with the deleted ones: for whoever keeps a copy. `updated_at` says when one changed last."""
    require(actor, Permission.WORKFLOW_READ)
    found: QuerySet[Workflow] = Workflow.objects.of(actor)
    return found


def newest_definitions(*, actor: Actor, workflows: Sequence[Workflow]) -> dict[UUID, dict[str, Any]]:
    """The newest definition of each of these; one query, and one or two more for each whose newest version has no row."""
    rows = WorkflowVersion.objects.of(actor).filter(workflow__in=workflows, number=F("workflow__version"))
    found = dict(rows.values_list("workflow_id", "definition"))
    for each in workflows:
        if each.id not in found:
            found[each.id] = get_version(actor=actor, workflow=each).definition
    return found


def get_workflow(*, actor: Actor, workflow_id: UUID, deleted: bool = False) -> Workflow:
    """Raises `WorkflowNotFound` for a missing, deleted or foreign one alike."""
    require(actor, Permission.WORKFLOW_READ)
    found = Workflow.objects.of(actor).filter(id=workflow_id)
    workflow = found.first() if deleted else found.filter(deleted_at=None).first()
    if workflow is None:
        raise WorkflowNotFound
    return workflow


def get_version(*, actor: Actor, workflow: Workflow, number: int | None = None) -> WorkflowVersion:
    """One version; the newest when no number is given. One that has no row is worked out, and not stored.

    Raises `VersionNotFound`.
    """
    wanted = workflow.version if number is None else number
    found = WorkflowVersion.objects.of(actor).filter(workflow=workflow, number=wanted).first()
    return version_of(workflow, wanted) if found is None else found


def published_version(*, workflow: Workflow) -> WorkflowVersion | None:
    """The version that runs begin on; None where only drafts are stored. The caller has proved that it may see the workflow."""
    if workflow.published_version is None:
        return None
    found = WorkflowVersion.objects.of(workflow.organization_id)
    return found.get(workflow=workflow, number=workflow.published_version)


def list_versions(*, workflow: Workflow) -> QuerySet[WorkflowVersion]:
    """Newest first, lazily, each with who made and who published it. The caller has proved that it may see the workflow."""
    found = WorkflowVersion.objects.of(workflow.organization_id).filter(workflow=workflow)
    return found.select_related("created_by", "published_by").order_by("-number")


def revisions(ids: Collection[UUID]) -> dict[UUID, int]:
    """How far the drafts of these workflows have come, without those that are deleted. For connections that were let in."""
    return dict(Workflow.unscoped.filter(id__in=ids, deleted_at=None).values_list("id", "revision"))


def operations_after(
    *, actor: Actor, workflow_id: UUID, revision: int, limit: int
) -> tuple[Workflow, list[WorkflowOperation]]:
    """The workflow, and what was done to it after a revision, in order. Raises `WorkflowNotFound`."""
    workflow = get_workflow(actor=actor, workflow_id=workflow_id)
    rows = WorkflowOperation.objects.of(actor).filter(workflow=workflow, revision__gt=revision)
    return workflow, list(rows.order_by("revision")[:limit])


def list_operations(
    *, actor: Actor, workflow_id: UUID, user_id: UUID | None = None, node_id: str | None = None
) -> QuerySet[WorkflowOperation]:
    """What was done to a workflow and by whom, newest first, lazily; of one person, or to one node. Raises `WorkflowNotFound`."""
    workflow = get_workflow(actor=actor, workflow_id=workflow_id)
    rows = WorkflowOperation.objects.of(actor).filter(workflow=workflow).select_related("user")
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    if node_id is not None:
        rows = rows.filter(subject=node_id, operation__startswith="node_")
    return rows.order_by("-revision")


def list_cases(*, actor: Actor, workflow: Workflow) -> QuerySet[WorkflowTestCase]:
    """A workflow's test cases in the order they were made, lazily."""
    require(actor, Permission.WORKFLOW_READ)
    return WorkflowTestCase.objects.of(actor).filter(workflow=workflow).order_by("id")


def get_case(*, actor: Actor, workflow_id: UUID, case_id: UUID) -> WorkflowTestCase:
    """Raises `WorkflowNotFound` or `CaseNotFound`."""
    workflow = get_workflow(actor=actor, workflow_id=workflow_id)
    found = WorkflowTestCase.objects.of(actor).filter(workflow=workflow, id=case_id).first()
    if found is None:
        raise CaseNotFound
    return found


def validate(*, actor: Actor, definition: dict[str, object]) -> list[Problem]:
    """Every problem of a canonical definition. Nothing is stored, run or connected to."""
    require(actor, Permission.WORKFLOW_READ)
    return check(definition)
