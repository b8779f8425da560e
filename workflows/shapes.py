"""The two documented shapes of a definition, in and out (contract README, decision 6).

Stored is 000's form. 001's form (`data.label`, `source`, `target`) is accepted, and an answer carries the names of both, so
that a client written from either document reads what it expects. What came under `data` comes back under `data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auterity.kernel.errors import FieldProblem, InvalidInput

Json = dict[str, Any]

_NODE_KEYS = {"id", "type", "position", "title", "description", "config", "inputs", "outputs", "validation", "data"}
_EDGE_KEYS = {
    "id", "source_node_id", "source_port", "target_node_id", "target_port", "type", "condition", "label", "source", "target",
    "sourceHandle", "targetHandle",
}  # fmt: skip
_PARTS = ("variables", "triggers")


def read_definition(body: Mapping[str, Any], stored: Mapping[str, Any] | None = None) -> Json | None:
    """The canonical definition of a request body, or None when the body speaks of none.

    `definition` may hold the graph or `nodes` and `edges` may stand at the top level; parts left out are kept from `stored`.
    Raises `InvalidInput` naming every field of the wrong shape.
    """
    graph = body.get("definition")
    if graph is not None and not isinstance(graph, Mapping):
        raise InvalidInput.of("definition", "This must be an object with nodes and edges.")
    given = {
        key: source[key]
        for source in (body, graph or {})
        for key in ("nodes", "edges", *_PARTS, "settings")
        if source.get(key) is not None
    }
    if not given:
        return None
    problems: list[FieldProblem] = []
    before = {each["id"]: each for each in (stored or {}).get("nodes", [])}
    canonical: Json = {
        "nodes": [
            _read_node(each, before, f"nodes[{at}]", problems) for at, each in _list(given, "nodes", stored, problems)
        ],
        "edges": [_read_edge(each, f"edges[{at}]", problems) for at, each in _list(given, "edges", stored, problems)],
        **{part: [each for _, each in _list(given, part, stored, problems)] for part in _PARTS},
        "settings": given.get("settings", (stored or {}).get("settings", {})),
    }
    _check_variables(canonical["variables"], problems)
    if not isinstance(canonical["settings"], Mapping):
        problems.append(FieldProblem("settings", "This must be an object."))
    if problems:
        raise InvalidInput(problems)
    return canonical


def write_graph(definition: Mapping[str, Any]) -> Json:
    """`nodes` and `edges` with the names of both documents."""
    return {
        "nodes": [_write_node(node) for node in definition.get("nodes", [])],
        "edges": [_write_edge(edge) for edge in definition.get("edges", [])],
    }


def _list(
    given: Mapping[str, Any], name: str, stored: Mapping[str, Any] | None, problems: list[FieldProblem]
) -> list[tuple[int, Any]]:
    value = given.get(name, (stored or {}).get(name, []))
    if not isinstance(value, list):
        problems.append(FieldProblem(name, "This must be a list."))
        return []
    good = []
    for at, each in enumerate(value):
        if isinstance(each, Mapping):
            good.append((at, each))
        else:
            problems.append(FieldProblem(f"{name}[{at}]", "This must be an object."))
    return good


def _read_node(raw: Mapping[str, Any], before: Mapping[str, Any], place: str, problems: list[FieldProblem]) -> Json:
    for key in ("config", "data", "position"):
        if raw.get(key) is not None and not isinstance(raw[key], Mapping):
            problems.append(FieldProblem(f"{place}.{key}", "This must be an object."))
            return {"id": str(raw.get("id") or ""), "type": "", "config": {}}
    node_id = _text(raw, "id", place, problems)
    data = dict(raw.get("data") or {})
    label = data.pop("label", None)
    stored = before.get(node_id, {})
    node: Json = {
        "id": node_id,
        "type": _text(raw, "type", place, problems),
        "title": str(_later(raw.get("title"), label, stored.get("title")) or ""),
        "config": _later(raw.get("config"), data if raw.get("data") is not None else None, stored.get("config")) or {},
    }
    for key in ("position", "description", "inputs", "outputs", "validation"):
        if raw.get(key) is not None:
            node[key] = raw[key]
    extra = {key: raw[key] for key in raw if key not in _NODE_KEYS}
    return {**node, "extra": extra} if extra else node


def _later(own: Any, alias: Any, stored: Any) -> Any:
    """Of a value given under two names, the one that differs from what is stored: that is the one the client edited."""
    if own is None or alias is None:
        return own if alias is None else alias
    return alias if own == stored else own


def _read_edge(raw: Mapping[str, Any], place: str, problems: list[FieldProblem]) -> Json:
    edge: Json = {
        "id": _text(raw, "id", place, problems),
        "source_node_id": str(raw.get("source_node_id") or raw.get("source") or ""),
        "source_port": str(raw.get("source_port") or raw.get("sourceHandle") or ""),
        "target_node_id": str(raw.get("target_node_id") or raw.get("target") or ""),
        "target_port": str(raw.get("target_port") or raw.get("targetHandle") or ""),
        "type": raw.get("type") or ("conditional" if raw.get("condition") else "data"),
    }
    for end, name in (("source_node_id", "source"), ("target_node_id", "target")):
        if not edge[end]:
            problems.append(FieldProblem(f"{place}.{name}", f"Name the node this edge has as its {name}.", "required"))
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


def _write_node(node: Mapping[str, Any]) -> Json:
    config = dict(node.get("config") or {})
    title = node.get("title") or ""
    return {
        **node.get("extra", {}),
        "id": node["id"],
        "type": node["type"],
        "position": node.get("position") or {"x": 0, "y": 0},
        "title": title or node["id"],
        **({"description": node["description"]} if "description" in node else {}),
        "config": config,
        "inputs": node.get("inputs", []),
        "outputs": node.get("outputs", []),
        **({"validation": node["validation"]} if "validation" in node else {}),
        "data": {"label": title or node["id"], **config},
    }


def _write_edge(edge: Mapping[str, Any]) -> Json:
    return {
        **edge.get("extra", {}),
        "id": edge["id"],
        "source_node_id": edge["source_node_id"],
        "source_port": edge["source_port"] or "out",
        "target_node_id": edge["target_node_id"],
        "target_port": edge["target_port"] or "in",
        "type": edge["type"],
        **({"condition": edge["condition"]} if edge.get("condition") else {}),
        **({"label": edge["label"]} if edge.get("label") else {}),
        "source": edge["source_node_id"],
        "target": edge["target_node_id"],
    }
