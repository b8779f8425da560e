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
    """Whether what stands at this path of a node is not to be shown: a secret setting, or a header that carries credentials."""
    if len(path) < 2 or path[0] != "config":
        return False
    if path[1] == "headers" and len(path) == 3:
        return str(path[2]).lower() in CREDENTIAL_HEADERS
    return path[1] in _secrets(node_type)


def shown_config(node_type: str, config: Mapping[str, Any]) -> Json:
    """A configuration for people who compare or carry it elsewhere: without secrets, and without written-down credentials."""
    shown = masked({"type": node_type, "config": config})
    headers = shown.get("headers")
    if isinstance(headers, Mapping):
        shown["headers"] = {
            name: MASK if value and is_secret(node_type, ("config", "headers", name)) else value
            for name, value in headers.items()
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
def _marked(name: str) -> frozenset[str]:
    properties = NODES.get(name).config.model_json_schema()["properties"]
    return frozenset(each for each, about in properties.items() if about.get("x-secret"))
