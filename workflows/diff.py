"""What is different between two definitions, exactly: applying the difference to the first gives the second.

Pure: canonical definitions in, frozen dataclasses out; O(n) in what the two hold. A number and a text that look alike are
different, and so are `1`, `1.0` and `true`. A node that only moved is no change of the node: its position is layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

Json = dict[str, Any]
Path = tuple[str | int, ...]

POSITION: Path = ("position",)


class Absent(Enum):
    """No value, which is not null."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Change:
    """A value at a path; `old` or `new` is `ABSENT` where the path is new or gone."""

    path: Path
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Changed:
    """One thing that both definitions have, as it was and as it is, and what differs in it."""

    key: str
    before: Json
    after: Json
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A list of things with keys: nodes and edges by id, variables by name.

    `layout` are changes of positions only. `order` are all keys of the second definition, where taking away, changing and adding
    at the end would leave them in another order.
    """

    added: tuple[Json, ...] = ()
    removed: tuple[Json, ...] = ()
    changed: tuple[Changed, ...] = ()
    layout: tuple[Changed, ...] = ()
    order: tuple[str, ...] | None = None

    @property
    def empty(self) -> bool:
        return not (self.added or self.removed or self.changed or self.layout or self.order)


@dataclass(frozen=True, slots=True)
class Difference:
    """`rest` are changes outside of nodes, edges and variables: triggers by their place in the list, and settings."""

    nodes: Part
    edges: Part
    variables: Part
    rest: tuple[Change, ...]

    @property
    def empty(self) -> bool:
        return self.nodes.empty and self.edges.empty and self.variables.empty and not self.rest


KEYS = {"nodes": "id", "edges": "id", "variables": "name"}


def diff(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """What leads from definition `a` to definition `b`."""
    parts = {name: _part(a.get(name) or [], b.get(name) or [], key) for name, key in KEYS.items()}
    return Difference(
        nodes=parts["nodes"],
        edges=parts["edges"],
        variables=parts["variables"],
        rest=tuple(_changes(_rest(a), _rest(b))),
    )


def apply(a: Mapping[str, Any], difference: Difference) -> Json:
    """The definition that `a` becomes."""
    rest = _applied(_rest(a), difference.rest)
    parts = {name: _applied_part(a.get(name) or [], getattr(difference, name), key) for name, key in KEYS.items()}
    return {**parts, **rest}


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are one, their kinds included."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(value, b[name]) for name, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


# -- inside ----------------------------------------------------------------------------------------------------------


def _rest(definition: Mapping[str, Any]) -> Json:
    return {name: value for name, value in definition.items() if name not in KEYS}


def _part(a: Sequence[Json], b: Sequence[Json], key: str) -> Part:
    before, after = _by_key(a, key), _by_key(b, key)
    both = [
        Changed(name, old, after[name], tuple(_changes(old, after[name])))
        for name, old in before.items()
        if name in after
    ]
    kept = [*(each.key for each in both), *(name for name in after if name not in before)]
    return Part(
        added=tuple(each for name, each in after.items() if name not in before),
        removed=tuple(each for name, each in before.items() if name not in after),
        changed=tuple(_only(both, lambda change: change.path[:1] != POSITION)),
        layout=tuple(_only(both, lambda change: change.path[:1] == POSITION)),
        order=None if kept == list(after) else tuple(after),
    )


def _only(things: Iterable[Changed], wanted: Callable[[Change], bool]) -> Iterator[Changed]:
    for each in things:
        changes = tuple(filter(wanted, each.changes))
        if changes:
            yield replace(each, changes=changes)


def _by_key(things: Sequence[Json], key: str) -> dict[str, Json]:
    return {str(each.get(key)): each for each in things}


def _changes(a: Any, b: Any, path: Path = ()) -> Iterator[Change]:
    """The deepest places where two values differ. Lists of different lengths are compared as wholes."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in [*a, *(name for name in b if name not in a)]:
            yield from _changes(a.get(name, ABSENT), b.get(name, ABSENT), (*path, name))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for at, (old, new) in enumerate(zip(a, b, strict=True)):
            yield from _changes(old, new, (*path, at))
    elif not same(a, b):
        yield Change(path, a, b)


def _applied_part(things: Sequence[Json], part: Part, key: str) -> list[Json]:
    found = _by_key(things, key)
    for each in part.removed:
        del found[str(each.get(key))]
    for changed in (*part.changed, *part.layout):
        found[changed.key] = _applied(found[changed.key], changed.changes)
    found |= _by_key(part.added, key)
    return list(found.values()) if part.order is None else [found[name] for name in part.order]


def _applied(value: Any, changes: Iterable[Change]) -> Any:
    for change in changes:
        value = _put(value, change.path, change.new)
    return value


def _put(value: Any, path: Path, new: Any) -> Any:
    """A copy of a value with another one at a path."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, list) and isinstance(first, int):
        return [*value[:first], _put(value[first], rest, new), *value[first + 1 :]]
    if not rest and new is ABSENT:
        return {name: each for name, each in value.items() if name != first}
    return {**value, first: _put(value.get(first), rest, new)}
