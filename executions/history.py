"""The run that recorded steps add up to: continued by a worker, and read to show what arrived at each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from engine.expression_scope import MISSING
from engine.graph import Graph
from engine.scheduler import Past, Run
from executions.models import ExecutionStep, StepStatus
from executions.records import StepRow


def run_from(
    steps: Iterable[ExecutionStep | StepRow],
    graph: Graph,
    *,
    inputs: Mapping[str, Any],
    context: Mapping[str, Any],
    about: Mapping[str, Mapping[str, Any]],
    outputs: MutableMapping[str, Any] | None = None,
) -> Run:
    """Rebuild a run from its steps in the order they began. Steps that have not ended are ready in it.

    `outputs` hold the steps' outputs already, where they are not to be taken from the rows as they are.
    """
    past = [
        Past(step.node_id, step.output_data, step.port, _taken(step), failed=_ended_the_run(step))
        for step in steps
        if step.status in (StepStatus.COMPLETED, StepStatus.FAILED)
    ]
    item, index = inputs.get("item", MISSING), inputs.get("index", MISSING)
    return Run(graph, inputs, context, about, past, outputs=outputs, item=item, index=index)


def _ended_the_run(step: ExecutionStep | StepRow) -> bool:
    """A failure that `on_error` lets the run go on from has left by a port."""
    return step.status == StepStatus.FAILED and not step.port


def _taken(step: ExecutionStep | StepRow) -> tuple[str, ...] | None:
    return None if step.taken is None else tuple(step.taken)
