"""A small graph of pure nodes carried out on the spot, as often as needed: what `map` does for each item.

Nothing is recorded between its steps: after a crash it is computed anew. What is the same for every item is worked out once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.graph import Graph, Node
from engine.node import Done, Effect, Failed, NodeConfig
from engine.perform import RunningStep, perform, render, validate
from engine.ports import Ports
from engine.scheduler import Run

STEP_SECONDS = 30.0  # what one step of a body may take
_ABOUT: Mapping[str, Mapping[str, Any]] = {"execution": {}, "workflow": {}, "organization": {}}


def is_pure(graph: Graph) -> bool:
    """Whether every node only computes, and none of them waits or starts runs."""
    return all(
        node.effect is Effect.PURE and node.type.resume is None and not node.type.starts_runs for node in graph.nodes
    )


@dataclass(slots=True)
class Inline:
    """A graph that is carried out for many items with the same inputs, context and moment."""

    graph: Graph
    inputs: Mapping[str, Any]
    context: Mapping[str, Any]
    now: str
    ports: Ports
    max_output_bytes: int
    _literal: dict[str, NodeConfig | Failed] = field(default_factory=dict)

    def run(self, item: Any, index: int) -> Done | Failed:
        """The graph's result for one item, as an execution of it would have."""
        run = Run(self.graph, self.inputs, self.context, _ABOUT, item=item, index=index)
        while (node := run.take()) is not None:
            run.settle(node, self._step(run, node, index), self.now)
        if run.failure is None:
            return Done(run.result())
        failed, failure = run.failure
        return Failed(failure.code, f"'{failed.title}' failed: {failure.message}", failure.details)

    def _step(self, run: Run, node: Node, index: int) -> Done | Failed:
        scope = run.scope(node, self.now)
        config = self._literal.get(node.id)
        if config is None:
            rendered = render(node, scope)
            config = rendered if isinstance(rendered, Failed) else validate(node, rendered)
            if node.template.literal:
                self._literal[node.id] = config
        if isinstance(config, Failed):
            return config
        key = f"inline/{node.id}/{index}"
        step = RunningStep(key, node.id, 1, STEP_SECONDS, scope, self.ports, not node.incoming)
        outcome = perform(node, config, step, max_output_bytes=self.max_output_bytes)
        if isinstance(outcome, Done | Failed):
            return outcome
        return Failed("internal", f"The node '{node.title}' waits, which it cannot do here.")
