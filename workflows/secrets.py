"""Settings that can be written and not read back: fields that a node's `Config` marks `x-secret`.

Whoever reads a definition sees a mask in their place; the mask sent back means "what is stored".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from engine.registry import NODES, UnknownNode

MASK = "********"
CREDENTIAL_HEADERS = frozenset(
    {"authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token", "api-key"}
)

Json = dict[str, Any]


def masked(node: Mapping[str, Any]) -> Json:
    """A node's configuration as it may be shown."""
    config = node.get("config")
    shown = dict(config) if isinstance(config, Mapping) else {}
    return {**shown, **{name: MASK for name in _secrets(node.get("type")) if shown.get(name)}}


def is_secret(node_type: str, path: Sequence[str | int]) -> bool:
    """Whether what stands at this path of a node is not to be shown: a secret setting, or a header that carries credentials.

    A node may hold a workflow of its own, whose node types the path does not tell: there every type's secrets count.
    """
    if len(path) < 2 or path[0] != "config":
        return False
    if path[-2] == "headers" and str(path[-1]).lower() in CREDENTIAL_HEADERS:
        return True
    return path[1] in _secrets(node_type) or (len(path) > 2 and path[-2] == "config" and path[-1] in _any_secrets())


def shown_config(node_type: str, config: Mapping[str, Any]) -> Json:
    """A configuration for people who compare or carry it elsewhere: without secrets, and without written-down credentials."""
    shown: Json = veiled(masked({"type": node_type, "config": config}))
    return shown


def veiled(value: Any) -> Any:
    """A value in which no node, however deep, shows a secret, and no header a credential."""
    if isinstance(value, list):
        return [veiled(each) for each in value]
    if not isinstance(value, dict):
        return value
    shown = {name: veiled(each) for name, each in value.items()}
    if isinstance(shown.get("config"), dict) and isinstance(shown.get("type"), str):
        shown["config"] = masked(shown)
    if isinstance(shown.get("headers"), dict):
        shown["headers"] = {
            name: MASK if each and name.lower() in CREDENTIAL_HEADERS else each
            for name, each in shown["headers"].items()
        }
    return shown


def without_secrets(definition: Any) -> Any:
    """A whole definition as it may be shown; an old or damaged one may hold anything."""
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    if not isinstance(nodes, list):
        return definition
    return {
        **definition,
        "nodes": [
            {**each, "config": masked(each)} if isinstance(each, Mapping) and each.get("config") else each
            for each in nodes
        ],
    }


def unmasked(node_type: str, given: Mapping[str, Any] | None, stored: Mapping[str, Any]) -> Json | None:
    """A configuration that came in (or None), with each mask replaced by what the same node has stored.

    Nothing stored, or a node that became another type: the setting is left out, so that a secret never turns into a
    setting that is shown.
    """
    if given is None:
        return None
    config = dict(given)
    secret = _secrets(node_type)
    before = stored.get("config") or {} if stored.get("type") == node_type else {}
    for name in secret | _secrets(stored.get("type")):
        if config.get(name) == MASK:
            config.pop(name)
            if name in secret and before.get(name):
                config[name] = before[name]
        elif name not in secret and config.get(name) and config[name] == (stored.get("config") or {}).get(name):
            config.pop(name)
    return config


def _secrets(node_type: Any) -> frozenset[str]:
    try:
        return _marked(NODES.get(str(node_type or "")).name)
    except UnknownNode:
        return frozenset()


@cache
def _any_secrets() -> frozenset[str]:
    return frozenset(name for each in NODES for name in _marked(each.name))


@cache
def _marked(name: str) -> frozenset[str]:
    properties = NODES.get(name).config.model_json_schema()["properties"]
    return frozenset(each for each, about in properties.items() if about.get("x-secret"))
