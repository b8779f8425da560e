"""Which node runs next. A pure state machine over a compiled graph; recording and performing happen elsewhere.

Rules (`schemas/node_configs.yaml`, "Ports"): an edge is taken when its source chose the edge's port and the edge's condition,
if any, is true. A node runs when every incoming edge is settled and at least one is taken; it is skipped when none is.
An eager node (`merge` with mode `first`) runs with the first way that arrives. Every node and edge is looked at once, so a
run costs O(steps).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from engine.expression_scope import MISSING, Missing
from engine.expressions import ExpressionError, Scope
from engine.graph import Edge, Graph, Node
from engine.node import ERROR, Done, Failed


class State(StrEnum):
    """Of one node in one run."""

    IDLE = "idle"  # not all of its incoming edges are settled
    READY = "ready"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Settled:
    """How a node ended: what a step record must hold so that a crash can be recovered from.

    `taken` names the outgoing edges that were taken, and is None where the port alone tells (no conditions).
    """

    node: Node
    output: Any
    port: str
    taken: tuple[str, ...] | None
    error: Failed | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A recorded step, as a run is rebuilt from it."""

    node_id: str
    output: Any
    port: str
    taken: tuple[str, ...] | None
    failed: bool = False


class Run:
    """The progress of one execution through its graph.

    `about` gives the names execution, workflow and organization in expressions; `item` and `index` exist inside map.
    `outputs` may hold the recorded outputs already, in a mapping that reads large ones only when they are asked for.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[str, Any],
        context: Mapping[str, Any],
        about: Mapping[str, Mapping[str, Any]],
        past: Iterable[Past] = (),
        *,
        outputs: MutableMapping[str, Any] | None = None,
        item: Any = MISSING,
        index: int | Missing = MISSING,
    ) -> None:
        self.graph = graph
        self.inputs = {**graph.defaults, **inputs} if graph.defaults else inputs
        self.outputs: MutableMapping[str, Any] = {} if outputs is None else outputs
        self.failure: tuple[Node, Failed] | None = None
        self._context = context
        self._about = about
        self._item = item
        self._index = index
        self._states = [State.IDLE] * len(graph.nodes)
        self._unsettled = [len(node.incoming) for node in graph.nodes]
        self._arrived: list[dict[str, None]] = [{} for _ in graph.nodes]  # ids of the taken edges, first come first
        self._ready: deque[Node] = deque()
        self._open = 0  # ready or started
        self._settled = 0
        for node in graph.roots:
            self._make_ready(node)
        for each in past:
            self._replay(each)

    @property
    def finished(self) -> bool:
        """Every node is done, failed or skipped."""
        return self._open == 0

    @property
    def has_ready(self) -> bool:
        return any(self._states[node.index] is State.READY for node in self._ready)

    @property
    def has_more(self) -> bool:
        """Whether `take` would give out a node now."""
        return self.failure is None and self.has_ready

    @property
    def progress(self) -> float:
        """Percent of the nodes that are settled, 0 to 100."""
        return 100.0 if not self.graph.nodes else round(100 * self._settled / len(self.graph.nodes), 1)

    def take(self) -> Node | None:
        """The next node to start, or None. After a failure nothing more is started."""
        while self._ready and self.failure is None:
            node = self._ready.popleft()
            if self._states[node.index] is State.READY:
                self.hold(node)
                return node
        return None

    def put_back(self, node: Node) -> None:
        """A held node may be given out by `take` again."""
        self._states[node.index] = State.READY
        self._ready.append(node)

    def hold(self, node: Node) -> None:
        """Mark a ready node as started, or as waiting for its time; `take` does not give it out again."""
        self._states[node.index] = State.STARTED

    def input_of(self, node: Node) -> Any:
        """What arrives at a node: the inputs at the start, one output as it is, several as a map by target port.

        In the definition's order, whoever came first; of two on one port the later stands under its source's id.
        """
        if not node.incoming:
            return self.inputs
        arrived = [edge for edge in node.incoming if self._was_taken(edge)]
        if node.eager and len(arrived) > 1:
            first = next(iter(self._arrived[node.index]))
            arrived = [edge for edge in arrived if edge.id == first]
        if len(arrived) == 1 and not node.type.gathers:
            return self._output_along(arrived[0])
        values: dict[str, Any] = {}
        for edge in arrived:
            values[self.graph.nodes[edge.source].id if edge.key in values else edge.key] = self._output_along(edge)
        return values

    def scope(self, node: Node, now: str) -> Scope:
        """The names a node's expressions can read."""
        return Scope(
            input=self.input_of(node),
            inputs=self.inputs,
            context=self._context,
            steps=self.outputs,
            execution=self._about["execution"],
            workflow=self._about["workflow"],
            organization=self._about["organization"],
            now=now,
            item=self._item,
            index=self._index,
        )

    def is_held(self, node: Node) -> bool:
        return self._states[node.index] is State.STARTED

    def settle(self, node: Node, outcome: Done | Failed, now: str) -> Settled:
        """Take the outcome in and make the successors ready. A failure follows the node's `on_error`."""
        error = outcome if isinstance(outcome, Failed) else None
        if isinstance(outcome, Failed):
            if node.settings.on_error == "fail":
                return self._fail(node, outcome)
            told = {"error": {"code": outcome.code, "message": outcome.message, "details": dict(outcome.details)}}
            output, port = told, ERROR if node.settings.on_error == "route" else "out"
        else:
            output, port = outcome.output, outcome.port
        self.outputs[node.id] = output
        try:
            taken = self._choose(node, port, now)
        except ExpressionError as problem:
            self.outputs.pop(node.id)
            return self._fail(node, Failed("expression", str(problem.message)))
        self._leave(node, port, taken)
        return Settled(node, output, port, None if taken is None else tuple(sorted(taken)), error)

    def result(self) -> Any:
        """The output of the last step; with several last steps, a map by node id."""
        ends = [
            node
            for node in self.graph.nodes
            if self._states[node.index] is State.DONE and not any(self._was_taken(edge) for edge in node.outgoing)
        ]
        if len(ends) == 1:
            output = self.outputs[ends[0].id]
            return output if isinstance(output, dict) else {"result": output}
        return {node.id: self.outputs[node.id] for node in ends}

    def skipped(self) -> list[str]:
        return [node.id for node in self.graph.nodes if self._states[node.index] is State.SKIPPED]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _close(self, node: Node, state: State) -> None:
        self._states[node.index] = state
        self._open -= 1
        self._settled += 1

    def _make_ready(self, node: Node) -> None:
        self._states[node.index] = State.READY
        self._ready.append(node)
        self._open += 1

    def _output_along(self, edge: Edge) -> Any:
        return self.outputs[self.graph.nodes[edge.source].id]

    def _was_taken(self, edge: Edge) -> bool:
        return edge.id in self._arrived[edge.target]

    def _choose(self, node: Node, port: str, now: str) -> frozenset[str] | None:
        """The ids of the taken edges where conditions had to be evaluated, else None."""
        if not any(edge.condition for edge in node.outgoing):
            return None
        after = replace(self.scope(node, now), input=self.outputs[node.id])
        return frozenset(edge.id for edge in node.outgoing if edge.source_port == port and _holds(edge, after))

    def _fail(self, node: Node, failure: Failed) -> Settled:
        self._close(node, State.FAILED)
        if self.failure is None:
            self.failure = (node, failure)
        return Settled(node, None, "", None, failure)

    def _leave(self, node: Node, port: str, taken: frozenset[str] | None) -> None:
        """Settle the node's outgoing edges, and those of every node that is skipped because of it."""
        self._close(node, State.DONE)
        closing: deque[tuple[Edge, bool]] = deque(
            (edge, edge.id in taken if taken is not None else edge.source_port == port) for edge in node.outgoing
        )
        while closing:
            edge, is_taken = closing.popleft()
            target = self.graph.nodes[edge.target]
            self._unsettled[target.index] -= 1
            if is_taken:
                self._arrived[target.index][edge.id] = None
            if self._states[target.index] is not State.IDLE:
                continue  # An eager node began with the first arrival.
            if self._unsettled[target.index] and not (is_taken and target.eager):
                continue
            if self._arrived[target.index]:
                self._make_ready(target)
            else:
                self._states[target.index] = State.SKIPPED
                self._settled += 1
                closing.extend((each, False) for each in target.outgoing)

    def _replay(self, past: Past) -> None:
        """Take a recorded step in. Records come in the order they began, so the node is ready by now."""
        node = self.graph.nodes[self.graph.by_id[past.node_id]]
        if past.failed:
            self._fail(node, Failed("recorded", ""))
            return
        if node.id not in self.outputs:
            self.outputs[node.id] = past.output
        self._leave(node, past.port, None if past.taken is None else frozenset(past.taken))


def _holds(edge: Edge, scope: Scope) -> bool:
    """Whether an edge's condition is true. Raises `ExpressionError` when it is not a yes or no."""
    if edge.condition is None:
        return True
    try:
        value = edge.condition.evaluate(scope)
    except ExpressionError as problem:
        raise ExpressionError(
            f"The condition of the edge '{edge.id}' failed: {problem.message}", problem.source
        ) from problem
    if not isinstance(value, bool):
        raise ExpressionError(
            f"The condition of the edge '{edge.id}' must be true or false, not {value!r}; compare it with something.",
            edge.condition.source,
        )
    return value
