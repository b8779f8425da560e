"""The CEL engine as we set it up: which operators and functions there are, compiling, evaluating.

It sees only rewritten expressions (`expression_reader.py`): every reference is a variable `v__0`, `v__1` … and every
function of ours is `f__name([arguments])`, because `cel-expr-python` matches no value to a parameter of type dyn, but
any list to one of type list.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from cel_expr_python import cel
from cel_expr_python.ext import ext_math

from engine import expression_functions as functions
from engine import expression_text as texts
from engine.expression_arguments import start_allowance
from engine.expression_collections import reverse
from engine.expression_values import MAX_BYTES, BadValue, Measure

MAX_REFERENCES = 200
VARIABLE, FUNCTION = "v__", "f__"
TAUGHT = "auterity:"  # starts a message of ours, which is already worded

Program: TypeAlias = Any  # cel.Expression; the package is not typed
CelType: TypeAlias = Any

Type, Overload, Decl = cel.Type, cel.Overload, cel.FunctionDecl
_SCALARS = (bool, int, float, str, type(None))


class CompileFailed(Exception):
    """CEL's own words."""


class EvaluationFailed(Exception):
    """CEL's own words, such as `NOT_FOUND: Key not found in map : "zz"`, or ours after `auterity:`."""


def compile_cel(text: str, looping: bool) -> Program:
    """Compile a rewritten expression; `looping` allows the macros. Raises `CompileFailed`."""
    try:
        return _environment(looping).compile(text)
    except RuntimeError as error:
        if "'_?_:_'" not in str(error):
            raise CompileFailed(str(error)) from None
    try:  # Unlike CEL, JSON lets the two sides of a condition differ, as in `x ? "a" : null`.
        return _environment(looping).compile(text, disable_check=True)
    except RuntimeError as error:
        raise CompileFailed(str(error)) from None


def evaluate(program: Program, data: dict[str, Any]) -> Any:
    """The value as plain JSON, at most 8 MiB. `data` must be plain JSON already. Raises `EvaluationFailed`."""
    start_allowance()
    try:
        value = program.eval(data=data)
        if value.type() == Type.ERROR:
            raise EvaluationFailed(str(value.value()))
        plain = value.plain_value()
    except RuntimeError as error:
        raise EvaluationFailed(str(error)) from None
    if type(plain) is bool:
        return plain
    try:
        return Measure(MAX_BYTES, ordered=True).plain(plain)
    except BadValue as error:
        raise EvaluationFailed(f"{TAUGHT}The result is {error}.") from None


@lru_cache(maxsize=2)
def _environment(looping: bool) -> Any:
    excluded = "".join(f"  - name: '{name}'\n" for name in _OPERATORS)
    macros = "false" if looping else "true"
    config = f"stdlib:\n  disable_macros: {macros}\n  exclude_functions:\n{excluded}"
    return cel.NewEnv(
        config=cel.NewEnvConfigFromYaml(config),
        variables={f"{VARIABLE}{index}": Type.DYN for index in range(MAX_REFERENCES)},
        extensions=[ext_math.ExtMath()],
        functions=[*_operators(), *_functions(), *_methods()],
    )


# Operators: CEL's own, declared again, so that mixed numbers and comparisons of different kinds are possible too.
# An overload without implementation keeps the engine's native one.

_NUMBERS = (Type.INT, Type.UINT, Type.DOUBLE)
_T, _D = Type.TIMESTAMP, Type.DURATION
_Row = tuple[CelType, CelType, CelType]  # left, right, result

_SAME: list[_Row] = [(each, each, each) for each in _NUMBERS]
_ORDER: list[_Row] = [
    *((left, right, Type.BOOL) for left in _NUMBERS for right in _NUMBERS),
    *((each, each, Type.BOOL) for each in (Type.STRING, Type.BOOL, Type.BYTES, _T, _D)),
]
_OPERATORS: dict[str, list[_Row]] = {
    "_+_": [
        *_SAME,
        *((each, each, each) for each in (Type.STRING, Type.BYTES, Type.LIST)),
        (_D, _D, _D),
        (_D, _T, _T),
        (_T, _D, _T),
    ],
    "_-_": [*_SAME, (_D, _D, _D), (_T, _D, _T), (_T, _T, _D)],
    "_*_": _SAME,
    "_/_": _SAME,
    "_%_": _SAME[:2],
    "_==_": [(Type.DYN, Type.DYN, Type.BOOL)],
    "_!=_": [(Type.DYN, Type.DYN, Type.BOOL)],
    "_<_": _ORDER,
    "_<=_": _ORDER,
    "_>_": _ORDER,
    "_>=_": _ORDER,
    "@in": [(Type.DYN, Type.LIST, Type.BOOL), (Type.DYN, Type.MAP, Type.BOOL)],
}


def _remainder(a: float, b: float) -> float:
    if b == 0:
        raise ValueError(f"{TAUGHT}Nothing can be divided by zero.")
    return a - b * int(a / b)


_MIXED: dict[str, Callable[[Any, Any], Any]] = {
    "_+_": operator.add,
    "_-_": operator.sub,
    "_*_": operator.mul,
    "_/_": operator.truediv,
    "_%_": _remainder,
}


def _mixed(how: Callable[[Any, Any], Any]) -> Callable[[Any, Any], float]:
    def compute(a: Any, b: Any) -> float:
        try:
            return float(how(float(a), float(b)))
        except ZeroDivisionError:
            raise ValueError(f"{TAUGHT}Nothing can be divided by zero.") from None
        except OverflowError:
            raise ValueError(f"{TAUGHT}The number becomes too large.") from None

    return compute


def _operators() -> Iterator[Any]:
    for name, rows in _OPERATORS.items():
        native = [Overload(f"{name}{index}", result, [left, right]) for index, (left, right, result) in enumerate(rows)]
        yield Decl(name, [*native, *_mixed_overloads(name)])


def _mixed_overloads(name: str) -> Iterator[Any]:
    if name not in _MIXED:
        return
    pairs = [(Type.INT, Type.DOUBLE), (Type.DOUBLE, Type.INT)]
    if name == "_%_":
        pairs.append((Type.DOUBLE, Type.DOUBLE))
    for left, right in pairs:
        yield Overload(f"{name}{left.name()}_{right.name()}", Type.DOUBLE, [left, right], False, _mixed(_MIXED[name]))


# Functions and methods


def _taught(name: str, run: functions.Call) -> functions.Call:
    """The function as CEL may call it: any failure a sentence of ours, any result plain JSON."""
    named = "The loop" if name in ("chunks", "flat") else f"{name}()"

    def call(*arguments: Any) -> Any:
        try:
            result = run(*arguments)
            return result if type(result) in _SCALARS else Measure().plain(result)
        except BadValue as error:
            raise ValueError(f"{TAUGHT}{named} has {error}.") from None
        except ValueError as error:
            raise ValueError(f"{TAUGHT}{named}: {error}.") from None
        except (TypeError, OverflowError, RecursionError, ArithmeticError):
            raise ValueError(f"{TAUGHT}{named} cannot use these values.") from None
        except MemoryError:
            raise ValueError(f"{TAUGHT}{named} needs too much memory.") from None

    return call


def _spread(run: functions.Call) -> functions.Call:
    return lambda arguments: run(*arguments)


def _functions() -> Iterator[Any]:
    table = {name: each.run for name, each in functions.TABLE.items()} | functions.HIDDEN
    for name, run in table.items():
        inner = f"{FUNCTION}{name}"
        result = Type.LIST if name == "chunks" else Type.DYN
        yield Decl(inner, [Overload(inner, result, [Type.LIST], False, _spread(_taught(name, run)))])


_S, _I, _L = Type.STRING, Type.INT, Type.LIST
METHODS: dict[str, tuple[functions.Call, CelType, list[list[CelType]]]] = {
    "charAt": (texts.char_at, _S, [[_S, _I]]),
    "format": (texts.format_text, _S, [[_S, _L]]),
    "indexOf": (lambda s, part, *at: s.find(part, *at), _I, [[_S, _S], [_S, _S, _I]]),
    "join": (texts.join, _S, [[_L], [_L, _S]]),
    "lastIndexOf": (texts.last_index_of, _I, [[_S, _S]]),
    "lower": (functions.TABLE["lower"].run, _S, [[_S]]),
    "lowerAscii": (functions.TABLE["lower"].run, _S, [[_S]]),
    "replace": (texts.replace, _S, [[_S, _S, _S], [_S, _S, _S, _I]]),
    "reverse": (reverse, Type.DYN, [[_S], [_L]]),
    "split": (texts.split, _L, [[_S, _S], [_S, _S, _I]]),
    "substring": (texts.substring, _S, [[_S, _I], [_S, _I, _I]]),
    "trim": (functions.TABLE["trim"].run, _S, [[_S]]),
    "upper": (functions.TABLE["upper"].run, _S, [[_S]]),
    "upperAscii": (functions.TABLE["upper"].run, _S, [[_S]]),
}
"""The methods of text that CEL's strings extension documents, written here because its own know no bounds."""


def _methods() -> Iterator[Any]:
    for name, (run, result, signatures) in METHODS.items():
        yield Decl(
            name,
            [
                Overload(f"{name}_{index}", result, parameters, True, _taught(name, run))
                for index, parameters in enumerate(signatures)
            ],
        )
