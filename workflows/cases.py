"""A workflow's test cases: kept beside it, not inside a version, so that they judge every version alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.utils import timezone

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from workflows import selectors
from workflows.assertions import read_assertions
from workflows.models import Workflow, WorkflowTestCase
from workflows.versions import locked

MAX_CASES = 100  # of one workflow
MAX_CASE_BYTES = 512 * 1024
STATUSES = ("completed", "failed")

Json = dict[str, Any]

# A case's fields, and what each is where a document leaves it out.
BLANK_CASE: Json = {
    "name": "", "input_data": {}, "context": {}, "pinned": {}, "mocks": {}, "assertions": [], "expected_status": "completed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CaseContent:
    """What a test case says; None leaves a field as it is."""

    name: str | None = None
    input_data: Json | None = None
    context: Json | None = None
    pinned: Json | None = None
    mocks: Json | None = None
    assertions: list[Any] | None = None
    expected_status: str | None = None

    @property
    def given(self) -> Json:
        """The fields that are said."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in said.items() if value is not None}


@transaction.atomic
def add_case(*, actor: Actor, workflow_id: UUID, content: CaseContent) -> WorkflowTestCase:
    """Store a test case. Raises `WorkflowNotFound` or `InvalidInput` naming every broken field."""
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = locked(actor, workflow_id)
    case = WorkflowTestCase(
        organization_id=actor.organization_id,
        workflow=workflow,
        created_by_id=actor.user_id,
        **{"name": "", "expected_status": "completed", **content.given},
    )
    _settle(case)
    if WorkflowTestCase.objects.of(actor).filter(workflow=workflow).count() >= MAX_CASES:
        raise InvalidInput.of("name", f"A workflow has at most {MAX_CASES} test cases.")
    case.save(force_insert=True)
    return case


@transaction.atomic
def change_case(*, actor: Actor, workflow_id: UUID, case_id: UUID, content: CaseContent) -> WorkflowTestCase:
    """Change what a test case says. What its last run told is forgotten: it judged something else."""
    require(actor, Permission.WORKFLOW_UPDATE)
    locked(actor, workflow_id)
    case = selectors.get_case(actor=actor, workflow_id=workflow_id, case_id=case_id)
    for name, value in content.given.items():
        setattr(case, name, value)
    _settle(case)
    case.last_run_at = case.last_version = case.last_passed = case.last_result = None
    case.save()
    return case


@transaction.atomic
def remove_case(*, actor: Actor, workflow_id: UUID, case_id: UUID) -> None:
    require(actor, Permission.WORKFLOW_UPDATE)
    locked(actor, workflow_id)
    selectors.get_case(actor=actor, workflow_id=workflow_id, case_id=case_id).delete()


def keep_result(*, actor: Actor, case: WorkflowTestCase, version: int, passed: bool, result: Json) -> WorkflowTestCase:
    """Remember what a run of this case told, unless the case was changed or removed meanwhile."""
    case.last_run_at, case.last_version, case.last_passed, case.last_result = timezone.now(), version, passed, result
    rows = WorkflowTestCase.objects.of(actor).filter(id=case.id, updated_at=case.updated_at)
    rows.update(
        last_run_at=case.last_run_at,
        last_version=version,
        last_passed=passed,
        last_result=result,
    )
    return case


def content_of(case: WorkflowTestCase) -> Json:
    """What a case says, in the order it is written down."""
    return {each.name: getattr(case, each.name) for each in fields(CaseContent)}


def read_case(content: Mapping[str, Any]) -> tuple[Json, list[FieldProblem]]:
    """A whole case as it is stored, and everything wrong with it."""
    problems = []
    name = content["name"].strip() if isinstance(content["name"], str) else ""
    if not 1 <= len(name) <= 200:
        problems.append(FieldProblem("name", "A name has 1 to 200 characters.", "invalid" if name else "required"))
    if content["expected_status"] not in STATUSES:
        problems.append(FieldProblem("expected_status", f"This is one of {', '.join(STATUSES)}."))
    for part in ("input_data", "context", "pinned", "mocks"):
        if not isinstance(content[part], dict):
            problems.append(FieldProblem(part, "This must be an object."))
    assertions, broken = read_assertions(content["assertions"])
    read = {**content, "name": name, "assertions": assertions}
    try:
        size = len(orjson.dumps(read))
    except TypeError as error:
        return read, [*problems, FieldProblem("input_data", f"This holds a value that cannot be kept: {error}.")]
    if size > MAX_CASE_BYTES:
        broken.append(FieldProblem("input_data", f"A test case may have {MAX_CASE_BYTES:,} bytes; this has {size:,}."))
    return read, [*problems, *broken]


def store_cases(*, actor: Actor, workflow: Workflow, contents: list[Json]) -> None:
    """Cases that come with a workflow just made in this transaction; they have been read with it."""
    for content in contents:
        case = WorkflowTestCase(
            organization_id=actor.organization_id, workflow=workflow, created_by_id=actor.user_id, **content
        )
        case.save(force_insert=True)


def _settle(case: WorkflowTestCase) -> None:
    read, problems = read_case(content_of(case))
    if problems:
        raise InvalidInput(problems)
    for name, value in read.items():
        setattr(case, name, value)
    same_name = WorkflowTestCase.objects.of(case.organization_id).filter(workflow=case.workflow, name=case.name)
    if same_name.exclude(id=case.id).exists():
        raise InvalidInput.of("name", "Another test case of this workflow has this name.")
