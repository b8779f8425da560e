"""A definition compiled once a version: nodes, edges, ports, templates. Every problem found names its place and its mend.

The canonical definition is 000's form: `nodes[].{id, type, title, config}` and
`edges[].{id, source_node_id, source_port, target_node_id, target_port, condition}` (`schemas/workflow.yaml`).
Compiling is O(nodes + edges).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.configuration import ConfigTemplate, check_config
from engine.expressions import Expression, ExpressionProblem, compile_expression
from engine.nearest import at_most, nearest
from engine.node import ERROR, MAX_RETRIES, OUT, Effect, NodeConfig, NodeType, Retry
from engine.registry import NODES, NodeRegistry, UnknownNode

MAX_NODES = 10_000
MAX_EDGES = 50_000
MAX_NAME = 100  # characters of an id and of a port
_HINTS = 20  # "did you mean" is looked for this often: a definition of mistakes only must not take minutes
_SHOWN = 12  # nodes of a circle that are named
DEFAULT_TARGETS = frozenset({"", "in", "input"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a definition. `structural` ones forbid storing it; the others forbid running it."""

    message: str
    node: str | None = None
    edge: str | None = None
    field: str | None = None
    structural: bool = False
    warning: bool = False

    @property
    def place(self) -> str:
        """A dotted path a client can show beside the thing: `nodes.send_email.config.to`."""
        if self.node is not None:
            return ".".join(part for part in ("nodes", self.node, self.field) if part)
        if self.edge is not None:
            return ".".join(part for part in ("edges", self.edge, self.field) if part)
        return self.field or "definition"


class InvalidDefinition(Exception):
    """The definition cannot be run. Carries every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{each.place}: {each.message}" for each in problems[:5]))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Edge:
    """`key` is the name under which the value arrives when several do: the target port, else the source's id."""

    id: str
    source: int
    source_port: str
    target: int
    key: str
    condition: Expression | None


@dataclass(slots=True)
class Node:
    """One compiled node. `ports` is None while a broken configuration hides which ports it has.

    `effect` is what repeating it would mean, as far as its configuration tells before it is filled in; else its type's.
    `retry` is its own policy, else one with as many attempts as the workflow's setting `max_retries` says.
    """

    index: int
    id: str
    title: str
    type: NodeType
    template: ConfigTemplate
    settings: NodeConfig
    ports: frozenset[str] | None
    effect: Effect
    retry: Retry
    incoming: list[Edge] = field(default_factory=list)
    outgoing: list[Edge] = field(default_factory=list)
    eager: bool = False

    @property
    def timeout(self) -> float:
        return self.settings.timeout_seconds or self.type.default_timeout


@dataclass(frozen=True, slots=True)
class Graph:
    """A definition that can run. `defaults` are the variables' default values, under the execution's inputs."""

    nodes: tuple[Node, ...]
    by_id: Mapping[str, int]
    defaults: Mapping[str, Any]
    warnings: tuple[Problem, ...] = ()

    @property
    def roots(self) -> list[Node]:
        return [node for node in self.nodes if not node.incoming]


def check(definition: Mapping[str, Any], registry: NodeRegistry = NODES) -> list[Problem]:
    """Every problem of a definition, warnings included; empty when it is sound."""
    return _Compiler(definition, registry).run().problems


def compile_graph(definition: Mapping[str, Any], registry: NodeRegistry = NODES) -> Graph:
    """The runnable form. Raises `InvalidDefinition` with everything that is wrong."""
    compiler = _Compiler(definition, registry).run()
    fatal = [problem for problem in compiler.problems if not problem.warning]
    if fatal:
        raise InvalidDefinition(fatal)
    if not compiler.nodes:
        raise InvalidDefinition([Problem("The workflow has no nodes; add at least a start node.", field="nodes")])
    return Graph(
        nodes=tuple(compiler.nodes),
        by_id={node.id: node.index for node in compiler.nodes},
        defaults={each["name"]: each.get("default_value") for each in definition.get("variables") or []},
        warnings=tuple(compiler.problems),
    )


def _ports(node_type: NodeType, settings: NodeConfig) -> frozenset[str] | None:
    if not isinstance(settings, node_type.config):
        return None
    return frozenset((*node_type.outputs(settings), *((ERROR,) if settings.on_error == "route" else ())))


def _effect(node_type: NodeType, settings: NodeConfig) -> Effect:
    return node_type.effect_of(settings) if isinstance(settings, node_type.config) else node_type.effect


def _retry(settings: Any) -> Retry | None:
    """What nodes do that say nothing of their own. What an old version holds and cannot be read is as if it were not said."""
    retries = settings.get("max_retries") if isinstance(settings, Mapping) else None
    return Retry(max_attempts=1 + min(retries, MAX_RETRIES)) if type(retries) is int and retries >= 0 else None


def _is_eager(node_type: NodeType, settings: NodeConfig) -> bool:
    return node_type.eager is not None and isinstance(settings, node_type.config) and node_type.eager(settings)


class _Compiler:
    """One pass over nodes, one over edges, one for order, one for references."""

    def __init__(self, definition: Mapping[str, Any], registry: NodeRegistry) -> None:
        self._definition = definition
        self._registry = registry
        self.problems: list[Problem] = []
        self.nodes: list[Node] = []
        self._by_id: dict[str, Node] = {}
        self._known_ids: dict[str, None] = {}
        self._unknown_types: dict[str, str] = {}
        self._retry = _retry(definition.get("settings"))

    def run(self) -> _Compiler:
        raw_nodes = self._definition.get("nodes") or []
        raw_edges = self._definition.get("edges") or []
        if len(raw_nodes) > MAX_NODES or len(raw_edges) > MAX_EDGES:
            self._say(
                f"A workflow may have {MAX_NODES:,} nodes and {MAX_EDGES:,} edges; this one has {len(raw_nodes):,} and "
                f"{len(raw_edges):,}. Move parts of it into workflows of their own.",
                structural=True,
            )
            return self
        self._known_ids = {str(raw.get("id", "")): None for raw in raw_nodes}
        with at_most(_HINTS):
            for raw in raw_nodes:
                self._add_node(raw)
            seen: set[str] = set()
            for raw in raw_edges:
                self._add_edge(raw, seen)
            order = self._order()
            if order is not None:
                self._check_references(order)
        return self

    def _say(self, message: str, **place: Any) -> None:
        self.problems.append(Problem(message, **place))

    def _add_node(self, raw: Mapping[str, Any]) -> None:
        node_id = str(raw.get("id") or "")
        if not 1 <= len(node_id) <= MAX_NAME or not node_id.isprintable():
            self._say(
                f"Every node needs an id of 1 to {MAX_NAME} printable characters.", field="nodes", structural=True
            )
            return
        if node_id in self._by_id:
            self._say("This id is used by two nodes; ids must differ.", node=node_id, field="id", structural=True)
            return
        node_type = self._type(str(raw.get("type") or ""), node_id)
        if node_type is None:
            return
        checked = check_config(node_type, raw.get("config") or {})
        for where, message in checked.errors:
            self._say(message, node=node_id, field=f"config.{where}" if where else "config")
        for where, message in checked.warnings:
            self._say(message, node=node_id, field=f"config.{where}", warning=True)
        self._by_id[node_id] = Node(
            index=len(self.nodes),
            id=node_id,
            title=str(raw.get("title") or node_id),
            type=node_type,
            template=checked.template,
            settings=checked.settings,
            ports=_ports(node_type, checked.settings),
            effect=_effect(node_type, checked.settings),
            retry=self._retry
            if self._retry and "retry" not in checked.settings.model_fields_set
            else checked.settings.retry,
            eager=_is_eager(node_type, checked.settings),
        )
        self.nodes.append(self._by_id[node_id])
        if any(len(port) > MAX_NAME for port in self._by_id[node_id].ports or ()):
            self._say(f"The name of a port has at most {MAX_NAME} characters.", node=node_id, field="config")

    def _type(self, name: str, node_id: str) -> NodeType | None:
        if name not in self._unknown_types:
            try:
                return self._registry.get(name)
            except UnknownNode as error:
                self._unknown_types[name] = error.message
        self._say(self._unknown_types[name], node=node_id, field="type", structural=True)
        return None

    def _add_edge(self, raw: Mapping[str, Any], seen: set[str]) -> None:
        edge_id = str(raw.get("id") or "")
        if not edge_id or edge_id in seen:
            what = "This id is used by two edges; ids must differ." if edge_id else "Every edge needs an id."
            self._say(what, edge=edge_id or "?", field="id", structural=True)
            return
        seen.add(edge_id)
        source = self._end(raw, "source_node_id", edge_id)
        target = self._end(raw, "target_node_id", edge_id)
        condition = self._condition(raw, edge_id)
        if source is None or target is None:
            return
        port = str(raw.get("source_port") or "")
        if port in ("", OUT, "output") and port not in (source.ports or ()):
            port = next(iter(source.ports)) if source.ports and len(source.ports) == 1 else OUT
        if source.ports is not None and port not in source.ports:
            self._say(
                f"'{source.id}' ({source.type.title}) has no output port '{port or OUT}'; it has "
                f"{', '.join(sorted(source.ports))}. Set source_port to one of them.",
                edge=edge_id,
                field="source_port",
            )
            return
        target_port = str(raw.get("target_port") or "")
        key = source.id if target_port in DEFAULT_TARGETS else target_port
        edge = Edge(edge_id, source.index, port, target.index, key, condition)
        source.outgoing.append(edge)
        target.incoming.append(edge)

    def _end(self, raw: Mapping[str, Any], name: str, edge_id: str) -> Node | None:
        node_id = str(raw.get(name) or "")
        node = self._by_id.get(node_id)
        if node is None and node_id not in self._known_ids:
            side = name.removesuffix("_node_id")
            hint = self._hint(node_id, "; did you mean '{}'?")
            self._say(
                f"The {side} '{node_id}' is not a node of this workflow{hint}",
                edge=edge_id,
                field=side,
                structural=True,
            )
        return node

    def _hint(self, node_id: str, sentence: str) -> str:
        near = nearest(node_id, self._known_ids)
        return sentence.format(near[0]) if near else ""

    def _condition(self, raw: Mapping[str, Any], edge_id: str) -> Expression | None:
        text = raw.get("condition")
        if not text:
            return None
        try:
            return compile_expression(str(text))
        except ExpressionProblem as error:
            self._say(error.message, edge=edge_id, field="condition")
            return None

    def _order(self) -> list[Node] | None:
        """Kahn's order, or None when there is a cycle (which is reported with its nodes)."""
        waiting = [len(node.incoming) for node in self.nodes]
        order = [node for node in self.nodes if not waiting[node.index]]
        for node in order:
            for edge in node.outgoing:
                waiting[edge.target] -= 1
                if not waiting[edge.target]:
                    order.append(self.nodes[edge.target])
        if len(order) == len(self.nodes):
            return order
        circle = self._circle({node.index for node in self.nodes if waiting[node.index]})
        named = circle if len(circle) <= _SHOWN else [*circle[: _SHOWN - 2], "…", circle[-1]]
        self._say(
            f"The nodes {' -> '.join(named)} form a circle; a workflow runs forward only. Remove one of these edges.",
            node=circle[0],
            structural=True,
        )
        return None

    def _circle(self, stuck: set[int]) -> list[str]:
        """One cycle among nodes that each have a predecessor in the set: walk backwards until a node repeats."""
        at = min(stuck)
        trail: list[int] = []
        place: dict[int, int] = {}
        while at not in place:
            place[at] = len(trail)
            trail.append(at)
            at = next(edge.source for edge in self.nodes[at].incoming if edge.source in stuck)
        loop = [*trail[place[at] :], at]
        return [self.nodes[index].id for index in reversed(loop)]

    def _check_references(self, order: Iterable[Node]) -> None:
        """`steps.x` must name a node that surely lies before the reader. Ancestors are bit sets: O(edges) words."""
        uses = [(node, *use) for node in self.nodes for use in self._references(node)]
        if not uses:
            return
        before = [0] * len(self.nodes)
        for node in order:
            for edge in node.incoming:
                before[node.index] |= before[edge.source] | 1 << edge.source
        for node, place, step_id, reach in uses:
            step = self._by_id.get(step_id)
            if step is None:
                hint = self._hint(step_id, "; did you mean steps.{}?")
                self._say(f"steps.{step_id}: there is no such node{hint}", node=node.id, field=place)
            elif not (before[node.index] | (1 << node.index if reach else 0)) >> step.index & 1:
                self._say(
                    f"steps.{step_id}: '{step_id}' does not run before '{node.id}', so its output cannot be known here. "
                    "Connect it upstream.",
                    node=node.id,
                    field=place,
                )

    def _references(self, node: Node) -> Iterable[tuple[str, str, bool]]:
        for path, expression in node.template.expressions:
            for step_id in expression.steps:
                yield f"config.{path}", step_id, False
        for edge in node.outgoing:
            for step_id in edge.condition.steps if edge.condition else ():
                yield f"edges.{edge.id}.condition", step_id, True
