"""A whole run in memory with nothing done outside: what each step would get, send and come to.

The engine is the real one. Pure nodes run; a node with an effect is prepared up to the moment of its effect and then stands in:
by a pin, a mock, or a sample of its declared shape. Nothing is stored and nothing is connected to.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NoReturn

import orjson

from engine.graph import Graph, Node
from engine.node import OUT, Done, Effect, Failed, NodeConfig
from engine.perform import Note, RunningStep, perform, render, validate
from engine.ports import Ports, Rejected
from engine.samples import of_schema
from engine.scheduler import Run, Settled
from executions.lines import kept, masked
from workflows.plans import public_forms
from workflows.secrets import shown_config

Json = dict[str, Any]
Source = Literal["ran", "pinned", "mocked", "sampled"]
NOBODY = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a trial may take: seconds, steps, bytes of one output, of all outputs together, and of what is shown."""

    seconds: float = 10.0
    steps: int = 10_000
    output_bytes: int = 1024 * 1024
    total_bytes: int = 32 * 1024 * 1024
    shown_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Given:
    """What a trial starts from. `pinned` maps a node's id to its output, `mocks` to the outcome it is given."""

    inputs: Mapping[str, Any]
    context: Mapping[str, Any] = field(default_factory=dict)
    pinned: Mapping[str, Any] = field(default_factory=dict)
    mocks: Mapping[str, Done | Failed] = field(default_factory=dict)


@dataclass(slots=True)
class TrialStep:
    """One step. `config` is what would be sent, filled in and without secrets; `taken` the ids of the edges it left by."""

    node: Node
    input: Any
    config: Json | None
    source: Source
    status: Literal["completed", "failed"] = "completed"
    output: Any = None
    port: str = ""
    taken: tuple[str, ...] = ()
    error: Failed | None = None
    notes: list[Note] = field(default_factory=list)


@dataclass(slots=True)
class Trial:
    """`skipped` are nodes that no taken edge led to, `unreached` those left when the run failed or met a bound."""

    status: Literal["completed", "failed"]
    steps: list[TrialStep]
    skipped: list[str]
    unreached: list[str]
    output: Any = None
    error: Json | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0


class _Closed:
    """A port of the outside world as a trial sees it. A pure node has no business here."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, action: str) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> NoReturn:
            raise Rejected(f"A trial run reaches nothing outside; {self._name}.{action} was not called.")

        return refuse


def closed_ports() -> Ports:
    """Every port there is, shut."""
    doors: dict[str, Any] = {each.name: _Closed(each.name) for each in fields(Ports)}
    return Ports(**doors)


def try_out(graph: Graph, given: Given, *, about: Mapping[str, Any], bounds: Bounds = Bounds()) -> Trial:
    """Run the graph to its end, in the order the engine gives. Never raises for what a workflow does."""
    trial = _Trial(graph, given, about, bounds)
    return trial.run()


def sample_links(graph: Graph) -> Json:
    """`execution.links` as expressions read it, where there is no execution whose forms could be filled in."""
    links = {each: f"https://example.com/answer/{each}" for each in public_forms(graph)}
    return {"links": links} if links else {}


class _Trial:
    def __init__(self, graph: Graph, given: Given, about: Mapping[str, Any], bounds: Bounds) -> None:
        self._given = given
        self._bounds = bounds
        self._run = Run(
            graph, given.inputs, given.context, {"execution": {"id": NOBODY, **sample_links(graph)}, **about}
        )
        self._ports = closed_ports()
        self._now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._steps: list[TrialStep] = []
        self._warnings: list[str] = [each.message for each in graph.warnings]
        self._begun = time.monotonic()
        self._bytes = 0

    def run(self) -> Trial:
        stopped: Failed | None = None
        while stopped is None and (node := self._run.take()) is not None:
            stopped = self._over()
            if stopped is None:
                self._steps.append(self._step(node))
        return self._ended(stopped)

    def _over(self) -> Failed | None:
        bounds = self._bounds
        if len(self._steps) >= bounds.steps:
            return Failed("limit", f"A trial takes at most {bounds.steps:,} steps.")
        if time.monotonic() - self._begun > bounds.seconds:
            return Failed("timeout", f"A trial takes at most {bounds.seconds:g} seconds.")
        if self._bytes > bounds.total_bytes:
            return Failed("limit", f"The steps of a trial may put out {bounds.total_bytes:,} bytes together.")
        return None

    def _step(self, node: Node) -> TrialStep:
        scope = self._run.scope(node, self._now)
        step = TrialStep(node, scope.input, None, "ran")
        outcome = self._outcome(node, step, scope)
        settled = self._run.settle(node, outcome, self._now)
        step.output, step.port, step.error = settled.output, settled.port, settled.error
        step.status = "completed" if settled.error is None else "failed"
        step.taken = _taken(node, settled)
        self._bytes += len(orjson.dumps(settled.output, default=str))
        return step

    def _outcome(self, node: Node, step: TrialStep, scope: Any) -> Done | Failed:
        if node.id in self._given.pinned:
            step.source = "pinned"
            return Done(self._given.pinned[node.id], port=only_port(node))
        rendered = render(node, scope)
        if isinstance(rendered, Failed):
            return self._mock(node, step) or rendered
        step.config = shown(node, rendered)
        if (mock := self._mock(node, step)) is not None:
            return mock
        config = validate(node, rendered)
        if isinstance(config, Failed):
            return config
        if only_computes(node, config):
            key, seconds, first = f"{NOBODY}/{node.id}/0", self._bounds.seconds, not node.incoming
            running = RunningStep(key, node.id, 1, seconds, scope, self._ports, first=first)
            outcome: Any = perform(node, config, running, max_output_bytes=self._bounds.output_bytes)
            step.notes = running.notes
            if isinstance(outcome, Done | Failed):
                return outcome
        step.source = "sampled"
        return sampled(node, config, self._warnings)

    def _mock(self, node: Node, step: TrialStep) -> Done | Failed | None:
        mock = self._given.mocks.get(node.id)
        if mock is not None:
            step.source = "mocked"
        return mock

    def _ended(self, stopped: Failed | None) -> Trial:
        failure = self._run.failure
        met = {step.node.id for step in self._steps}
        skipped = self._run.skipped()
        settled = met | set(skipped)
        error: Json | None = None
        if failure is not None:
            error = {"node_id": failure[0].id, "code": failure[1].code, "message": failure[1].message}
        elif stopped is not None:
            error = {"node_id": None, "code": stopped.code, "message": stopped.message}
        return Trial(
            status="completed" if error is None else "failed",
            steps=self._steps,
            skipped=skipped,
            unreached=[each.id for each in self._run.graph.nodes if each.id not in settled],
            output=self._run.result() if error is None else None,
            error=error,
            warnings=self._warnings,
            seconds=round(time.monotonic() - self._begun, 3),
        )


def only_computes(node: Node, config: NodeConfig) -> bool:
    """Whether a step touches nothing outside: as its configuration says before it is filled in, and after."""
    return node.effect is Effect.PURE and node.type.effect_of(config) is Effect.PURE


def sampled(node: Node, config: NodeConfig, warnings: list[str]) -> Done | Failed:
    """What a step would come to, made up: by the shape its settings declare, else by its type."""
    if config.output_schema is not None:
        return Done(of_schema(config.output_schema), port=only_port(node))
    if node.type.sample is None:
        warnings.append(
            f"'{node.title}' ({node.type.name}) has no sample output, so it put out an empty map; pin or mock what it "
            "would put out."
        )
        return Done({}, port=only_port(node))
    made = node.type.sample(config)
    return made if isinstance(made, Done | Failed) else Done(made, port=only_port(node))


def only_port(node: Node) -> str:
    """The port that a made-up output leaves by: the usual one, else the first that the node has."""
    if not isinstance(node.settings, node.type.config):
        return OUT
    ports = list(node.type.outputs(node.settings))
    return OUT if OUT in ports or not ports else ports[0]


def shown(node: Node, rendered: Mapping[str, Any]) -> Json:
    """A filled-in configuration as people may see it."""
    return masked(shown_config(node.type.name, rendered), node.settings.sensitive)


def _taken(node: Node, settled: Settled) -> tuple[str, ...]:
    if settled.taken is not None:
        return settled.taken
    return tuple(edge.id for edge in node.outgoing if settled.port and edge.source_port == settled.port)


class Shown:
    """Cuts what a trial shows to a size that a page can hold."""

    def __init__(self, allowance: int) -> None:
        self._left = allowance

    def __call__(self, value: Any) -> Any:
        """The value, or how large it is where it is too large by itself or with what was shown before."""
        size = len(orjson.dumps(value, default=str))
        self._left -= size
        return kept(value) if self._left >= 0 else {"omitted": f"{size:,} bytes"}
