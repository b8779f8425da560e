"""Whether what a test case claims holds of a trial, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.expression_tokens import Token, tokens_of
from engine.expressions import ExpressionError, ExpressionProblem, Scope, compile_expression
from executions.trials.running import Trial, TrialStep

Json = dict[str, Any]
_COMPARING = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_JOINING = frozenset({"&&", "||", "?", ":"})


@dataclass(frozen=True, slots=True)
class Checked:
    """An assertion held against a trial. `actual` is what stands left of the comparison, or the value itself."""

    assertion: Json
    passed: bool
    actual: Any = None
    problem: str = ""


def hold(assertions: list[Json], trial: Trial, given_input: Any) -> list[Checked]:
    """Each assertion against what a trial came to."""
    steps = {step.node.id: _step(step) for step in trial.steps}
    steps |= {node_id: _nothing("skipped") for node_id in trial.skipped}
    steps |= {node_id: _nothing("not_reached") for node_id in trial.unreached}
    about = {"output": trial.output, "error": trial.error, "status": trial.status}
    scope = Scope(input=given_input, inputs=about, steps=steps)
    return [_hold(each, scope) for each in assertions]


# -- inside ----------------------------------------------------------------------------------------------------------


def _hold(assertion: Json, scope: Scope) -> Checked:
    try:
        if "path" in assertion:
            actual = compile_expression(assertion["path"]).evaluate(scope)
            return Checked(assertion, equal(actual, assertion["equals"]), actual)
        value = compile_expression(assertion["expression"]).evaluate(scope)
    except (ExpressionError, ExpressionProblem) as error:
        return Checked(assertion, False, problem=error.message)
    if not isinstance(value, bool):
        return Checked(assertion, False, value, "The expression must be true or false; compare it with something.")
    return Checked(assertion, value, _left(assertion["expression"], value, scope))


def _left(source: str, value: bool, scope: Scope) -> Any:
    """What stands left of the one comparison that an expression is; of any other expression its value."""
    try:
        compared = _comparison(tokens_of(source))
        return value if compared is None else compile_expression(source[: compared.start]).evaluate(scope)
    except (ExpressionError, ExpressionProblem):
        return value


def _comparison(tokens: list[Token]) -> Token | None:
    depth = 0
    found: list[Token] = []
    for token in tokens:
        if token.kind == "text":
            continue
        depth += (token.text in "([{") - (token.text in ")]}")
        if not depth and token.text in _JOINING:
            return None
        if not depth and token.text in _COMPARING:
            found.append(token)
    return found[0] if len(found) == 1 else None


def equal(a: Any, b: Any) -> bool:
    """JSON's equality: 1 is 1.0, and true is not 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(value, b[name]) for name, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return isinstance(a, bool) is isinstance(b, bool) and bool(a == b)


def _step(step: TrialStep) -> Json:
    error = None if step.error is None else {"code": step.error.code, "message": step.error.message}
    return {
        "status": step.status,
        "input": step.input,
        "config": step.config,
        "output": step.output,
        "port": step.port,
        "source": step.source,
        "error": error,
    }


def _nothing(status: str) -> Json:
    return {"status": status, "input": None, "config": None, "output": None, "port": "", "source": None, "error": None}
