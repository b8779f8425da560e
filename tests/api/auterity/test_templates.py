"""`/api/templates`: who sees and changes which, versions, reviews, pictures, and workflows made from a version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from PIL import Image

from templates_app.models import TemplateReview, TemplateVersion, WorkflowTemplate
from tests.api.graphs import chain
from tests.api.people import Api, Person, refusal
from tests.api.shapes import PAGE, wrong
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
live = pytest.mark.django_db(transaction=True)

PATH = "/api/templates"
# 001, "Create Template", with a graph that uses the parameter.
NEW: dict[str, Any] = {
    "name": "New Sales Template",
    "description": "Template for new sales workflow",
    "category": "sales",
    "definition": {
        "nodes": [
            {"id": "start", "type": "start", "data": {"label": "Start: {{customer_name}}"}},
            {
                "id": "mail",
                "type": "email",
                "data": {"to": "{{customer_email}}", "subject": "Hi", "text": "{{ inputs.a }}"},
            },
        ],
        "edges": [{"id": "e1", "source": "start", "target": "mail"}],
    },
    "parameters": [
        {"name": "customer_name", "parameter_type": "string", "is_required": True},
        {"name": "customer_email", "type": "email", "required": True, "label": "E-mail"},
    ],
}
VALUES = {"customer_name": "John Doe", "customer_email": "john@example.com"}
DETAIL = {
    "id": "uuid", "name": "string", "description": "string", "category": "string",
    "definition": {"nodes": ["object"], "edges": ["object"]}, "parameters": ["object"], "is_active": "boolean",
    "created_at": "datetime", "tags": ["string"], "version": "integer", "is_public": "boolean",
    "organization_id": "uuid|null", "created_by": "uuid|null", "updated_at": "datetime", "preview_image": "string|null",
    "usage_count": "integer", "rating": "number", "reviews": ["object"],
}  # fmt: skip
SUMMARY = {
    "id": "uuid", "name": "string", "description": "string", "category": "string", "is_active": "boolean",
    "created_at": "datetime", "usage_count": "integer", "parameter_count": "integer",
}  # fmt: skip
REVIEW = {
    "id": "uuid", "template_id": "uuid", "user_id": "uuid", "rating": "integer", "comment": "string|null",
    "created_at": "datetime", "updated_at": "datetime",
}  # fmt: skip


@pytest.fixture
def made(api: Api) -> dict[str, Any]:
    return api.made(PATH, NEW)


@pytest.fixture
def public(api: Api) -> dict[str, Any]:
    return api.made(PATH, {**NEW, "is_public": True})


def at(template: dict[str, Any], rest: str = "") -> str:
    return f"{PATH}/{template['id']}{rest}"


def field(answer: Any, code: str = "VAL_001") -> str:
    """The field that a refusal names."""
    name: str = refusal(answer, 400, code)["details"]["field"]
    return name


# Writing


def test_a_template_is_made_as_001_writes_it_and_answers_the_names_of_both_documents(api: Api, ann: Person) -> None:
    example = {**NEW, "definition": {"nodes": [], "edges": []}, "parameters": [
        {"name": "customer_email", "description": "Customer email address", "parameter_type": "email", "is_required": True}
    ]}  # fmt: skip
    answer = api.post(PATH, example)
    assert answer.status_code == 201
    body = answer.json()
    assert wrong(body, DETAIL) == []
    (parameter,) = body["parameters"]
    assert {name: parameter[name] for name in ("type", "parameter_type", "required", "is_required", "label")} == {
        "type": "email", "parameter_type": "email", "required": True, "is_required": True, "label": "customer_email",
    }  # fmt: skip
    assert (body["version"], body["usage_count"], body["rating"], body["reviews"]) == (1, 0, 0, [])
    assert (body["organization_id"], body["created_by"]) == (str(ann.actor.organization_id), str(ann.actor.user_id))
    assert api.get(at(body)).json() == body


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"category": "x" * 101}, "category"),
        ({"tags": ["x" * 51]}, "tags"),
        ({"tags": ["a,b"]}, "tags"),
        ({"tags": [f"t{n}" for n in range(21)]}, "tags"),
        ({"definition": {"nodes": [{"id": "a", "type": "start"}, {"id": "a", "type": "start"}]}}, None),
        ({"definition": {"nodes": "none"}}, "nodes"),
        ({"definition": None}, "definition"),
        ({"preview_image": "http://example.com/a.png"}, "preview_image"),
        ({"preview_image": "javascript:alert(1)"}, "preview_image"),
        ({"preview_image": "https://user:pw@example.com/a.png"}, "preview_image"),
        ({"preview_image": "data:image/png;base64,AAAA"}, "preview_image"),
        ({"preview_image": "018f0000-0000-7000-8000-000000000000"}, "preview_image"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_its_field(api: Api, change: dict[str, Any], named: str | None) -> None:
    answer = api.post(PATH, {**NEW, **change})
    error = refusal(answer, 400, answer.json()["error"]["code"])
    assert named is None or error["details"]["field"] == named
    assert api.post(PATH, {**NEW, **change}, API_Version="2025-08-08").status_code == 422
    assert WorkflowTemplate.unscoped.count() == TemplateVersion.unscoped.count() == 0


CHOICES = [{"value": "new", "label": "New"}, {"value": "used"}]


@pytest.mark.parametrize(
    ("parameter", "word"),
    [
        ({}, "type"),
        ({"type": "date"}, "type"),
        ({"type": "number", "parameter_type": "string"}, "one field"),
        ({"type": "number", "required": True, "is_required": False}, "one field"),
        ({"type": "select"}, "options"),
        ({"type": "string", "options": CHOICES}, "options"),
        ({"type": "select", "options": [*CHOICES, {"value": "new"}]}, "one value"),
        ({"type": "select", "options": CHOICES, "default_value": "old"}, "default"),
        ({"type": "multiselect", "options": CHOICES, "default_value": ["new", "old"]}, "default"),
        ({"type": "number", "default_value": "many"}, "default"),
        ({"type": "boolean", "default_value": "maybe"}, "default"),
        ({"type": "email", "default_value": "nobody"}, "default"),
        ({"type": "string", "default_value": ["a"]}, "default"),
        ({"type": "number", "default_value": 3, "validation": [{"rule": "min", "value": 5}]}, "default"),
        ({"type": "number", "validation": [{"rule": "min", "value": "5"}]}, "number"),
        ({"type": "number", "validation": [{"rule": "min", "value": 5}, {"rule": "max", "value": 4}]}, "nothing"),
        ({"type": "number", "validation": [{"rule": "min_length", "value": 5}]}, "min_length"),
        ({"type": "string", "validation": [{"rule": "min", "value": 5}]}, "min"),
        ({"type": "string", "validation": [{"rule": "min_length", "value": -1}]}, "length"),
        ({"type": "string", "validation": [{"rule": "pattern", "value": "("}]}, "pattern"),
        ({"type": "string", "validation": [{"rule": "pattern", "value": r"(a)\1"}]}, "pattern"),
        ({"type": "string", "validation": [{"rule": "pattern", "value": "a" * 501}]}, "pattern"),
        ({"type": "string", "validation": [{"rule": "sounds_good"}]}, "rule"),
    ],
)
def test_a_parameter_that_could_not_be_filled_is_refused(api: Api, parameter: dict[str, Any], word: str) -> None:
    answer = api.post(PATH, {**NEW, "parameters": [{"name": "p", **parameter}]})
    error = refusal(answer, 400, answer.json()["error"]["code"])
    assert error["details"]["field"].startswith("parameters.0")
    assert word in str(error["details"])


@pytest.mark.parametrize("name", ["", "two words", "1st", "inputs", "true", "x" * 101])
def test_a_parameter_has_a_name_of_its_own(api: Api, name: str) -> None:
    answer = api.post(PATH, {**NEW, "parameters": [{"name": name, "type": "string"}]})
    assert refusal(answer, 400, "VAL_001")["details"]["field"].startswith("parameters.0")
    twice = [{"name": "p", "type": "string"}, {"name": "p", "type": "number"}]
    assert field(api.post(PATH, {**NEW, "parameters": twice})) == "parameters"


def test_a_pattern_that_would_ruin_a_backtracking_matcher_is_answered_at_once(api: Api) -> None:
    rule = {"rule": "pattern", "value": "(a+)+$"}
    template = api.made(PATH, {**NEW, "parameters": [{"name": "p", "type": "string", "validation": [rule]}]})
    value = "a" * 9000 + "!"
    assert field(api.post(at(template, "/instantiate"), {"parameters": {"p": value}})) == "parameters.p"
    assert api.post(at(template, "/instantiate"), {"parameters": {"p": "a" * 9000}}).status_code == 201


def test_a_change_of_definition_or_parameters_makes_a_version_and_others_make_none(api: Api, made: Any) -> None:
    about = api.put(at(made), {"description": "Shorter text", "tags": ["Sales", "lead ", "LEAD"]}).json()
    assert (about["version"], about["tags"], about["description"]) == (1, ["sales", "lead"], "Shorter text")
    assert about["definition"] == made["definition"]
    again = api.put(at(made), about).json()
    assert (again["version"], again["parameters"]) == (1, made["parameters"])
    second = api.put(at(made), {"parameters": made["parameters"][:1]}).json()
    third = api.put(at(made), {"definition": chain("a")["definition"]}).json()
    assert (second["version"], third["version"]) == (2, 3)
    assert third["parameters"] == second["parameters"]
    listed = api.get(at(made, "/versions")).json()
    assert wrong(listed, PAGE) == []
    assert [each["version"] for each in listed["versions"]] == [3, 2, 1]
    first = api.get(at(made, "/versions/1")).json()
    assert (first["definition"], first["parameters"]) == (made["definition"], made["parameters"])
    refusal(api.get(at(made, "/versions/4")), 404, "TPL_001")


def test_a_stale_version_is_a_conflict(api: Api, made: Any) -> None:
    api.put(at(made), {"parameters": []})
    refusal(api.put(at(made), {"name": "Mine", "version": 1}), 409, "WF_004")
    assert api.get(at(made)).json()["name"] == made["name"]


def test_a_stored_secret_stays_behind_its_mask(api: Api, made: Any) -> None:
    call = {"id": "call", "type": "api-integration", "config": {"url": "https://a.example", "secret": "x"}}
    kept = api.put(at(made), {"definition": {"nodes": [call], "edges": []}})
    assert kept.status_code == 200


@live
def test_two_changes_at_once_are_two_versions(ann: Person) -> None:
    made = ann.api.made(PATH, NEW)

    def change(number: int) -> int:
        try:
            parameters = [{"name": f"p{number}", "type": "string"}]
            status: int = Api(ann.api.token).put(at(made), {"parameters": parameters}).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert Counter(threads.map(change, range(4))) == {200: 4}
    assert ann.api.get(at(made)).json()["version"] == 5
    assert sorted(TemplateVersion.unscoped.values_list("number", flat=True)) == [1, 2, 3, 4, 5]


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


def names(api: Api, query: str = "") -> list[str]:
    return [each["name"] for each in api.get(f"{PATH}?{query}").json()["templates"]]


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


# Instances


def test_an_instance_outlives_its_template(api: Api, made: Any) -> None:
    workflow = api.made(at(made, "/instantiate"), {"name": "Customer ABC", "parameter_values": VALUES})
    assert api.delete(at(made)).status_code == 204
    refusal(api.get(at(made)), 404, "TPL_001")
    refusal(api.post(at(made, "/instantiate"), {"parameters": VALUES}), 404, "TPL_001")
    assert (names(api), api.get(f"{PATH}/categories").json()["total"]) == ([], 0)
    kept = api.get(f"/api/workflows/{workflow['id']}").json()
    assert (kept["template_id"], kept["definition"]) == (made["id"], workflow["definition"])
    assert kept["nodes"][0]["title"] == "Start: John Doe"


def test_an_older_version_can_be_named(api: Api, made: Any) -> None:
    api.put(at(made), {"definition": chain("a")["definition"], "parameters": []})
    old = api.made(at(made, "/instantiate"), {"version": 1, "parameters": VALUES})
    new = api.made(at(made, "/instantiate"), {"version": 2})
    assert (len(old["nodes"]), len(new["nodes"])) == (2, len(chain("a")["definition"]["nodes"]))
    refusal(api.post(at(made, "/instantiate"), {"version": 3}), 404, "TPL_001")
    assert field(api.post(at(made, "/instantiate"), {"version": 2, "parameters": VALUES})).startswith("parameters.")
    assert field(api.post(at(made, "/instantiate"), {"version": 1}), "VAL_002") == "parameters.customer_name"
    assert api.get(at(made)).json()["usage_count"] == 2


def test_the_editions_answer_201_and_200(api: Api, made: Any) -> None:
    for edition, status in (("2024-01-15", 201), ("2025-08-08", 200), ("2023-12-01", 201)):
        assert api.post(at(made, "/instantiate"), {"parameters": VALUES}, API_Version=edition).status_code == status


@live
def test_every_use_is_counted(ann: Person) -> None:
    made = ann.api.made(PATH, NEW)

    def use(number: int) -> int:
        try:
            # Two of them repeat a request that was made already.
            key = {"Idempotency_Key": f"k{number % 6}"}
            status: int = Api(ann.api.token).post(at(made, "/instantiate"), {"parameters": VALUES}, **key).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert Counter(threads.map(use, range(8))) == {201: 8}
    assert ann.api.get(at(made)).json()["usage_count"] == Workflow.unscoped.count() == 6


def test_a_workflow_becomes_a_template(api: Api, otto: Person) -> None:
    workflow = api.made("/api/workflows", {**chain("a"), "name": "Ours", "category": "sales", "description": "D"})
    path = f"/api/workflows/{workflow['id']}/save-as-template"
    template = api.made(path, {"tags": ["x"], "parameters": [{"name": "p", "type": "number", "default_value": 2}]})
    assert wrong(template, DETAIL) == []
    assert (template["name"], template["category"], template["description"]) == ("Ours", "sales", "D")
    assert template["definition"] == workflow["definition"]
    assert api.made(at(template, "/instantiate"), {})["definition"] == workflow["definition"]
    refusal(api.post(path, {"version": 9}), 404, "WF_001")
    refusal(otto.api.post(path, {}), 404, "WF_001")


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


# Pictures


@pytest.fixture
def picture(ann: Person) -> Callable[[str], str]:
    """The id of an uploaded file."""

    def upload(name: str) -> str:
        buffer = BytesIO()
        Image.new("RGB", (8, 8), "navy").save(buffer, "PNG")
        content = buffer.getvalue() if name.endswith("png") else b"a,b\n1,2\n"
        media = "image/png" if name.endswith("png") else "text/csv"
        answer = Client().post(
            "/api/files",
            {"file": SimpleUploadedFile(name, content, media)},
            headers={"Authorization": f"Bearer {ann.api.token}"},
        )
        assert answer.status_code == 201, answer.content
        identity: str = answer.json()["id"]
        return identity

    return upload


def test_a_stored_picture_is_shown_to_whoever_sees_the_template(
    api: Api, public: Any, otto: Person, picture: Callable[[str], str]
) -> None:
    file = picture("a.png")
    shown = api.put(at(public), {"preview_image": f"/api/files/{file}"}).json()
    assert shown["preview_image"] == at(public, "/preview")
    assert api.put(at(public), shown).json()["preview_image"] == at(public, "/preview")
    answer = otto.api.get(at(public, "/preview"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert b"".join(answer.streaming_content)[:4] == b"\x89PNG"
    refusal(otto.api.get(f"/api/files/{file}"), 404, "RES_001")
    assert field(otto.api.post(PATH, {**NEW, "preview_image": file})) == "preview_image"
    assert field(api.put(at(public), {"preview_image": picture("a.csv")})) == "preview_image"
    assert api.put(at(public), {"preview_image": ""}).json()["preview_image"] is None
    refusal(api.get(at(public, "/preview")), 404, "RES_001")
    web = api.put(at(public), {"preview_image": "https://cdn.example.com/a.png"}).json()
    assert web["preview_image"] == "https://cdn.example.com/a.png"
