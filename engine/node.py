"""What a node type is: a pydantic `Config`, one `run` function, and a few facts about it.

A node type is one file in `nodes/`:

    class Config(NodeConfig):
        text: str

    @node("shout", title="Shout", config=Config)
    def run(config: Config, step: Step) -> Outcome:
        return Done({"text": config.text.upper()})

`config` arrives rendered: every `{{ }}` in it is already replaced, except in fields typed `Bare` (expressions the node
evaluates itself with `step.evaluate`) and `Literal_` (never a template).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from engine.ports import Ports, Usage
from engine.registry import NODES
from engine.waiting import Wait, Wake

OUT = "out"
ERROR = "error"

Bare = Annotated[str, Field(max_length=4096, json_schema_extra={"x-expression": True})]
"""A bare expression, such as `input.amount > 100`. Not rendered; the node evaluates it."""

Literal_ = Annotated[str, Field(json_schema_extra={"x-literal": True})]
"""Text that is never a template, such as a secret."""


class Effect(StrEnum):
    """What repeating a step after a crash would mean (RELIABILITY, "Effects, four kinds")."""

    PURE = "pure"  # recomputed freely; recorded at the next commit point
    KEYED = "keyed"  # carries the step's stable key; the other side absorbs a repeat
    REPEATABLE = "repeatable"  # not keyed, but a repeat harms nobody (an AI call costs twice)
    UNKEYED = "unkeyed"  # never repeated blindly: looked up, else `on_unknown` decides


MAX_RETRIES = 19


class Retry(BaseModel):
    """When a failed attempt is tried again. Back-off in seconds: `backoff_seconds * multiplier**n`, at most `max_seconds`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_attempts: int = Field(default=1, ge=1, le=1 + MAX_RETRIES)
    backoff_seconds: float = Field(default=1, ge=0, le=86_400)
    multiplier: float = Field(default=2, ge=1, le=10)
    max_seconds: float = Field(default=300, ge=0, le=604_800)
    jitter: bool = True
    on: list[Literal["timeout", "unavailable", "rejected", "unknown_outcome"]] = ["timeout", "unavailable"]


_ONCE = Retry()  # Shared, as nobody changes a policy: pydantic would copy a default deeply for every step.


class NodeConfig(BaseModel):
    """Base of every node's configuration: the settings that all nodes have (`schemas/node_configs.yaml`, "Every node")."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    retry: Retry = Field(default_factory=lambda: _ONCE)
    timeout_seconds: float | None = Field(default=None, gt=0, le=86_400)
    on_error: Literal["fail", "continue", "route"] = "fail"
    on_unknown: Literal["fail", "retry", "ask"] = "fail"
    output_schema: Annotated[dict[str, Any] | None, Field(json_schema_extra={"x-literal": True})] = None
    sensitive: list[str] = []


@dataclass(frozen=True, slots=True)
class Done:
    """The step succeeded. `port` is the port its execution leaves by.

    `receipt` is the name that the other side gave to what was done, such as a message id; `confirmed` is false where it only
    took the order (a mail that is queued).
    """

    output: Any
    port: str = OUT
    usage: Usage | None = None
    receipt: str = ""
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """The step failed. `code` is one of timeout, unavailable, rejected, unknown_outcome, expression, config, output, internal."""

    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


Outcome = Done | Failed | Wait


class Step(Protocol):
    """What a running node sees."""

    key: str  # stable idempotency key: execution/node/iteration
    node_id: str
    attempt: int  # counts from 1
    timeout: float  # seconds this attempt may take
    first: bool  # nothing comes before this node
    ports: Ports

    @property
    def now(self) -> str:
        """RFC 3339, fixed for the step: a retry sees the same moment."""
        ...

    @property
    def input(self) -> Any:
        """What arrives at this node."""
        ...

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The execution's inputs over the variables' defaults."""
        ...

    @property
    def context(self) -> Mapping[str, Any]:
        """The execution's context."""
        ...

    def evaluate(self, expression: str, **names: Any) -> Any:
        """The value of a bare expression, `names` over the inputs. Raises `engine.expressions.ExpressionError`."""
        ...

    def render(self, template: str, data: Mapping[str, Any], escape: Callable[[str], str] | None = None) -> str:
        """A text whose `{{ }}` read only `data`, each value passed through `escape`. Raises ExpressionError."""
        ...

    def log(self, level: Literal["debug", "info", "warning", "error"], message: str, **data: Any) -> None:
        """Add a line to the execution's log."""
        ...


_AnyConfig = TypeVar("_AnyConfig", bound=NodeConfig)
Run = Callable[[Any, Step], Outcome]
Resume = Callable[[Any, Step, Wake], Outcome]


@dataclass(frozen=True, slots=True)
class NodeType:
    """A registered node type. `outputs` names its ports, or reads them from a configuration that defines its own."""

    name: str
    title: str
    config: type[NodeConfig]
    run: Run
    effect: Effect
    summary: str
    outputs: Callable[[NodeConfig], Sequence[str]]
    trigger: bool
    aliases: tuple[str, ...]
    default_timeout: float
    check: Callable[[Any], list[tuple[str, str]]] | None
    lookup: Callable[[Any, Step], Outcome | None] | None
    gathers: bool
    resume: Resume | None = None
    eager: Callable[[Any], bool] | None = None
    narrows: Callable[[Any], Effect] | None = None
    starts_runs: bool = False
    asks_ai: bool = False
    sample: Callable[[Any], Any] | None = None

    def effect_of(self, config: NodeConfig) -> Effect:
        """What repeating this very step would mean: a configuration may do less than its type can."""
        return self.effect if self.narrows is None else self.narrows(config)

    @property
    def pure(self) -> bool:
        return self.effect is Effect.PURE


def node(
    name: str,
    *,
    title: str,
    config: type[_AnyConfig],
    effect: Effect = Effect.PURE,
    outputs: Sequence[str] | Callable[[_AnyConfig], Sequence[str]] = (OUT,),
    trigger: bool = False,
    aliases: tuple[str, ...] = (),
    default_timeout: float = 30.0,
    check: Callable[[_AnyConfig], list[tuple[str, str]]] | None = None,
    lookup: Callable[[_AnyConfig, Step], Outcome | None] | None = None,
    gathers: bool = False,
    resume: Callable[[_AnyConfig, Step, Wake], Outcome] | None = None,
    eager: Callable[[_AnyConfig], bool] | None = None,
    narrows: Callable[[_AnyConfig], Effect] | None = None,
    starts_runs: bool = False,
    asks_ai: bool = False,
    sample: Callable[[_AnyConfig], Any] | None = None,
) -> Callable[[Callable[[_AnyConfig, Step], Outcome]], Callable[[_AnyConfig, Step], Outcome]]:
    """Register a node type.

    `check` finds, at save time and again on the rendered values, problems that pydantic cannot: pairs of (field, message).
    `lookup` asks the other side after a crash whether the step took effect: the outcome if it did, None if it surely did
    not; it raises `Unknown` if nobody can tell. A node that `gathers` gets a map of what arrived, also when only one did; one
    that is `eager` for its configuration runs as soon as the first way arrives. A node that may wait has `resume`: it goes on
    with the same configuration and says anew what comes of it. `narrows` tells the effect of a configuration that does less
    than the type can, such as a query that only reads. It is asked of the filled-in configuration, and before that of one whose
    texts may still hold `{{ }}`: what it calls pure then must be so whatever they become.
    One that `asks_ai` is begun no faster than a person may ask models.
    `sample` makes up what a step would come to, for trying out without the outside: an output, or `Done` with a port.

    Raises `engine.registry.DuplicateNode` when the name or an alias is taken.
    """

    def register(run: Callable[[_AnyConfig, Step], Outcome]) -> Callable[[_AnyConfig, Step], Outcome]:
        ports: Callable[[Any], Sequence[str]] = outputs if callable(outputs) else lambda _config: tuple(outputs)
        NODES.add(
            NodeType(
                name=name,
                title=title,
                config=config,
                run=run,
                effect=effect,
                summary=(run.__doc__ or title).strip().splitlines()[0],
                outputs=ports,
                trigger=trigger,
                aliases=aliases,
                default_timeout=default_timeout,
                check=check,
                lookup=lookup,
                gathers=gathers,
                resume=resume,
                eager=eager,
                narrows=narrows,
                starts_runs=starts_runs,
                asks_ai=asks_ai,
                sample=sample,
            )
        )
        return run

    return register
