"""A small graph of pure nodes carried out on the spot, as often as needed: what `map` does for each item.

Nothing is recorded between its steps: after a crash it is computed anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.graph import Graph
from engine.node import Done, Effect, Failed
from engine.perform import RunningStep, perform, prepare
from engine.ports import Ports
from engine.scheduler import Run

_ABOUT: Mapping[str, Mapping[str, Any]] = {"execution": {}, "workflow": {}, "organization": {}}


def is_pure(graph: Graph) -> bool:
    """Whether every node only computes, and none of them waits or starts runs."""
    return all(
        node.type.effect is Effect.PURE and node.type.resume is None and not node.type.starts_runs
        for node in graph.nodes
    )


def run_inline(
    graph: Graph,
    *,
    inputs: Mapping[str, Any],
    context: Mapping[str, Any],
    item: Any,
    index: int,
    now: str,
    ports: Ports,
    max_output_bytes: int,
) -> Done | Failed:
    """The graph's result for one item, as an execution of it would have."""
    run = Run(graph, inputs, context, _ABOUT, item=item, index=index)
    while (node := run.take()) is not None:
        step = RunningStep(
            f"inline/{node.id}/{index}", node.id, 1, 30.0, run.scope(node, now), ports, not node.incoming
        )
        config = prepare(node, step.scope)
        outcome = (
            config if isinstance(config, Failed) else perform(node, config, step, max_output_bytes=max_output_bytes)
        )
        if not isinstance(outcome, Done | Failed):
            outcome = Failed("internal", f"The node '{node.title}' waits, which it cannot do here.")
        run.settle(node, outcome, now)
    if run.failure is None:
        return Done(run.result())
    node, failure = run.failure
    return Failed(failure.code, f"'{node.title}' failed: {failure.message}", failure.details)
