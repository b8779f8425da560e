"""`data-transformation`: a map or list made from what arrived (`schemas/node_configs.yaml`)."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import Field

from engine.expressions import contains_template
from engine.node import Bare, Done, Failed, NodeConfig, Outcome, Step, node
from nodes.settings.checks import Problems

_KINDS = {str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}


class Config(NodeConfig):
    set_: dict[str, Any] | None = Field(
        default=None, alias="set", description="Names and their values. A dotted name (customer.city) nests."
    )
    from_: Any = Field(default=None, alias="from", description="The map the result starts from; empty if not given.")
    remove: list[str] = Field(default=[], description="Names to leave out; a dotted name reaches inside.")
    expression: Bare | None = Field(
        default=None, description="Instead of set: one expression that gives a map or a list."
    )


def check(config: Config) -> Problems:
    problems: Problems = []
    if config.expression and (config.set_ is not None or config.from_ is not None or config.remove):
        problems.append(("expression", "Give either an expression, or set, from and remove; not both."))
    base = config.from_
    if base is not None and not isinstance(base, dict) and not contains_template(base):
        problems.append(("from", "The result can only start from a map, such as {{ input }}."))
    if any(not all(name.split(".")) for name in (*(config.set_ or {}), *config.remove)):
        problems.append(("set", "A name is empty; write names such as city or customer.city."))
    return problems


@node("data-transformation", title="Transform data", config=Config, check=check)
def run(config: Config, step: Step) -> Outcome:
    """Sets, renames and removes values, or computes a whole map or list. Without settings it hands on what arrives."""
    if config.expression:
        return _computed(step.evaluate(config.expression))
    if config.set_ is None and config.from_ is None and not config.remove:
        return Done(step.input)
    if config.from_ is not None and not isinstance(config.from_, dict):
        return Failed("rejected", f"from: the result can only start from a map; this is {_kind(config.from_)}.")
    result: dict[str, Any] = copy.deepcopy(config.from_ or {})
    for name, value in (config.set_ or {}).items():
        if (obstacle := _put(result, name.split("."), value)) is not None:
            told = f"set: '{name}' cannot be set, because '{obstacle}' already holds a value that is no map."
            return Failed("rejected", told, {"field": f"set.{name}"})
    for name in config.remove:
        _remove(result, name.split("."))
    return Done(result)


def _computed(value: Any) -> Outcome:
    if isinstance(value, dict | list):
        return Done(value)
    return Failed(
        "expression",
        f"expression: it must give a map or a list, and gives {_kind(value)}. "
        'Wrap the value in a map, such as {"value": …}.',
    )


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a list")


def _put(result: dict[str, Any], path: list[str], value: Any) -> str | None:
    """Set a value, making the maps on the way. The name of what is in the way, if something is."""
    for depth, name in enumerate(path[:-1], start=1):
        inner = result.setdefault(name, {})
        if not isinstance(inner, dict):
            return ".".join(path[:depth])
        result = inner
    result[path[-1]] = value
    return None


def _remove(result: dict[str, Any], path: list[str]) -> None:
    for name in path[:-1]:
        inner = result.get(name)
        if not isinstance(inner, dict):
            return
        result = inner
    result.pop(path[-1], None)
