"""What the parts of a definition are made of (000, Workflow Definition Schema; `schemas/workflow.yaml`).

A part that 000 gives a type is held to it wherever it comes in, so that what is answered has the type that clients were promised.
What is stored already is read as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from auterity.kernel.errors import FieldProblem
from engine.node import MAX_RETRIES

EDGE_TYPES = ("data", "control", "conditional")
VARIABLE_TYPES = ("string", "number", "boolean", "object", "array")
TRIGGER_TYPES = ("manual", "webhook", "schedule")

Json = Mapping[str, Any]
_Fits = Callable[[Any], bool]
_Kind = tuple[_Fits, str]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_place(value: Any) -> bool:
    """Empty is no place, as if none were given."""
    return isinstance(value, Mapping) and (not value or all(_is_number(value.get(axis)) for axis in ("x", "y")))


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _one_of(*words: str) -> _Kind:
    return lambda value: value in words, f"This is one of {', '.join(words)}."


_TEXT: _Kind = (_is_text, "This must be text.")
_OBJECT: _Kind = (lambda value: isinstance(value, Mapping), "This must be an object.")
_OBJECTS: _Kind = (_are_objects, "This must be a list of objects.")

NODE: Mapping[str, _Kind] = {
    "position": (_is_place, "This must be an object with x and y as numbers."),
    "title": _TEXT,
    "description": _TEXT,
    "inputs": _OBJECTS,
    "outputs": _OBJECTS,
    "validation": _OBJECTS,
}
EDGE: Mapping[str, _Kind] = {
    "type": _one_of(*EDGE_TYPES),
    "condition": _TEXT,
    "source_port": _TEXT,
    "target_port": _TEXT,
}
VARIABLE: Mapping[str, _Kind] = {"type": _one_of(*VARIABLE_TYPES), "description": _TEXT}
TRIGGER: Mapping[str, _Kind] = {"type": _one_of(*TRIGGER_TYPES), "node_id": _TEXT, "config": _OBJECT}
SETTINGS: Mapping[str, _Kind] = {
    "timeout_seconds": (lambda value: _is_number(value) and value > 0, "This must be a number of seconds above 0."),
    "max_retries": (
        lambda value: type(value) is int and 0 <= value <= MAX_RETRIES,
        f"This must be a whole number from 0 to {MAX_RETRIES}: how often a node that says nothing of its own tries again.",
    ),
}


def check_fields(given: Json, kinds: Mapping[str, _Kind], place: str, problems: list[FieldProblem]) -> None:
    """Name each field of another type; one that is left out, null or empty text is not given."""
    for name, (fits, told) in kinds.items():
        value = given.get(name)
        if value is not None and value != "" and not fits(value):
            problems.append(FieldProblem(f"{place}.{name}", told))
