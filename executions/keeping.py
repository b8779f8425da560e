"""Which recorded steps a new run may take over, found by a run in memory that is settled with what was recorded.

Conditions on the way out of a kept step are evaluated anew, so changed inputs and edges take effect. Nothing outside happens.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from engine.graph import Graph, Node
from engine.node import Done, Failed
from engine.perform import RunningStep, perform, prepare
from engine.ports import Ports
from engine.scheduler import Run
from executions.errors import RetryRefused
from executions.history import run_from
from executions.models import EffectState, ExecutionStep, StepStatus
from executions.payloads import LazyOutputs, Payloads, is_wrapped

SETTLED: Mapping[str, str] = {"settled": "happened"}  # the output of a step of which only people know that it happened


@dataclass(frozen=True, slots=True)
class Kept:
    """A recorded step in the new run. `anew`: it takes the new inputs in. `output` is None where the recorded one stays."""

    node: Node
    row: ExecutionStep
    port: str
    taken: tuple[str, ...] | None
    output: Any = None
    anew: bool = False


def is_over(row: ExecutionStep) -> bool:
    """Completed, failed but left by a port, or known to have happened although it failed."""
    return (
        row.status == StepStatus.COMPLETED
        or (row.status == StepStatus.FAILED and bool(row.port))
        or row.effect == EffectState.SETTLED_DONE
    )


def behind(graph: Graph, chosen: set[str]) -> set[str]:
    """The chosen nodes and everything that comes after one of them."""
    found, waiting = set(), [graph.by_id[each] for each in chosen if each in graph.by_id]
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += [edge.target for edge in graph.nodes[index].outgoing]
    return {graph.nodes[index].id for index in found}


def keep(
    graph: Graph,
    rows: Sequence[ExecutionStep],
    *,
    inputs: Mapping[str, Any],
    context: Mapping[str, Any],
    about: Mapping[str, Mapping[str, Any]],
    ports: Ports,
    payloads: Payloads,
    max_output_bytes: int,
) -> tuple[list[Kept], Run]:
    """What is kept of `rows` (steps that are over), in the order of the run, and that run. O(nodes + edges).

    Raises `RetryRefused` when a condition after a kept step cannot be evaluated.
    """
    outputs = LazyOutputs(payloads)
    run = run_from([], graph, inputs=inputs, context=context, about=about, outputs=outputs)
    place = {row.node_id: (at, row) for at, row in enumerate(rows)}
    due: list[tuple[int, int]] = []
    kept: list[Kept] = []
    while True:
        while (node := run.take()) is not None:
            if node.id in place:
                heappush(due, (place[node.id][0], node.index))
        if not due:
            return kept, run
        _, index = heappop(due)
        node = graph.nodes[index]
        row = place[node.id][1]
        kept.append(_settled(run, node, row, payloads.load(row.output_data), ports, max_output_bytes))
        if is_wrapped(row.output_data) and not kept[-1].anew:
            outputs.keep(node.id, row.output_data)  # A large value is read again when a condition asks for it.


def _settled(run: Run, node: Node, row: ExecutionStep, output: Any, ports: Ports, max_output_bytes: int) -> Kept:
    port = row.port
    if not port:  # It failed, and people say that it happened.
        output, port = dict(SETTLED), "out"
    entered = _entered(run, node, row, ports, max_output_bytes)
    anew = entered is not None and (entered.output != output or entered.port != port)
    if entered is not None and anew:
        output, port = entered.output, entered.port
    settled = run.settle(node, Done(output, port), _moment(row))
    if settled.error is not None:
        raise RetryRefused(
            f"'{node.title}' cannot be kept: {settled.error.message} Mend the condition, or begin at an earlier step.",
            node_id=node.id,
        )
    return Kept(node, row, port, settled.taken, output if anew or not row.port else None, anew)


def _entered(run: Run, node: Node, row: ExecutionStep, ports: Ports, max_output_bytes: int) -> Done | None:
    """What a step at the very beginning, which only hands the inputs on, makes of the new ones."""
    if node.incoming or not node.type.trigger or not node.type.pure or node.type.resume is not None:
        return None
    scope = run.scope(node, _moment(row))
    config = prepare(node, scope)
    if isinstance(config, Failed):
        return None
    step = RunningStep(f"{row.execution_id}/{node.id}/0", node.id, 1, node.timeout, scope, ports, first=True)
    outcome = perform(node, config, step, max_output_bytes=max_output_bytes)
    return outcome if isinstance(outcome, Done) else None


def _moment(row: ExecutionStep) -> str:
    return row.started_at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
