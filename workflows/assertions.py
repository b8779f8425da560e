"""What a test case claims of a run: expressions over `output`, `steps`, `error`, `status`, `input`, or a path and its value.

    {"expression": "output.total > 100", "message": "Large deals only"}
    {"path": "steps.mail.config.to", "equals": "ann@example.com"}

`steps.<id>` is a map: status, input, config, output, port, source, error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auterity.kernel.errors import FieldProblem
from engine.expressions import ExpressionProblem, compile_expression

Json = dict[str, Any]
MAX_ASSERTIONS = 100
MAX_MESSAGE = 500  # characters
NAMES = frozenset({"output", "steps", "error", "status", "input"})


def read_assertions(given: Any) -> tuple[list[Json], list[FieldProblem]]:
    """Assertions as they are stored, and everything wrong with them. A bare text is an expression."""
    if not isinstance(given, list):
        return [], [FieldProblem("assertions", "This must be a list.")]
    if len(given) > MAX_ASSERTIONS:
        return [], [FieldProblem("assertions", f"A test case has at most {MAX_ASSERTIONS} assertions.")]
    problems: list[FieldProblem] = []
    read = [_read(each, f"assertions[{at}]", problems) for at, each in enumerate(given)]
    return read, problems


# -- inside ----------------------------------------------------------------------------------------------------------


def _read(given: Any, place: str, problems: list[FieldProblem]) -> Json:
    if isinstance(given, str):
        given = {"expression": given}
    if not isinstance(given, Mapping):
        problems.append(FieldProblem(place, "Write an expression, or a path and what it equals."))
        return {}
    message = given.get("message") or ""
    if not isinstance(message, str) or len(message) > MAX_MESSAGE:
        problems.append(FieldProblem(f"{place}.message", f"This is text of at most {MAX_MESSAGE} characters."))
        message = ""
    by_path = "path" in given
    if by_path == ("expression" in given) or (by_path and "equals" not in given):
        problems.append(FieldProblem(place, "Give either expression, or path together with equals."))
        return {}
    name = "path" if by_path else "expression"
    _check_source(given[name], f"{place}.{name}", problems)
    rest = {"equals": given["equals"]} if by_path else {}
    return {name: given[name], **rest, **({"message": message} if message else {})}


def _check_source(source: Any, place: str, problems: list[FieldProblem]) -> None:
    if not isinstance(source, str) or not source.strip():
        problems.append(FieldProblem(place, "Write an expression, such as output.total > 100.", "required"))
        return
    try:
        compiled = compile_expression(source)
    except ExpressionProblem as problem:
        problems.append(FieldProblem(place, problem.message))
        return
    unknown = sorted(compiled.roots - NAMES)
    if unknown:
        problems.append(
            FieldProblem(
                place, f"'{unknown[0]}' is not known here; an assertion reads output, steps, error, status, input."
            )
        )
