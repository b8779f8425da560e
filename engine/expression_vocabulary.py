"""The words an expression may use, and what to say about others. Source: `schemas/node_configs.yaml`, "Names"."""

from __future__ import annotations

import re

from engine.expression_cel import METHODS
from engine.expression_functions import FUNCTIONS
from engine.expression_tokens import Token
from engine.nearest import nearest

FIXED = frozenset(
    ["input", "inputs", "context", "steps", "execution", "workflow", "organization", "now", "item", "index"]
)
"""The names that are no inputs."""

MACROS = {"map": (2, 3), "filter": (2, 2), "all": (2, 2), "exists": (2, 2), "exists_one": (2, 2)}
"""Methods that loop, and how many arguments they take."""

MAX_NESTING = 32

CONSTANTS = frozenset(["true", "false", "null"])
_CONVERSIONS = frozenset(["bool", "bytes", "double", "duration", "int", "string", "timestamp", "type", "uint"])
TYPES = _CONVERSIONS | {"list", "map", "null_type"}
CEL_FUNCTIONS = _CONVERSIONS | {"dyn", "matches", "size"}
_PARTS = ["Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "FullYear", "Hours", "Milliseconds", "Minutes", "Month"]
_PARTS_OF_TIME = frozenset(f"get{part}" for part in [*_PARTS, "Seconds"])
MATHEMATICS = frozenset(["greatest", "least", "ceil", "floor", "round", "trunc", "abs", "sign", "sqrt"])
CEL_METHODS = _PARTS_OF_TIME | {"contains", "endsWith", "matches", "size", "startsWith"}
PREFIX = frozenset(["-", "!"])
_WORDS = {"and": "&&", "or": "||", "not": "!", "is": "==", "AND": "&&", "OR": "||", "NOT": "!"}
GROWING = frozenset(["replace", "join", "format", "split", "json", "text"])


_COUNTED = re.compile(r"\{(\d*),?(\d*)\}", re.ASCII)


def is_hard(pattern: str) -> bool:
    """Whether a regular expression may take long: counts multiply, and character properties are long tables."""
    steps = len(pattern)
    for least, most in _COUNTED.findall(pattern):
        steps *= int((most or least or "1")[:6])
    return steps > 2000 or "\\p" in pattern.lower()


def numbered(least: int, most: int, noun: str) -> str:
    amount = str(least) if least == most else f"{least} to {most}"
    return f"{amount} {noun}{'s' if most > 1 else ''}"


def side_by_side(token: Token) -> str:
    if token.text in _WORDS:
        return f"Write {_WORDS[token.text]} instead of '{token.text}'."
    return f"An operator such as + or && is missing before {token.text[:40]}."


def unknown_function(name: str) -> str:
    known = sorted({*FUNCTIONS, *CEL_FUNCTIONS})
    if name in MACROS or name in METHODS or name in CEL_METHODS:
        return f"{name}() belongs behind a value, such as input.x.{name}(…)."
    return f"There is no function {name[:60]}(); {_nearest(name, known)}"


def unknown_mathematics(name: str) -> str:
    return f"There is no math.{name[:60]}(); {_nearest(name, sorted(MATHEMATICS))}"


def unknown_method(name: str) -> str:
    if name in FUNCTIONS or name in CEL_FUNCTIONS:
        return f"{name} is written around the value: {name}(x), not x.{name}()."
    return f"There is no method {name[:60]}(); {_nearest(name, sorted({*METHODS, *CEL_METHODS, *MACROS}))}"


def _nearest(name: str, known: list[str]) -> str:
    near = nearest(name, known, count=3)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}."
