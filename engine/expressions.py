"""The one language of conditions, `{{ }}` and transformations: CEL (DEPENDENCIES, "Expressions").

    compile_expression("input.amount > 100").evaluate(Scope(input={"amount": 250}))      True
    compile_template("Dear {{ customer.name }}").render(Scope(inputs={"customer": {"name": "Ada"}}))

What a name means is said by `Scope`; the functions are in `FUNCTIONS`. An expression cannot reach a Python object, and
is bounded: 4 KiB of source, 8 MiB of result; what loops or could grow large runs in a guarded child (`sandbox.py`).
Two whole numbers divided give a whole number, as CEL has it. Text that came from data is never read as an expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.expression_cel import CompileFailed, EvaluationFailed, Program, compile_cel, evaluate
from engine.expression_errors import ExpressionError, ExpressionProblem
from engine.expression_functions import FUNCTIONS
from engine.expression_reader import read
from engine.expression_reading import Reading, Reference
from engine.expression_scope import MISSING, Missing, Scope, absent, find
from engine.expression_tokens import MAX_SOURCE, OPEN, split
from engine.expression_values import MAX_BYTES, BadValue, Measure, as_text
from engine.expression_vocabulary import FIXED
from engine.expression_wording import compile_problem, evaluation_error
from engine.sandbox import SANDBOX, SandboxStopped

__all__ = [
    "FUNCTIONS",
    "MISSING",
    "Expression",
    "ExpressionError",
    "ExpressionProblem",
    "Missing",
    "Scope",
    "Template",
    "compile_expression",
    "compile_template",
    "contains_template",
]

IN_PROCESS_BYTES = 32 * 1024 * 1024  # what an evaluation may handle before it goes to the guarded child
MATCHED_BYTES = 8 * 1024  # the same for text that meets a regular expression
MAX_DEPTH = 64  # of a template's maps and lists

_STOPPED = {
    "time": "The expression takes too long: it loops over or builds too much; use smaller values, or a map step.",
    "memory": "The expression needs too much memory.",
    "size": "The values that the expression reads are too large to work with.",
    "lost": "The expression could not be evaluated now; its process was ended from outside.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression; safe to share between threads.

    `roots` are the names it reads, `steps` the node ids it names, `bare` the roots that are inputs (`customer_email`).
    """

    source: str
    roots: frozenset[str]
    steps: frozenset[str]
    bare: frozenset[str]
    _reading: Reading
    _program: Program
    _references: tuple[tuple[str, Reference], ...]
    _uses: int  # of the reference written most often

    def evaluate(self, scope: Scope) -> Any:
        """The value as JSON: timestamps are RFC 3339 text with `Z`, durations seconds. Raises `ExpressionError`."""
        if self._reading.whole is not None:
            return self._whole(self._reading.whole, scope)
        data, size = self._data(scope)
        try:
            if self._reading.looping or self._cost(size) > IN_PROCESS_BYTES:
                return SANDBOX.evaluate(self._reading.text, data)
            return evaluate(self._program, data)
        except EvaluationFailed as failure:
            raise self._error(str(failure), scope) from None
        except SandboxStopped as stop:
            raise ExpressionError(_STOPPED[stop.reason], self.source) from None

    def _whole(self, reference: Reference, scope: Scope) -> Any:
        value = find(reference, scope)
        if value is MISSING:
            raise absent(reference, scope, self.source)
        return self._plain(reference, value, Measure(MAX_BYTES))

    def _data(self, scope: Scope) -> tuple[dict[str, Any], int]:
        """What the variables mean, and how many bytes it is. An absent one is left out: only reading it is an error."""
        data: dict[str, Any] = {}
        measure = Measure(limit=4 * MAX_BYTES)
        for name, reference in self._references:
            value = find(reference, scope)
            if reference.mode == "has":
                data[name] = value is not MISSING
            elif value is not MISSING:
                data[name] = self._plain(reference, value, measure)
            elif reference.mode == "peek":
                data[name] = None
        return data, measure.size

    def _plain(self, reference: Reference, value: Any, measure: Measure) -> Any:
        try:
            return measure.plain(value)
        except BadValue as error:
            raise ExpressionError(f"{reference.label} holds {error}.", self.source) from None

    def _cost(self, size: int) -> int:
        """Bytes handled, at worst: each use copies, a chain of `+` again and again, another operator reads once."""
        reading = self._reading
        if reading.matches and (reading.hard or reading.growing or size * reading.matches > MATCHED_BYTES):
            return IN_PROCESS_BYTES + 1
        return size * (max(self._uses, (1 + reading.joins) ** 2) + reading.scans)

    def _error(self, raw: str, scope: Scope) -> ExpressionError:
        for name, reference in self._references:
            if f'"{name}"' in raw and "No value with name" in raw:
                return absent(reference, scope, self.source)
        return ExpressionError(evaluation_error(raw, self._reading), self.source)


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """Compile a bare expression, or one with `{{ }}` around the whole. Raises `ExpressionProblem`."""
    inner, offset = _bare(source)
    try:
        return _compile(inner)
    except ExpressionProblem as problem:
        place = None if problem.position is None else problem.position + offset
        raise ExpressionProblem(problem.message, source, place) from None


def _bare(source: str) -> tuple[str, int]:
    """The source without `{{ }}`, and how many characters went before it."""
    lead = len(source) - len(source.lstrip())
    if len(source) > 2 * MAX_SOURCE or not source.startswith(OPEN, lead):
        return source, 0
    parts = split(source.strip())
    if len(parts) != 1 or isinstance(parts[0], str):
        raise ExpressionProblem("A condition is one expression; text and {{ }} cannot be mixed here.", source, lead)
    return parts[0][0], parts[0][1] + lead


def _compile(source: str) -> Expression:
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        raise ExpressionProblem("There is a broken character here.", source, error.start) from None
    if size > MAX_SOURCE:
        raise ExpressionProblem(f"An expression is at most {MAX_SOURCE} bytes long; this has {size}.", source, 0)
    reading = read(source)
    try:
        program = compile_cel(reading.text, reading.looping)
    except CompileFailed as failure:
        raise ExpressionProblem(*_placed(compile_problem(str(failure), reading, len(source)), source)) from None
    references = tuple((name, reference) for reference, name in reading.references.items())
    roots = frozenset(reference.root for _, reference in references)
    steps = frozenset(str(reference.segments[0]) for _, reference in references if reference.root == "steps")
    uses = max(reading.uses.values(), default=0)
    return Expression(source, roots, steps, roots - FIXED, reading, program, references, uses)


def _placed(problem: tuple[str, int | None], source: str) -> tuple[str, str, int | None]:
    return problem[0], source, problem[1]


# Templates

_Part = str | Expression


@dataclass(frozen=True, slots=True)
class _Text:
    """A string with expressions in it, at `path` of the template."""

    path: str
    parts: tuple[_Part, ...]

    def render(self, scope: Scope, escape: Callable[[str], str] | None) -> Any:
        try:
            if len(self.parts) == 1 and escape is None and isinstance(self.parts[0], Expression):
                return self.parts[0].evaluate(scope)
            return self._joined(scope, escape)
        except ExpressionError as error:
            error.path = self.path
            raise

    def _joined(self, scope: Scope, escape: Callable[[str], str] | None) -> str:
        texts: list[str] = []
        size = 0
        for part in self.parts:
            text = part if isinstance(part, str) else as_text(part.evaluate(scope))
            text = escape(text) if escape and not isinstance(part, str) else text
            size += len(text)
            if size > MAX_BYTES:
                raise ExpressionError(f"The text becomes larger than {MAX_BYTES // (1024 * 1024)} MiB.")
            texts.append(text)
        return "".join(texts)


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON value whose strings may hold `{{ expr }}`. `expressions` are pairs of path and expression, in order."""

    expressions: list[tuple[str, Expression]]
    literal: bool
    _value: Any

    def render(self, scope: Scope, escape: Callable[[str], str] | None = None) -> Any:
        """The value with every expression replaced. Raises `ExpressionError` with the `path`.

        A string that is exactly one `{{ expr }}` keeps the value's type. With `escape` everything becomes text, and
        each interpolated text passes through it; the template's own text does not.
        """
        return self._value if self.literal else _rendered(self._value, scope, escape)


def _rendered(value: Any, scope: Scope, escape: Callable[[str], str] | None) -> Any:
    if isinstance(value, _Text):
        return value.render(scope, escape)
    if isinstance(value, dict):
        return {key: _rendered(each, scope, escape) for key, each in value.items()}
    if isinstance(value, list):
        return [_rendered(each, scope, escape) for each in value]
    return value


def compile_template(value: Any) -> Template:
    """Compile a JSON value. Raises `ExpressionProblem` with the `path` of the string and the position in it."""
    if not contains_template(value):
        return Template([], True, value)
    expressions: list[tuple[str, Expression]] = []
    compiled = _walked(value, "", expressions, 0)
    return Template(expressions, not expressions, compiled)


def _walked(value: Any, path: str, found: list[tuple[str, Expression]], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ExpressionProblem(f"Maps and lists are nested more than {MAX_DEPTH} deep.", path=path)
    if isinstance(value, str):
        return _text(value, path, found) if OPEN in value else value
    if isinstance(value, dict):
        return {
            key: _walked(each, f"{path}.{key}" if path else str(key), found, depth + 1) for key, each in value.items()
        }
    if isinstance(value, list):
        return [_walked(each, f"{path}[{index}]", found, depth + 1) for index, each in enumerate(value)]
    return value


def _text(text: str, path: str, found: list[tuple[str, Expression]]) -> _Text:
    parts: list[_Part] = []
    try:
        for part in split(text):
            parts.append(part if isinstance(part, str) else _part(text, *part))
    except ExpressionProblem as problem:
        raise ExpressionProblem(problem.message, text, problem.position, path) from None
    found += [(path, part) for part in parts if isinstance(part, Expression)]
    return _Text(path, tuple(parts))


def _part(text: str, source: str, offset: int) -> Expression:
    try:
        return compile_expression(source)
    except ExpressionProblem as problem:
        place = None if problem.position is None else problem.position + offset
        raise ExpressionProblem(problem.message, text, place) from None


def contains_template(value: Any) -> bool:
    """Whether any string in a JSON value has a `{{`."""
    if isinstance(value, str):
        return OPEN in value
    if isinstance(value, dict):
        return any(map(contains_template, value.values()))
    return isinstance(value, list) and any(map(contains_template, value))
