"""A workflow's test cases: what they claim, what really stood there, and what is kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from executions.models import Execution
from executions.trials.assertions import equal
from executions.trials.cases import run_cases
from tests.executions.support import flow, person, save
from workflows import cases, selectors
from workflows import services as workflows
from workflows.assertions import read_assertions
from workflows.cases import CaseContent
from workflows.errors import CaseNotFound, VersionNotFound
from workflows.models import Workflow, WorkflowTestCase

DEFINITION = flow(
    {
        "double": ("data-transformation", {"set": {"total": "{{ inputs.amount * 2 }}"}}),
        "mail": ("email-sender", {"to": "{{ inputs.to }}", "subject": "{{ steps.double.total }}", "text": "Hi"}),
    },
    "double > mail",
)
INPUTS = {"amount": 4, "to": "ann@example.com"}


@pytest.fixture
def actor(db: None) -> Actor:
    return person()


@pytest.fixture
def workflow(actor: Actor) -> Workflow:
    return save(actor, DEFINITION)


def add(actor: Actor, workflow: Workflow, name: str = "Case", **content: Any) -> WorkflowTestCase:
    said = CaseContent(**{"name": name, "input_data": INPUTS, **content})
    return cases.add_case(actor=actor, workflow_id=workflow.id, content=said)


def judged(actor: Actor, workflow: Workflow, *assertions: Any, **content: Any) -> list[tuple[bool, Any, str]]:
    case = add(actor, workflow, assertions=list(assertions), **content)
    (result,) = run_cases(actor=actor, workflow_id=workflow.id, case_id=case.id).results
    return [(each.passed, each.actual, each.problem) for each in result.checked]


def test_each_assertion_is_told_with_what_really_stood_there(actor: Actor, workflow: Workflow) -> None:
    assert judged(
        actor,
        workflow,
        "status == 'completed'",
        {"expression": "steps.double.output.total > 10", "message": "It doubles"},
        {"path": "steps.mail.config.to", "equals": "ann@example.com"},
        {"path": "steps.mail.config.subject", "equals": "8"},
        {"path": "steps.mail.config.subject", "equals": 8},
        "steps.mail.source == 'sampled' && error == null",
        "output.email_sent",
        "input.amount in [1, 4]",
        "has(output.gone) || length(output.status) == 4",
    ) == [
        (True, "completed", ""),
        (False, 8, ""),
        (True, "ann@example.com", ""),
        (False, 8, ""),
        (True, 8, ""),
        (True, True, ""),
        (True, True, ""),
        (True, 4, ""),
        (True, True, ""),
    ]


def test_what_cannot_be_held_against_the_run_fails_and_says_why(actor: Actor, workflow: Workflow) -> None:
    first, second, third = judged(
        actor, workflow, "output.gone == 1", "output.status", {"path": "steps.nobody.output", "equals": None}
    )
    assert first[:2] == (False, None)
    assert "output has no 'gone'" in first[2]
    assert second == (False, "sent", "The expression must be true or false; compare it with something.")
    assert third[0] is False
    assert "There is no finished step 'nobody'" in third[2]


def test_a_failing_run_can_be_what_is_expected(actor: Actor, workflow: Workflow) -> None:
    mocks = {"mail": {"error": {"code": "rejected", "message": "No such box."}}}
    wanted = add(
        actor,
        workflow,
        "It fails",
        mocks=mocks,
        expected_status="failed",
        assertions=["error.code == 'rejected'", "error.node_id == 'mail'", "steps.double.status == 'completed'"],
    )
    unwanted = add(actor, workflow, "It works", mocks=mocks)
    report = run_cases(actor=actor, workflow_id=workflow.id)
    assert [(each.case.id, each.passed, each.why) for each in report.results] == [
        (wanted.id, True, ""),
        (unwanted.id, False, "it was to be completed and was failed; No such box."),
    ]
    assert report.failed == [report.results[1]]
    assert not Execution.unscoped.exists()


def test_steps_that_did_not_run_can_be_asked_about(actor: Actor) -> None:
    branch = flow(
        {"ask": ("decision-logic", {"condition": "inputs.yes"}), "a": "merge", "b": "merge"},
        "ask.true > a",
        "ask.false > b",
    )
    workflow = save(actor, branch)
    content = CaseContent(
        name="Yes",
        input_data={"yes": True},
        assertions=["steps.a.status == 'completed'", "steps.b.status == 'skipped'"],
    )
    cases.add_case(actor=actor, workflow_id=workflow.id, content=content)
    assert run_cases(actor=actor, workflow_id=workflow.id).failed == []


def test_the_last_result_is_kept_and_forgotten_when_the_case_changes(actor: Actor, workflow: Workflow) -> None:
    case = add(actor, workflow, assertions=["output.status == 'lost'"])
    change = workflows.WorkflowChange(definition=DEFINITION | {"settings": {"a": 1}}, draft=True)
    workflows.update_workflow(actor=actor, workflow_id=workflow.id, change=change)
    run_cases(actor=actor, workflow_id=workflow.id, number=1)
    case.refresh_from_db()
    assert (case.last_passed, case.last_version) == (False, 1)
    assert case.last_result["assertions"] == [
        {"expression": "output.status == 'lost'", "passed": False, "actual": "sent", "problem": ""}
    ]
    assert case.last_run_at is not None
    run_cases(actor=actor, workflow_id=workflow.id)
    case.refresh_from_db()
    assert case.last_version == 2
    content = CaseContent(assertions=["output.status == 'sent'"])
    changed = cases.change_case(actor=actor, workflow_id=workflow.id, case_id=case.id, content=content)
    assert (changed.last_passed, changed.last_result, changed.last_run_at, changed.name) == (None, None, None, "Case")


def test_a_result_of_a_case_that_changed_meanwhile_is_not_kept(actor: Actor, workflow: Workflow) -> None:
    stale = add(actor, workflow)
    cases.change_case(actor=actor, workflow_id=workflow.id, case_id=stale.id, content=CaseContent(name="Newer"))
    cases.keep_result(actor=actor, case=stale, version=1, passed=True, result={"passed": True})
    fresh = WorkflowTestCase.unscoped.get()
    assert (fresh.name, fresh.last_passed, fresh.last_result) == ("Newer", None, None)


def test_a_pin_for_a_node_that_is_gone_fails_the_case(actor: Actor, workflow: Workflow) -> None:
    add(actor, workflow, pinned={"gone": 1})
    (result,) = run_cases(actor=actor, workflow_id=workflow.id).results
    assert (result.passed, result.status, result.why) == (
        False,
        "not_run",
        "pinned.gone: There is no such node in this version.",
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("x", "assertions"),
        (["1 +"], "assertions[0].expression"),
        (["inputs.a == 1"], "assertions[0].expression"),
        (["customer == 1"], "assertions[0].expression"),
        ([{"path": "output.a"}], "assertions[0]"),
        ([{"path": "output.a", "equals": 1, "expression": "true"}], "assertions[0]"),
        ([{}], "assertions[0]"),
        ([7], "assertions[0]"),
        ([{"expression": ""}], "assertions[0].expression"),
        ([{"expression": "status == 'x'", "message": 7}], "assertions[0].message"),
        (["true"] * 101, "assertions"),
    ],
)
def test_a_broken_assertion_is_refused_with_its_place(given: Any, field: str) -> None:
    assert [each.field for each in read_assertions(given)[1]] == [field]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "Case"}, "name"),
        ({"name": "B", "expected_status": "odd"}, "expected_status"),
        ({"name": "B", "pinned": []}, "pinned"),
        ({"name": "B", "input_data": {"x": "x" * 600_000}}, "input_data"),
        ({"name": "B", "assertions": ["1 +"]}, "assertions[0].expression"),
    ],
)
def test_a_case_that_cannot_be_kept_is_refused(
    actor: Actor, workflow: Workflow, content: dict[str, Any], field: str
) -> None:
    first = add(actor, workflow)
    with pytest.raises(InvalidInput) as refused:
        add(actor, workflow, **content)
    assert [each.field for each in refused.value.problems] == [field]
    assert list(WorkflowTestCase.unscoped.all()) == [first]


def test_a_workflow_has_a_hundred_cases_at_most(actor: Actor, workflow: Workflow) -> None:
    rows = [
        WorkflowTestCase(
            organization_id=actor.organization_id, workflow=workflow, created_by_id=actor.user_id, name=f"n{at}"
        )
        for at in range(cases.MAX_CASES)
    ]
    WorkflowTestCase.unscoped.bulk_create(rows)
    with pytest.raises(InvalidInput):
        add(actor, workflow)


def test_cases_of_other_workflows_and_organizations_are_unknown(actor: Actor, workflow: Workflow) -> None:
    case = add(actor, workflow)
    other = save(actor, DEFINITION)
    with pytest.raises(CaseNotFound):
        selectors.get_case(actor=actor, workflow_id=other.id, case_id=case.id)
    with pytest.raises(CaseNotFound):
        run_cases(actor=actor, workflow_id=other.id, case_id=case.id)
    with pytest.raises(VersionNotFound):
        run_cases(actor=actor, workflow_id=workflow.id, number=5)
    assert run_cases(actor=actor, workflow_id=other.id).results == []


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(1, 1.0, True), (1, True, False), ({"a": [1]}, {"a": [1.0]}, True), ({"a": 1}, {"b": 1}, False), (None, 0, False)],
)
def test_values_are_compared_as_json_does(a: Any, b: Any, expected: bool) -> None:
    assert equal(a, b) is expected
