"""Pages: one number under the names of both documents (contract README, decision 7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.graphs import chain
from tests.api.people import Api, refusal
from tests.api.shapes import PAGE, wrong

pytestmark = pytest.mark.django_db

WORKFLOWS = "/api/workflows"


@pytest.fixture
def twelve(api: Api) -> list[str]:
    """The ids of twelve workflows, newest first."""
    return [api.made(WORKFLOWS, chain("a", name=f"W{at}"))["id"] for at in range(12)][::-1]


def ids(body: dict[str, Any]) -> list[str]:
    return [each["id"] for each in body["workflows"]]


@pytest.mark.parametrize("name", ["limit", "page_size"])
def test_pages_by_either_name_cover_everything_once(api: Api, twelve: list[str], name: str) -> None:
    pages = [api.get(f"{WORKFLOWS}?page={page}&{name}=5").json() for page in (1, 2, 3)]
    assert [each for page in pages for each in ids(page)] == twelve
    for at, body in enumerate(pages, 1):
        assert wrong(body, PAGE) == []
        expected = {"page": at, "limit": 5, "total": 12, "total_pages": 3, "has_next": at < 3, "has_prev": at > 1}
        assert body["pagination"] == expected
        assert (body["total"], body["page"], body["page_size"], body["total_pages"]) == (12, at, 5, 3)


def test_page_size_wins_over_limit(api: Api, twelve: list[str]) -> None:
    body = api.get(f"{WORKFLOWS}?limit=3&page_size=4").json()
    assert (len(ids(body)), body["page_size"], body["pagination"]["limit"]) == (4, 4, 4)


def test_the_largest_page_is_100(api: Api, twelve: list[str]) -> None:
    assert len(ids(api.get(f"{WORKFLOWS}?page_size=100").json())) == 12


def test_a_page_after_the_last_is_empty(api: Api, twelve: list[str]) -> None:
    body = api.get(f"{WORKFLOWS}?page=4&limit=5").json()
    assert (ids(body), body["total"], body["pagination"]["has_next"]) == ([], 12, False)
    assert api.get(f"{WORKFLOWS}?page=1000000&limit=100").status_code == 200


def test_an_empty_list_has_no_pages(api: Api) -> None:
    body = api.get(WORKFLOWS).json()
    assert (body["workflows"], body["total"], body["total_pages"]) == ([], 0, 0)


def test_empty_parameters_are_absent_ones(api: Api, twelve: list[str]) -> None:
    body = api.get(f"{WORKFLOWS}?page=&page_size=&limit=&search=").json()
    assert (body["page"], body["page_size"]) == (1, 20)


PATHS = [WORKFLOWS, "/api/logs", "/api/templates", "/api/workflows/{workflow}/versions",
         "/api/workflows/{workflow}/executions", "/api/workflows/executions/{run}/logs"]  # fmt: skip


@pytest.mark.parametrize("name", ["page", "page_size", "limit"])
def test_out_of_range_is_refused_on_every_list_and_never_cut(api: Api, name: str) -> None:
    workflow = api.made(WORKFLOWS, chain("a"))["id"]
    run = api.made(f"{WORKFLOWS}/{workflow}/execute", {})["execution_id"]
    too_large = "1000001" if name == "page" else "101"
    for path in PATHS:
        address = path.format(workflow=workflow, run=run)
        for value in ("0", "-1", too_large, str(2**63), "1.5", "many", "1e2", "%00", "9" * 5000):
            answer = api.get(f"{address}?{name}={value}")
            error = refusal(answer, 400, answer.json()["error"]["code"])
            assert error["details"]["field"] == name, (path, value)
            newest = api.get(f"{address}?{name}={value}", API_Version="2025-08-08")
            assert (newest.status_code, newest.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
        assert api.get(f"{address}?{name}=1").status_code == 200


def test_every_list_has_the_same_keys(api: Api) -> None:
    workflow = api.made(WORKFLOWS, chain("a"))["id"]
    run = api.made(f"{WORKFLOWS}/{workflow}/execute", {})["execution_id"]
    for path in PATHS:
        assert wrong(api.get(path.format(workflow=workflow, run=run)).json(), PAGE) == [], path
