"""`/api/workflows/{id}/versions`: what was saved, what is published, and what is different between two."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import versions as bodies
from api.auterity.bodies.workflows import Graph, WorkflowBody
from api.auterity.dialect import AuterityView
from api.auterity.pages import PageQuery, cut
from api.auterity.views.workflows import rest_of, saved
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import PermissionDenied, RevisionConflict
from executions.trials import publishing
from workflows import selectors, services
from workflows.diff import diff
from workflows.errors import DefinitionRefused, PublishRefused, VersionNotFound, WorkflowNotFound
from workflows.models import Workflow, WorkflowVersion
from workflows.shapes import write_graph
from workflows.wording import Entry, entries

READING = (NotAuthenticated, PermissionDenied, WorkflowNotFound)
PUBLISHING = (*READING, VersionNotFound, DefinitionRefused, PublishRefused, RevisionConflict)


class VersionsView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_version_list",
        summary="List a workflow's versions",
        query=PageQuery,
        answers={200: bodies.VersionPage},
        raises=READING,
    )
    def get(self, call: Call[None], workflow_id: UUID) -> Answer:
        """Newest first, each with who made it, when, and their note. A version never changes."""
        workflow = selectors.get_workflow(actor=call.actor, workflow_id=workflow_id)
        rows = selectors.list_versions(workflow=workflow).defer("definition")
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        shown = [bodies.VersionBody(**_version(each, workflow)) for each in found]
        return Answer(bodies.VersionPage(versions=shown, **page))


class VersionView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_version_get",
        summary="Read one version",
        answers={200: bodies.VersionDetail},
        raises=[*READING, VersionNotFound],
    )
    def get(self, call: Call[None], workflow_id: UUID, number: int) -> Answer:
        """The definition as it was saved then."""
        workflow = selectors.get_workflow(actor=call.actor, workflow_id=workflow_id)
        version = selectors.get_version(actor=call.actor, workflow=workflow, number=number)
        graph = Graph(**write_graph(version.definition))
        return Answer(
            bodies.VersionDetail(**_version(version, workflow), definition=graph, **rest_of(version.definition))
        )


class RestoreVersionView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_version_restore",
        summary="Make an old version the newest",
        answers={200: WorkflowBody},
        raises=[*READING, VersionNotFound, DefinitionRefused],
    )
    def post(self, call: Call[None], workflow_id: UUID, number: int) -> Answer:
        """Adds a version with the old content; nothing is overwritten. It is published as any other save is."""
        return saved(call, services.restore_version(actor=call.actor, workflow_id=workflow_id, number=number))


class RollbackVersionView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_version_rollback",
        summary="Go back to an old version",
        body=bodies.Rollback,
        answers={200: WorkflowBody},
        raises=PUBLISHING,
    )
    def post(self, call: Call[bodies.Rollback], workflow_id: UUID, number: int) -> Answer:
        """Adds a version with the old content and publishes it. One that was published before needs no tests."""
        workflow = publishing.roll_back(
            actor=call.actor, workflow_id=workflow_id, number=number, seen_published=_seen(call.body)
        )
        return saved(call, workflow)


class PublishView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_publish",
        summary="Publish a version",
        body=bodies.Publish,
        answers={200: WorkflowBody},
        raises=PUBLISHING,
    )
    def post(self, call: Call[bodies.Publish], workflow_id: UUID) -> Answer:
        """Runs, schedules and webhooks begin on it from now on. It must be able to run.

        The test cases run first when `run_tests` asks for it or the settings say `tests_before_publish`; when some fail nothing
        is published, and the refusal lists them. A version saved or published meanwhile is a conflict that shows both.
        """
        workflow = publishing.publish(
            actor=call.actor,
            workflow_id=workflow_id,
            number=call.body.version,
            seen_published=_seen(call.body),
            run_tests=call.body.run_tests,
        )
        return saved(call, workflow)


class DiffView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_version_diff",
        summary="Compare two versions",
        answers={200: bodies.DiffBody},
        raises=[*READING, VersionNotFound],
    )
    def get(self, call: Call[None], workflow_id: UUID, number: int, other: int) -> Answer:
        """What leads from the first to the second, in sentences and field by field. Secrets are not shown."""
        workflow = selectors.get_workflow(actor=call.actor, workflow_id=workflow_id)
        a, b = (
            selectors.get_version(actor=call.actor, workflow=workflow, number=each).definition
            for each in (number, other)
        )
        difference = diff(a, b)
        found: dict[str, list[bodies.DifferenceBody]] = {
            part: [] for part in ("nodes", "edges", "variables", "triggers", "settings", "layout")
        }
        for entry in entries(difference, a, b):
            found.get(entry.part, found["settings"]).append(_difference(entry))
        body = bodies.DiffBody(
            workflow_id=workflow.id, from_version=number, to_version=other, identical=difference.empty, **found
        )
        return Answer(body)


def _seen(body: bodies.Publish | bodies.Rollback) -> Any:
    """What the caller saw published, where it says so; null says that nothing was."""
    return body.published_version if "published_version" in body.model_fields_set else publishing.UNSAID


def _difference(entry: Entry) -> bodies.DifferenceBody:
    return bodies.DifferenceBody.model_validate(asdict(entry))


def _version(version: WorkflowVersion, workflow: Workflow) -> dict[str, Any]:
    by = version.created_by
    return {
        "id": version.id,
        "workflow_id": version.workflow_id,
        "version": version.number,
        "created_at": version.created_at,
        "created_by": version.created_by_id,
        "created_by_name": f"{by.first_name} {by.last_name}".strip(),
        "created_by_email": by.email,
        "note": version.note,
        "checksum": version.checksum,
        "published": version.number == workflow.published_version,
        "pending": version.number > (workflow.published_version or 0),
        "published_at": version.published_at,
        "published_by": version.published_by_id,
    }
