"""Trying a workflow out: a dry run, one node, and the workflow's own test cases."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts.errors import NotAuthenticated, TierTooLow
from api.auterity.bodies import trials as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import PageQuery, cut
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from executions.errors import ExecutionNotFound
from executions.trials import services as trials
from executions.trials.cases import TestReport, run_cases
from executions.trials.errors import NodeNotFound
from executions.trials.running import Bounds, Shown, TrialStep
from workflows import cases, selectors
from workflows.cases import CaseContent
from workflows.errors import CaseNotFound, DefinitionRefused, VersionNotFound, WorkflowNotFound
from workflows.models import WorkflowTestCase

READING = (NotAuthenticated, PermissionDenied, WorkflowNotFound)
TRYING = (*READING, TierTooLow, VersionNotFound, DefinitionRefused, InvalidInput)


class DryRunView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="workflow_dry_run",
        summary="Try a workflow without running it",
        body=bodies.DryRun,
        answers={200: bodies.TrialBody},
        raises=TRYING,
    )
    def post(self, call: Call[bodies.DryRun], workflow_id: UUID) -> Answer:
        """The real engine carries the whole graph through in memory: nothing is stored, sent or connected to.

        Pure steps really run. A step with an effect is filled in, so that `config` shows what it would have sent, and then puts
        out its pin, its mock, or a sample of its declared shape.
        """
        version, trial = trials.dry_run(
            actor=call.actor,
            workflow_id=workflow_id,
            number=call.body.number,
            inputs=call.body.given,
            context=call.body.context,
            pinned=call.body.pinned,
            mocks=call.body.mocks,
        )
        fit = Shown(Bounds().shown_bytes)
        steps = [_step(each, fit) for each in trial.steps]
        nodes = {each["id"]: each for each in version.definition["nodes"]}
        steps += [_absent(nodes[each], "skipped") for each in trial.skipped]
        steps += [_absent(nodes[each], "not_reached") for each in trial.unreached]
        return Answer(
            bodies.TrialBody(
                workflow_id=workflow_id,
                version=version.number,
                status=trial.status,
                steps=steps,
                output=fit(trial.output),
                error=None if trial.error is None else bodies.TrialError(**trial.error),
                warnings=trial.warnings,
                duration_ms=round(trial.seconds * 1000, 3),
            )
        )


class NodeTestView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="workflow_node_test",
        summary="Try one node",
        body=bodies.NodeTest,
        answers={200: bodies.NodeTestBody},
        raises=[*TRYING, NodeNotFound, ExecutionNotFound],
    )
    def post(self, call: Call[bodies.NodeTest], workflow_id: UUID, node_id: str) -> Answer:
        """Fills in and runs one node with the data given, or with what an earlier execution recorded.

        A node with an effect is only prepared. With `perform` it is really carried out, once, and the answer says so.
        """
        body = call.body
        given = trials.NodeInput(
            input=body.input,
            inputs=body.inputs,
            context=body.context,
            steps=body.steps,
            from_execution=body.from_execution,
            has_input="input" in body.model_fields_set,
        )
        tried = trials.try_node(
            actor=call.actor,
            workflow_id=workflow_id,
            node_id=node_id,
            number=body.number,
            given=given,
            really=body.perform,
        )
        step = _step(tried.step, Shown(Bounds().shown_bytes))
        return Answer(
            bodies.NodeTestBody(
                workflow_id=workflow_id,
                version=tried.version.number,
                performed=tried.performed,
                message=_told(tried),
                step=step,
                warnings=tried.warnings,
            )
        )


class TestCasesView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_test_list",
        summary="List a workflow's test cases",
        query=PageQuery,
        answers={200: bodies.TestCasePage},
        raises=READING,
    )
    def get(self, call: Call[None], workflow_id: UUID) -> Answer:
        """In the order they were made, each with what its last run told."""
        workflow = selectors.get_workflow(actor=call.actor, workflow_id=workflow_id)
        rows = selectors.list_cases(actor=call.actor, workflow=workflow)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.TestCasePage(tests=[_case(each) for each in found], **page))

    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_test_create",
        summary="Add a test case",
        body=bodies.TestCaseCreate,
        answers={201: bodies.TestCaseBody},
        raises=[*READING, InvalidInput],
        creates=True,
    )
    def post(self, call: Call[bodies.TestCaseCreate], workflow_id: UUID) -> Answer:
        """What goes in, what stands in for the outside, and what must come out. It judges every version alike."""
        content = CaseContent(**call.body.model_dump())
        return Answer(_case(cases.add_case(actor=call.actor, workflow_id=workflow_id, content=content)), 201)


class TestCaseView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_test_get",
        summary="Read a test case",
        answers={200: bodies.TestCaseBody},
        raises=[*READING, CaseNotFound],
    )
    def get(self, call: Call[None], workflow_id: UUID, case_id: UUID) -> Answer:
        """With what its last run told."""
        return Answer(_case(selectors.get_case(actor=call.actor, workflow_id=workflow_id, case_id=case_id)))

    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_test_update",
        summary="Change a test case",
        body=bodies.TestCaseUpdate,
        answers={200: bodies.TestCaseBody},
        raises=[*READING, CaseNotFound, InvalidInput],
    )
    def put(self, call: Call[bodies.TestCaseUpdate], workflow_id: UUID, case_id: UUID) -> Answer:
        """Fields left out are kept. The last result is forgotten: it judged something else."""
        content = CaseContent(**call.body.model_dump())
        case = cases.change_case(actor=call.actor, workflow_id=workflow_id, case_id=case_id, content=content)
        return Answer(_case(case))

    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_test_delete",
        summary="Delete a test case",
        answers={204: None},
        raises=[*READING, CaseNotFound],
    )
    def delete(self, call: Call[None], workflow_id: UUID, case_id: UUID) -> Answer:
        """For good."""
        cases.remove_case(actor=call.actor, workflow_id=workflow_id, case_id=case_id)
        return Answer(None, 204)


class RunTestsView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="workflow_test_run_all",
        summary="Run all test cases",
        body=bodies.RunTests,
        answers={200: bodies.TestReportBody},
        raises=TRYING,
    )
    def post(self, call: Call[bodies.RunTests], workflow_id: UUID) -> Answer:
        """One dry run each; they share half a minute. What they told is kept with each case."""
        return _report(run_cases(actor=call.actor, workflow_id=workflow_id, number=call.body.number))


class RunTestView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="workflow_test_run",
        summary="Run one test case",
        body=bodies.RunTests,
        answers={200: bodies.TestReportBody},
        raises=[*TRYING, CaseNotFound],
    )
    def post(self, call: Call[bodies.RunTests], workflow_id: UUID, case_id: UUID) -> Answer:
        """A dry run, and each assertion with what really stood there."""
        return _report(run_cases(actor=call.actor, workflow_id=workflow_id, number=call.body.number, case_id=case_id))


def _step(step: TrialStep, fit: Shown) -> bodies.TrialStepBody:
    error = step.error
    return bodies.TrialStepBody(
        node_id=step.node.id,
        node_name=step.node.title,
        node_type=step.node.type.name,
        status=step.status,
        source=step.source,
        input=fit(step.input),
        config=None if step.config is None else fit(step.config),
        output=fit(step.output),
        port=step.port,
        taken_edges=list(step.taken),
        error=None
        if error is None
        else bodies.TrialError(node_id=step.node.id, code=error.code, message=error.message),
        notes=[
            bodies.TrialNote(level=each.level, message=each.message, data=fit(dict(each.data))) for each in step.notes
        ],
    )


def _absent(node: dict[str, Any], status: Any) -> bodies.TrialStepBody:
    return bodies.TrialStepBody(
        node_id=node["id"],
        node_name=node.get("title") or node["id"],
        node_type=node["type"],
        status=status,
        source=None,
        input=None,
        config=None,
        output=None,
        port="",
        taken_edges=[],
        error=None,
        notes=[],
    )


def _told(tried: trials.NodeTrial) -> str:
    if tried.performed:
        return "This was really done: the step was carried out against the outside, once."
    if tried.step.source == "sampled":
        return "Nothing was done outside; config shows what would have been sent, and the output is made up."
    return "Nothing was done outside."


def _case(case: WorkflowTestCase) -> bodies.TestCaseBody:
    values = {name: getattr(case, name) for name in bodies.TestCaseBody.model_fields if name != "created_by"}
    return bodies.TestCaseBody(**values, created_by=case.created_by_id)


def _report(report: TestReport) -> Answer:
    results = [bodies.CaseReport(id=each.case.id, name=each.case.name, **each.as_json()) for each in report.results]
    return Answer(
        bodies.TestReportBody(
            workflow_id=report.version.workflow_id,
            version=report.version.number,
            passed=not report.failed,
            total=len(results),
            failed=len(report.failed),
            results=results,
        )
    )
