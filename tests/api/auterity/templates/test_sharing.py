"""Templates on everybody's shelf: who sees and changes which, how they are found, and what is thought of them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from templates_app.models import TemplateReview, WorkflowTemplate
from tests.api.auterity.templates.example import NEW, PATH, REVIEW, SUMMARY, VALUES, at, field, live, names
from tests.api.people import Api, Person, refusal
from tests.api.shapes import PAGE, wrong
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


# Whose it is


def test_a_private_template_does_not_exist_for_others(made: Any, otto: Person) -> None:
    for method, rest, body in (
        ("GET", "", {}), ("PUT", "", {"name": "x"}), ("DELETE", "", {}), ("GET", "/reviews", {}), ("GET", "/versions", {}),
        ("POST", "/reviews", {"rating": 1}), ("POST", "/instantiate", {}), ("GET", "/versions/1", {}), ("GET", "/preview", {}),
    ):  # fmt: skip
        refusal(otto.api.call(method, at(made, rest), body), 404, "TPL_001")


def test_a_public_template_is_read_by_all_and_changed_by_its_owner(
    api: Api, public: Any, otto: Person, member: Person
) -> None:
    assert otto.api.get(at(public)).json()["name"] == public["name"]
    refusal(otto.api.put(at(public), {"name": "Mine now"}), 403, "AUTH_003")
    refusal(otto.api.delete(at(public)), 403, "AUTH_003")
    refusal(member.api.put(at(public), {"name": "x"}), 403, "AUTH_003")
    refusal(member.api.delete(at(public)), 403, "AUTH_003")
    api.put(at(public), {"is_public": False})
    refusal(otto.api.get(at(public)), 404, "TPL_001")


def test_viewers_only_look(viewer: Person, made: Any) -> None:
    assert viewer.api.get(at(made)).status_code == 200
    for method, path, body in (("POST", PATH, NEW), ("PUT", at(made), {}), ("DELETE", at(made), {}),
                               ("POST", at(made, "/instantiate"), {"parameters": VALUES})):  # fmt: skip
        refusal(viewer.api.call(method, path, body), 403, "AUTH_003")


def test_the_products_own_catalogue_is_nobodys_to_change(api: Api) -> None:
    row = WorkflowTemplate.unscoped.create(
        name="Built in", slug="x", is_public=True, definition={"nodes": [], "edges": []}
    )
    refusal(api.put(f"{PATH}/{row.id}", {"name": "x"}), 403, "AUTH_003")
    refusal(api.delete(f"{PATH}/{row.id}"), 403, "AUTH_003")


def test_what_means_something_in_one_organization_only_stays_there(api: Api, otto: Person) -> None:
    call = {
        "id": "call", "type": "api-integration",
        "config": {
            "url": "https://crm.example.com", "method": "GET", "headers": {"Authorization": "Bearer marker-551"},
            "connection_id": "018f0000-0000-7000-8000-00000000abcd",
        },
    }  # fmt: skip
    shared = api.made(PATH, {
        "name": "Ask", "is_public": True,
        "definition": {
            "nodes": [{"id": "start", "type": "start"}, call],
            "edges": [{"id": "e", "source": "start", "target": "call"}],
        },
    })  # fmt: skip
    for rest in ("", "/versions/1"):
        seen = otto.api.get(at(shared, rest)).content
        assert b"marker-551" not in seen
        assert b"abcd" not in seen
    theirs = otto.api.made(at(shared, "/instantiate"), {})
    assert (theirs["is_active"], theirs["has_draft"]) == (False, True)
    assert "marker-551" not in str(Workflow.unscoped.get(id=theirs["id"]).__dict__)
    assert b"marker-551" not in otto.api.get(f"/api/workflows/{theirs['id']}").content
    own = api.made(at(shared, "/instantiate"), {})
    assert own["is_active"] is True


# The shelf


@pytest.fixture
def shelf(api: Api, otto: Person) -> None:
    for name, category, tags in (
        ("A", "sales", ["car", "lead"]),
        ("B", "sales", ["carpet"]),
        ("C", "service", ["lead"]),
    ):
        api.made(PATH, {**NEW, "name": name, "category": category, "tags": tags})
    otto.api.made(PATH, {**NEW, "name": "D", "category": "sales", "tags": ["lead"], "is_public": True})
    otto.api.made(PATH, {**NEW, "name": "E", "category": "hidden", "tags": ["hidden"]})


@pytest.mark.usefixtures("shelf")
def test_the_list_is_filtered_sorted_and_paged(api: Api, otto: Person) -> None:
    body = api.get(PATH).json()
    assert wrong(body, {**PAGE, "templates": [SUMMARY]}) == []
    assert names(api) == ["A", "B", "C", "D"]
    assert names(api, "category=sales") == ["A", "B", "D"]
    assert names(api, "public_only=true") == ["D"]
    assert names(api, "search=b") == ["B"]
    assert names(api, "search=%25") == []
    assert names(api, "tags=car") == ["A"]
    assert names(api, "tags=LEAD") == ["A", "C", "D"]
    assert names(api, "tags=lead,car") == ["A"]
    assert names(api, "sort=newest") == ["D", "C", "B", "A"]
    assert names(api, "page_size=3&page=2") == ["D"]
    ids = {each["name"]: each["id"] for each in body["templates"]}
    api.made(f"{PATH}/{ids['C']}/instantiate", {"parameters": VALUES})
    api.made(f"{PATH}/{ids['B']}/reviews", {"rating": 3})
    otto.api.made(f"{PATH}/{ids['D']}/reviews", {"rating": 5})
    assert names(api, "sort=usage") == ["C", "A", "B", "D"]
    assert names(api, "sort=rating") == ["D", "B", "A", "C"]
    assert field(api.get(f"{PATH}?sort=price")) == "sort"


@pytest.mark.usefixtures("shelf")
def test_categories_and_tags_count_what_is_seen(api: Api) -> None:
    assert api.get(f"{PATH}/categories").json() == {
        "categories": [{"category": "sales", "count": 3}, {"category": "service", "count": 1}], "total": 2,
    }  # fmt: skip
    assert api.get(f"{PATH}/tags").json()["tags"] == [
        {"tag": "lead", "count": 3}, {"tag": "car", "count": 1}, {"tag": "carpet", "count": 1},
    ]  # fmt: skip
    assert api.get(f"{PATH}/tags?public_only=true").json()["tags"] == [{"tag": "lead", "count": 1}]


# Reviews


def test_one_review_each_and_sending_again_replaces_it(api: Api, public: Any, otto: Person, viewer: Person) -> None:
    first = otto.api.post(at(public, "/reviews"), {"rating": 5, "comment": "Saved us a day."})
    assert first.status_code == 201
    assert wrong(first.json(), REVIEW) == []
    again = otto.api.made(at(public, "/reviews"), {"rating": 2})
    assert (again["id"], again["rating"], again["comment"]) == (first.json()["id"], 2, None)
    viewer.api.made(at(public, "/reviews"), {"rating": 5})
    listed = api.get(at(public, "/reviews?page_size=1")).json()
    assert wrong(listed, {**PAGE, "reviews": [REVIEW], "rating": "number"}) == []
    assert (listed["rating"], listed["total"], len(listed["reviews"])) == (3.5, 2, 1)
    detail = api.get(at(public)).json()
    assert (detail["rating"], len(detail["reviews"])) == (3.5, 2)
    refusal(otto.api.delete(at(public, f"/reviews/{listed['reviews'][0]['id']}")), 403, "AUTH_003")
    assert otto.api.delete(at(public, f"/reviews/{again['id']}")).status_code == 204
    refusal(otto.api.delete(at(public, f"/reviews/{again['id']}")), 404, "RES_001")
    assert api.get(at(public)).json()["rating"] == 5


@pytest.mark.parametrize(
    ("body", "code"),
    [({"rating": 0}, "VAL_001"), ({"rating": 6}, "VAL_001"), ({"rating": 4.5}, "VAL_001"), ({"rating": True}, "VAL_001"),
     ({}, "VAL_002"), ({"rating": 3, "comment": "x" * 2001}, "VAL_001"), ({"rating": 3, "comment": "\x00"}, "VAL_001")],
)  # fmt: skip
def test_a_bad_review_is_refused(api: Api, made: Any, body: dict[str, Any], code: str) -> None:
    refusal(api.post(at(made, "/reviews"), body), 400, code)
    assert TemplateReview.unscoped.count() == 0


@live
def test_the_rating_is_the_mean_however_many_write_at_once(ann: Person, otto: Person, member: Person) -> None:
    public = ann.api.made(PATH, {**NEW, "is_public": True})
    people = [ann, otto, member]

    def review(number: int) -> int:
        try:
            body = {"rating": 1 + number % 5}
            status: int = Api(people[number % 3].api.token).post(at(public, "/reviews"), body).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        assert Counter(threads.map(review, range(18))) == {201: 18}
    stored = list(TemplateReview.unscoped.values_list("rating", flat=True))
    assert len(stored) == 3
    assert ann.api.get(at(public)).json()["rating"] == pytest.approx(sum(stored) / 3)
