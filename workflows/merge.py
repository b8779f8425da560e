"""How an edit of a draft is merged: field by field, in the order in which edits arrive. Pure.

The grain is a top-level field of a node, a key of its `config`, a key of the settings, a variable, and the triggers as a whole. A
state never changes; applying steps gives a new one that shares what did not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from workflows.diff import ABSENT, same
from workflows.shapes import PARTS

Json = dict[str, Any]
Path = tuple[str, ...]

NODE_ADDED, NODE_UPDATED, NODE_DELETED = "node_added", "node_updated", "node_deleted"
EDGE_ADDED, EDGE_DELETED = "edge_added", "edge_deleted"
SETTINGS_UPDATED = "settings_updated"
EDITS = (NODE_ADDED, NODE_UPDATED, NODE_DELETED, EDGE_ADDED, EDGE_DELETED, SETTINGS_UPDATED)
_INVERSE = {NODE_ADDED: NODE_DELETED, NODE_DELETED: NODE_ADDED, EDGE_ADDED: EDGE_DELETED, EDGE_DELETED: EDGE_ADDED}
NESTED = ("config", "extra", "settings", "variables")  # what is merged key by key


@dataclass(frozen=True, slots=True)
class Step:
    """One edit as it is stored. `key` is the id of its node or edge, empty for settings.

    `data` and `before` hold the node or the edge, or the fields as they become and as they were:
    `{set: [[path, value], …], unset: [path, …]}`, with the node's `type` and, where it changes, the `label` it shows.
    """

    operation: str
    key: str
    data: Json
    before: Json

    @property
    def inverse(self) -> Step:
        """What takes it back."""
        return Step(_INVERSE.get(self.operation, self.operation), self.key, self.before, self.data)


@dataclass(frozen=True)
class State:
    """A definition whose parts are found by their keys. `size` is about its bytes as JSON."""

    nodes: Mapping[str, Json]
    edges: Mapping[str, Json]
    variables: Mapping[str, Json]
    triggers: Sequence[Any]
    settings: Json
    size: int

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> State:
        """The state of a canonical definition."""
        nodes, edges, variables, triggers, settings = (definition.get(part) or () for part in PARTS)
        return cls(
            nodes={str(each["id"]): each for each in nodes},
            edges={str(each["id"]): each for each in edges},
            variables={str(each["name"]): each for each in variables},
            triggers=list(triggers),
            settings=dict(settings or {}),
            size=bytes_of(definition),
        )

    def definition(self) -> Json:
        """The canonical definition."""
        return {
            "nodes": list(self.nodes.values()),
            "edges": list(self.edges.values()),
            "variables": list(self.variables.values()),
            "triggers": list(self.triggers),
            "settings": dict(self.settings),
        }

    def edges_of(self, node_id: str) -> list[Json]:
        """The edges that begin or end at a node."""
        return [each for each in self.edges.values() if node_id in (each["source_node_id"], each["target_node_id"])]

    def leads_to(self, source: str, target: str) -> list[str] | None:
        """The nodes on a way from one to the other along the edges, both included; None where there is none."""
        onward: dict[str, list[str]] = {}
        for each in self.edges.values():
            onward.setdefault(each["source_node_id"], []).append(each["target_node_id"])
        came_from = {source: ""}
        waiting = [source]
        while waiting:
            at = waiting.pop()
            if at == target:
                way = [at]
                while came_from[way[-1]]:
                    way.append(came_from[way[-1]])
                return way[::-1]
            for after in onward.get(at, ()):
                if after not in came_from:
                    came_from[after] = at
                    waiting.append(after)
        return None

    def value(self, key: str, path: Path) -> Any:
        """What stands at a path of a node, or of the settings where `key` is empty; `ABSENT` where nothing does."""
        return _get(self.nodes.get(key, {}) if key else vars(self), path)


def applied(state: State, steps: Iterable[Step]) -> State:
    """The state after some steps that fit it."""
    nodes, edges = dict(state.nodes), dict(state.edges)
    rest: Json = {"variables": state.variables, "triggers": state.triggers, "settings": state.settings}
    size = state.size
    for step in steps:
        if step.operation == NODE_ADDED:
            nodes[step.key] = step.data["node"]
        elif step.operation == NODE_UPDATED:
            nodes[step.key] = patched(nodes[step.key], step.data)
        elif step.operation == NODE_DELETED:
            del nodes[step.key]
        elif step.operation == EDGE_ADDED:
            edges[step.key] = step.data["edge"]
        elif step.operation == EDGE_DELETED:
            del edges[step.key]
        else:
            rest = patched(rest, step.data)
        size += bytes_of(step.data) - bytes_of(step.before)
    return State(nodes=nodes, edges=edges, size=size, **rest)


def patched(thing: Mapping[str, Any], change: Mapping[str, Any]) -> Json:
    """A copy of a node, or of the parts besides the graph, with fields set and taken away."""
    after = dict(thing)
    for path, value in change.get("set", ()):
        _put(after, path, value)
    for path in change.get("unset", ()):
        _put(after, path, ABSENT)
    return after


def change_of(values: Mapping[Path, Any]) -> Json:
    """Fields and their values as a step keeps them."""
    return {
        "set": [[list(path), value] for path, value in values.items() if value is not ABSENT],
        "unset": [list(path) for path, value in values.items() if value is ABSENT],
    }


def values_of(change: Mapping[str, Any]) -> dict[Path, Any]:
    """The fields that a step's `data` or `before` speaks of, with their values."""
    return {
        **{tuple(path): value for path, value in change.get("set", ())},
        **{tuple(path): ABSENT for path in change.get("unset", ())},
    }


def differs(state: State, key: str, change: Mapping[str, Any]) -> list[Path]:
    """The fields that are not as a change says."""
    return [path for path, value in values_of(change).items() if not alike(state.value(key, path), value)]


def alike(a: Any, b: Any) -> bool:
    """Whether two values of a field are one; nothing is only like nothing."""
    return a is b or (a is not ABSENT and b is not ABSENT and same(a, b))


def grain(path: Sequence[str | int]) -> Path:
    """The field that a deeper place belongs to."""
    deep = 2 if path and path[0] in NESTED else 1
    return tuple(str(each) for each in path[:deep])


def bytes_of(value: Any) -> int:
    return len(orjson.dumps(value))


def _get(thing: Mapping[str, Any], path: Path) -> Any:
    inner = thing.get(path[0], ABSENT)
    if len(path) == 1 or inner is ABSENT:
        return inner
    return inner.get(path[1], ABSENT) if isinstance(inner, Mapping) else ABSENT


def _put(thing: Json, path: Sequence[str], value: Any) -> None:
    """Set a field of a copy, or take it away. Its inner mapping is copied too, and an empty `extra` goes."""
    if len(path) == 1:
        if value is ABSENT:
            thing.pop(path[0], None)
        else:
            thing[path[0]] = value
        return
    inner = dict(thing.get(path[0]) or {})
    if value is ABSENT:
        inner.pop(path[1], None)
    else:
        inner[path[1]] = value
    if path[0] == "extra" and not inner:
        thing.pop("extra", None)
    else:
        thing[path[0]] = inner
