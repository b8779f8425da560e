"""`/api/workflows`: definitions, their versions, and what nodes there are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel

from accounts.errors import NotAuthenticated
from api.auterity.bodies import workflows as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation, precondition
from api.needs import SIGNED_IN
from api.problems import PreconditionFailed
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied, RevisionConflict
from engine.expression_functions import FUNCTIONS
from engine.graph import Problem, check
from engine.registry import NODES
from executions import selectors as executions
from executions import services as execution_services
from executions.selectors import Figures
from workflows import selectors, services
from workflows.changes import WorkflowChange
from workflows.errors import DefinitionRefused, NothingPublished, WorkflowBusy, WorkflowNotFound
from workflows.models import Workflow
from workflows.shapes import read_definition, write_graph

READING = (NotAuthenticated, PermissionDenied, WorkflowNotFound)
SAVING = (NotAuthenticated, PermissionDenied, InvalidInput, DefinitionRefused)


class WorkflowsView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        summary="List workflows",
        query=bodies.WorkflowQuery,
        answers={200: bodies.WorkflowPage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """The organization's workflows, newest first."""
        rows = selectors.list_workflows(
            actor=call.actor, search=call.query.search, category=call.query.category, is_active=call.query.is_active
        )
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        figures = executions.figures([each.id for each in found])
        return Answer(bodies.WorkflowPage(workflows=[_summary(each, figures[each.id]) for each in found], **page))

    @operation(
        needs=Permission.WORKFLOW_CREATE,
        summary="Create a workflow",
        body=bodies.WorkflowCreate,
        answers={201: bodies.WorkflowBody},
        raises=SAVING,
        creates=True,
    )
    def post(self, call: Call[bodies.WorkflowCreate]) -> Answer:
        """An active workflow must be able to run; save with `is_active: false` what is not ready yet."""
        definition = read_definition(_parts(call.body))
        if definition is None:
            raise InvalidInput.of("definition", "A workflow needs a definition with nodes and edges.", "required")
        workflow = services.create_workflow(
            actor=call.actor,
            name=call.body.name,
            description=call.body.description or "",
            category=call.body.category or "",
            is_active=call.body.is_active,
            definition=definition,
            draft=call.body.draft,
            note=call.body.note,
        )
        return Answer(bodies.WorkflowBody(**workflow_keys(workflow, definition)), 201)


class WorkflowView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ, summary="Read a workflow", answers={200: bodies.WorkflowDetail}, raises=READING
    )
    def get(self, call: Call[None], workflow_id: UUID) -> Answer:
        """With the figures of its executions."""
        workflow = selectors.get_workflow(actor=call.actor, workflow_id=workflow_id)
        definition = selectors.get_version(actor=call.actor, workflow=workflow).definition
        figures = executions.figures([workflow.id])[workflow.id]
        body = bodies.WorkflowDetail(**workflow_keys(workflow, definition), execution_stats=_stats(figures))
        return Answer(body, revision=workflow.version)

    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        summary="Change a workflow",
        body=bodies.WorkflowUpdate,
        answers={200: bodies.WorkflowBody},
        raises=[*SAVING, WorkflowNotFound, RevisionConflict, PreconditionFailed, NothingPublished],
        conditional=True,
    )
    def put(self, call: Call[bodies.WorkflowUpdate], workflow_id: UUID) -> Answer:
        """Fields left out are kept. A changed definition becomes a new version; runs stay on the one they began on.

        It is published at once unless `draft` is true. Where the settings say `tests_before_publish` it waits, to be published
        once the test cases pass.
        """
        if not call.body.model_fields_set:
            raise InvalidInput.of("body", "Name at least one field to change.")
        with precondition(call.request) as named:
            change = WorkflowChange(
                name=call.body.name,
                description=call.body.description,
                category=call.body.category,
                is_active=call.body.is_active,
                parts=_parts(call.body),
                version=call.body.version if named is None else named,
                revision=call.body.revision,
                draft=call.body.draft,
                note=call.body.note,
            )
            workflow = services.update_workflow(actor=call.actor, workflow_id=workflow_id, change=change)
        return saved(call, workflow)

    patch = put

    @operation(
        needs=Permission.WORKFLOW_DELETE,
        summary="Delete a workflow",
        answers={204: None},
        raises=[*READING, WorkflowBusy, PreconditionFailed],
        conditional=True,
    )
    def delete(self, call: Call[None], workflow_id: UUID) -> Answer:
        """Its executions stay readable."""
        with precondition(call.request) as named:
            execution_services.delete_workflow(actor=call.actor, workflow_id=workflow_id, version=named)
        return Answer(None, 204)


class ActivateView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_activate",
        summary="Activate a workflow",
        answers={200: bodies.WorkflowBody},
        raises=[*READING, DefinitionRefused, NothingPublished],
    )
    def post(self, call: Call[None], workflow_id: UUID) -> Answer:
        """Checks the published version first; what cannot run is not activated."""
        return saved(call, services.set_active(actor=call.actor, workflow_id=workflow_id, active=True))


class DeactivateView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_deactivate",
        summary="Deactivate a workflow",
        answers={200: bodies.WorkflowBody},
        raises=READING,
    )
    def post(self, call: Call[None], workflow_id: UUID) -> Answer:
        """No new run begins; those under way go on."""
        return saved(call, services.set_active(actor=call.actor, workflow_id=workflow_id, active=False))


class ValidateView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        summary="Check a definition",
        id="workflow_validate",
        body=bodies.Validate,
        answers={200: bodies.Validation},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def post(self, call: Call[bodies.Validate]) -> Answer:
        """Every problem with its node or edge, field and mend. Nothing is stored, run or connected to."""
        definition = read_definition(_parts(call.body)) or {"nodes": [], "edges": []}
        return _validation(selectors.validate(actor=call.actor, definition=definition))


class ValidateStoredView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_validate_stored",
        summary="Check a stored workflow",
        answers={200: bodies.Validation},
        raises=READING,
    )
    def post(self, call: Call[None], workflow_id: UUID) -> Answer:
        """The same for the newest version of a stored workflow."""
        workflow = selectors.get_workflow(actor=call.actor, workflow_id=workflow_id)
        version = selectors.get_version(actor=call.actor, workflow=workflow)
        return _validation(selectors.validate(actor=call.actor, definition=version.definition))


class NodeTypesView(AuterityView):
    @operation(
        needs=SIGNED_IN,
        id="node_type_list",
        summary="The node types there are",
        answers={200: bodies.NodeTypes},
        raises=[NotAuthenticated],
    )
    def get(self, call: Call[None]) -> Answer:
        """What an editor needs to draw a node's form and to help with expressions."""
        types = [
            bodies.NodeTypeBody(
                type=each.name,
                aliases=list(each.aliases),
                title=each.title,
                summary=each.summary,
                trigger=each.trigger,
                effect=each.effect.value,
                config_schema=each.config.model_json_schema(),
            )
            for each in NODES
        ]
        return Answer(bodies.NodeTypes(node_types=types, functions=dict(FUNCTIONS)))


def _parts(body: BaseModel) -> dict[str, Any]:
    return body.model_dump(include=set(bodies.GraphParts.model_fields), exclude_unset=True)


def saved(call: Call[Any], workflow: Workflow) -> Answer:
    """The workflow with its newest definition."""
    definition = selectors.get_version(actor=call.actor, workflow=workflow).definition
    return Answer(bodies.WorkflowBody(**workflow_keys(workflow, definition)))


def workflow_keys(workflow: Workflow, definition: dict[str, Any]) -> dict[str, Any]:
    """A workflow under the names of both documents: the keys of `WorkflowBody`."""
    graph = write_graph(definition)
    return {
        "id": workflow.id,
        "name": workflow.name,
        "description": workflow.description,
        "category": workflow.category,
        "definition": bodies.Graph(**graph),
        "is_active": workflow.is_active,
        "created_at": workflow.created_at,
        "updated_at": workflow.updated_at,
        "created_by": workflow.created_by_id,
        "version": workflow.version,
        "revision": workflow.revision,
        "published_version": workflow.published_version,
        "has_draft": workflow.has_draft,
        "organization_id": workflow.organization_id,
        "template_id": workflow.template_id,
        **graph,
        **rest_of(definition),
        "problems": [problem_body(each) for each in check(definition)],
    }


def rest_of(definition: dict[str, Any]) -> dict[str, Any]:
    """What a definition holds besides its graph."""
    return {
        "variables": definition.get("variables", []),
        "triggers": definition.get("triggers", []),
        "settings": definition.get("settings", {}),
    }


def problem_body(problem: Problem) -> bodies.ProblemBody:
    """A problem under the names that clients show."""
    return bodies.ProblemBody(
        message=problem.message,
        field=problem.place,
        node_id=problem.node,
        edge_id=problem.edge,
        severity="warning" if problem.warning else "error",
    )


def _validation(problems: list[Problem]) -> Answer:
    return Answer(
        bodies.Validation(
            valid=all(each.warning for each in problems), problems=[problem_body(each) for each in problems]
        )
    )


def _summary(workflow: Workflow, figures: Figures) -> bodies.WorkflowSummary:
    return bodies.WorkflowSummary(
        id=workflow.id,
        name=workflow.name,
        description=workflow.description,
        category=workflow.category,
        is_active=workflow.is_active,
        version=workflow.version,
        published_version=workflow.published_version,
        has_draft=workflow.has_draft,
        created_at=workflow.created_at,
        updated_at=workflow.updated_at,
        created_by=workflow.created_by_id,
        execution_count=figures.total,
        last_execution=figures.last_execution,
    )


def _stats(figures: Figures) -> bodies.ExecutionStats:
    return bodies.ExecutionStats(
        total_executions=figures.total,
        successful_executions=figures.successful,
        failed_executions=figures.failed,
        average_duration=figures.average_duration,
    )
