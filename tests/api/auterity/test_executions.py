"""Executing a workflow and reading what came of it (000, Execution Status Schema; 001, Execute Workflow)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from executions.models import Execution
from tests.api.graphs import EXECUTE, FOLLOW_UP, chain
from tests.api.people import Api, Person, refusal
from tests.api.shapes import ACCEPTED, EXECUTION, EXECUTION_SUMMARY, PAGE, STEP, wrong

pytestmark = pytest.mark.django_db
live = pytest.mark.django_db(transaction=True)

RUNS = "/api/workflows/executions"


@pytest.fixture
def workflow(api: Api) -> dict[str, Any]:
    return api.made("/api/workflows", chain("a", "b"))


@pytest.fixture
def execute(workflow: dict[str, Any]) -> str:
    return f"/api/workflows/{workflow['id']}/execute"


def test_the_request_of_001_is_accepted_with_the_keys_of_both_documents(api: Api, workflow: dict[str, Any]) -> None:
    answer = api.post(f"/api/workflows/{workflow['id']}/execute", EXECUTE)
    assert answer.status_code == 202
    body = answer.json()
    assert wrong(body, ACCEPTED) == []
    assert (body["workflow_id"], body["status"]) == (workflow["id"], "pending")
    assert body["input_data"] == EXECUTE["input_data"]
    stored = Execution.unscoped.get()
    assert (str(stored.id), stored.webhook_url) == (body["execution_id"], EXECUTE["webhook_url"])


def test_inputs_and_context_of_000_are_taken(api: Api, execute: str) -> None:
    body = api.made(execute, {"inputs": {"amount": 1}, "context": {"locale": "en"}})
    assert body["input_data"] == {"amount": 1}
    assert Execution.unscoped.get().context == {"locale": "en"}


@pytest.mark.parametrize("body", [{}, {"inputs": None}, {"input_data": {}}])
def test_inputs_may_be_left_out(api: Api, execute: str, body: dict[str, Any]) -> None:
    assert api.made(execute, body)["input_data"] == {}


def test_a_run_needs_no_body_at_all(api: Api, execute: str) -> None:
    assert api.made(execute)["input_data"] == {}


def test_both_names_with_the_same_value_are_fine(api: Api, execute: str) -> None:
    assert api.made(execute, {"inputs": {"a": 1}, "input_data": {"a": 1}})["input_data"] == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": {"a": 1}, "input_data": {"a": 2}},
        {"inputs": {"a": 1}, "input_data": {}},
        {"inputs": [1]},
        {"input_data": "text"},
        {"context": 1},
        {"execution_mode": "later"},
        {"execution_mode": None},
        {"webhook_url": 1},
        {"inputs": {"big": "x" * (1024 * 1024)}},
        {"context": {"big": "x" * (1024 * 1024)}},
    ],
)
def test_what_cannot_be_run_is_refused_and_starts_nothing(api: Api, execute: str, body: dict[str, Any]) -> None:
    error = refusal(api.post(execute, body), 400, "VAL_001")
    assert len(str(error)) < 2000
    assert api.post(execute, body, API_Version="2025-08-08").status_code == 422
    assert Execution.unscoped.count() == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/hook",
        "http://[::1]/hook",
        "http://10.0.0.1/hook",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/hook",
        "http://2130706433/hook",
        "ftp://example.com/hook",
        "file:///etc/passwd",
        "https://user:password@example.com/hook",
        "not an address",
        "https://" + "x" * 2100,
    ],
)
def test_a_webhook_address_that_may_not_be_called_is_refused(api: Api, execute: str, url: str) -> None:
    error = refusal(api.post(execute, {"webhook_url": url}), 400, "VAL_001")
    assert error["details"]["field"] == "webhook_url"
    assert Execution.unscoped.count() == 0


def test_an_inactive_workflow_does_not_run(api: Api, workflow: dict[str, Any], execute: str) -> None:
    api.post(f"/api/workflows/{workflow['id']}/deactivate")
    refusal(api.post(execute, {}), 400, "WF_002")
    refusal(api.post(execute, {}, API_Version="2025-08-08"), 400, "WORKFLOW_EXECUTION_FAILED")
    assert Execution.unscoped.count() == 0


def test_an_execution_that_has_not_begun(api: Api, execute: str) -> None:
    run = api.made(execute, {"inputs": {"a": 1}})["execution_id"]
    body = api.get(f"{RUNS}/{run}").json()
    assert wrong(body, EXECUTION) == []
    assert (body["status"], body["progress"], body["steps"]) == ("pending", 0, [])
    assert (body["started_at"], body["completed_at"], body["duration"]) == (None, None, None)
    assert body["input_data"] == {"a": 1}


def test_cancelling_twice_is_a_conflict(api: Api, execute: str) -> None:
    run = api.made(execute, {})["execution_id"]
    answer = api.post(f"{RUNS}/{run}/cancel")
    assert answer.status_code == 200
    body = answer.json()
    assert wrong(body, EXECUTION) == []
    assert body["status"] == "cancelled"
    assert [each["status"] for each in body["steps"]] == ["cancelled"] * 3
    error = refusal(api.post(f"{RUNS}/{run}/cancel"), 409, "WF_004")
    assert error["details"] == {"status": "cancelled"}
    assert api.get(f"{RUNS}/{run}").json()["completed_at"] == body["completed_at"]


def test_executions_are_listed_by_status(api: Api, workflow: dict[str, Any], execute: str) -> None:
    first, second = (api.made(execute, {})["execution_id"] for _ in range(2))
    api.post(f"{RUNS}/{first}/cancel")
    path = f"/api/workflows/{workflow['id']}/executions"
    body = api.get(path).json()
    assert wrong(body, {**PAGE, "executions": [EXECUTION_SUMMARY]}) == []
    assert ([each["id"] for each in body["executions"]], body["total"]) == ([second, first], 2)
    for status, ids in (("cancelled", [first]), ("pending", [second]), ("completed", [])):
        found = api.get(f"{path}?status={status}").json()
        assert ([each["id"] for each in found["executions"]], found["total"]) == (ids, len(ids))
    refusal(api.get(f"{path}?status=done"), 400, "VAL_001")


def test_a_viewer_reads_runs_but_neither_starts_nor_ends_one(viewer: Person, api: Api, execute: str) -> None:
    run = api.made(execute, {})["execution_id"]
    assert viewer.api.get(f"{RUNS}/{run}").status_code == 200
    for path in (execute, f"{RUNS}/{run}/cancel", f"{RUNS}/{run}/run-again"):
        refusal(viewer.api.post(path, {}), 403, "AUTH_003")
    assert Execution.unscoped.get().status == "pending"


@live
def test_a_run_ends_with_both_step_shapes_metrics_and_figures(
    api: Api, worker: None, workflow: dict[str, Any], execute: str, ended: Callable[..., dict[str, Any]]
) -> None:
    body = ended(api, api.made(execute, {"inputs": {"a": 1}})["execution_id"])
    assert wrong(body, EXECUTION) == []
    assert (body["status"], body["progress"], body["error_message"]) == ("completed", 100, None)
    assert body["output_data"] == {"step": "b"}
    assert [(each["step_id"], each["status"]) for each in body["steps"]] == [
        ("start", "completed"),
        ("a", "completed"),
        ("b", "completed"),
    ]
    for step in body["steps"]:
        assert step["step_id"] == step["node_id"]
        assert step["output"] == step["output_data"]
        assert step["duration_ms"] == pytest.approx(step["duration"] * 1000)
    assert body["duration"] >= 0
    assert body["metrics"]["total_duration_ms"] == pytest.approx(body["duration"] * 1000, abs=1)
    steps = api.get(f"{RUNS}/{body['id']}/steps").json()
    assert steps == {"execution_id": body["id"], "steps": body["steps"]}
    assert wrong(steps["steps"], [STEP]) == []
    stats = api.get(f"/api/workflows/{workflow['id']}").json()["execution_stats"]
    assert (stats["total_executions"], stats["successful_executions"], stats["failed_executions"]) == (1, 1, 0)
    (row,) = api.get("/api/workflows").json()["workflows"]
    assert (row["execution_count"], row["last_execution"]) == (1, body["created_at"])


@live
def test_a_synchronous_run_answers_200_with_the_finished_execution(api: Api, worker: None, execute: str) -> None:
    answer = api.post(execute, {"inputs": {}, "execution_mode": "sync"})
    assert answer.status_code == 200
    assert wrong(answer.json(), EXECUTION) == []
    assert answer.json()["status"] == "completed"
    old = api.post(execute, {"execution_mode": "sync"}, API_Version="2023-12-01").json()
    assert (old["result"], "output_data" in old) == ({"step": "b"}, False)


@live
def test_a_synchronous_run_past_its_time_answers_202(api: Api, execute: str, settings: Any) -> None:
    settings.ENGINE = {**settings.ENGINE, "sync_wait_seconds": 0.1}
    answer = api.post(execute, {"execution_mode": "sync"})
    assert answer.status_code == 202
    assert wrong(answer.json(), ACCEPTED) == []


@live
def test_the_follow_up_of_001_sends_its_mail(
    api: Api, worker: None, messages: None, ended: Callable[..., dict[str, Any]]
) -> None:
    workflow = api.made("/api/workflows", FOLLOW_UP)
    request = {name: EXECUTE[name] for name in ("input_data", "execution_mode")}
    body = ended(api, api.made(f"/api/workflows/{workflow['id']}/execute", request)["execution_id"])
    assert body["status"] == "completed", body
    assert [each["step_id"] for each in body["steps"]] == ["start", "send_email"]
    assert body["steps"][1]["output"]["email_sent"] is True
    assert body["output_data"]["email_sent"] is True
    assert body["output_data"]["email_id"]


@live
def test_a_run_that_fails_says_where_and_why(api: Api, worker: None, ended: Callable[..., dict[str, Any]]) -> None:
    broken = chain("a")
    broken["definition"]["nodes"][1]["config"] = {"set": {"x": "{{ inputs.missing.deep }}"}}
    workflow = api.made("/api/workflows", broken)
    body = ended(api, api.made(f"/api/workflows/{workflow['id']}/execute", {})["execution_id"])
    assert wrong(body, EXECUTION) == []
    assert (body["status"], body["output_data"]) == ("failed", None)
    assert "missing" in body["error_message"]
    assert body["steps"][1]["status"] == "failed"
    assert body["steps"][1]["error_message"]


@live
def test_running_again_is_a_new_execution_with_the_same_inputs(
    api: Api, worker: None, execute: str, ended: Callable[..., dict[str, Any]]
) -> None:
    first = ended(api, api.made(execute, {"inputs": {"a": 1}})["execution_id"])
    answer = api.post(f"{RUNS}/{first['id']}/run-again")
    assert answer.status_code == 202
    again = ended(api, answer.json()["execution_id"])
    assert (again["rerun_of"], again["input_data"], again["status"]) == (first["id"], {"a": 1}, "completed")
    refusal(api.post(f"{RUNS}/{first['id']}/cancel"), 409, "WF_004")
