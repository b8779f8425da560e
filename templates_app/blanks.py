"""Filling a template's blanks: what a parameter accepts, and the values of one instantiation with every problem named.

The rules are those of a form's fields (`nodes.settings.form_fields`): the same types, the same validation rules, and
patterns in RE2, whose time is in proportion to the value's length whatever the pattern. A form has texts only; who fills a
template has JSON's types, so a value of another type is refused here where a form would read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from auterity.kernel.errors import FieldProblem, InvalidInput
from engine.nearest import nearest
from nodes.settings.form_fields import FormField, Invalid, accept, is_choice, not_a_choice
from templates_app.models import TemplateParameter

HINTS = 20  # unknown names for which a known one is looked for

MAX_VALUE = 10_000  # bytes of one value as JSON


def fill(parameters: Sequence[TemplateParameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """A value for every parameter, in its type: the given one, else the default, else null (an empty list).

    Raises `InvalidInput` with everything that is missing, wrong or unknown.
    """
    problems = list(_unknown(given, [each.name for each in parameters]))
    values: dict[str, Any] = {}
    for parameter in parameters:
        try:
            values[parameter.name] = _accepted(parameter, given.get(parameter.name))
        except _Refused as refused:
            problems.append(FieldProblem(_place(parameter.name), str(refused), refused.code))
    if problems:
        raise InvalidInput(problems, "Some of the template's parameters are missing or wrong.")
    return values


class _Refused(Exception):
    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code


def _accepted(parameter: TemplateParameter, value: Any) -> Any:
    label = parameter.label or parameter.name
    required = parameter.required or any(rule.get("rule") == "required" for rule in parameter.validation)
    if required and _is_blank(value) and _is_blank(parameter.default_value):
        raise _Refused(f"{label} is required.", "required")
    if not is_storable(value):
        raise _Refused(f"{label} may have {MAX_VALUE:,} bytes of plain text, without control characters.")
    field = FormField(
        name=parameter.name,
        type=parameter.type,  # type: ignore[arg-type]
        default=parameter.default_value,
        options=parameter.options,
        validation=parameter.validation,
    )
    try:
        return accept_typed(field, value)
    except Invalid as problem:
        raise _Refused(f"{label} {problem}") from None


def accept_typed(field: FormField, value: Any) -> Any:
    """The value a parameter holds, or its default where none is given. Raises `Invalid`, also for a value of another type."""
    if not _is_blank(value):
        wanted, types = _TYPES.get(field.type, ("", ()))
        if types and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            raise Invalid(f"must be {wanted}, not {orjson.dumps(value).decode()[:60]}.")
        chosen = value if field.type == "multiselect" else [value] if field.type == "select" else []
        if not all(any(is_choice(each, option) for option in field.options) for each in chosen):
            raise not_a_choice(field)
    return accept(field, value)


_TYPES: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "string": ("text", (str,)),
    "email": ("text, an e-mail address", (str,)),
    "number": ("a number such as 25000 or 12.5", (int, float)),
    "boolean": ("true or false", (bool,)),
    "multiselect": ("a list of choices", (list,)),
}


def _is_blank(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def is_storable(value: Any) -> bool:
    """No half of a surrogate pair, no number over 64 bits, no NUL (which no database keeps), and not too much."""
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        return False
    return len(encoded) <= MAX_VALUE and b"\\u0000" not in encoded


def _unknown(given: Mapping[str, Any], known: list[str]) -> Iterable[FieldProblem]:
    for at, name in enumerate(each for each in given if each not in known):
        near = nearest(str(name), known) if at < HINTS else []
        there = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}." if known else "it has none."
        yield FieldProblem(_place(name), f"The template has no parameter '{str(name)[:100]}'; {there}")


def _place(name: str) -> str:
    return f"parameters.{str(name)[:100]}"
