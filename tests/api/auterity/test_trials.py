"""Trying a workflow out, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from executions.models import Execution
from tests.api.graphs import FOLLOW_UP, chain
from tests.api.people import Api, Person, refusal
from workflows.models import WorkflowTestCase

pytestmark = pytest.mark.django_db

PATH = "/api/workflows"
INPUTS = {"customer_email": "customer@example.com"}


def at(workflow: dict[str, Any], *rest: str) -> str:
    return "/".join([PATH, workflow["id"], *rest])


@pytest.fixture
def follow_up(api: Api) -> dict[str, Any]:
    return api.made(PATH, FOLLOW_UP)


def test_a_dry_run_shows_every_step_and_runs_nothing(api: Api, follow_up: dict[str, Any]) -> None:
    body = api.post(at(follow_up, "dry-run"), {"input_data": INPUTS}).json()
    assert (body["status"], body["version"], body["error"], body["warnings"]) == ("completed", 1, None, [])
    start, mail = body["steps"]
    assert (start["source"], start["output"], start["taken_edges"]) == ("ran", INPUTS, ["e1"])
    assert (mail["source"], mail["status"], mail["node_name"]) == ("sampled", "completed", "Send Follow-up Email")
    assert mail["config"] == {"to": "customer@example.com", "template": "follow_up_template"}
    assert body["output"] == mail["output"]
    assert api.post(at(follow_up, "dry-run"), {"inputs": INPUTS, "version": "draft"}).json()["steps"] == body["steps"]
    assert Execution.unscoped.count() == 0
    assert api.get(at(follow_up)).json()["execution_stats"]["total_executions"] == 0


def test_a_mocked_failure_is_told_as_a_run_tells_it(api: Api, follow_up: dict[str, Any]) -> None:
    mocks = {"send_email": {"error": {"code": "unavailable", "message": "Down."}}}
    body = api.post(at(follow_up, "dry-run"), {"input_data": INPUTS, "mocks": mocks}).json()
    error = {"node_id": "send_email", "code": "unavailable", "message": "Down."}
    assert (body["status"], body["error"], body["output"]) == ("failed", error, None)
    assert (body["steps"][1]["status"], body["steps"][1]["source"]) == ("failed", "mocked")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mocks": {"nobody": {"output": 1}}}, "mocks.nobody"),
        ({"mocks": {"start": {}}}, "mocks.start"),
        ({"pinned": {"nobody": 1}}, "pinned.nobody"),
        ({"inputs": {"a": 1}, "input_data": {"a": 2}}, "body"),
        ({"input_data": []}, "input_data"),
    ],
)
def test_what_fits_nothing_is_refused(api: Api, follow_up: dict[str, Any], body: dict[str, Any], field: str) -> None:
    answer = api.post(at(follow_up, "dry-run"), body)
    error = refusal(answer, 400, answer.json()["error"]["code"])
    assert field in str(error["details"])


def test_one_node_is_tried(api: Api, follow_up: dict[str, Any]) -> None:
    body = api.post(
        at(follow_up, "nodes", "send_email", "test"), {"inputs": {"customer_email": "a@example.com"}}
    ).json()
    assert (body["performed"], body["step"]["source"]) == (False, "sampled")
    assert body["step"]["config"]["to"] == "a@example.com"
    assert (
        body["message"]
        == "Nothing was done outside; config shows what would have been sent, and the output is made up."
    )
    refusal(api.post(at(follow_up, "nodes", "nobody", "test"), {}), 404, "RES_001")


@pytest.mark.django_db(transaction=True)
def test_one_node_is_really_performed_and_the_answer_says_so(
    api: Api, messages: None, follow_up: dict[str, Any], settings: Any, tmp_path: Any
) -> None:
    settings.OUTBOX_DIR = tmp_path
    given = {"inputs": {**INPUTS, "customer_name": "Jane", "dealer_name": "Auto", "deal_amount": 1}, "perform": True}
    body = api.post(at(follow_up, "nodes", "send_email", "test"), given).json()
    assert body["performed"] is True, body
    assert body["message"].startswith("This was really done")
    assert (body["step"]["status"], body["step"]["output"]["email_sent"]) == ("completed", True)
    assert [each.suffix for each in tmp_path.rglob("*") if each.is_file()] == [".eml"]
    assert Execution.unscoped.count() == 0


def test_test_cases_are_kept_and_run(api: Api) -> None:
    workflow = api.made(PATH, chain("a", "b"))
    case = api.made(
        at(workflow, "tests"),
        {
            "name": "Ends at b",
            "input_data": {"x": 1},
            "assertions": ["output.step == 'b'", {"path": "status", "equals": "failed"}],
        },
    )
    assert (case["expected_status"], case["last_passed"], case["assertions"][0]) == (
        "completed",
        None,
        {"expression": "output.step == 'b'"},
    )
    report = api.post(at(workflow, "tests", "run"), {}).json()
    assert (report["passed"], report["total"], report["failed"], report["version"]) == (False, 1, 1, 1)
    (result,) = report["results"]
    assert (result["id"], result["status_passed"], [each["actual"] for each in result["assertions"]]) == (
        case["id"],
        True,
        ["b", "completed"],
    )
    read = api.get(at(workflow, "tests", case["id"])).json()
    assert (read["last_passed"], read["last_version"], read["last_result"]["assertions"]) == (
        False,
        1,
        result["assertions"],
    )
    changed = api.put(at(workflow, "tests", case["id"]), {"assertions": ["output.step == 'b'"]}).json()
    assert (changed["name"], changed["last_result"]) == ("Ends at b", None)
    assert api.post(at(workflow, "tests", case["id"], "run"), {"version": 1}).json()["passed"] is True
    listed = api.get(at(workflow, "tests")).json()
    assert [(each["id"], each["last_passed"]) for each in listed["tests"]] == [(case["id"], True)]
    assert api.delete(at(workflow, "tests", case["id"])).status_code == 204
    refusal(api.get(at(workflow, "tests", case["id"])), 404, "RES_001")


def test_a_broken_case_is_refused_with_its_place(api: Api) -> None:
    workflow = api.made(PATH, chain("a"))
    answer = api.post(at(workflow, "tests"), {"name": "x", "assertions": ["1 +"]})
    assert refusal(answer, 400, "VAL_001")["details"]["field"] == "assertions[0].expression"
    refusal(api.post(at(workflow, "tests"), {"assertions": []}), 400, "VAL_002")
    assert WorkflowTestCase.unscoped.count() == 0


def test_a_viewer_reads_cases_and_tries_nothing(viewer: Person, api: Api) -> None:
    workflow = api.made(PATH, chain("a"))
    case = api.made(at(workflow, "tests"), {"name": "x"})
    assert viewer.api.get(at(workflow, "tests")).json()["total"] == 1
    for answer in (
        viewer.api.post(at(workflow, "dry-run"), {}),
        viewer.api.post(at(workflow, "nodes", "a", "test"), {}),
        viewer.api.post(at(workflow, "tests"), {"name": "y"}),
        viewer.api.put(at(workflow, "tests", case["id"]), {"name": "y"}),
        viewer.api.delete(at(workflow, "tests", case["id"])),
        viewer.api.post(at(workflow, "tests", "run"), {}),
        viewer.api.post(at(workflow, "tests", case["id"], "run"), {}),
    ):
        refusal(answer, 403, "AUTH_003")
    assert WorkflowTestCase.unscoped.get().name == "x"
