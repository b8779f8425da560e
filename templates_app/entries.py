"""The product's own templates, one file each in `catalogue/`, found by looking into the folder.

A file also says what a run may look like (`example_parameters`, `example_inputs`); the tests run exactly that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.expression_vocabulary import FIXED
from nodes.settings.form_fields import FormField, Invalid, Rule, accept
from templates_app.models import ParameterType

FOLDER = Path(__file__).parent / "catalogue"
_WORDS = frozenset({"true", "false", "null", "in"})

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class BadEntry(Exception):
    """A file of the catalogue cannot be used. A defect of ours; a test reads them all."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChoiceEntry(_Strict):
    value: Any
    label: str
    description: str = ""


class RuleEntry(_Strict, Rule):
    pass


class ParameterEntry(_Strict):
    """000, "TemplateParameter". A default must itself be acceptable."""

    name: Name
    type: ParameterType
    label: str = Field(min_length=1, max_length=200)
    description: str = ""
    required: bool = False
    default_value: Any = None
    options: list[ChoiceEntry] = []
    validation: list[RuleEntry] = []

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if self.name in FIXED | _WORDS:
            raise ValueError(f"'{self.name}' means something else in expressions; choose another name")
        if bool(self.options) != (self.type in (ParameterType.SELECT, ParameterType.MULTISELECT)):
            raise ValueError("select and multiselect have options, the other types none")
        if self.default_value is not None:
            try:
                accept(self.as_field(), self.default_value)
            except Invalid as problem:
                raise ValueError(f"the default {problem}") from None
        return self

    def as_field(self) -> FormField:
        return FormField.model_validate(self.model_dump(include={"name", "type", "options", "validation"}))


class Entry(_Strict):
    """One file: a template in the words of 000, "Template Schema"."""

    slug: Slug
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(min_length=1)
    category: str = Field(min_length=1, max_length=100)
    tags: list[str] = []
    parameters: list[ParameterEntry] = []
    definition: dict[str, Any]
    example_parameters: dict[str, Any] = {}
    example_inputs: dict[str, Any]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [each.name for each in self.parameters]
        if len(set(names)) != len(names):
            raise ValueError("two parameters have one name")
        return self


def entries(folder: Path = FOLDER) -> list[Entry]:
    """Every template of the catalogue, by slug. Raises `BadEntry` naming the file."""
    found = list(_read(sorted(folder.glob("*.json"))))
    slugs = [each.slug for each in found]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise BadEntry(f"Two files of the catalogue have the slug '{slug}'.")
    return found


def _read(files: Sequence[Path]) -> Iterator[Entry]:
    for file in files:
        try:
            entry = Entry.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise BadEntry(f"{file.name}: {error}") from error
        if entry.slug != file.stem:
            raise BadEntry(f"{file.name}: its slug is '{entry.slug}'; name the file {entry.slug}.json.")
        yield entry
