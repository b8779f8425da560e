"""Carries out one step: render its configuration, validate it, run the node, and check what came back.

Nothing escapes: whatever goes wrong becomes a `Failed` that says what and how to mend it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from engine.expressions import ExpressionError, ExpressionProblem, Scope, compile_expression, compile_template
from engine.graph import Node
from engine.node import Done, Failed, NodeConfig, NodeType, Outcome
from engine.output_schema import misfit
from engine.ports import PortFailure, Ports, Unknown
from engine.waiting import Question, Reason, Wait, Wake

log = logging.getLogger(__name__)

MAX_NOTES = 100
MAX_MESSAGE = 4000  # characters
MAX_WAIT = 10 * 366 * 86_400.0  # seconds

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
    first: bool = False
    held: Callable[[], bool] | None = (
        None  # whether the worker may still act for the execution; None: nobody can take it away
    )
    notes: list[Note] = field(default_factory=list)
    now: str = field(init=False)
    input: Any = field(init=False)
    inputs: Mapping[str, Any] = field(init=False)
    context: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.now, self.input, self.inputs = self.scope.now, self.scope.input, self.scope.inputs
        self.context = self.scope.context

    def evaluate(self, expression: str, **names: Any) -> Any:
        scope = self.scope.over(names) if names else self.scope
        return compile_expression(expression).evaluate(scope)

    def render(self, template: str, data: Mapping[str, Any], escape: Callable[[str], str] | None = None) -> str:
        """`data` is what `inputs` and bare names mean; nothing else of the execution is visible."""
        text = compile_template(template).render(Scope(inputs=data, input=data, now=self.now), escape)
        return text if isinstance(text, str) else orjson.dumps(text).decode()

    def log(self, level: Level, message: str, **data: Any) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(Note(level, message, data))


def prepare(node: Node, scope: Scope) -> NodeConfig | Failed:
    """The rendered and validated configuration of a step."""
    rendered = render(node, scope)
    return rendered if isinstance(rendered, Failed) else validate(node, rendered)


def render(node: Node, scope: Scope) -> dict[str, Any] | Failed:
    """The configuration with every template filled in."""
    try:
        return node.template.render(scope)
    except ExpressionError as error:
        return Failed("expression", error.message, {"available": error.available} if error.available else {})
    except Exception as error:
        return _defect(node, error)


def validate(node: Node, rendered: Mapping[str, Any]) -> NodeConfig | Failed:
    """A rendered configuration as the node's own type."""
    try:
        return check_rendered(node.type, node.title, rendered)
    except ValidationError as error:
        wrong = [
            (".".join(str(part) for part in each["loc"]), each["msg"].removeprefix("Value error, "))
            for each in error.errors(include_url=False, include_input=False)
        ]
        return _misfit(node.title, wrong)
    except Exception as error:
        return _defect(node, error)


def check_rendered(node_type: NodeType, title: str, rendered: Mapping[str, Any]) -> NodeConfig | Failed:
    """The configuration as the node's model, after the node's own `check`. Raises pydantic's `ValidationError`."""
    config = node_type.config.model_validate(dict(rendered))
    wrong = node_type.check(config) if node_type.check is not None else []
    return _misfit(title, wrong) if wrong else config


def _misfit(title: str, wrong: list[tuple[str, str]]) -> Failed:
    told = "; ".join(f"{field}: {message.rstrip('.')}" for field, message in wrong)
    return Failed("config", f"The settings of '{title}' do not fit once filled in: {told}.", {"fields": dict(wrong)})


class NoLongerHeld(Exception):
    """The worker was stopped so long that others may have taken the execution over: nothing was performed."""


def perform(node: Node, config: NodeConfig, step: RunningStep, *, max_output_bytes: int) -> Outcome:
    """Run the node. Every exception of it becomes a `Failed`. Raises `NoLongerHeld` instead of running it without a lease."""
    _claim_still_holds(step)
    outcome = _fitting(node, config, _checked(_call(node, lambda: node.type.run(config, step)), max_output_bytes))
    return _asked(node, outcome) if config.on_unknown == "ask" else outcome


def resume(node: Node, config: NodeConfig, step: RunningStep, wake: Wake, *, max_output_bytes: int) -> Outcome:
    """Go on with a step that waited. Every exception of it becomes a `Failed`. Raises `NoLongerHeld` as `perform` does."""
    _claim_still_holds(step)
    go_on = node.type.resume
    if go_on is None:
        return Failed(
            "internal", f"The node '{node.title}' waited, and its type cannot go on. This is a defect of ours."
        )
    return _fitting(node, config, _checked(_call(node, lambda: go_on(config, step, wake)), max_output_bytes))


def _claim_still_holds(step: RunningStep) -> None:
    if step.held is not None and not step.held():
        raise NoLongerHeld


def recover(node: Node, config: NodeConfig, step: RunningStep, *, max_output_bytes: int) -> Outcome:
    """Finish a step whose worker vanished between its intent and its result, without repeating its effect blindly.

    The node's own `lookup` asks the other side; where nobody can tell, the node's `on_unknown` decides.
    """
    found = _look_up(node, config, step)
    if found is None:
        return perform(node, config, step, max_output_bytes=max_output_bytes)
    if isinstance(found, Failed) and found.code == Unknown.code:
        if config.on_unknown == "retry":
            return perform(node, config, step, max_output_bytes=max_output_bytes)
        left = Failed(
            Unknown.code,
            f"The worker stopped while '{node.title}' was under way, and nobody can tell whether it took effect. It was not "
            "repeated. Look for it at the other side, say what you found, then run again from this step; or set on_unknown "
            "to ask or retry.",
        )
        return _asked(node, left) if config.on_unknown == "ask" else left
    return _fitting(node, config, _checked(found, max_output_bytes))


def _asked(node: Node, outcome: Outcome) -> Outcome:
    """A failure that leaves open whether something happened becomes a question to people."""
    if not isinstance(outcome, Failed) or outcome.code != Unknown.code:
        return outcome
    question = Question(
        title=f"Did '{node.title}' take effect?",
        message=f"{outcome.message} Look at the other side, then say whether it happened.",
        roles=("manager", "admin"),
    )
    return Wait(Reason.SETTLE, question=question)


def _look_up(node: Node, config: NodeConfig, step: RunningStep) -> Outcome | None:
    """What the other side knows. A look-up that cannot be made, for whatever reason, leaves it unknown."""
    unknown = Failed(Unknown.code, "")
    if node.type.lookup is None:
        return unknown
    try:
        return node.type.lookup(config, step)
    except PortFailure as error:
        step.log("warning", f"Nobody could be asked what became of it: {error.message}")
    except Exception:
        log.exception("The look-up of the node type %s crashed.", node.type.name)
    return unknown


def _call(node: Node, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except PortFailure as error:
        return Failed(error.code, error.message, error.details)
    except (ExpressionError, ExpressionProblem) as error:
        return Failed("expression", error.message)
    except (Exception, SystemExit) as error:
        return _defect(node, error)


def _defect(node: Node, error: BaseException) -> Failed:
    log.error("The node type %s crashed.", node.type.name, exc_info=error)
    return Failed("internal", f"The node '{node.title}' crashed ({type(error).__name__}). This is a defect of ours.")


def _checked(outcome: Any, max_output_bytes: int) -> Outcome:
    """An outcome whose output is JSON of a fair size, free of text that no database can keep."""
    if isinstance(outcome, Failed):
        return _told(outcome, max_output_bytes)
    if isinstance(outcome, Wait):
        return _patient(outcome)
    if not isinstance(outcome, Done):
        return Failed("internal", "The node returned neither Done nor Failed nor Wait.")
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


def _fitting(node: Node, config: NodeConfig, outcome: Outcome) -> Outcome:
    """A done step whose output has the shape that its configuration promises."""
    if config.output_schema is None or not isinstance(outcome, Done):
        return outcome
    wrong = misfit(config.output_schema, outcome.output)
    if wrong is None:
        return outcome
    return Failed("output", f"The output of '{node.title}' does not fit its output_schema. {wrong}.", {"schema": wrong})


def _patient(wait: Wait) -> Outcome:
    """A wait whose state can be kept and whose time can be reckoned with."""
    try:
        orjson.dumps(wait.state)
    except TypeError as error:
        return Failed("internal", f"What the step remembers while it waits cannot be kept as JSON: {error}.")
    if wait.seconds is None:
        return wait
    return (
        replace(wait, seconds=min(max(0.0, wait.seconds), MAX_WAIT))
        if isfinite(wait.seconds)
        else replace(wait, seconds=None)
    )


def _told(failure: Failed, max_output_bytes: int) -> Failed:
    """A failure whose sentence and details can be kept: with `on_error` they become the step's output."""
    message = failure.message.encode("utf-8", "replace").decode()[:MAX_MESSAGE]
    try:
        encoded = orjson.dumps(dict(failure.details), option=orjson.OPT_NON_STR_KEYS, default=str)
    except TypeError:
        encoded = b"{}"
    return Failed(failure.code, message, orjson.loads(encoded) if len(encoded) <= max_output_bytes else {})


def _plain(value: Any) -> bool:
    """Whether a value is made of JSON's own types, so that later steps see the same before and after a crash."""
    if isinstance(value, dict):
        return all(type(key) is str and _plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    if type(value) is float:
        return isfinite(value)
    return value is None or type(value) in (str, int, bool)
