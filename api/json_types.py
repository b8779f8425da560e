"""JSON's own types, held to: a number is no text and no truth value. Pydantic would read "7" as 7, true as 1, "yes" as true."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from auterity.kernel.errors import FieldProblem

_TOLD: Mapping[Any, tuple[tuple[type, ...], str]] = {
    int: ((int, float), "This must be a whole number."),
    float: ((int, float), "This must be a number."),
    bool: ((bool,), "This must be true or false."),
    dt.datetime: ((str,), "This must be a time such as 2026-11-20T08:00:00Z."),
    dt.date: ((str,), "This must be a date such as 2026-11-20."),
}


def mistyped(model: type[BaseModel], body: Mapping[str, Any], place: str = "") -> Iterator[FieldProblem]:
    """Each field of a JSON body that has another type than its model says, those of objects and lists of objects inside too."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        if body.get(key) is not None:
            yield from _wrong(field.annotation, body[key], f"{place}{key}")


def _wrong(annotation: Any, value: Any, place: str) -> Iterator[FieldProblem]:
    if get_origin(annotation) in (Union, types.UnionType):
        choices = [each for each in get_args(annotation) if each is not type(None)]
        annotation = choices[0] if len(choices) == 1 else None
    if annotation in _TOLD:
        fitting, told = _TOLD[annotation]
        if not isinstance(value, fitting) or (isinstance(value, bool) and bool not in fitting):
            yield FieldProblem(place, told)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(value, Mapping):
        yield from mistyped(annotation, value, f"{place}.")
    elif get_origin(annotation) is list and isinstance(value, list):
        for at, each in enumerate(value):
            yield from _wrong(get_args(annotation)[0], each, f"{place}.{at}")
