"""What a template's parameter may say of itself (000, "TemplateParameter"; 001 adds `email`).

Checked when it is stored, so that filling a blank never meets a rule that cannot be followed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.expression_values import as_text
from engine.expression_vocabulary import FIXED
from nodes.settings.form_fields import FormField, Invalid, Rule, matches
from templates_app.blanks import accept_typed, is_storable
from templates_app.models import ParameterType

MAX_PARAMETERS = 100
MAX_PATTERN = 500  # characters
_WORDS = frozenset({"true", "false", "null", "in"})
_CHOICES = (ParameterType.SELECT, ParameterType.MULTISELECT)
_TEXTS = (ParameterType.STRING, ParameterType.EMAIL)
# Which types have what a rule looks at.
_FITS: dict[str, tuple[ParameterType, ...]] = {
    "min": (ParameterType.NUMBER,),
    "max": (ParameterType.NUMBER,),
    "min_length": (*_TEXTS, ParameterType.MULTISELECT),
    "max_length": (*_TEXTS, ParameterType.MULTISELECT),
    "pattern": _TEXTS,
    "email": _TEXTS,
    "required": tuple(ParameterType),
}

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class ChoiceSpec(BaseModel):
    """000, "ParameterOption". A bare value is short for one whose label says the same."""

    value: Any
    label: Annotated[str, Field(max_length=200)] = ""
    description: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, given: Any) -> Any:
        return given if isinstance(given, dict) else {"value": given}

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if self.value is None or self.value == "" or not is_storable(self.value):
            raise ValueError("a choice needs a value that JSON can carry")
        self.label = self.label or as_text(self.value)[:200]
        return self


class ParameterSpec(BaseModel):
    """One blank as it is stored: `{{ name }}` in texts, the bare name in expressions. A default must itself be acceptable."""

    model_config = ConfigDict(extra="ignore")

    name: Name
    type: ParameterType
    label: Annotated[str, Field(max_length=200)] = ""
    description: Annotated[str, Field(max_length=5000)] = ""
    required: bool = False
    default_value: Any = None
    options: Annotated[list[ChoiceSpec], Field(max_length=500)] = []
    validation: Annotated[list[Rule], Field(max_length=20)] = []

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if self.name in FIXED | _WORDS:
            raise ValueError(f"'{self.name}' means something else in expressions; choose another name")
        if bool(self.options) != (self.type in _CHOICES):
            raise ValueError("select and multiselect have options, the other types none")
        values = [orjson.dumps(each.value) for each in self.options]
        if len(set(values)) != len(values):
            raise ValueError("two options have one value")
        for rule in self.validation:
            _check_rule(self.type, rule)
        _check_bounds(self.validation, "min", "max")
        _check_bounds(self.validation, "min_length", "max_length")
        if self.default_value is not None:
            self._check_default()
        return self

    def _check_default(self) -> None:
        if not is_storable(self.default_value):
            raise ValueError("the default is too long or holds something that JSON cannot carry")
        try:
            accept_typed(self.as_field(), self.default_value)
        except Invalid as problem:
            raise ValueError(f"the default {problem}") from None

    def as_field(self) -> FormField:
        return FormField.model_validate(
            {
                "name": self.name,
                "type": self.type.value,
                "options": [{"value": each.value, "label": each.label} for each in self.options],
                "validation": self.validation,
            }
        )

    def stored(self) -> dict[str, Any]:
        """The columns of a `TemplateParameter`, and what a version keeps of it."""
        return self.model_dump(mode="json", include=set(ParameterSpec.model_fields)) | {
            "label": self.label or self.name
        }


def names_twice(parameters: Sequence[ParameterSpec]) -> list[str]:
    """Names that more than one parameter has."""
    names = [each.name for each in parameters]
    return sorted({each for each in names if names.count(each) > 1})


def _check_rule(kind: ParameterType, rule: Rule) -> None:
    if kind not in _FITS[rule.rule]:
        fitting = ", ".join(each.value for each in _FITS[rule.rule])
        raise ValueError(f"the rule {rule.rule} is for {fitting}; this is a {kind.value}")
    if rule.rule in ("min", "max") and not _is_number(rule.value):
        raise ValueError(f"the rule {rule.rule} needs a number as its value")
    if rule.rule in ("min_length", "max_length") and (
        not isinstance(rule.value, int) or isinstance(rule.value, bool) or not 0 <= rule.value <= 1_000_000
    ):
        raise ValueError(f"the rule {rule.rule} needs a length of 0 or more as its value")
    if rule.rule == "pattern":
        _check_pattern(rule.value)


def _check_pattern(pattern: Any) -> None:
    if not isinstance(pattern, str) or not pattern or len(pattern) > MAX_PATTERN:
        raise ValueError(f"the rule pattern needs a regular expression (RE2) of 1 to {MAX_PATTERN} characters")
    try:
        matches(pattern, "")
    except Invalid:
        raise ValueError(
            "the pattern cannot be read; it is written as RE2, without look-around and back-references"
        ) from None


def _check_bounds(rules: Sequence[Rule], low: str, high: str) -> None:
    lowest = max((each.value for each in rules if each.rule == low), default=-math.inf)
    highest = min((each.value for each in rules if each.rule == high), default=math.inf)
    if lowest > highest:
        raise ValueError(f"{low} is more than {high}: nothing would be accepted")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
