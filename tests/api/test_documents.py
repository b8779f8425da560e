"""Each dialect beside the first has an OpenAPI document of its own: whole, valid, and naming what it refuses."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.dialect import DIALECTS
from tests.api.routes import routes

pytestmark = pytest.mark.django_db

VERBS = ("get", "post", "put", "patch", "delete")
SUCCESS = {"200", "201", "202", "204", "206", "302", "304"}
OTHERS = [each.name for each in DIALECTS if each.name != "auterity"]


@pytest.fixture(scope="module", params=OTHERS)
def named(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    out = StringIO()
    made = ("--format", "openapi-json", "--validate", "--fail-on-warn", "--urlconf", f"api.{request.param}.urls")
    call_command("spectacular", *made, stdout=out)
    return request.param, json.loads(out.getvalue())


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{verb.upper()} {path}": item[verb]
        for path, item in document["paths"].items()
        for verb in VERBS
        if verb in item
    }


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    for step in part.get("$ref", "#").removeprefix("#").split("/")[1:]:
        part = document = document[step]
    return part


def test_it_is_valid_and_names_every_route_of_the_dialect(named: tuple[str, dict[str, Any]]) -> None:
    name, document = named
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    served = {re.sub(r"<\w+:(\w+)>", r"{\1}", str(each)) for each in routes() if each.view.dialect.name == name}
    assert set(operations(document)) == served
    assert document["info"]["title"] == f"Auterity, {name}"


def test_every_operation_is_named_and_shows_how_it_succeeds_and_refuses(named: tuple[str, dict[str, Any]]) -> None:
    _, document = named
    found = operations(document)
    assert len({each["operationId"] for each in found.values()}) == len(found)
    for name, about in found.items():
        assert about["description"], name
        assert set(about["responses"]) & SUCCESS, name
        assert {"429", "500", "503"} <= set(about["responses"]), name
        for status, answer in about["responses"].items():
            if status not in SUCCESS:
                assert re.search(r"- `[A-Z_0-9]+` .", resolved(document, answer)["description"]), (name, status)


def test_every_example_fits_its_schema(named: tuple[str, dict[str, Any]]) -> None:
    _, document = named
    for name, about in operations(document).items():
        for part in (about.get("requestBody", {}), *about["responses"].values()):
            content = resolved(document, part).get("content", {}).get("application/json")
            if content is None:
                continue
            shown = [each["value"] for each in content.get("examples", {}).values()] or [content["example"]]
            judge = Draft202012Validator(
                {**content["schema"], "components": document["components"]}, format_checker=FormatChecker()
            )
            assert [each.message for value in shown for each in judge.iter_errors(value)] == [], name
