"""Settings that can be written and not read back: fields that a node's `Config` marks `x-secret`.

Whoever reads a definition sees a mask in their place; the mask sent back means "what is stored". Among a node's `headers`
those are secret whose name says so, and those that whoever edits marks: `{"secret": text}`. A value with a template in it is no
secret, but a place for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from engine.expressions import contains_template
from engine.registry import NODES, UnknownNode

MASK = "********"
REFERENCE = re.compile(r"sealed:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")  # See `workflows.sealing`.
_WORDS = frozenset(
    {"apikey", "auth", "authentication", "authorization", "cookie", "credential", "credentials", "jwt", "passwd", "password",
     "secret", "session", "token"}
)  # fmt: skip

Json = dict[str, Any]
_SETTINGS = ("config", "data")
HEADERS = "headers"
BODY = "workflow"  # the setting in which a node holds a workflow of its own


def masked(node: Mapping[str, Any]) -> Json:
    """A node's configuration as it may be shown, with that of the nodes it holds."""
    config = node.get("config")
    shown = dict(config) if isinstance(config, Mapping) else {}
    shown |= {name: MASK for name in secret_names(node.get("type")) if shown.get(name)}
    if has_headers(node.get("type")) and isinstance(shown.get(HEADERS), Mapping):
        shown[HEADERS] = {
            name: MASK if is_secret_header(name, value) else value for name, value in shown[HEADERS].items()
        }
    return {**shown, BODY: without_secrets(shown[BODY])} if isinstance(shown.get(BODY), Mapping) else shown


def masked_setting(node_type: Any, name: str, value: Any) -> Any:
    """One setting of a node as it may be shown."""
    return masked({"type": node_type, "config": {name: value}})[name]


def is_secret(node_type: str, path: Sequence[str | int]) -> bool:
    """Whether what stands at this path of a node is not to be shown: a secret setting, or a header that carries credentials.

    A node may hold a workflow of its own, whose node types the path does not tell: there every type's secrets count.
    """
    if len(path) < 2 or path[0] != "config":
        return False
    if path[-2] == HEADERS and carries_credentials(str(path[-1])):
        return True
    return path[1] in secret_names(node_type) or (len(path) > 2 and path[-2] == "config" and path[-1] in _any_secrets())


def shown_config(node_type: str, config: Mapping[str, Any]) -> Json:
    """A configuration for people who compare or carry it elsewhere: without secrets, and without written-down credentials."""
    shown: Json = veiled(masked({"type": node_type, "config": config}))
    return shown


def veiled(value: Any) -> Any:
    """A value in which no node, however deep, shows a secret, and no header a credential."""
    if isinstance(value, list):
        return [veiled(each) for each in value]
    if not isinstance(value, dict):
        return MASK if isinstance(value, str) and REFERENCE.fullmatch(value) else value
    shown = {name: veiled(each) for name, each in value.items()}
    if isinstance(shown.get("config"), dict) and isinstance(shown.get("type"), str):
        shown["config"] = masked(shown)
    if isinstance(shown.get(HEADERS), dict):
        shown[HEADERS] = veiled_headers(shown[HEADERS])
    return shown


def veiled_headers(headers: Mapping[str, Any]) -> Json:
    """Headers as they were sent or would be, without credentials: here a template in them is filled in, or may be."""
    return {
        name: MASK if each and (carries_credentials(name) or is_secret_header(name, each)) else each
        for name, each in headers.items()
    }


def carries_credentials(header: str) -> bool:
    """Whether a header's name says that its value is nobody else's business."""
    words = set(re.split(r"[-_]", str(header).strip().lower()))
    return not words.isdisjoint(_WORDS) or ("key" in words and "idempotency" not in words)


def is_secret_header(name: str, value: Any) -> bool:
    """Whether this header of a definition is not to be shown: it is stored sealed, marked, or named like a credential."""
    if marked_text(value) is not None:
        return True
    if not isinstance(value, str) or not value:
        return False
    return REFERENCE.fullmatch(value) is not None or (carries_credentials(name) and not contains_template(value))


def marked_text(value: Any) -> str | None:
    """The secret in `{"secret": text}`; None for what is no such mark."""
    if isinstance(value, Mapping) and list(value) == ["secret"] and isinstance(value["secret"], str):
        return value["secret"]
    return None


def without_secrets(definition: Any) -> Any:
    """A whole definition as it may be shown; an old or damaged one may hold anything."""
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    if not isinstance(nodes, list):
        return definition
    return {
        **definition,
        "nodes": [_shown_node(each) if isinstance(each, Mapping) else each for each in nodes],
    }


def _shown_node(node: Mapping[str, Any]) -> Json:
    """A node with its settings masked, under whichever of the two documented names they stand."""
    held = {name: node[name] for name in _SETTINGS if isinstance(node.get(name), Mapping) and node[name]}
    return {**node, **{name: masked({"type": node.get("type"), "config": value}) for name, value in held.items()}}


def unmasked(node_type: str, given: Mapping[str, Any] | None, stored: Mapping[str, Any]) -> Json | None:
    """A configuration that came in (or None), with each mask replaced by what the same node has stored.

    Nothing stored, or a node that became another type: the setting is left out, so that a secret never turns into a
    setting that is shown.
    """
    if given is None:
        return None
    config = dict(given)
    secret = secret_names(node_type)
    before = stored.get("config") or {} if stored.get("type") == node_type else {}
    for name in secret | secret_names(stored.get("type")):
        if config.get(name) == MASK:
            config.pop(name)
            if name in secret and before.get(name):
                config[name] = before[name]
        elif name not in secret and config.get(name) and config[name] == (stored.get("config") or {}).get(name):
            config.pop(name)
    if has_headers(node_type) and isinstance(config.get(HEADERS), Mapping):
        config[HEADERS] = _unmasked_headers(config[HEADERS], before.get(HEADERS))
    if isinstance(config.get(BODY), Mapping):
        config[BODY] = _unmasked_body(config[BODY], before.get(BODY))
    return config


def _unmasked_headers(given: Mapping[str, Any], stored: Any) -> Json:
    before = {str(name).lower(): each for name, each in stored.items()} if isinstance(stored, Mapping) else {}
    kept = {name: before.get(str(name).lower()) if each == MASK else each for name, each in given.items()}
    return {name: each for name, each in kept.items() if given[name] != MASK or each}


def _unmasked_body(given: Mapping[str, Any], stored: Any) -> Json:
    """The workflow that a node holds, with each mask in it replaced by what the same node of it has stored."""
    nodes, before = _nodes(given), {str(each.get("id")): each for each in _nodes(stored) if isinstance(each, Mapping)}
    return {**given, "nodes": [_unmasked_node(each, before) for each in nodes]} if nodes else dict(given)


def _unmasked_node(node: Any, before: Mapping[str, Mapping[str, Any]]) -> Any:
    if not isinstance(node, Mapping):
        return node
    stored = before.get(str(node.get("id")), {})
    read = dict(node)
    for name in _SETTINGS:
        if isinstance(node.get(name), Mapping):
            own = stored.get(name) if isinstance(stored.get(name), Mapping) else {}
            read[name] = unmasked(str(node.get("type")), node[name], {"type": stored.get("type"), "config": own})
    return read


def _nodes(body: Any) -> list[Any]:
    found = body.get("nodes") if isinstance(body, Mapping) else None
    return found if isinstance(found, list) else []


def secret_names(node_type: Any) -> frozenset[str]:
    """The settings of a node type that are not to be shown; none for a type that there is not."""
    try:
        return _marked(NODES.get(str(node_type or "")).name)
    except UnknownNode:
        return frozenset()


def has_headers(node_type: Any) -> bool:
    """Whether a node of this type sends headers that its settings name."""
    try:
        return HEADERS in NODES.get(str(node_type or "")).config.model_fields
    except UnknownNode:
        return False


@cache
def _any_secrets() -> frozenset[str]:
    return frozenset(name for each in NODES for name in _marked(each.name))


@cache
def _marked(name: str) -> frozenset[str]:
    properties = NODES.get(name).config.model_json_schema()["properties"]
    return frozenset(each for each, about in properties.items() if about.get("x-secret"))
