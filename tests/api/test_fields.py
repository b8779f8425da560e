"""`?fields=`: the same on every GET that answers an object or a list."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from pydantic import BaseModel, Field

from api.fields import Choosable, choosable
from tests.api.graphs import chain
from tests.api.people import Api, refusal
from tests.api.routes import Route, routes

pytestmark = pytest.mark.django_db

WORKFLOWS = "/api/workflows"


def _declared(route: Route) -> Choosable | None:
    method = inspect.unwrap(route.view.get, stop=lambda each: hasattr(each, "operation"))
    return method.operation.choosable if hasattr(method, "operation") else None


CHOOSING: list[tuple[Route, Choosable]] = [
    (each, found) for each in routes() if each.method == "GET" and (found := _declared(each))
]


@pytest.fixture
def made(api: Api) -> dict[str, Any]:
    return api.made(WORKFLOWS, chain("a", "b"))


def test_an_object_has_the_chosen_keys_alone(api: Api, made: dict[str, Any]) -> None:
    body = api.get(f"{WORKFLOWS}/{made['id']}?fields=id,name").json()
    assert body == {"id": made["id"], "name": made["name"]}
    assert set(api.get(f"{WORKFLOWS}/{made['id']}?fields= nodes , id,,").json()) == {"nodes", "id"}


def test_each_item_of_a_list_has_the_chosen_keys_and_the_page_stays(api: Api, made: dict[str, Any]) -> None:
    whole = api.get(WORKFLOWS).json()
    body = api.get(f"{WORKFLOWS}?fields=id,name&page_size=5&search=").json()
    assert body["workflows"] == [{"id": made["id"], "name": made["name"]}]
    assert set(body) == set(whole)
    assert body["total"] == 1


def test_a_list_without_pages_too(api: Api, made: dict[str, Any]) -> None:
    run = api.made(f"{WORKFLOWS}/{made['id']}/execute", {"inputs": {}})
    body = api.get(f"{WORKFLOWS}/executions/{run['execution_id']}/steps?fields=node_id,status").json()
    assert body["execution_id"] == run["execution_id"]
    assert all(set(each) <= {"node_id", "status"} for each in body["steps"])


@pytest.mark.parametrize(
    ("path", "items"),
    [("/api/logs", "logs"), ("/api/notifications", "notifications"), ("/api/audit", "events")],
)
def test_a_list_that_says_more_of_itself_is_a_list_still(api: Api, path: str, items: str) -> None:
    body = api.get(f"{path}?fields=id").json()
    assert set(body) == set(api.get(path).json())
    assert all(set(each) == {"id"} for each in body[items])


def test_a_templates_reviews_keep_their_mean(api: Api) -> None:
    template = api.made("/api/templates", {**chain("a"), "name": "Reviewed"})["id"]
    api.made(f"/api/templates/{template}/reviews", {"rating": 4})
    body = api.get(f"/api/templates/{template}/reviews?fields=rating,comment").json()
    assert (body["rating"], body["reviews"]) == (4.0, [{"rating": 4, "comment": None}])


def test_none_chosen_means_all(api: Api, made: dict[str, Any]) -> None:
    path = f"{WORKFLOWS}/{made['id']}"
    assert api.get(f"{path}?fields=").json() == api.get(path).json() == api.get(f"{path}?fields=,").json()


@pytest.mark.parametrize("asked", ["nope", "id,nope", "definition.nodes", "ID", "id;name", "__class__", "x" * 3000])
def test_an_unknown_name_is_refused_naming_the_known_ones(api: Api, made: dict[str, Any], asked: str) -> None:
    for path in (WORKFLOWS, f"{WORKFLOWS}/{made['id']}"):
        error = refusal(api.get(f"{path}?fields={asked}"), 400, "VAL_001")
        assert error["details"]["field"] == "fields"
        assert re.search(r"there are id, name, .*version", error["message"] + error["details"]["reason"])
    assert api.get(f"{WORKFLOWS}?fields={asked}", API_Version="2025-08-08").status_code == 422


def test_names_are_those_of_the_edition(api: Api, made: dict[str, Any]) -> None:
    run = api.made(f"{WORKFLOWS}/{made['id']}/execute", {"inputs": {}})
    path = f"{WORKFLOWS}/executions/{run['execution_id']}"
    assert set(api.get(f"{path}?fields=id,result", API_Version="2023-12-01").json()) == {"id", "result"}
    assert api.get(f"{path}?fields=output_data", API_Version="2023-12-01").status_code == 400
    assert api.get(f"{path}?fields=result").status_code == 400
    shown = f"{WORKFLOWS}/{made['id']}?fields=nodes"
    assert (api.get(shown).status_code, api.get(shown, API_Version="2023-12-01").status_code) == (200, 400)


def test_only_reading_takes_it(api: Api, made: dict[str, Any]) -> None:
    answer = api.put(f"{WORKFLOWS}/{made['id']}?fields=nope", {"name": "Renamed"})
    assert (answer.status_code, answer.json()["name"]) == (200, "Renamed")


def test_a_head_has_the_etag_of_the_chosen_part(api: Api, made: dict[str, Any]) -> None:
    path = f"{WORKFLOWS}/{made['id']}?fields=id"
    assert api.call("HEAD", path).headers["ETag"] == api.get(path).headers["ETag"]


def test_most_routes_take_it() -> None:
    assert len(CHOOSING) >= 18


@pytest.mark.parametrize(("route", "known"), CHOOSING, ids=lambda each: str(each) if isinstance(each, Route) else "")
def test_every_route_that_takes_it_refuses_what_it_does_not_have(api: Api, route: Route, known: Choosable) -> None:
    path = route.filled("018f0000-0000-7000-8000-000000000000").replace("<str:node_id>", "a")
    answer = api.get(f"{path}?fields=no_such_field")
    assert answer.status_code == (422 if route.view.dialect.name == "business" else 400)
    assert "there are " in answer.text
    assert known.names[0] in answer.text
    if not route.has_slot:
        assert api.get(f"{path}?fields={known.names[0]}").status_code in (200, 404)  # 404: there is none yet.


class Item(BaseModel):
    id: int
    kind: str = Field(serialization_alias="type")


class Things(BaseModel):
    things: list[Item]
    total: int


class Stream(BaseModel):
    things: list[Item]
    next_cursor: str
    newest: str


class Thing(BaseModel):
    id: int
    parts: list[Item]
    about: dict[str, Any]


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({200: Things}, Choosable(("id", "type"), items="things")),
        ({200: Stream}, Choosable(("id", "type"), items="things")),
        ({200: Thing}, Choosable(("id", "parts", "about"))),
        ({200: list[Item]}, Choosable(("id", "type"), bare=True)),
        ({200: bytes}, None),
        ({204: None}, None),
        ({201: Item}, None),
        ({200: dict[str, Any]}, None),
    ],
)
def test_what_can_be_chosen_is_read_from_the_declared_answer(answers: dict[int, Any], found: Choosable | None) -> None:
    assert choosable(answers) == found


def test_a_bare_list_is_cut_item_by_item() -> None:
    assert Choosable(("id", "type"), bare=True).cut([{"id": 1, "type": "x"}, {"id": 2}], ["type"]) == [
        {"type": "x"},
        {},
    ]
