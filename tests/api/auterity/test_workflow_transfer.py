"""Export and import over HTTP: two notations of one document."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.api.graphs import FORM_OF_000, chain
from tests.api.people import Api, Person, refusal
from workflows.models import Workflow
from workflows.yaml_text import read_yaml

pytestmark = pytest.mark.django_db

PATH = "/api/workflows"
YAML = "application/yaml"


@pytest.fixture
def totals(api: Api) -> dict[str, Any]:
    return api.made(PATH, FORM_OF_000)


def test_a_workflow_comes_out_as_json_and_as_yaml(api: Api, totals: dict[str, Any]) -> None:
    as_json = api.get(f"{PATH}/{totals['id']}/export")
    as_yaml = api.get(f"{PATH}/{totals['id']}/export?format=yaml&version=1")
    assert as_json.headers["Content-Type"] == "application/json"
    assert as_yaml.headers["Content-Type"] == YAML
    assert as_yaml.headers["Content-Disposition"] == 'attachment; filename="totals.yaml"'
    assert read_yaml(as_yaml.content.decode()) == orjson.loads(as_json.content)
    assert as_yaml.content.startswith(b"format: auterity-workflow\nformat_version: 1\nname: Totals\n")
    assert api.get(f"{PATH}/{totals['id']}/export?format=yaml", Accept=YAML).content == as_yaml.content
    document = as_json.json()
    assert list(document) == [
        "format", "format_version", "name", "description", "category", "definition", "fill_in", "tests",
    ]  # fmt: skip
    assert document["definition"]["variables"] == FORM_OF_000["variables"]
    assert document["definition"]["nodes"][1]["config"] == {"set": {"total": "{{ inputs.amount }}"}}


def test_what_came_out_as_yaml_goes_in_and_runs_the_same(api: Api, totals: dict[str, Any]) -> None:
    text = api.get(f"{PATH}/{totals['id']}/export?format=yaml").content
    checked = api.post(f"{PATH}/import?check_only=true", raw=text, media=YAML)
    assert checked.status_code == 200
    assert (checked.json()["valid"], checked.json()["draft"], checked.json()["nodes"]) == (True, False, 2)
    assert Workflow.unscoped.count() == 1
    answer = api.post(f"{PATH}/import", raw=text, media=YAML)
    assert answer.status_code == 201
    arrived = answer.json()["workflow"]
    assert (arrived["is_active"], arrived["published_version"], arrived["name"]) == (True, 1, "Totals")
    assert arrived["definition"] == totals["definition"]
    assert api.get(f"{PATH}/{arrived['id']}/export?format=yaml").content == text
    assert api.post(f"{PATH}/import?is_active=false", raw=text, media=YAML).json()["workflow"]["is_active"] is False


def test_the_same_key_brings_it_in_once(api: Api, totals: dict[str, Any]) -> None:
    text = api.get(f"{PATH}/{totals['id']}/export").content
    first = api.post(f"{PATH}/import", raw=text, Idempotency_Key="k1").json()
    again = api.post(f"{PATH}/import", raw=text, Idempotency_Key="k1").json()
    assert first == again
    assert Workflow.unscoped.count() == 2
    refusal(api.post(f"{PATH}/import?check_only=true", raw=text, Idempotency_Key="k1"), 409, "RES_002")


def test_a_secret_must_be_filled_in(api: Api) -> None:
    hook = {"id": "hook", "type": "webhook-trigger", "config": {"authentication": "token", "secret": "s3cret"}}
    made = api.made(PATH, {"name": "Hooked", "definition": {"nodes": [hook], "edges": []}})
    document = api.get(f"{PATH}/{made['id']}/export").json()
    body = api.made(f"{PATH}/import", document)
    assert (body["draft"], body["workflow"]["is_active"], body["workflow"]["published_version"]) == (True, False, None)
    assert body["fill_in"] == [
        {"node": "hook", "title": "hook", "type": "webhook-trigger", "field": "secret", "kind": "secret"}
    ]
    edited = {"definition": body["workflow"]["definition"], "is_active": True}
    edited["definition"]["nodes"][0]["config"]["secret"] = "fresh"
    saved = api.put(f"{PATH}/{body['workflow']['id']}", edited).json()
    assert (saved["is_active"], saved["published_version"]) == (True, 2)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"a: &x [1]\nb: *x", "Line 1, column 4: anchors and aliases (& and *) are not read; write the value out."),
        (b"!!python/object/apply:os.system [id]", "Line 1, column 1: tags (!) are not read."),
        (b"\xff", "The request body is not UTF-8."),
        (b'a: "\\0"', "The request body holds a NUL character."),
        (b"- a", "The request body must be a JSON object."),
    ],
)
def test_yaml_that_is_no_document_is_refused(api: Api, raw: bytes, told: str) -> None:
    answer = api.post(f"{PATH}/import", raw=raw, media=YAML)
    assert told in refusal(answer, 400, answer.json()["error"]["code"])["message"]
    assert Workflow.unscoped.count() == 0


def test_a_document_that_is_none_says_everything(api: Api) -> None:
    body = api.post(f"{PATH}/import?check_only=true", {"name": "x"}).json()
    assert (body["valid"], [each["field"] for each in body["problems"]]) == (False, ["format", "definition"])
    refusal(api.post(f"{PATH}/import", {"name": "x"}), 400, "VAL_002")
    assert Workflow.unscoped.count() == 0


def test_yaml_is_read_nowhere_else(api: Api) -> None:
    refusal(api.post(PATH, raw=b"name: x", media=YAML), 415, "VAL_001")


def test_a_viewer_exports_and_imports_nothing(viewer: Person, api: Api) -> None:
    made = api.made(PATH, chain("a"))
    document = viewer.api.get(f"{PATH}/{made['id']}/export").json()
    refusal(viewer.api.post(f"{PATH}/import", document), 403, "AUTH_003")
    refusal(viewer.api.post(f"{PATH}/import?check_only=true", document), 403, "AUTH_003")
    assert Workflow.unscoped.count() == 1
