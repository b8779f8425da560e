"""What a definition leaves out when it travels, and what must be filled in where it arrives.

Secrets, credentials written into headers, and ids that mean something in one organization only (connections, other workflows)
do not travel. The node then says `fill_in: [field, ...]`, and goes on saying it until the field has a value again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auterity.kernel.errors import FieldProblem
from engine.expressions import contains_template
from workflows.secrets import BODY, carries_credentials, is_secret, is_secret_header

Json = dict[str, Any]
FILL_IN = "fill_in"
REFERENCES = {"connection_id": "connection", "workflow_id": "workflow", "prompt_id": "prompt", "model_id": "model"}
_HEADERS = "headers."


@dataclass(frozen=True, slots=True)
class Blank:
    """A field of a node that wants a value. `kind` is secret, credential, connection, workflow, prompt or model."""

    node: str
    title: str
    type: str
    field: str
    kind: str

    def as_json(self) -> Json:
        return {"node": self.node, "title": self.title, "type": self.type, "field": self.field, "kind": self.kind}


def emptied(node: Mapping[str, Any]) -> Json:
    """A canonical node as it leaves: without anything that must stay behind."""
    return _inside(_without(node, set(_secrets(node)) | set(_references(node))), emptied)


def detached(node: Mapping[str, Any]) -> Json:
    """A canonical node as it arrives: ids that mean something elsewhere are taken out; a secret somebody wrote in is kept."""
    return _inside(_without(node, set(_references(node))), detached)


def blanks(definition: Mapping[str, Any]) -> list[Blank]:
    """Everything in a canonical definition that is still to be filled in."""
    return [
        Blank(place, str(node.get("title") or node["id"]), str(node["type"]), field, _kind(node, field))
        for place, node in _all_nodes(definition)
        for field in _listed(node)
    ]


def filled(definition: Mapping[str, Any], values: Any) -> tuple[Json, list[FieldProblem]]:
    """The definition with values put where they are wanted: `values` is node id to field to text."""
    problems: list[FieldProblem] = []
    if not isinstance(values, Mapping) or not all(isinstance(each, Mapping) for each in values.values()):
        return dict(definition), [FieldProblem("fill", "This maps a node's id to the fields to fill in.")]
    wanted = {(each.node, each.field) for each in blanks(definition)}
    given = {(str(node), str(field)): value for node, fields in values.items() for field, value in fields.items()}
    for (node_id, field), value in given.items():
        if (node_id, field) not in wanted:
            problems.append(FieldProblem(f"fill.{node_id}.{field}", "Nothing is to be filled in here."))
        elif not isinstance(value, str) or not value:
            problems.append(FieldProblem(f"fill.{node_id}.{field}", "This must be text."))
    return {**definition, "nodes": [_filled(node, str(node["id"]), given) for node in definition["nodes"]]}, problems


# -- inside ----------------------------------------------------------------------------------------------------------


def _without(node: Mapping[str, Any], fields: set[str]) -> Json:
    config = dict(node.get("config") or {})
    for field in fields:
        _drop(config, field)
    wanted = sorted(fields | set(_listed(node)))
    rest = {name: value for name, value in node.items() if name not in ("config", "extra")}
    extra = {name: value for name, value in (node.get("extra") or {}).items() if name != FILL_IN}
    extra |= {FILL_IN: wanted} if wanted else {}
    return {**rest, "config": config, **({"extra": extra} if extra else {})}


def _secrets(node: Mapping[str, Any]) -> Iterator[str]:
    """Fields with a secret in them, and headers with a credential that is written down."""
    node_type, config = str(node["type"]), node.get("config") or {}
    yield from (name for name, value in config.items() if value and is_secret(node_type, ("config", name)))
    headers = config.get("headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if is_secret_header(name, value):
            yield f"{_HEADERS}{name}"


def _references(node: Mapping[str, Any]) -> Iterator[str]:
    for name, value in (node.get("config") or {}).items():
        if name in REFERENCES and value and isinstance(value, str) and not contains_template(value):
            yield name


def _listed(node: Mapping[str, Any]) -> list[str]:
    """Fields that the node says are to be filled in and that still have no value."""
    said = (node.get("extra") or {}).get(FILL_IN)
    fields = sorted({each for each in said if isinstance(each, str)}) if isinstance(said, list) else []
    return [field for field in fields if not _value(node.get("config") or {}, field)]


def _kind(node: Mapping[str, Any], field: str) -> str:
    if field.startswith(_HEADERS):
        return "credential"
    return REFERENCES.get(field, "secret")


def _value(config: Mapping[str, Any], field: str) -> Any:
    if not field.startswith(_HEADERS):
        return config.get(field)
    headers = config.get("headers")
    return headers.get(field.removeprefix(_HEADERS)) if isinstance(headers, Mapping) else None


def _drop(config: Json, field: str) -> None:
    if not field.startswith(_HEADERS):
        config.pop(field, None)
    elif isinstance(config.get("headers"), Mapping):
        name = field.removeprefix(_HEADERS)
        config["headers"] = {each: value for each, value in config["headers"].items() if each != name}


def _filled(node: Json, place: str, given: Mapping[tuple[str, str], Any]) -> Json:
    config = dict(node.get("config") or {})
    for (where, field), value in given.items():
        if where != place:
            continue
        if field.startswith(_HEADERS):
            headers = config.get("headers")
            name = field.removeprefix(_HEADERS)
            config["headers"] = {**(headers if isinstance(headers, Mapping) else {}), name: _credential(name, value)}
        else:
            config[field] = value
    filled_in = {**node, "config": config} if config != (node.get("config") or {}) else node
    return _inside(filled_in, lambda inner: _filled(inner, f"{place}/{inner['id']}", given))


def _credential(header: str, value: Any) -> Any:
    """What is filled in where a credential was taken out is one, also where the header's name does not say so."""
    return value if carries_credentials(header) else {"secret": value}


def _all_nodes(definition: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Json]]:
    """Every node with its place: its id, behind the ids of the nodes that hold its workflow."""
    for node in definition.get("nodes") or []:
        place = f"{above}{node['id']}"
        yield place, node
        for inner in _held(node):
            yield from _all_nodes({"nodes": [_canonical(inner)]}, f"{place}/")


def _held(node: Mapping[str, Any]) -> list[Json]:
    """The nodes of the workflow that a node holds, where there is a sound one."""
    body = (node.get("config") or {}).get(BODY)
    nodes = body.get("nodes") if isinstance(body, Mapping) else None
    sound = isinstance(nodes, list) and all(isinstance(each, dict) and {"id", "type"} <= each.keys() for each in nodes)
    return nodes if sound and nodes else []


def _inside(node: Json, change: Callable[[Json], Json]) -> Json:
    """The node with every node of the workflow that it holds changed likewise."""
    held = _held(node)
    if not held:
        return node
    body = {**node["config"][BODY], "nodes": [_plain(change(_canonical(each))) for each in held]}
    return {**node, "config": {**node["config"], BODY: body}}


def _canonical(raw: Json) -> Json:
    """A node of a held workflow is kept as it was written: what we add stands on it directly."""
    rest = {name: value for name, value in raw.items() if name != FILL_IN}
    return {**rest, "extra": {FILL_IN: raw[FILL_IN]}} if FILL_IN in raw else rest


def _plain(node: Json) -> Json:
    return {**{name: value for name, value in node.items() if name != "extra"}, **(node.get("extra") or {})}
