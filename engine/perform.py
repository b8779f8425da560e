"""Carries out one step: render its configuration, validate it, run the node, and check what came back.

Nothing escapes: whatever goes wrong becomes a `Failed` that says what and how to mend it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from engine.expressions import ExpressionError, ExpressionProblem, Scope, compile_expression, compile_template
from engine.graph import Node
from engine.node import Done, Failed, NodeConfig, Outcome
from engine.ports import PortFailure, Ports, Unknown

log = logging.getLogger(__name__)

MAX_NOTES = 100

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Note:
    """A line that a node wrote to the execution's log."""

    level: Level
    message: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class RunningStep:
    """The `engine.node.Step` that a node sees."""

    key: str
    node_id: str
    attempt: int
    timeout: float
    scope: Scope
    ports: Ports
    notes: list[Note] = field(default_factory=list)

    @property
    def now(self) -> str:
        return self.scope.now

    @property
    def input(self) -> Any:
        return self.scope.input

    @property
    def inputs(self) -> Mapping[str, Any]:
        return self.scope.inputs

    def evaluate(self, expression: str) -> Any:
        return compile_expression(expression).evaluate(self.scope)

    def render(self, template: str, data: Mapping[str, Any], escape: Callable[[str], str] | None = None) -> str:
        """`data` is what `inputs` and bare names mean; nothing else of the execution is visible."""
        text = compile_template(template).render(Scope(inputs=data, input=data, now=self.now), escape)
        return text if isinstance(text, str) else orjson.dumps(text).decode()

    def log(self, level: Level, message: str, **data: Any) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(Note(level, message, data))


def prepare(node: Node, scope: Scope) -> NodeConfig | Failed:
    """The rendered and validated configuration of a step."""
    try:
        rendered = node.template.render(scope)
    except ExpressionError as error:
        return Failed("expression", error.message, {"available": error.available} if error.available else {})
    try:
        return node.type.config.model_validate(rendered)
    except ValidationError as error:
        told = [
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors(include_url=False, include_input=False)
        ]
        return Failed("config", f"The settings of '{node.title}' do not fit once filled in: {'; '.join(told)}.")


def perform(node: Node, config: NodeConfig, step: RunningStep, *, max_output_bytes: int) -> Outcome:
    """Run the node. Every exception becomes a `Failed`."""
    return _checked(_call(node, lambda: node.type.run(config, step)), max_output_bytes)


def recover(node: Node, config: NodeConfig, step: RunningStep, *, max_output_bytes: int) -> Outcome:
    """Finish a step whose worker vanished between its intent and its result, without repeating its effect blindly.

    The node's own `lookup` asks the other side; where nobody can tell, the node's `on_unknown` decides.
    """
    lookup = node.type.lookup
    found: Outcome | None = Failed("unknown_outcome", "")
    if lookup is not None:
        found = _call(node, lambda: lookup(config, step))
        if found is None:
            return perform(node, config, step, max_output_bytes=max_output_bytes)
    if isinstance(found, Failed) and found.code == Unknown.code:
        if config.on_unknown == "retry":
            return perform(node, config, step, max_output_bytes=max_output_bytes)
        return Failed(
            Unknown.code,
            f"The worker stopped while '{node.title}' was under way, and nobody can tell whether it took effect. It was not "
            "repeated. Look for it at the other side, then run again from this step, or set on_unknown to retry.",
        )
    return _checked(found, max_output_bytes)


def _call(node: Node, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except PortFailure as error:
        return Failed(error.code, error.message, error.details)
    except (ExpressionError, ExpressionProblem) as error:
        return Failed("expression", error.message)
    except Exception as error:
        log.exception("The node type %s crashed.", node.type.name)
        return Failed("internal", f"The node '{node.title}' crashed ({type(error).__name__}). This is a defect of ours.")


def _checked(outcome: Any, max_output_bytes: int) -> Outcome:
    """An outcome whose output is JSON of a fair size, free of text that no database can keep."""
    if not isinstance(outcome, Done):
        return outcome if isinstance(outcome, Failed) else Failed("internal", "The node returned neither Done nor Failed.")
    try:
        encoded = orjson.dumps(outcome.output, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        return Failed("output", f"The step's output cannot be kept as JSON: {error}.")
    if len(encoded) > max_output_bytes:
        return Failed(
            "output",
            f"The step's output has {len(encoded):,} bytes; at most {max_output_bytes:,} are kept. Select what later steps need.",
        )
    return outcome if _plain(outcome.output) else replace(outcome, output=orjson.loads(encoded))


def _plain(value: Any) -> bool:
    """Whether a value is made of JSON's own types, so that later steps see the same before and after a crash."""
    if isinstance(value, dict):
        return all(type(key) is str and _plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or type(value) in (str, int, float, bool)
