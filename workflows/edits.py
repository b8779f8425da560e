"""What a client asks to change, read against the draft as it stands: steps that fit it, or a refusal. Pure.

A draft may be unfinished, but not unsound: the same rules hold as for a draft that is saved whole (`versions.check_definition`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auterity.kernel.errors import FieldProblem, InvalidInput
from engine.graph import MAX_EDGES, MAX_NAME, MAX_NODES
from engine.registry import NODES, UnknownNode
from workflows.diff import ABSENT
from workflows.errors import DefinitionRefused, EditConflict
from workflows.field_types import NODE, SETTINGS, TRIGGER, VARIABLE, check_fields
from workflows.merge import (
    EDGE_ADDED,
    EDGE_DELETED,
    NODE_ADDED,
    NODE_DELETED,
    NODE_UPDATED,
    Json,
    Path,
    State,
    Step,
    change_of,
    patched,
)
from workflows.plans import turn_problems
from workflows.secrets import MASK, secret_names
from workflows.shapes import NODE_KEYS, UNPLACED, read_edge, read_node, write_edge, write_node

MAX_DEPTH = 32
_FIELDS = ("position", "description", "inputs", "outputs", "validation")


def read(state: State, operation: str, data: Mapping[str, Any]) -> list[Step]:
    """The steps of one operation. Raises `InvalidInput` where it cannot be read, `EditConflict` where it does not fit."""
    check_value(data)
    if operation == NODE_ADDED:
        return [_node_added(state, data)]
    if operation == NODE_UPDATED:
        return [_node_updated(state, data)]
    if operation == NODE_DELETED:
        return _node_deleted(state, data)
    if operation == EDGE_ADDED:
        return [_edge_added(state, data)]
    if operation == EDGE_DELETED:
        edge = state.edges.get(_id(data, "edge_id"))
        if edge is None:
            raise EditConflict("This edge is gone already.", key=str(data["edge_id"]))
        return [Step(EDGE_DELETED, edge["id"], {}, {"edge": edge})]
    return [_settings_updated(state, data)]


def check_value(value: Any, place: str = "data") -> None:
    """Refuse what is nested too deeply, and NUL characters, in keys too. Raises `InvalidInput`."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += [*each, *each.values()]
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, str) and "\x00" in each:
                raise InvalidInput.of(place, "This holds a NUL character.", "format")
        level = inner
        if not level:
            return
    raise InvalidInput.of(place, f"This is nested more than {MAX_DEPTH} levels deep.")


def check_node(state: State, node: Json) -> None:
    """Whether a canonical node may be added. Raises `InvalidInput` or `EditConflict`."""
    _check_name(node["id"], "node.id")
    _check_type(node["type"])
    if node["id"] in state.nodes:
        current = write_node(state.nodes[node["id"]])
        raise EditConflict(f"There is a node '{node['id']}' already.", key=node["id"], current=current)
    if len(state.nodes) >= MAX_NODES:
        raise InvalidInput.of("node", f"A workflow may have {MAX_NODES:,} nodes.")


def check_edge(state: State, edge: Json) -> None:
    """Whether a canonical edge may be added: both ends are there, and it closes no circle. Raises as `check_node`."""
    if edge["id"] in state.edges:
        current = write_edge(state.edges[edge["id"]])
        raise EditConflict(f"There is an edge '{edge['id']}' already.", key=edge["id"], current=current)
    for end in ("source_node_id", "target_node_id"):
        if edge[end] not in state.nodes:
            raise EditConflict(f"The node '{edge[end]}' of this edge is not there.", key=edge[end])
    if len(state.edges) >= MAX_EDGES:
        raise InvalidInput.of("edge", f"A workflow may have {MAX_EDGES:,} edges.")
    way = state.leads_to(edge["target_node_id"], edge["source_node_id"])
    if way is not None:
        shown = " -> ".join([edge["source_node_id"], *(way if len(way) <= 12 else [*way[:10], "…", way[-1]])])
        raise EditConflict(
            f"With this edge the nodes {shown} would form a circle; a workflow runs forward only.", key=edge["id"]
        )


# -- inside ----------------------------------------------------------------------------------------------------------


def _node_added(state: State, data: Mapping[str, Any]) -> Step:
    problems: list[FieldProblem] = []
    node = read_node(_object(data, "node"), {}, "node", problems)
    if problems:
        raise InvalidInput(problems)
    check_node(state, node)
    return Step(NODE_ADDED, node["id"], {"node": node}, {})


def _node_deleted(state: State, data: Mapping[str, Any]) -> list[Step]:
    node = state.nodes.get(_id(data, "node_id"))
    if node is None:
        raise EditConflict("This node is gone already.", key=str(data["node_id"]))
    edges = state.edges_of(node["id"])
    return [
        Step(NODE_DELETED, node["id"], {}, {"node": node}),
        *(Step(EDGE_DELETED, each["id"], {}, {"edge": each}) for each in edges),
    ]


def _edge_added(state: State, data: Mapping[str, Any]) -> Step:
    problems: list[FieldProblem] = []
    edge = read_edge(_object(data, "edge"), {}, "edge", problems)
    if problems:
        raise InvalidInput(problems)
    _check_name(edge["id"], "edge.id")
    for port in ("source_port", "target_port"):
        if len(edge[port]) > MAX_NAME:
            raise InvalidInput.of(f"edge.{port}", f"The name of a port has at most {MAX_NAME} characters.")
    check_edge(state, edge)
    return Step(EDGE_ADDED, edge["id"], {"edge": edge}, {})


def _node_updated(state: State, data: Mapping[str, Any]) -> Step:
    node_id, changes = _id(data, "node_id"), _object(data, "changes")
    node = state.nodes.get(node_id)
    if node is None:
        raise EditConflict("This node is gone; your change was not stored.", key=node_id)
    if not changes:
        raise InvalidInput.of("changes", "Name at least one field of the node.", "required")
    values = _values(node, changes)
    before = {path: state.value(node_id, path) for path in values}
    after = patched(node, change_of(values))
    return Step(NODE_UPDATED, node_id, _told(after, values), _told(node, before))


def _told(node: Json, values: Mapping[Path, Any]) -> Json:
    """Fields of a node, with what is needed to show them: the type, which says what is secret, and the label."""
    names_it = any(path in (("title",), ("config", "label")) for path in values)
    label = {"label": node["config"].get("label", node.get("title") or node["id"])} if names_it else {}
    return {**change_of(values), "type": node["type"], **label}


def _values(node: Json, changes: Mapping[str, Any]) -> dict[Path, Any]:
    """The fields that change. Null takes a field away; a mask leaves a secret as it is."""
    values: dict[Path, Any] = {}
    problems: list[FieldProblem] = []
    check_fields(changes, NODE, "changes", problems)
    if problems:
        raise InvalidInput(problems)
    if str(changes.get("id", node["id"])) != node["id"]:
        raise InvalidInput.of("changes.id", "A node keeps its id. Delete it and add another one.")
    node_type = changes.get("type", node["type"])
    if node_type != node["type"]:
        _check_type(node_type)
        values[("type",)] = node_type
    config, data = (_settings(changes, name) for name in ("config", "data"))
    label = data.pop("label", None)
    title = changes.get("title")
    if "title" in changes or label is not None:
        shown = node.get("title") or node["id"]
        told = label if label is not None and (title is None or title == shown) else title
        values[("title",)] = "" if told in (None, node["id"]) else str(told)
    for name, value in {
        **data,
        **{k: v for k, v in config.items() if k not in data or v != node["config"].get(k)},
    }.items():
        values[("config", name)] = ABSENT if value is None else value
    for name in _FIELDS:
        if name in changes:
            values[(name,)] = ABSENT if not changes[name] or changes[name] == UNPLACED else changes[name]
    for name, value in changes.items():
        if name not in NODE_KEYS:
            values[("extra", name)] = ABSENT if value is None else value
    return _with_secrets(node, str(node_type), values)


def _with_secrets(node: Json, node_type: str, values: dict[Path, Any]) -> dict[Path, Any]:
    """A mask means what is stored, and in a node that became another type, nothing: a secret never turns into what is shown."""
    given = {path[1]: value for path, value in values.items() if path[0] == "config" and value is not ABSENT}
    kept = read_node({"id": node["id"], "type": node_type, "config": given}, {node["id"]: node}, "changes", [])[
        "config"
    ]
    other = node_type != node["type"]
    for name, value in given.items():
        if value == MASK and name in secret_names(node_type) | secret_names(node["type"]) and not other:
            del values[("config", name)]
        else:
            values[("config", name)] = kept.get(name, ABSENT)
    if other:  # Every setting is told anew: which of them are shown has changed.
        lost = secret_names(node["type"]) - secret_names(node_type)
        for name, value in node["config"].items():
            values.setdefault(("config", name), ABSENT if name in lost else value)
    return values


def _settings_updated(state: State, data: Mapping[str, Any]) -> Step:
    changes = _object(data, "changes")
    if not changes or not changes.keys() <= {"settings", "variables", "triggers"}:
        raise InvalidInput.of("changes", "Name settings, variables or triggers.")
    values: dict[Path, Any] = {}
    wrong: list[FieldProblem] = []
    check_fields(_settings(changes, "settings"), SETTINGS, "changes.settings", wrong)
    for name, value in _settings(changes, "settings").items():
        values[("settings", name)] = ABSENT if value is None else value
    for name, value in _settings(changes, "variables").items():
        if not name or not (value is None or isinstance(value, Mapping)):
            raise InvalidInput.of(f"changes.variables.{name}", "A variable is an object with a name, or null.")
        check_fields(value or {}, VARIABLE, f"changes.variables.{name}", wrong)
        values[("variables", name)] = ABSENT if value is None else {**value, "name": name}
    if "triggers" in changes:
        triggers = changes["triggers"]
        if not isinstance(triggers, list) or not all(isinstance(each, Mapping) for each in triggers):
            raise InvalidInput.of("changes.triggers", "This must be a list of objects.")
        for at, each in enumerate(triggers):
            check_fields(each, TRIGGER, f"changes.triggers[{at}]", wrong)
        values[("triggers",)] = triggers
    if wrong:
        raise InvalidInput(wrong)
    before = {path: state.value("", path) for path in values}
    after = patched({"settings": state.settings}, change_of({p: v for p, v in values.items() if p[0] == "settings"}))
    problems = turn_problems(after["settings"])
    if problems:
        raise DefinitionRefused(problems)
    return Step("settings_updated", "", change_of(values), change_of(before))


def _settings(changes: Mapping[str, Any], name: str) -> Json:
    found = changes.get(name)
    if found is not None and not isinstance(found, Mapping):
        raise InvalidInput.of(f"changes.{name}", "This must be an object.")
    return dict(found or {})


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    if not isinstance(found, Mapping):
        raise InvalidInput.of(f"data.{name}", "This must be an object.", "required")
    return found


def _id(data: Mapping[str, Any], name: str) -> str:
    found = data.get(name)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not found:
        raise InvalidInput.of(f"data.{name}", "This must be text.", "required")
    return found


def _check_name(name: str, place: str) -> None:
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput.of(place, f"An id has 1 to {MAX_NAME} printable characters.")


def _check_type(name: Any) -> None:
    if not isinstance(name, str):
        raise InvalidInput.of("type", "This must be text.", "required")
    try:
        NODES.get(name)
    except UnknownNode as error:
        raise InvalidInput.of("type", error.message) from error
