"""Small definitions, node types in a registry of their own, and a run carried through in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel, Field, field_validator

from engine.graph import Graph, compile_graph
from engine.node import Bare, Done, Failed, Literal_, NodeConfig, Outcome, Step, node
from engine.perform import RunningStep, perform, prepare
from engine.registry import NodeRegistry
from engine.scheduler import Past, Run, Settled
from engine.testing import memory_ports

NOW = "2026-11-20T09:00:00Z"
ABOUT: dict[str, dict[str, Any]] = {"execution": {"id": "e1"}, "workflow": {"name": "W"}, "organization": {"name": "O"}}
REGISTRY = NodeRegistry()


class Say(NodeConfig):
    value: Any = None
    ports: list[str] = ["out"]
    port: str = "out"


class Break(NodeConfig):
    code: str = "rejected"


class Case(BaseModel):
    port: Literal_ = ""
    when: Bare = ""


class Form(NodeConfig):
    count: int = Field(description="How many.")
    title: str = ""
    markup: str = Field(default="", json_schema_extra={"x-escape": "html"})
    when: Bare | None = None
    cases: list[Case] = []
    secret: Literal_ = ""


class Vicious(NodeConfig):
    """A defect that is no validation error."""

    value: int = 0

    @field_validator("value")
    @classmethod
    def look(cls, value: int) -> int:
        if value == 13:
            raise KeyError("thirteen")
        return value


def _too_many(config: Form) -> list[tuple[str, str]]:
    return [("count", "More than nine is too many.")] if config.count > 9 else []


with patch("engine.node.NODES", REGISTRY):

    @node("say", title="Say", config=Say, outputs=lambda config: config.ports)
    def say(config: Say, step: Step) -> Outcome:
        """Hands on its value, else what arrived."""
        return Done(step.input if config.value is None else config.value, port=config.port)

    @node("gather", title="Gather", config=NodeConfig, gathers=True)
    def gather(config: NodeConfig, step: Step) -> Outcome:
        return Done(step.input)

    @node("break", title="Break", config=Break)
    def break_(config: Break, step: Step) -> Outcome:
        return Failed(config.code, "It broke.", {"why": "test"})

    @node("form", title="Form", config=Form, check=_too_many, aliases=("sheet",))
    def form(config: Form, step: Step) -> Outcome:
        return Done({"count": config.count, "title": config.title, "markup": config.markup})

    @node("vicious", title="Vicious", config=Vicious)
    def vicious(config: Vicious, step: Step) -> Outcome:
        return Done(config.value)


def definition(nodes: Mapping[str, Any] | Iterable[str], *edges: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    """`nodes` are ids (all of them `say`) or id to configuration, where `type` names another type.

    An edge is `a > b`, or `a.port > b`, or `a > b if input.x`; its id is `a-b`.
    """
    given = nodes if isinstance(nodes, Mapping) else {each: {} for each in nodes}
    return {
        "nodes": [
            {"id": name, "type": about.get("type", "say"), "config": {k: v for k, v in about.items() if k != "type"}}
            for name, about in given.items()
        ],
        "edges": [_edge(each) if isinstance(each, str) else each for each in edges],
        **more,
    }


def _edge(text: str) -> dict[str, Any]:
    ends, _, condition = text.partition(" if ")
    left, right = ends.split(" > ")
    source, _, port = left.partition(".")
    target, _, target_port = right.partition(".")
    return {
        "id": f"{source}-{target}",
        "source_node_id": source,
        "source_port": port,
        "target_node_id": target,
        "target_port": target_port,
        "condition": condition,
    }


def compiled(nodes: Mapping[str, Any] | Iterable[str], *edges: str | dict[str, Any], **more: Any) -> Graph:
    return compile_graph(definition(nodes, *edges, **more), REGISTRY)


def new_run(graph: Graph, inputs: Mapping[str, Any] | None = None, past: Iterable[Past] = ()) -> Run:
    return Run(graph, inputs or {}, {}, ABOUT, past)


def step_of(run: Run, node: Any, **more: Any) -> RunningStep:
    scope = run.scope(node, NOW)
    return RunningStep(
        **{"key": f"e1/{node.id}/0", "node_id": node.id, "attempt": 1, "timeout": 30.0, **more},
        scope=scope,
        ports=memory_ports(),
    )


@dataclass
class Played:
    """A run that was carried through, and what was recorded of it, in order."""

    run: Run
    records: list[Settled] = field(default_factory=list)

    @property
    def order(self) -> list[str]:
        return [each.node.id for each in self.records]

    @property
    def outputs(self) -> dict[str, Any]:
        return {each.node.id: each.output for each in self.records}


def play(run: Run) -> Played:
    played = Played(run)
    while (node := run.take()) is not None:
        step = step_of(run, node)
        config = prepare(node, step.scope)
        outcome = config if isinstance(config, Failed) else perform(node, config, step, max_output_bytes=1_000_000)
        played.records.append(run.settle(node, outcome, NOW))
    return played


def past_of(record: Settled) -> Past:
    failed = record.error is not None and not record.port
    return Past(record.node.id, record.output, record.port, record.taken, failed)
