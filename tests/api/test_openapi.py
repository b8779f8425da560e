"""The API's own description is whole, valid, and the one that is committed."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.people import Api
from tests.api.routes import routes

pytestmark = pytest.mark.django_db

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi" / "auterity.json"
VERBS = ("get", "post", "put", "patch", "delete")
OPEN = {
    "POST /api/auth/login",
    "POST /api/auth/refresh",
    "POST /api/auth/register",
    "POST /api/workflows/{workflow_id}/triggers/{node_id}",
}
SUCCESS = {"200", "201", "202", "204", "206", "304"}


@pytest.fixture(scope="module")
def generated() -> str:
    out = StringIO()
    call_command("spectacular", "--format", "openapi-json", "--validate", "--fail-on-warn", stdout=out)
    return out.getvalue().rstrip("\n")


@pytest.fixture(scope="module")
def document(generated: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(generated)
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{verb.upper()} {path}": item[verb]
        for path, item in document["paths"].items()
        for verb in VERBS
        if verb in item
    }


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_committed_copy_is_the_generated_one(generated: str) -> None:
    assert COMMITTED.read_text().rstrip("\n") == generated, "The API changed: run `make openapi` and commit the result."


def test_it_is_served_without_a_token(anyone: Api, document: dict[str, Any]) -> None:
    for accept in ("*/*", "application/json", "application/vnd.oai.openapi+json"):
        answer = anyone.get("/openapi.json", Accept=accept)
        assert answer.status_code == 200
        assert answer.json()["paths"].keys() == document["paths"].keys()
    assert anyone.get("/openapi.json").headers["Content-Type"].startswith("application/json")


def test_every_route_is_in_it(operations: dict[str, dict[str, Any]]) -> None:
    served = {re.sub(r"<\w+:(\w+)>", r"{\1}", str(each)) for each in routes() if each.path.startswith("/api/")}
    assert set(operations) == served
    assert len(served) >= 30


def test_every_operation_has_a_summary_and_a_readable_name_of_its_own(operations: dict[str, dict[str, Any]]) -> None:
    names = [each["operationId"] for each in operations.values()]
    assert len(set(names)) == len(names)
    assert [each for each in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", each)] == []
    for about in operations.values():
        assert 4 <= len(about["summary"]) <= 80
        assert about["description"]
    assert {"auth_login", "workflow_list", "workflow_create", "workflow_execute", "execution_get"} <= set(names)


def test_every_operation_says_how_it_succeeds_and_how_it_refuses(operations: dict[str, dict[str, Any]]) -> None:
    for name, about in operations.items():
        statuses = set(about["responses"])
        assert statuses & SUCCESS, name
        if "security" in about:
            assert "401" in statuses, name
        if "requestBody" in about:
            assert {"400", "413", "415"} <= statuses, name
        if "_id}" in name:
            assert ({"404"} if name in OPEN else {"403", "404"}) <= statuses, name
        for status in statuses - SUCCESS:
            refusal = about["responses"][status]
            assert re.search(r"- `[A-Z]+_\d{3}` .", refusal["description"]), name
            schema = refusal["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}, name
    assert "409" in operations["PUT /api/workflows/{workflow_id}"]["responses"]
    assert "`WF_004`" in operations["DELETE /api/workflows/{workflow_id}"]["responses"]["409"]["description"]
    assert "`AUTH_004`" in operations["POST /api/auth/login"]["responses"]["400"]["description"]


def test_only_the_public_operations_go_without_a_token(operations: dict[str, dict[str, Any]]) -> None:
    public = {name for name, about in operations.items() if about.get("security") != [{"bearer": []}]}
    assert public == OPEN


def test_every_operation_takes_the_editions(operations: dict[str, dict[str, Any]]) -> None:
    for name, about in operations.items():
        (header,) = (each for each in about["parameters"] if each["name"] == "API-Version")
        assert header["schema"]["enum"] == ["2023-12-01", "2024-01-15", "2025-08-08"]
        assert header["schema"]["default"] == "2024-01-15"
        chosen = [each["name"] == "format" for each in about["parameters"]]
        assert any(chosen) == (name == "GET /api/workflows/{workflow_id}/export")


@pytest.mark.parametrize("name", ["Register", "Login", "CrossSystem", "WorkflowCreate", "Execute", "Instantiate"])
def test_the_documents_examples_are_shown(document: dict[str, Any], name: str) -> None:
    schema = document["components"]["schemas"][f"{name}Request"]
    example = schema.get("example") or schema["examples"][0]
    assert set(example) <= set(schema["properties"])


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_load_nothing_from_elsewhere(anyone: Api, path: str) -> None:
    answer = anyone.get(path, Accept="text/html,application/xhtml+xml")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//[^"'\s>]+""", page) == []
    assets = re.findall(r"""(?:src|href)\s*=\s*["']?(/static/[^"'\s>]+)""", page)
    assert assets
    for each in assets:
        assert finders.find(each.removeprefix("/static/")), each
    assert "/openapi.json" in page
