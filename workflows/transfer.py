"""A workflow as one document that can be kept, reviewed, and read in elsewhere: `format: auterity-workflow`.

The same workflow always gives the same bytes. Reading one in stores it and nothing else: nothing runs, nothing is connected to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from engine.graph import Problem, check
from workflows import cases, selectors
from workflows.models import Workflow
from workflows.placeholders import Blank, blanks, detached, emptied, filled
from workflows.services import create_workflow
from workflows.shapes import PARTS, read_definition
from workflows.yaml_text import write_yaml

FORMAT = "auterity-workflow"
FORMAT_VERSION = 1
KEYS = ("format", "format_version", "name", "description", "category", "definition", "fill_in", "tests", "fill")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document says, and what stands in the way. `problems` forbid reading it in; `faults` only keep it from running."""

    name: str
    description: str
    category: str
    definition: Json
    tests: list[Json]
    blanks: list[Blank] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)
    faults: list[Problem] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether it could run as it is."""
        return not (self.blanks or any(not each.warning for each in self.faults))


def export_workflow(*, actor: Actor, workflow_id: UUID, number: int | None = None) -> Json:
    """The document of a version (the newest where no number is given), with the workflow's test cases."""
    workflow = selectors.get_workflow(actor=actor, workflow_id=workflow_id)
    version = selectors.get_version(actor=actor, workflow=workflow, number=number)
    kept = [cases.content_of(each) for each in selectors.list_cases(actor=actor, workflow=workflow)]
    definition = {**version.definition, "nodes": [emptied(each) for each in version.definition.get("nodes") or []]}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": workflow.name,
        "description": workflow.description,
        "category": workflow.category,
        "definition": _written(definition),
        "fill_in": [each.as_json() for each in blanks(definition)],
        "tests": kept,
    }


def as_json(document: Json) -> str:
    """The document as JSON for people."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def as_yaml(document: Json) -> str:
    return write_yaml(document)


def read_document(*, actor: Actor, document: Mapping[str, Any]) -> Reading:
    """Everything a document says, with everything that is wrong with it. Nothing is stored."""
    require(actor, Permission.WORKFLOW_CREATE)
    problems = _check_frame(document)
    name, description, category = (_text(document, each, problems) for each in ("name", "description", "category"))
    definition = _definition(document, problems)
    definition, unfit = filled(definition, document.get("fill") or {})
    faults = check(definition) if not problems else []
    problems += [
        *unfit,
        *(FieldProblem(f"definition.{each.place}", each.message) for each in faults if each.structural),
    ]
    return Reading(
        name=name,
        description=description,
        category=category,
        definition=definition,
        tests=_tests(document, problems),
        blanks=blanks(definition),
        problems=problems,
        faults=[each for each in faults if not each.structural],
    )


@transaction.atomic
def import_workflow(*, actor: Actor, document: Mapping[str, Any], is_active: bool = True) -> tuple[Workflow, Reading]:
    """A new workflow from a document: an inactive draft where something must be filled in or mended first.

    Raises `InvalidInput` with everything that is wrong, and `DefinitionRefused`.
    """
    reading = read_document(actor=actor, document=document)
    if reading.problems:
        raise InvalidInput(reading.problems)
    workflow = create_workflow(
        actor=actor,
        name=reading.name,
        description=reading.description,
        category=reading.category,
        definition=reading.definition,
        is_active=is_active and reading.complete,
        draft=not reading.complete,
        note="Imported",
    )
    cases.store_cases(actor=actor, workflow=workflow, contents=reading.tests)
    return workflow, reading


# -- inside ----------------------------------------------------------------------------------------------------------


def _written(definition: Mapping[str, Any]) -> Json:
    """A canonical definition in the form of 000, without the second names that answers carry."""
    return {
        **{part: definition.get(part) or ({} if part == "settings" else []) for part in PARTS},
        "nodes": [_flat(each) for each in definition.get("nodes") or []],
        "edges": [_flat(each) for each in definition.get("edges") or []],
    }


def _flat(thing: Mapping[str, Any]) -> Json:
    return {**{name: value for name, value in thing.items() if name != "extra"}, **(thing.get("extra") or {})}


def _check_frame(document: Mapping[str, Any]) -> list[FieldProblem]:
    if document.get("format") != FORMAT:
        return [FieldProblem("format", f"A workflow's document begins with format: {FORMAT}.", "required")]
    if document.get("format_version") != FORMAT_VERSION or isinstance(document["format_version"], bool):
        return [FieldProblem("format_version", f"This edition reads version {FORMAT_VERSION} of the format.")]
    unknown = sorted(str(each) for each in document if each not in KEYS)
    return [FieldProblem(each[:100], f"This is no part of a document; they are {', '.join(KEYS)}.") for each in unknown]


def _text(document: Mapping[str, Any], name: str, problems: list[FieldProblem]) -> str:
    value = document.get(name)
    if value is None and name != "name":
        return ""
    limit = {"name": 200, "category": 100}.get(name)
    if not isinstance(value, str) or (name == "name" and not value.strip()) or (limit and len(value.strip()) > limit):
        problems.append(FieldProblem(name, f"This is text{f' of at most {limit} characters' if limit else ''}."))
        return ""
    return value


def _definition(document: Mapping[str, Any], problems: list[FieldProblem]) -> Json:
    """The canonical definition, with ids of another organization taken out and listed as to be filled in."""
    empty: Json = {part: {} if part == "settings" else [] for part in PARTS}
    given = document.get("definition")
    if not isinstance(given, Mapping):
        problems.append(FieldProblem("definition", "A document needs a definition with nodes and edges.", "required"))
        return empty
    try:
        read = read_definition({"definition": given}) or empty
    except InvalidInput as refused:
        problems += [FieldProblem(f"definition.{each.field}", each.message, each.code) for each in refused.problems]
        return empty
    return {**read, "nodes": [detached(each) for each in read["nodes"]]}


def _tests(document: Mapping[str, Any], problems: list[FieldProblem]) -> list[Json]:
    given = document.get("tests") or []
    if not isinstance(given, list) or len(given) > cases.MAX_CASES:
        problems.append(FieldProblem("tests", f"This is a list of at most {cases.MAX_CASES} test cases."))
        return []
    found: list[Json] = []
    for at, each in enumerate(given):
        if not isinstance(each, Mapping):
            problems.append(FieldProblem(f"tests[{at}]", "This must be an object."))
            continue
        unknown = sorted(str(name) for name in each if name not in cases.BLANK_CASE)
        problems += [FieldProblem(f"tests[{at}].{name[:100]}", "A test case has no such field.") for name in unknown]
        read, wrong = cases.read_case({name: each.get(name, value) for name, value in cases.BLANK_CASE.items()})
        problems += [FieldProblem(f"tests[{at}].{one.field}", one.message, one.code) for one in wrong]
        found.append(read)
    names = [each["name"] for each in found]
    problems += [
        FieldProblem(f"tests[{at}].name", "Another test case has this name.")
        for at, name in enumerate(names)
        if name in names[:at]
    ]
    return found
