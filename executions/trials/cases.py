"""Running a workflow's test cases, one after the other, within a bound of time that they share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts import tiers
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from engine.expression_values import as_text
from executions.trials.assertions import Checked, hold
from executions.trials.running import Bounds, Given, Shown, Trial, try_out
from executions.trials.services import about, planned, read_given
from workflows import cases as stored
from workflows import selectors as workflows
from workflows.models import WorkflowTestCase, WorkflowVersion
from workflows.plans import Plan

Json = dict[str, Any]
SECONDS = 30.0  # what all cases of a workflow may take together
RESULT_BYTES = 64 * 1024  # what is kept of one case's result


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a test case came to. `problem` says why it could not run at all."""

    case: WorkflowTestCase
    passed: bool
    status: str
    status_passed: bool
    checked: list[Checked]
    output: Any = None
    error: Json | None = None
    problem: str = ""
    seconds: float = 0.0

    @property
    def why(self) -> str:
        """What did not pass, in a sentence; empty when everything did."""
        if self.problem:
            return self.problem
        said = [] if self.status_passed else [f"it was to be {self.case.expected_status} and was {self.status}"]
        if self.error is not None and not self.status_passed:
            said.append(str(self.error["message"]).rstrip("."))
        said += [_unmet(each) for each in self.checked if not each.passed]
        return f"{'; '.join(said[:5])}." if said else ""

    def as_json(self) -> Json:
        """As it is kept and answered; values that are too large are only summed up."""
        fit = Shown(RESULT_BYTES)
        return {
            "passed": self.passed,
            "status": self.status,
            "expected_status": self.case.expected_status,
            "status_passed": self.status_passed,
            "problem": self.problem,
            "error": self.error,
            "output": fit(self.output),
            "assertions": [_assertion(each, fit) for each in self.checked],
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class TestReport:
    """All cases of a workflow on one version."""

    version: WorkflowVersion
    results: list[CaseResult]

    __test__ = False  # For pytest: this is no test.

    @property
    def failed(self) -> list[CaseResult]:
        return [each for each in self.results if not each.passed]


def run_cases(*, actor: Actor, workflow_id: UUID, number: int | None = None, case_id: UUID | None = None) -> TestReport:
    """Run one test case, or all, on a version (the newest where no number is given), and keep what they told.

    Raises `WorkflowNotFound`, `VersionNotFound`, `CaseNotFound`, and `DefinitionRefused` where the version cannot run.
    """
    tiers.require_action(actor, "execute_workflow")
    version, plan = planned(actor, workflow_id, number)
    found: Iterable[WorkflowTestCase]
    if case_id is not None:
        found = [workflows.get_case(actor=actor, workflow_id=workflow_id, case_id=case_id)]
    else:
        found = list(workflows.list_cases(actor=actor, workflow=version.workflow))
    until = time.monotonic() + SECONDS
    results = []
    for case in found:
        result = _run(plan, case, until - time.monotonic())
        stored.keep_result(
            actor=actor, case=case, version=version.number, passed=result.passed, result=result.as_json()
        )
        results.append(result)
    return TestReport(version, results)


# -- inside ----------------------------------------------------------------------------------------------------------


def _run(plan: Plan, case: WorkflowTestCase, left: float) -> CaseResult:
    if left <= 0:
        return _not_run(case, f"The cases of a workflow may take {SECONDS:g} seconds together; this one was not run.")
    try:
        given = read_given(plan, inputs=case.input_data, context=case.context, pinned=case.pinned, mocks=case.mocks)
    except InvalidInput as refused:
        return _not_run(case, " ".join(f"{each.field}: {each.message}" for each in refused.problems))
    return _judged(case, given, try_out(plan.graph, given, about=about(plan), bounds=Bounds(seconds=min(10.0, left))))


def _judged(case: WorkflowTestCase, given: Given, trial: Trial) -> CaseResult:
    checked = hold(case.assertions, trial, given.inputs)
    as_expected = trial.status == case.expected_status
    return CaseResult(
        case=case,
        passed=as_expected and all(each.passed for each in checked),
        status=trial.status,
        status_passed=as_expected,
        checked=checked,
        output=trial.output,
        error=trial.error,
        seconds=trial.seconds,
    )


def _not_run(case: WorkflowTestCase, problem: str) -> CaseResult:
    return CaseResult(case=case, passed=False, status="not_run", status_passed=False, checked=[], problem=problem)


def _unmet(checked: Checked) -> str:
    claim = checked.assertion
    told = claim.get("message") or claim.get("expression") or f"{claim.get('path')} is not as claimed"
    return f"{told} ({checked.problem or f'it is {as_text(checked.actual)[:200]}'})"


def _assertion(checked: Checked, fit: Shown) -> Json:
    return {
        **checked.assertion,
        "passed": checked.passed,
        "actual": fit(checked.actual),
        "problem": checked.problem,
    }
