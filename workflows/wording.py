"""A difference as people read it: sentences, and values without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from workflows.diff import ABSENT, Change, Changed, Difference, Part, Path
from workflows.secrets import MASK, is_secret, shown_config, veiled

Json = dict[str, Any]
_SHOWN = 80  # characters of a value in a sentence
_PORTS = {"source_port": "out", "target_port": "in"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One difference. `part` is nodes, edges, variables, triggers, settings or layout; `kind` added, removed, changed, moved or
    reordered. `changes` are the field's path, its old value and its new one.
    """

    part: str
    kind: str
    key: str
    sentence: str
    before: Any = None
    after: Any = None
    changes: tuple[Json, ...] = ()


def entries(difference: Difference, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Entry]:
    """Every difference between definitions `a` and `b`, each with a sentence."""
    names = _titles(a) | _titles(b)
    yield from _nodes(difference.nodes)
    yield from _edges(difference.edges, names)
    yield from _variables(difference.variables)
    yield from _rest(difference.rest)
    for each in difference.nodes.layout:
        yield Entry(
            "layout",
            "moved",
            each.key,
            f"{_node(each.after)} was moved on the canvas.",
            each.before.get("position"),
            each.after.get("position"),
        )
    for part in ("nodes", "edges", "variables"):
        if getattr(difference, part).order is not None:
            yield Entry("layout", "reordered", part, f"The {part} stand in another order.")


def _nodes(part: Part) -> Iterator[Entry]:
    for each in part.added:
        sentence = f"{_node(each)} ({each.get('type')}) was added."
        yield Entry("nodes", "added", str(each.get("id")), sentence, after=_shown_node(each))
    for each in part.removed:
        sentence = f"{_node(each)} ({each.get('type')}) was removed."
        yield Entry("nodes", "removed", str(each.get("id")), sentence, before=_shown_node(each))
    for changed in part.changed:
        told = [_told(change, _types(changed)) for change in changed.changes]
        yield Entry("nodes", "changed", changed.key, _sentence(_node(changed.before), told), changes=tuple(told))


def _edges(part: Part, names: Mapping[str, str]) -> Iterator[Entry]:
    for each in part.added:
        yield Entry("edges", "added", str(each.get("id")), f"{_edge(each, names)} was added.", after=each)
    for each in part.removed:
        yield Entry("edges", "removed", str(each.get("id")), f"{_edge(each, names)} was removed.", before=each)
    for changed in part.changed:
        told = [_told(change) for change in changed.changes]
        yield Entry("edges", "changed", changed.key, _sentence(_edge(changed.before, names), told), changes=tuple(told))


def _variables(part: Part) -> Iterator[Entry]:
    for each in part.added:
        name = str(each.get("name"))
        yield Entry("variables", "added", name, f"The variable '{name}' was added.", after=each)
    for each in part.removed:
        name = str(each.get("name"))
        yield Entry("variables", "removed", name, f"The variable '{name}' was removed.", before=each)
    for changed in part.changed:
        told = [_told(change) for change in changed.changes]
        subject = f"The variable '{changed.key}'"
        yield Entry("variables", "changed", changed.key, _sentence(subject, told), changes=tuple(told))


def _rest(changes: tuple[Change, ...]) -> Iterator[Entry]:
    for change in changes:
        part, kind = str(change.path[0]), _kind(change)
        told = _told(Change(change.path[1:], change.old, change.new)) if len(change.path) > 1 else _told(change)
        noun = {"triggers": "The triggers", "settings": "The settings"}.get(part, part)
        yield Entry(part, kind, told["path"], _sentence(noun, [told]), _value(change.old), _value(change.new), (told,))


def _types(changed: Changed) -> tuple[str, ...]:
    """What decides which settings are secret, when a node became another type: both."""
    return str(changed.before.get("type")), str(changed.after.get("type"))


def _told(change: Change, types: tuple[str, ...] = ()) -> Json:
    """A change as it may be shown: a secret is only said to have changed."""
    hidden = any(is_secret(each, change.path) for each in types)
    old, new = (_hidden(each) if hidden else _open(each, types, change.path) for each in (change.old, change.new))
    return {"path": _dotted(change.path), "kind": _kind(change), "old": old, "new": new}


def _hidden(value: Any) -> Any:
    return MASK if value not in (ABSENT, None, "") else _value(value)


def _open(value: Any, types: tuple[str, ...], path: Path) -> Any:
    """A whole configuration, or all headers, may hold a secret further down."""
    if path == ("config",) and isinstance(value, Mapping):
        for each in types:
            value = shown_config(each, value)
    if path[-1:] == ("headers",):
        return veiled({"headers": _value(value)})["headers"]
    return veiled(_value(value))


def _value(value: Any) -> Any:
    return None if value is ABSENT else value


def _kind(change: Change) -> str:
    return "added" if change.old is ABSENT else "removed" if change.new is ABSENT else "changed"


def _dotted(path: Path) -> str:
    text = ""
    for each in path:
        text += f"[{each}]" if isinstance(each, int) else f".{each}" if text else each
    return text


def _sentence(subject: str, told: list[Json]) -> str:
    return f"{subject}: {'; '.join(_clause(each) for each in told[:5])}{' and more' if len(told) > 5 else ''}."


def _clause(told: Json) -> str:
    path = told["path"]
    if MASK in (told["old"], told["new"]):
        return f"{path} was {told['kind']} (its value is not shown)"
    if told["kind"] == "added":
        return f"{path} was set to {_brief(told['new'])}"
    if told["kind"] == "removed":
        return f"{path} was taken away, it was {_brief(told['old'])}"
    return f"{path} was {_brief(told['old'])} and is {_brief(told['new'])}"


def _brief(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _titles(definition: Mapping[str, Any]) -> dict[str, str]:
    return {str(each.get("id")): _name(each) for each in definition.get("nodes") or []}


def _name(node: Mapping[str, Any]) -> str:
    return str(node.get("title") or node.get("id"))


def _node(node: Mapping[str, Any]) -> str:
    return f"The node '{_name(node)}'"


def _shown_node(node: Mapping[str, Any]) -> Json:
    return {**node, "config": shown_config(str(node.get("type")), node.get("config") or {})}


def _edge(edge: Mapping[str, Any], names: Mapping[str, str]) -> str:
    ends = [str(edge.get(f"{end}_node_id")) for end in ("source", "target")]
    source, target = (names.get(each, each) for each in ends)
    port = edge.get("source_port") or _PORTS["source_port"]
    return f"The edge from '{source}'{'' if port == _PORTS['source_port'] else f' ({port})'} to '{target}'"
