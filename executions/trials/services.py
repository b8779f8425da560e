"""Trying a workflow out: a whole run, or one node, with nothing stored and, unless it is asked for, nothing done outside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from accounts import tiers
from audit.trail import record
from auterity.kernel.access import Actor
from auterity.kernel.errors import FieldProblem, InvalidInput
from auterity.kernel.models import uuid7
from engine.expressions import Scope
from engine.graph import InvalidDefinition, Node
from engine.node import Done, Failed
from engine.perform import RunningStep, perform, render, validate
from executions import gateway
from executions import selectors as executions
from executions.errors import ExecutionNotFound
from executions.trials.errors import NodeNotFound
from executions.trials.running import (
    Given,
    Trial,
    TrialStep,
    closed_ports,
    only_computes,
    only_port,
    sample_links,
    sampled,
    shown,
    try_out,
)
from workflows.errors import DefinitionRefused
from workflows.models import Workflow, WorkflowVersion
from workflows.plans import Plan, plan_of
from workflows.services import kept_version

log = structlog.get_logger(__name__)

Json = dict[str, Any]
PERFORM_SECONDS = 25.0  # what one outside call may take while a person waits for it


def dry_run(
    *,
    actor: Actor,
    workflow_id: UUID,
    number: int | None,
    inputs: Json,
    context: Json,
    pinned: Json,
    mocks: Json,
) -> tuple[WorkflowVersion, Trial]:
    """Carry a version (the newest where no number is given) through in memory: what every step would get, send and come to.

    Nothing is stored and nothing is done outside. Raises `WorkflowNotFound`, `VersionNotFound`, `DefinitionRefused` where the
    version cannot run, and `InvalidInput` for a pin or a mock that fits no node.
    """
    tiers.require_action(actor, "execute_workflow")
    version, plan = planned(actor, workflow_id, number)
    given = read_given(plan, inputs=inputs, context=context, pinned=pinned, mocks=mocks)
    return version, try_out(plan.graph, given, about=about(plan))


@dataclass(frozen=True, slots=True)
class NodeInput:
    """What one node is tried with. None means: what `from_execution` recorded, else nothing."""

    input: Any = None
    inputs: Json | None = None
    context: Json | None = None
    steps: Json | None = None
    from_execution: UUID | None = None
    has_input: bool = False


@dataclass(frozen=True, slots=True)
class NodeTrial:
    """`performed` says whether the step really happened outside."""

    version: WorkflowVersion
    step: TrialStep
    performed: bool
    warnings: list[str] = field(default_factory=list)


def try_node(
    *, actor: Actor, workflow_id: UUID, node_id: str, number: int | None, given: NodeInput, really: bool
) -> NodeTrial:
    """Fill in and run one node. One with an effect is only prepared, unless it is `really` to be performed, once, now.

    Raises `WorkflowNotFound`, `VersionNotFound`, `NodeNotFound`, `ExecutionNotFound`, `DefinitionRefused`, `InvalidInput`.
    """
    tiers.require_action(actor, "execute_workflow")
    version, plan = planned(actor, workflow_id, number)
    if node_id not in plan.graph.by_id:
        raise NodeNotFound
    node = plan.graph.nodes[plan.graph.by_id[node_id]]
    scope, warnings = _scope(actor, version.workflow, plan, node, given)
    step = TrialStep(node, scope.input, None, "ran")
    rendered = render(node, scope)
    config = rendered if isinstance(rendered, Failed) else validate(node, rendered)
    step.config = None if isinstance(rendered, Failed) else shown(node, rendered)
    pure = not isinstance(config, Failed) and only_computes(node, config)
    waits = node.type.resume is not None
    if really and waits:
        warnings.append(
            f"'{node.title}' waits for time or people, which only an execution can do; it was not carried out."
        )
    performs = really and not (pure or waits or isinstance(config, Failed))
    outcome: Any = config
    if not isinstance(config, Failed) and (pure or performs):
        outcome = _performed(actor, workflow_id, node, config, scope, step, outside=performs)
    if not isinstance(config, Failed) and not isinstance(outcome, Done | Failed):
        step.source, outcome = "sampled", sampled(node, config, warnings)
    if isinstance(outcome, Failed):
        step.status, step.error = "failed", outcome
    else:
        step.output, step.port = outcome.output, outcome.port
    return NodeTrial(version, step, performs, warnings)


def planned(actor: Actor, workflow_id: UUID, number: int | None) -> tuple[WorkflowVersion, Plan]:
    """A version and its runnable form. Raises `DefinitionRefused` with everything that keeps it from running."""
    version = kept_version(actor=actor, workflow_id=workflow_id, number=number)
    try:
        return version, plan_of(version.id)
    except InvalidDefinition as error:
        raise DefinitionRefused(error.problems) from error


def about(plan: Plan) -> Json:
    """The names workflow and organization in expressions."""
    return {"workflow": plan.workflow, "organization": plan.organization}


def read_given(plan: Plan, *, inputs: Json, context: Json, pinned: Json, mocks: Json) -> Given:
    """Raises `InvalidInput` naming every pin and mock that fits no node."""
    problems: list[FieldProblem] = []
    for name, value in (("pinned", pinned), ("mocks", mocks)):
        problems += [
            FieldProblem(f"{name}.{each}", "There is no such node in this version.")
            for each in value
            if each not in plan.graph.by_id
        ]
    problems += [
        FieldProblem(f"mocks.{each}", "A node is either pinned or mocked.") for each in mocks if each in pinned
    ]
    outcomes = {
        name: _mock(plan.graph.nodes[plan.graph.by_id[name]], mock, problems)
        for name, mock in mocks.items()
        if name in plan.graph.by_id
    }
    if problems:
        raise InvalidInput(problems)
    return Given(inputs, context, pinned, outcomes)


# -- inside ----------------------------------------------------------------------------------------------------------


def _mock(node: Node, mock: Any, problems: list[FieldProblem]) -> Done | Failed:
    place = f"mocks.{node.id}"
    if not isinstance(mock, Mapping) or ("output" in mock) == ("error" in mock):
        problems.append(FieldProblem(place, "Give either output (with a port, where the node has several) or error."))
        return Done(None)
    if "output" in mock:
        port = mock.get("port") or only_port(node)
        if node.ports is not None and port not in node.ports:
            there = ", ".join(sorted(node.ports))
            problems.append(FieldProblem(f"{place}.port", f"'{node.title}' has the ports {there}."))
        return Done(mock["output"], port=str(port))
    error = mock["error"]
    code, message = (error.get(each) for each in ("code", "message")) if isinstance(error, Mapping) else (None, None)
    if not isinstance(code, str) or not code or not isinstance(message or "", str):
        problems.append(FieldProblem(f"{place}.error", "An error has a code, such as unavailable, and a message."))
        return Done(None)
    return Failed(code, message or "The mock says so.")


def _scope(actor: Actor, workflow: Workflow, plan: Plan, node: Node, given: NodeInput) -> tuple[Scope, list[str]]:
    inputs, context, steps = given.inputs, given.context, given.steps
    arrives = given.input
    warnings: list[str] = []
    running: Json = {"id": None, **sample_links(plan.graph)}
    if given.from_execution is not None:
        seen = executions.describe(actor=actor, execution_id=given.from_execution)
        if seen.execution.workflow_id != workflow.id:
            raise ExecutionNotFound
        running["id"] = str(seen.execution.id)
        inputs = seen.execution.input_data if inputs is None else inputs
        context = seen.execution.context if context is None else context
        recorded = {each.node_id: each for each in seen.steps if each.started_at is not None}
        finished = {name: each.output for name, each in recorded.items() if each.status == "completed"}
        steps = finished if steps is None else steps
        if not given.has_input and node.id in recorded:
            arrives = recorded[node.id].input
        elif not given.has_input:
            warnings.append(f"'{node.title}' did not run in that execution, so nothing arrives at it here.")
    inputs = {**plan.graph.defaults, **(inputs or {})}
    if not given.has_input and arrives is None and not node.incoming:
        arrives = inputs
    scope = Scope(
        input=arrives,
        inputs=inputs,
        context=context or {},
        steps=steps or {},
        execution=running,
        workflow=plan.workflow,
        organization=plan.organization,
        now=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
    return scope, warnings


def _performed(
    actor: Actor, workflow_id: UUID, node: Node, config: Any, scope: Scope, step: TrialStep, *, outside: bool
) -> Any:
    running = RunningStep(
        key=f"test-{uuid7()}/{node.id}/0",
        node_id=node.id,
        attempt=1,
        timeout=min(node.timeout, PERFORM_SECONDS),
        scope=scope,
        ports=gateway.ports_of(actor.organization_id) if outside else closed_ports(),
        first=not node.incoming,
    )
    if outside:
        log.info(
            "node_performed_by_hand",
            workflow=str(workflow_id),
            node=node.id,
            type=node.type.name,
            key=running.key,
            user=str(actor.user_id),
        )
        record(
            "workflow.node.performed",
            "perform",
            organization_id=actor.organization_id,
            actor=actor,
            severity="medium",
            resource_type="workflow",
            resource_id=workflow_id,
            details={"node": node.id, "type": node.type.name, "idempotency": running.key},
        )
    outcome = perform(node, config, running, max_output_bytes=settings.ENGINE["max_output_bytes"])
    step.notes = running.notes
    return outcome
