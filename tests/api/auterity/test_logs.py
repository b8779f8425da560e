"""`/api/logs`: what executions tell about themselves (001, table execution_logs)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.graphs import chain
from tests.api.people import Api, Person, refusal
from tests.api.shapes import LOG, PAGE, wrong

pytestmark = pytest.mark.django_db(transaction=True)

LOGS = "/api/logs"


@pytest.fixture
def run(api: Api, worker: None, ended: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """An execution that failed at its second node."""
    broken = chain("a", "b")
    broken["definition"]["nodes"][2]["config"] = {"set": {"x": "{{ inputs.missing.deep }}"}}
    workflow = api.made("/api/workflows", broken)
    return ended(api, api.made(f"/api/workflows/{workflow['id']}/execute", {})["execution_id"])


def test_lines_are_complete_and_newest_first(api: Api, run: dict[str, Any]) -> None:
    body = api.get(f"/api/workflows/executions/{run['id']}/logs?page_size=100").json()
    assert wrong(body, {**PAGE, "logs": [LOG]}) == []
    assert [each["seq"] for each in body["logs"]] == list(range(body["total"], 0, -1))
    assert {each["execution_id"] for each in body["logs"]} == {run["id"]}
    assert {each["workflow_id"] for each in body["logs"]} == {run["workflow_id"]}
    assert api.get(f"{LOGS}?execution_id={run['id']}&page_size=100").json() == body


def test_filters(api: Api, run: dict[str, Any]) -> None:
    everything = api.get(f"{LOGS}?page_size=100").json()["logs"]

    def found(query: str) -> list[str]:
        return [each["id"] for each in api.get(f"{LOGS}?page_size=100&{query}").json()["logs"]]

    def kept(rule: Callable[[dict[str, Any]], bool]) -> list[str]:
        return [each["id"] for each in everything if rule(each)]

    assert found(f"workflow_id={run['workflow_id']}") == kept(lambda each: True)
    assert found(f"workflow_id={run['id']}") == []
    assert found("level=error") == kept(lambda each: each["level"] == "error") != []
    assert found("node_id=b") == kept(lambda each: each["node_id"] == "b") != []
    assert found(f"execution_id={run['id']}&level=error&node_id=a") == []


@pytest.mark.parametrize(
    "moment", ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "2020-01-01", "2020-01-01T02:00:00%2B02:00"]
)
def test_since_and_until_take_any_iso_time_and_without_an_offset_it_is_utc(
    api: Api, run: dict[str, Any], moment: str
) -> None:
    assert api.get(f"{LOGS}?since={moment}").json()["total"] > 0
    assert api.get(f"{LOGS}?until={moment}").json()["total"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("execution_id=1", "execution_id"),
        ("workflow_id=none", "workflow_id"),
        ("level=loud", "level"),
        ("since=yesterday", "since"),
        ("until=0001-01-01T00:00:00%2B23:00", "until"),
        ("since=9999-12-31T23:59:59-23:00", "since"),
        ("node_id=" + "x" * 101, "node_id"),
        ("node_id=%00", "node_id"),
    ],
)
def test_a_bad_filter_is_refused(api: Api, query: str, field: str) -> None:
    answer = api.get(f"{LOGS}?{query}")
    error = refusal(answer, 400, answer.json()["error"]["code"])
    assert error["details"]["field"] == field


def test_one_line(api: Api, run: dict[str, Any], otto: Person) -> None:
    (line,) = api.get(f"{LOGS}?page_size=1").json()["logs"]
    assert api.get(f"{LOGS}/{line['id']}").json() == line
    refusal(otto.api.get(f"{LOGS}/{line['id']}"), 404, "RES_001")
    refusal(api.get(f"{LOGS}/{run['id']}"), 404, "RES_001")


def test_nobody_reads_the_lines_of_another_organization(api: Api, run: dict[str, Any], otto: Person) -> None:
    for query in ("", f"?execution_id={run['id']}", f"?workflow_id={run['workflow_id']}", "?node_id=b"):
        assert otto.api.get(f"{LOGS}{query}").json()["logs"] == []


def test_a_viewer_reads_logs(viewer: Person, run: dict[str, Any]) -> None:
    assert viewer.api.get(LOGS).json()["total"] > 0
