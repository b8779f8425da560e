"""The product's own templates, one file each in `catalogue/`, found by looking into the folder.

A file also says what a run may look like (`example_parameters`, `example_inputs`); the tests run exactly that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nodes.settings.form_fields import Rule
from templates_app.parameters import ChoiceSpec, ParameterSpec, names_twice

FOLDER = Path(__file__).parent / "catalogue"

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]


class BadEntry(Exception):
    """A file of the catalogue cannot be used. A defect of ours; a test reads them all."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChoiceEntry(ChoiceSpec):
    model_config = ConfigDict(extra="forbid")


class RuleEntry(_Strict, Rule):
    pass


class ParameterEntry(ParameterSpec):
    """000, "TemplateParameter". In the catalogue every one has a label for people."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=200)
    options: list[ChoiceEntry] = []  # type: ignore[assignment]
    validation: list[RuleEntry] = []  # type: ignore[assignment]


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
        if names_twice(self.parameters):
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
