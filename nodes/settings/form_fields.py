"""The fields of a form: what they accept, and what a person who filled them in wrongly is told.

`schemas/node_configs.yaml`, "form-input"; `schemas/workflow.yaml`, "ValidationRule".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from engine.expression_values import as_text
from engine.expressions import ExpressionError, Scope, compile_expression
from nodes.formats.dates import parse_day
from nodes.settings.files import file_id
from nodes.settings.text import Text

MOST_CHOICES = 1000  # of one answer
EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@(?:[^\s@<>,;:\"()\[\]\\.]{1,63}\.)+[^\s@<>,;:\"()\[\]\\.]{2,63}")
_PHONE = re.compile(r"\+?[\d\s()./-]{5,30}(?:\s*(?:x|ext\.?)\s*\d{1,6})?", re.IGNORECASE)
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


class Invalid(Exception):
    """A value that a field does not accept. Its text completes a sentence that begins with the field's name."""


class Option(BaseModel):
    value: Any = Field(description="What the choice stands for in later steps.")
    label: Text = Field(default="", description="What people see.")


class Rule(BaseModel):
    rule: Literal["required", "min", "max", "min_length", "max_length", "pattern", "email"]
    value: Any = Field(default=None, description="The bound, the length, or the pattern (RE2, over the whole value).")
    message: Text = Field(default="", description="What to tell instead of the usual sentence.")


class FormField(BaseModel):
    name: str = Field(min_length=1, max_length=100, description="The input's name; later steps read inputs.<name>.")
    label: Text = Field(default="", description="What people see.")
    type: Literal["string", "text", "number", "boolean", "date", "email", "phone", "select", "multiselect", "file"] = (
        Field(
            default="string", description="What is accepted. Dates are written 2026-11-20; a file is given by its id."
        )
    )
    required: bool = Field(default=False, description="Whether a value must be given.")
    default: Any = Field(default=None, description="The value where none is given.")
    options: list[Option] = Field(default=[], description="The choices of select and multiselect.")
    validation: list[Rule] = Field(default=[], description="Further rules.")

    @field_validator("options", mode="before")
    @classmethod
    def _plain_options(cls, given: Any) -> Any:
        """`["new", "used"]` is short for a list of values with labels."""
        if not isinstance(given, list):
            return given
        return [each if isinstance(each, dict) else {"value": each, "label": as_text(each)} for each in given]


def collect(fields: Sequence[FormField], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values by field name, and a sentence for each field that is wrong."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in fields:
        try:
            values[field.name] = accept(field, given.get(field.name))
        except Invalid as problem:
            errors[field.name] = f"{field.label or field.name} {problem}"
    return values, errors


def accept(field: FormField, value: Any) -> Any:
    """The value a field holds, in its own type. Raises `Invalid`."""
    if _is_blank(value):
        value = field.default
    if _is_blank(value):
        if field.required or any(rule.rule == "required" for rule in field.validation):
            raise Invalid(_told(field, "required") or "is required.")
        return [] if field.type == "multiselect" else None
    value = _TYPES[field.type](field, value)
    for rule in field.validation:
        _follow(rule, value)
    return value


def _is_blank(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _told(field: FormField, rule: str) -> str:
    return next((each.message for each in field.validation if each.rule == rule), "")


def _string(_field: FormField, value: Any) -> str:
    if isinstance(value, bool | list | dict):
        raise Invalid(f"must be text, not {as_text(value)[:60]}.")
    return as_text(value)


def _number(_field: FormField, value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    if isinstance(value, str) and len(value) <= 40:
        try:
            number = float(value.strip())
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return int(number) if re.fullmatch(r"\s*[+-]?\d{1,15}\s*", value) else number
    raise Invalid(f"must be a number such as 25000 or 12.5, not {as_text(value)[:60]!r}.")


def _boolean(_field: FormField, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = as_text(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Invalid("must be true or false.")


def _date(_field: FormField, value: Any) -> str:
    day = parse_day(value) if isinstance(value, str) else None
    if day is None:
        raise Invalid("must be a date such as 2026-11-20.")
    return day


def _email(_field: FormField, value: Any) -> str:
    if not isinstance(value, str) or not EMAIL.fullmatch(value.strip()):
        raise Invalid("must be an e-mail address such as jane@example.com.")
    return value.strip()


def _phone(_field: FormField, value: Any) -> str:
    text = as_text(value).strip()
    if not _PHONE.fullmatch(text) or not 5 <= sum(sign.isdigit() for sign in text) <= 21:
        raise Invalid("must be a phone number such as +1 512 555 0143.")
    return text


def is_choice(value: Any, option: Option) -> bool:
    """Whether a value is this choice's, in its type: 1 is not true."""
    return bool(value == option.value) and isinstance(value, bool) is isinstance(option.value, bool)


def _select(field: FormField, value: Any) -> Any:
    for option in field.options:
        if is_choice(value, option) or (isinstance(value, str) and value == as_text(option.value)):
            return option.value
    raise not_a_choice(field)


def not_a_choice(field: FormField) -> Invalid:
    choices = ", ".join(as_text(option.value) for option in field.options[:20])
    return Invalid(f"must be one of: {choices}." if choices else "has no options to choose from; add them to the form.")


def _multiselect(field: FormField, value: Any) -> list[Any]:
    """Each choice once, in the order of naming."""
    given, chosen = value if isinstance(value, list) else [value], []
    if len(given) > MOST_CHOICES:  # Each is looked for among all.
        raise Invalid(f"may name {MOST_CHOICES:,} choices.")
    for each in given:
        option = _select(field, each)
        if option not in chosen:
            chosen.append(option)
    return chosen


def _file(_field: FormField, value: Any) -> str:
    """The id alone. Whether it names a file of the organization is seen where the value comes in, and where it is read."""
    try:
        return str(UUID(file_id(value)))
    except ValueError:
        raise Invalid("must be the id of a stored file; upload it first.") from None


_TYPES: dict[str, Callable[[FormField, Any], Any]] = {
    "string": _string,
    "text": _string,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "email": _email,
    "phone": _phone,
    "select": _select,
    "multiselect": _multiselect,
    "file": _file,
}


def _follow(rule: Rule, value: Any) -> None:
    """Raises `Invalid` when a value breaks a rule."""
    problem = _RULES[rule.rule](rule.value, value)
    if problem:
        raise Invalid(rule.message or problem)


def _minimum(bound: Any, value: Any) -> str:
    return f"must be at least {bound}." if _compare(value, bound) < 0 else ""


def _maximum(bound: Any, value: Any) -> str:
    return f"must be at most {bound}." if _compare(value, bound) > 0 else ""


def _compare(value: Any, bound: Any) -> int:
    """-1, 0 or 1. Numbers compare with numbers; dates, which are text here, with text."""
    if isinstance(value, str) and isinstance(bound, str):
        return (value > bound) - (value < bound)
    try:
        left, right = float(value), float(bound)
    except (TypeError, ValueError):
        raise Invalid(f"cannot be compared with {bound!r}; mend the rule's value in the form.") from None
    return (left > right) - (left < right)


def _shortest(bound: Any, value: Any) -> str:
    return f"must have at least {bound} {_units(value)}." if len(value) < _length(bound, value) else ""


def _longest(bound: Any, value: Any) -> str:
    return f"must have at most {bound} {_units(value)}." if len(value) > _length(bound, value) else ""


def _length(bound: Any, value: Any) -> int:
    try:
        len(value)
        return int(bound)
    except (TypeError, ValueError):
        raise Invalid("has no length that could be checked; mend the rule in the form.") from None


def _units(value: Any) -> str:
    return "choices" if isinstance(value, list) else "characters"


def _pattern(bound: Any, value: Any) -> str:
    return "" if matches(as_text(bound), as_text(value)) else "does not have the expected form."


def matches(pattern: str, value: str) -> bool:
    """Whether a whole value has a pattern's form. The pattern is RE2: its time is in proportion to the value.

    Raises `Invalid` when the pattern is none.
    """
    scope = Scope(inputs={"value": value, "pattern": f"^(?:{pattern})$"})
    try:
        return compile_expression("value.matches(pattern)").evaluate(scope) is True
    except ExpressionError as error:
        raise Invalid(f"has a pattern that cannot be read ({error.message}); mend the rule in the form.") from error


_RULES: dict[str, Callable[[Any, Any], str]] = {
    "required": lambda _bound, _value: "",
    "min": _minimum,
    "max": _maximum,
    "min_length": _shortest,
    "max_length": _longest,
    "pattern": _pattern,
    "email": lambda _bound, value: "" if EMAIL.fullmatch(as_text(value)) else "must be an e-mail address.",
}
