"""Public forms that start a run: the `form-input` a workflow begins with, filled in on a hosted page.

Who fills it in sends values and nothing else: what runs is the newest stored version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from auterity.kernel.access import Actor
from auterity.kernel.errors import FieldProblem, InvalidInput
from engine.graph import InvalidDefinition
from engine.node import NodeConfig
from executions import services
from executions.handed_in import strangers
from executions.models import Execution, Origin
from executions.receipts import once
from nodes.settings.form_fields import FormField, collect
from workflows.errors import WorkflowNotFound
from workflows.models import Workflow
from workflows.plans import plan_of
from workflows.services import runnable_version

FORM = "form-input"


@dataclass(frozen=True, slots=True)
class StartForm:
    """A form as it is shown; `fields` are the configuration's."""

    workflow: Workflow
    node_id: str
    title: str
    description: str
    fields: list[dict[str, Any]]
    actor: Actor


def form_of(*, workflow_id: UUID, node_id: str) -> StartForm:
    """Raises `WorkflowNotFound` unless an active workflow begins with this form and the form is public."""
    workflow = Workflow.unscoped.filter(
        id=workflow_id, is_active=True, deleted_at=None, organization__is_active=True
    ).first()
    if workflow is None:
        raise WorkflowNotFound
    actor = services.owner_of(workflow)
    try:
        graph = plan_of(runnable_version(actor=actor, workflow_id=workflow_id)).graph
    except InvalidDefinition as error:
        raise WorkflowNotFound from error
    node = graph.nodes[graph.by_id[node_id]] if node_id in graph.by_id else None
    if node is None or node.type.name != FORM or node.incoming or _who(node.settings) != "public":
        raise WorkflowNotFound
    shown = node.settings.model_dump(mode="json")
    return StartForm(workflow, node_id, shown["title"] or node.title, shown["description"], shown["fields"], actor)


def submit(form: StartForm, given: Mapping[str, Any], *, key: str = "") -> Execution:
    """Start a run with these values. `key` is the shown page's own: sent twice, it starts one run. Raises `InvalidInput`."""
    fields = [FormField.model_validate(each) for each in form.fields]
    values, errors = collect(fields, given)
    errors = errors or strangers(form.actor.organization_id, fields, values)
    if errors:
        raise InvalidInput([FieldProblem(f"values.{name}", message) for name, message in errors.items()])
    kept = hashlib.sha256(f"form {key}".encode()).hexdigest() if key else ""
    execution, _repeated = once(
        actor=form.actor,
        workflow=form.workflow,
        node_id=form.node_id,
        key=kept,
        start=lambda: services.start(actor=form.actor, workflow_id=form.workflow.id, inputs=values, origin=Origin.FORM),
    )
    return execution


def _who(settings: NodeConfig) -> Any:
    return getattr(settings, "who", None)
