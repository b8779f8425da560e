"""Functions of lists, maps, and values of any kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.expression_arguments import list_of, map_of, text_of, whole_of
from engine.expression_errors import kind_of
from engine.expression_numbers import comparable
from engine.expression_values import Measure, as_json, as_text

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,9})\]")


def _walk(value: Any, steps: list[Any]) -> tuple[bool, Any]:
    for step in steps:
        there = step in value if isinstance(value, dict) else _is_item(value, step)
        if not there:
            return False, None
        value = value[step]
    return True, value


def _is_item(value: Any, step: Any) -> bool:
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def peek(value: Any, *steps: Any) -> Any:
    """The value under the steps, null where there is none. Used for `default(item.price, 0)` inside a loop."""
    return _walk(value, list(steps))[1]


def has(value: Any, *steps: Any) -> bool:
    return _walk(value, list(steps))[0]


def get(value: Any, path: Any, otherwise: Any = None) -> Any:
    steps: list[Any] = []
    position = 0
    for found in _STEP.finditer(text_of(path)):
        if found.start() != position:
            break
        steps.append(int(found[2]) if found[2] else found[1])
        position = found.end()
    if position != len(path) or not steps:
        raise ValueError('a path looks like "customer.addresses[0].city"')
    there, result = _walk(value, steps)
    return result if there else otherwise


def default(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def coalesce(*values: Any) -> Any:
    candidates = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    return next((each for each in candidates if each is not None), None)


def length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise ValueError(f"text, a list or a map is needed, not {kind_of(value)}")
    return len(value)


def contains(where: Any, what: Any) -> bool:
    if isinstance(where, str):
        return text_of(what) in where
    if isinstance(where, list):
        return any(_same(each, what) for each in where)
    return text_of(what) in map_of(where)


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def edge(index: int) -> Callable[[Any], Any]:
    def pick(value: Any) -> Any:
        items = list_of(value)
        return items[index] if items else None

    return pick


def keys(value: Any) -> list[str]:
    return sorted(map(as_text, map_of(value)))


def values_of(value: Any) -> list[Any]:
    return [each for _, each in sorted(map_of(value).items(), key=lambda pair: as_text(pair[0]))]


def unique(items: Any) -> list[Any]:
    seen: dict[str, Any] = {}
    for each in Measure(ordered=True).plain(list_of(items)):
        whole = int(each) if isinstance(each, float) and each.is_integer() else each
        seen.setdefault(as_json(whole, ordered=True), each)
    return list(seen.values())


def ordered(items: Any) -> list[Any]:
    return sorted(comparable((list_of(items),)))


def part(value: Any, start: Any, end: Any = None) -> Any:
    if not isinstance(value, str | list):
        raise ValueError(f"text or a list is needed, not {kind_of(value)}")
    return value[whole_of(start) : None if end is None else whole_of(end)]


def reverse(value: Any) -> Any:
    return value[::-1] if isinstance(value, list) else text_of(value)[::-1]


def chunks(value: Any) -> list[Any]:
    """A list, or the keys of a map, in pieces of 100: CEL's own map() and filter() cost time and memory squared."""
    if not isinstance(value, list | dict):
        raise ValueError(f"only a list or a map can be looped over, not {kind_of(value)}")
    items = list(value)
    return [items[at : at + 100] for at in range(0, len(items), 100)]


def flat(value: Any) -> list[Any]:
    return [each for piece in value for each in piece]
