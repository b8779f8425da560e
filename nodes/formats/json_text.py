"""JSON and newline-delimited JSON, strictly (RFC 8259): no NaN, no Infinity."""

from __future__ import annotations

import json
from math import isinf
from typing import Any, NoReturn

from nodes.formats.content import Unreadable

MAX_DEPTH = 100


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises `Unreadable` with line and column."""
    return load_json(text.removeprefix("\ufeff"), "The JSON", line=None)


def parse_json_lines(text: str) -> list[Any]:
    """One value a line; blank lines are passed over. Raises `Unreadable` naming the line."""
    lines = enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
    return [load_json(line, f"Line {number}", number) for number, line in lines if line.strip()]


def write_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def load_json(text: str, what: str, line: int | None) -> Any:
    """One value. Raises `Unreadable`, which names it as `what`."""
    try:
        value = json.loads(text, parse_constant=refuse_constant, parse_float=finite)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if line else f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"{what} is not valid JSON at {place}: {error.msg}.") from error
    except RecursionError:
        raise Unreadable(f"{what} is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError as error:  # A number of thousands of digits, or NaN.
        raise Unreadable(f"{what} is not valid JSON: {error}.") from error
    check_depth(value, what)
    return value


def check_depth(value: Any, what: str) -> None:
    if _too_deep(value):
        raise Unreadable(f"{what} is nested deeper than {MAX_DEPTH} levels.")


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number; write null instead")


def finite(text: str) -> float:
    """The number that a text of digits names. What is too large for one would be infinite, and null further on."""
    number = float(text)
    if isinf(number):
        raise ValueError(f"{text[:40]} is too large a number; write it as text")
    return number


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
