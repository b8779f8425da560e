"""Which version runs begin on. Saving publishes unless a draft is asked for, or tests must pass first.

Whoever publishes says what they saw: a version that came meanwhile, or that somebody else published meanwhile, is a conflict
that shows both.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit.trail import record
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import RevisionConflict
from engine.graph import InvalidDefinition, compile_graph
from workflows import selectors, triggers
from workflows.errors import DefinitionRefused, PublishRefused
from workflows.log import record_published, record_saved
from workflows.models import Workflow, WorkflowTestCase, WorkflowVersion
from workflows.versions import add_version, keep, locked

SETTING = "tests_before_publish"


def needs_tests(*, workflow: Workflow, definition: dict[str, Any]) -> bool:
    """Whether this definition may only be published once the workflow's test cases have passed on it.

    The setting counts in the published version too: whoever switches it off must pass the tests a last time.
    """
    if not WorkflowTestCase.objects.of(workflow.organization_id).filter(workflow=workflow).exists():
        return False
    published = selectors.published_version(workflow=workflow)
    return _demands(definition) or (published is not None and _demands(published.definition))


@transaction.atomic
def publish_version(
    *,
    actor: Actor,
    workflow_id: UUID,
    number: int,
    seen_published: int | None,
    newest: bool = False,
    tested: bool = False,
) -> Workflow:
    """Let runs begin on this version. Publishing what is published changes nothing.

    `seen_published` is the version that was published when the caller looked; another one raises `RevisionConflict`, and so does
    a later version where the caller means the `newest`. `tested` says that the test cases have passed on this version: without
    it a version that needs them raises `PublishRefused`.
    Raises `VersionNotFound`, and `DefinitionRefused` when the version cannot run.
    """
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = locked(actor, workflow_id)
    version = keep(workflow, number)
    if newest and workflow.version != number:
        raise RevisionConflict(
            f"Version {workflow.version} was saved while version {number} was about to be published. Say which one you mean.",
            given=number,
            current=workflow.version,
        )
    if workflow.published_version == number:
        return workflow
    _check_seen(workflow, seen_published)
    _check_publishable(workflow, version, tested=tested)
    make_published(actor, workflow, version)
    record_published(actor, workflow)
    workflow.save()
    triggers.sync(workflow, version.definition)
    return workflow


@transaction.atomic
def roll_back(
    *, actor: Actor, workflow_id: UUID, number: int, seen_published: int | None, tested: bool = False
) -> Workflow:
    """Publish the content of an old version again, as a new version: history is only added to.

    One that was published before needs no tests: going back is for when something is wrong. Raises as `publish_version` does.
    """
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = locked(actor, workflow_id)
    old = selectors.get_version(actor=actor, workflow=workflow, number=number)
    _check_seen(workflow, seen_published)
    _check_publishable(workflow, old, tested=tested or old.published_at is not None)
    newest = selectors.get_version(actor=actor, workflow=workflow)
    earlier, published = newest.definition, workflow.published_version
    if newest.checksum != old.checksum:
        newest = add_version(actor, workflow, old.definition, note=f"Back to version {old.number}")
    if workflow.published_version != newest.number:
        make_published(actor, workflow, keep(workflow, newest.number))
    if newest.definition is not earlier or workflow.published_version != published:
        record_saved(actor, workflow, earlier, newest.definition)
    workflow.save()
    triggers.sync(workflow, newest.definition)
    return workflow


def make_published(actor: Actor, workflow: Workflow, version: WorkflowVersion) -> None:
    """Point a locked workflow at a version; the caller saves it. The version's own content is never touched."""
    workflow.published_version = version.number
    WorkflowVersion.objects.of(actor).filter(id=version.id).update(published_at=Now(), published_by=actor.user_id)
    record(
        "workflow.published",
        "publish",
        organization_id=workflow.organization_id,
        actor=actor,
        resource_type="workflow",
        resource_id=workflow.id,
        details={"name": workflow.name, "version": version.number},
    )


def _check_seen(workflow: Workflow, seen: int | None) -> None:
    if workflow.published_version != seen:
        there = f"version {workflow.published_version}" if workflow.published_version else "no version"
        saw = f"version {seen} was" if seen else "nothing was"
        raise RevisionConflict(
            f"You publish while {saw} published; by now somebody published {there}. Look at it, then publish again.",
            given=seen,
            current=workflow.published_version,
        )


def _check_publishable(workflow: Workflow, version: WorkflowVersion, *, tested: bool) -> None:
    try:
        compile_graph(version.definition)
    except InvalidDefinition as error:
        raise DefinitionRefused(error.problems) from error
    if not tested and needs_tests(workflow=workflow, definition=version.definition):
        raise PublishRefused("This workflow's test cases must pass before a version is published. Run them first.")


def _demands(definition: dict[str, Any]) -> bool:
    return (definition.get("settings") or {}).get(SETTING) is True
