"""Publishing a version once its test cases have passed. They run before anything is locked, on a version that never changes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from auterity.kernel.access import Actor, Permission, require
from executions.trials.cases import CaseResult, TestReport, run_cases
from workflows import publishing
from workflows import selectors as workflows
from workflows.errors import PublishRefused
from workflows.models import Workflow

UNSAID: Any = object()


def publish(
    *,
    actor: Actor,
    workflow_id: UUID,
    number: int | None = None,
    seen_published: int | None = UNSAID,
    run_tests: bool = False,
) -> Workflow:
    """Let runs begin on a version: the newest where no number is given.

    Its test cases run first when the workflow's settings demand it, or when asked; those that fail are in `PublishRefused`.
    A version that was saved, or published by somebody else, meanwhile raises `RevisionConflict`; `seen_published` is what the
    caller saw published. Raises `WorkflowNotFound`, `VersionNotFound`, `DefinitionRefused`.
    """
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = workflows.get_workflow(actor=actor, workflow_id=workflow_id)
    version = workflows.get_version(actor=actor, workflow=workflow, number=number)
    seen = workflow.published_version if seen_published is UNSAID else seen_published
    tested = run_tests or publishing.needs_tests(workflow=workflow, definition=version.definition)
    if tested:
        _pass_tests(actor, workflow_id, version.number)
    return publishing.publish_version(
        actor=actor,
        workflow_id=workflow_id,
        number=version.number,
        seen_published=seen,
        newest=number is None,
        tested=tested,
    )


def roll_back(*, actor: Actor, workflow_id: UUID, number: int, seen_published: int | None = UNSAID) -> Workflow:
    """Publish an old version's content again. One that was never published passes its tests first, where they are demanded."""
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = workflows.get_workflow(actor=actor, workflow_id=workflow_id)
    old = workflows.get_version(actor=actor, workflow=workflow, number=number)
    seen = workflow.published_version if seen_published is UNSAID else seen_published
    tested = old.published_at is None and publishing.needs_tests(workflow=workflow, definition=old.definition)
    if tested:
        _pass_tests(actor, workflow_id, number)
    return publishing.roll_back(actor=actor, workflow_id=workflow_id, number=number, seen_published=seen, tested=tested)


def _pass_tests(actor: Actor, workflow_id: UUID, number: int) -> TestReport:
    report = run_cases(actor=actor, workflow_id=workflow_id, number=number)
    if report.failed:
        names = ", ".join(f"'{each.case.name}'" for each in report.failed[:5])
        raise PublishRefused(
            f"Version {number} was not published: {len(report.failed)} of {len(report.results)} test cases fail: {names}.",
            failed=[_failure(each) for each in report.failed],
        )
    return report


def _failure(result: CaseResult) -> dict[str, Any]:
    """A failing case with the sentence that says why, and everything its run told."""
    case = result.case
    return {
        "id": str(case.id),
        "field": f"tests.{case.name}",
        "name": case.name,
        "message": result.why,
        **result.as_json(),
    }
