"""What the names in an expression mean, and what to say when one means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from engine.expression_errors import ExpressionError, kind_of
from engine.expression_reading import Reference, Segment
from engine.expression_vocabulary import FIXED
from engine.nearest import nearest

_SHOWN = 20  # names listed in a message


class Missing(Enum):
    """Nothing, not even null."""

    MISSING = "missing"


MISSING = Missing.MISSING

_ELSEWHERE = {"None": "null", "nil": "null", "undefined": "null", "True": "true", "False": "false"}
_PROPERTIES = {"length": "length(x)", "count": "length(x)", "size": "length(x)", "first": "first(x)", "last": "last(x)"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean ("schemas/node_configs.yaml", Names). All values are JSON and are never changed.

    `steps` is node id to output, and may compute an output when asked: only ids that an expression names are looked up.
    `now` is RFC 3339. `item` and `index` exist inside map only.
    """

    input: Any = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Any] = field(default_factory=dict)
    execution: Mapping[str, Any] = field(default_factory=dict)
    workflow: Mapping[str, Any] = field(default_factory=dict)
    organization: Mapping[str, Any] = field(default_factory=dict)
    now: str = ""
    item: Any = MISSING
    index: int | Missing = MISSING

    def over(self, names: Mapping[str, Any]) -> Scope:
        """The same with some names over it: `item` and `index` as they are, others over the inputs."""
        others = {name: value for name, value in names.items() if name not in ("item", "index")}
        return Scope(
            self.input,
            {**self.inputs, **others} if others else self.inputs,
            self.context,
            self.steps,
            self.execution,
            self.workflow,
            self.organization,
            self.now,
            names.get("item", self.item),
            names.get("index", self.index),
        )


def find(reference: Reference, scope: Scope) -> Any:
    """The value the reference leads to, or MISSING."""
    root = reference.root
    value = getattr(scope, root) if root in FIXED else step_into(scope.inputs, root)
    for segment in reference.segments:
        value = step_into(value, segment)
    # A mapping that reads its values when asked is read whole where an expression means the whole.
    return dict(value) if isinstance(value, Mapping) and type(value) is not dict else value


def step_into(value: Any, segment: Segment) -> Any:
    if type(segment) is str:
        if type(value) is dict:
            return value.get(segment, MISSING)
        if isinstance(value, Mapping):
            try:
                return value[segment]
            except KeyError:
                return MISSING
    elif isinstance(value, list | tuple) and isinstance(segment, int) and segment < len(value):
        return value[segment]
    return MISSING


def absent(reference: Reference, scope: Scope, source: str) -> ExpressionError:
    """Why the reference leads nowhere: the first name that is not there, and those that are."""
    root = reference.root
    if root not in FIXED:
        if step_into(scope.inputs, root) is MISSING:
            return _no_name(root, scope, source)
        value, label = scope.inputs[root], root
    else:
        value, label = getattr(scope, root), root
        if value is MISSING:
            return ExpressionError(f"{root} exists only inside map.", source, _names(scope))
    for segment in reference.segments:
        following = step_into(value, segment)
        if following is MISSING:
            return _no_segment(label, value, segment, source)
        value, label = following, Reference("read", label, (segment,)).label
    return ExpressionError(f"{label} is not there.", source)


def _names(scope: Scope) -> list[str]:
    fixed = [name for name in sorted(FIXED) if getattr(scope, name) is not MISSING]
    return [*sorted(map(str, scope.inputs)), *fixed]


def _no_name(name: str, scope: Scope, source: str) -> ExpressionError:
    there = _names(scope)
    if name in _ELSEWHERE:
        return ExpressionError(f"{name} is written {_ELSEWHERE[name]} here.", source, there)
    return ExpressionError(f"There is no input called '{name}'; {_listing(name, there, 'there is')}", source, there)


def _no_segment(label: str, value: Any, segment: Segment, source: str) -> ExpressionError:
    if isinstance(value, list | tuple):
        return ExpressionError(_no_item(label, len(value), segment), source)
    if not isinstance(value, Mapping):
        return ExpressionError(f"{label} is {kind_of(value)}, so it has no '{segment}'.", source)
    there = sorted(map(str, value))
    if label == "steps":
        none = f"There is no finished step '{segment}'"
        listing = _listing(segment, there, "the steps are") if there else "no step has finished yet."
        return ExpressionError(f"{none}; {listing}", source, there)
    listing = _listing(segment, there, "it has") if there else "it is empty."
    return ExpressionError(f"{label} has no '{segment}'; {listing}", source, there)


def _no_item(label: str, length: int, segment: Segment) -> str:
    if isinstance(segment, int):
        return f"{label} has no item {segment}: it has {length}, and counting starts at 0."
    instead = f"use {_PROPERTIES[segment]}" if segment in _PROPERTIES else f"read an item first, such as {label}[0]"
    return f"{label} is a list, so it has no '{segment}'; {instead}."


def _listing(name: Segment, there: list[str], lead: str) -> str:
    near = nearest(str(name), there)
    shown = ", ".join(each[:60] for each in there[:_SHOWN]) + (" …" if len(there) > _SHOWN else "")
    return f"{lead} {shown}. Did you mean '{near[0][:60]}'?" if near else f"{lead} {shown}."
