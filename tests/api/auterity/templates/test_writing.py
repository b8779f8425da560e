"""`/api/templates`: what a template and its parameters must be, and its picture."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from templates_app.models import TemplateVersion, WorkflowTemplate
from tests.api.auterity.templates.example import DETAIL, NEW, PATH, at, field
from tests.api.people import Api, Person, refusal
from tests.api.shapes import wrong

pytestmark = pytest.mark.django_db


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
