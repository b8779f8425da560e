"""`/api/logs`: what executions tell about themselves (001, table execution_logs)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.models import ExecutionLog, LogKind
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


# Many lines


MANY = 12_000


@pytest.fixture
def many(ann: Person) -> list[str]:
    """The ids of that many lines of one execution that was never taken up, oldest first."""
    workflow = ann.api.made("/api/workflows", chain("a"))
    run = ann.api.made(f"/api/workflows/{workflow['id']}/execute", {})["execution_id"]
    ExecutionLog.unscoped.all().delete()
    lines = [
        ExecutionLog(
            organization_id=ann.actor.organization_id,
            execution_id=run,
            workflow_id=workflow["id"],
            seq=number,
            kind=LogKind.values[0],
            level="warning" if number % 1000 == 0 else "info",
            message=f"Line {number} of 100% MANY",
            status="running",
            progress=0,
        )
        for number in range(1, MANY + 1)
    ]
    ExecutionLog.unscoped.bulk_create(lines, batch_size=500)
    return [str(each.id) for each in lines]


def test_the_first_page_of_very_many_lines_counts_no_more_than_it_must(api: Api, many: list[str]) -> None:
    with CaptureQueriesContext(connection) as captured:
        body = api.get(f"{LOGS}?page_size=50").json()
    assert [each["id"] for each in body["logs"]] == many[:-51:-1]
    assert (body["total"], body["total_exact"], body["pagination"]["has_next"]) == (10_000, False, True)
    counting = [each["sql"] for each in captured.captured_queries if "COUNT(" in each["sql"]]
    assert all("LIMIT 10001" in each for each in counting)
    assert len(counting) == 1
    few = api.get(f"{LOGS}?level=warning&page_size=100").json()
    assert (few["total"], few["total_exact"], len(few["logs"])) == (12, True, 12)
    last = api.get(f"{LOGS}?page_size=100&page=120").json()
    assert ([each["id"] for each in last["logs"]], last["pagination"]["has_next"]) == (many[99::-1], False)
    assert (last["total"], last["total_exact"]) == (MANY, True)


@pytest.mark.parametrize("sort", ["newest", "oldest"])
@pytest.mark.parametrize("of_one_execution", [True, False])
def test_a_cursor_walks_all_lines_once(api: Api, many: list[str], sort: str, of_one_execution: bool) -> None:
    query = f"sort={sort}&page_size=100&level=warning"
    if of_one_execution:
        query += f"&execution_id={api.get(LOGS).json()['logs'][0]['execution_id']}"
    wanted = [each["id"] for each in api.get(f"{LOGS}?{query}").json()["logs"]]
    assert wanted == (sorted(wanted) if sort == "oldest" else sorted(wanted, reverse=True))
    walked: list[str] = []
    cursor = ""
    for _ in range(10):
        body = api.get(f"{LOGS}?{query.replace('=100', '=5')}{cursor}").json()
        walked += [each["id"] for each in body["logs"]]
        assert body["total"] == 12
        if body["next_cursor"] is None:
            break
        cursor = f"&cursor={body['next_cursor']}"
    assert walked == wanted


def test_messages_are_searched_as_text(api: Api, many: list[str]) -> None:
    def total(search: str) -> int:
        count: int = api.get(f"{LOGS}?search={search}").json()["total"]
        return count

    assert (total("line 7777 "), total("LINE 1199"), total("100%25"), total("1_9"), total("%25%25")) == (
        1,
        11,
        10_000,
        0,
        0,
    )


def test_a_cursor_of_another_organization_is_unknown(api: Api, many: list[str], otto: Person) -> None:
    refusal(otto.api.get(f"{LOGS}?cursor={many[5]}"), 404, "RES_001")
    refusal(api.get(f"{LOGS}?cursor=5"), 400, "VAL_003")
    refusal(api.get(f"{LOGS}?sort=loudest"), 400, "VAL_001")


def test_since_and_until_bound_lines_exactly(api: Api, many: list[str]) -> None:
    old, older = many[:2]
    now = timezone.now()
    ExecutionLog.unscoped.filter(id=old).update(created_at=now - timedelta(minutes=5))
    ExecutionLog.unscoped.filter(id=older).update(created_at=now - timedelta(minutes=8))

    def ids(query: str) -> list[str]:
        return [each["id"] for each in api.get(f"{LOGS}?page_size=100&{query}").json()["logs"]]

    def at(minutes: int) -> str:
        return (now - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")

    assert ids(f"until={at(4)}") == [older, old]
    assert ids(f"until={at(6)}") == [older]
    assert ids(f"since={at(6)}&until={at(4)}") == [old]
