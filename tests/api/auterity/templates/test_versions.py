"""Versions of a template, and the workflows that are made from them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from templates_app.models import TemplateVersion
from tests.api.auterity.templates.example import DETAIL, NEW, PATH, VALUES, at, field, live, names
from tests.api.graphs import chain
from tests.api.people import Api, Person, refusal
from tests.api.shapes import PAGE, wrong
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


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
