"""The two documented shapes of a definition, in and out (contract README, decision 6).

Stored is 000's form. 001's form (`data.label`, `source`, `target`) is accepted, and an answer carries the names of both, so
that a client written from either document reads what it expects. What came under `data` comes back under `data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auterity.kernel.errors import FieldProblem, InvalidInput
from workflows.field_types import EDGE, NODE, SETTINGS, TRIGGER, VARIABLE, check_fields
from workflows.secrets import masked, unmasked

Json = dict[str, Any]

NODE_KEYS = {"id", "type", "position", "title", "description", "config", "inputs", "outputs", "validation", "data"}
_EDGE_KEYS = {
    "id", "source_node_id", "source_port", "target_node_id", "target_port", "type", "condition", "label", "source", "target",
    "sourceHandle", "targetHandle",
}  # fmt: skip
PARTS = ("nodes", "edges", "variables", "triggers", "settings")
_EMPTY: dict[str, Any] = {part: {} if part == "settings" else [] for part in PARTS}
# What an answer shows where nothing is stored; read back, it is nothing again.
UNPLACED = {"x": 0, "y": 0}
_PORTS = {"source_port": "out", "target_port": "in"}


def read_definition(body: Mapping[str, Any], stored: Mapping[str, Any] | None = None) -> Json | None:
    """The canonical definition of a request body, or None when the body speaks of none.

    `definition` may hold the graph, or `nodes` and `edges` may stand at the top level, or both: an answer carries both, and a
    client edits one of them. Parts left out are kept from `stored`. Raises `InvalidInput` naming every field of the wrong shape.
    """
    graph = body.get("definition")
    if graph is not None and not isinstance(graph, Mapping):
        raise InvalidInput.of("definition", "This must be an object with nodes and edges.")
    places = [place for place in (body, graph or {}) if any(place.get(part) is not None for part in PARTS)]
    if not places:
        return None
    before = stored or {}
    problems: list[FieldProblem] = []
    canonical: Json = {}
    for part in PARTS:
        given = [_read_part(part, place[part], before, problems) for place in places if place.get(part) is not None]
        canonical[part] = _edited(part, given, before.get(part, _EMPTY[part]), problems)
    _check_variables(canonical["variables"], problems)
    if problems:
        raise InvalidInput(problems)
    return canonical


def write_graph(definition: Mapping[str, Any]) -> Json:
    """`nodes` and `edges` with the names of both documents."""
    return {
        "nodes": [write_node(node) for node in definition.get("nodes", [])],
        "edges": [write_edge(edge) for edge in definition.get("edges", [])],
    }


def _edited(part: str, given: list[Any], stored: Any, problems: list[FieldProblem]) -> Any:
    """Of a part given in both places, the one that differs from what is stored: that is the one the client edited."""
    changed = [each for each in given if each != stored]
    if len(changed) == 2 and changed[0] != changed[1]:
        problems.append(
            FieldProblem(part, f"{part} and definition.{part} are one field; you sent two different values.")
        )
    return changed[0] if changed else given[0] if given else stored


def _read_part(part: str, value: Any, stored: Mapping[str, Any], problems: list[FieldProblem]) -> Any:
    if part == "settings":
        if isinstance(value, Mapping):
            check_fields(value, SETTINGS, part, problems)
        else:
            problems.append(FieldProblem(part, "This must be an object."))
        return value
    if not isinstance(value, list):
        problems.append(FieldProblem(part, "This must be a list."))
        return []
    good = []
    for at, each in enumerate(value):
        if isinstance(each, Mapping):
            good.append((f"{part}[{at}]", each))
        else:
            problems.append(FieldProblem(f"{part}[{at}]", "This must be an object."))
    if part not in ("nodes", "edges"):
        for place, each in good:
            check_fields(each, VARIABLE if part == "variables" else TRIGGER, place, problems)
        return [each for _, each in good]
    read = read_node if part == "nodes" else read_edge
    before = {each["id"]: each for each in stored.get(part, [])}
    return [read(each, before, place, problems) for place, each in good]


def read_node(raw: Mapping[str, Any], before: Mapping[str, Any], place: str, problems: list[FieldProblem]) -> Json:
    """A canonical node; `before` maps ids to stored nodes, whose secrets a mask stands for. What is wrong goes to `problems`."""
    for key in ("config", "data", "position"):
        if raw.get(key) is not None and not isinstance(raw[key], Mapping):
            problems.append(FieldProblem(f"{place}.{key}", "This must be an object."))
            return {"id": str(raw.get("id") or ""), "type": "", "config": {}}
    check_fields(raw, NODE, place, problems)
    node_id = _text(raw, "id", place, problems)
    node_type = _text(raw, "type", place, problems)
    stored = before.get(node_id, {})
    config, data = (unmasked(node_type, raw.get(key), stored) for key in ("config", "data"))
    label = data.pop("label", None) if data is not None else None
    title = str(_later(raw.get("title"), label, stored.get("title") or node_id) or "")
    node: Json = {
        "id": node_id,
        "type": node_type,
        "title": "" if title == node_id else title,
        "config": _later(config, data, stored.get("config")) or {},
    }
    for key in ("position", "description", "inputs", "outputs", "validation"):
        if raw.get(key) and raw[key] != UNPLACED:
            node[key] = raw[key]
    extra = {key: raw[key] for key in raw if key not in NODE_KEYS}
    return {**node, "extra": extra} if extra else node


def _later(own: Any, alias: Any, stored: Any) -> Any:
    """Of a value given under two names, the one that differs from what is stored: that is the one the client edited."""
    if own is None or alias is None:
        return own if alias is None else alias
    return alias if own == stored else own


def read_edge(raw: Mapping[str, Any], before: Mapping[str, Any], place: str, problems: list[FieldProblem]) -> Json:
    """A canonical edge; `before` maps ids to stored edges. What is wrong goes to `problems`."""
    check_fields(raw, EDGE, place, problems)
    edge_id = _text(raw, "id", place, problems)
    stored = before.get(edge_id, {})
    edge: Json = {"id": edge_id}
    for end in ("source", "target"):
        name, port = f"{end}_node_id", f"{end}_port"
        edge[name] = str(_later(raw.get(name), raw.get(end), stored.get(name)) or "")
        edge[port] = str(_later(raw.get(port), raw.get(f"{end}Handle"), stored.get(port) or _PORTS[port]) or "")
        if edge[port] == _PORTS[port]:
            edge[port] = ""
        if not edge[name]:
            problems.append(FieldProblem(f"{place}.{end}", f"Name the node this edge has as its {end}.", "required"))
    edge["type"] = raw.get("type") or ("conditional" if raw.get("condition") else "data")
    for key in ("condition", "label"):
        if raw.get(key):
            edge[key] = str(raw[key])
    extra = {key: raw[key] for key in raw if key not in _EDGE_KEYS}
    return {**edge, "extra": extra} if extra else edge


def _text(raw: Mapping[str, Any], key: str, place: str, problems: list[FieldProblem]) -> str:
    value = raw.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        problems.append(FieldProblem(f"{place}.{key}", f"Every node and edge needs {key} as text.", "required"))
        return ""
    return value


def _check_variables(variables: list[Mapping[str, Any]], problems: list[FieldProblem]) -> None:
    seen: set[str] = set()
    for at, variable in enumerate(variables):
        name = variable.get("name")
        if not isinstance(name, str) or not name:
            problems.append(FieldProblem(f"variables[{at}].name", "A variable needs a name.", "required"))
        elif name in seen:
            problems.append(FieldProblem(f"variables[{at}].name", f"The variable '{name}' is defined twice."))
        else:
            seen.add(name)


def write_node(node: Mapping[str, Any]) -> Json:
    """A node as it is shown: the names of both documents, secrets masked."""
    config = masked(node)
    title = node.get("title") or ""
    return {
        **node.get("extra", {}),
        "id": node["id"],
        "type": node["type"],
        "position": node.get("position") or UNPLACED,
        "title": title or node["id"],
        **({"description": node["description"]} if "description" in node else {}),
        "config": config,
        "inputs": node.get("inputs", []),
        "outputs": node.get("outputs", []),
        **({"validation": node["validation"]} if "validation" in node else {}),
        "data": {"label": title or node["id"], **config},
    }


def write_edge(edge: Mapping[str, Any]) -> Json:
    """An edge as it is shown: the names of both documents."""
    return {
        **edge.get("extra", {}),
        "id": edge["id"],
        "source_node_id": edge["source_node_id"],
        "source_port": edge["source_port"] or _PORTS["source_port"],
        "target_node_id": edge["target_node_id"],
        "target_port": edge["target_port"] or _PORTS["target_port"],
        "type": edge["type"],
        **({"condition": edge["condition"]} if edge.get("condition") else {}),
        **({"label": edge["label"]} if edge.get("label") else {}),
        "source": edge["source_node_id"],
        "target": edge["target_node_id"],
    }
