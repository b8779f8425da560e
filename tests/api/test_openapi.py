"""The API's own description is whole, valid, and the one that is committed."""

from __future__ import annotations

import html
import importlib
import json
import pkgutil
import re
from collections import defaultdict
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

import api
from api.auterity.dialect import AUTERITY
from tests.api.people import Api
from tests.api.routes import routes

pytestmark = pytest.mark.django_db

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi" / "auterity.json"
VERBS = ("get", "post", "put", "patch", "delete")
HEALTH = {
    "GET /api/health",
    "GET /api/monitoring/health",
    "GET /api/v1/health",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
}
OPEN = HEALTH | {
    "GET /api/exports/{export_id}/content",
    "GET /api/auth/google/authorize",
    "GET /api/auth/sso/{provider_id}/authorize",
    "POST /api/auth/forgot-password",
    "POST /api/auth/sso/callback",
    "POST /api/auth/login",
    "POST /api/auth/mfa",
    "POST /api/auth/mfa/send-code",
    "POST /api/auth/refresh",
    "POST /api/auth/register",
    "POST /api/auth/reset-password",
    "POST /api/auth/verify-email",
    "POST /api/invitations/accept",
    "POST /api/workflows/{workflow_id}/triggers/{node_id}",
}
SUCCESS = {"200", "201", "202", "204", "206", "302", "304"}


@pytest.fixture(scope="module")
def generated() -> str:
    out = StringIO()
    made = ("--format", "openapi-json", "--validate", "--fail-on-warn", "--urlconf", "api.auterity.urls")
    call_command("spectacular", *made, stdout=out)
    return out.getvalue().rstrip("\n")


@pytest.fixture(scope="module")
def document(generated: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(generated)
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """With the answers that several of them share written out."""

    def whole(operation: dict[str, Any]) -> dict[str, Any]:
        answers = {status: _resolved(document, answer) for status, answer in operation["responses"].items()}
        return {**operation, "responses": answers}

    return {
        f"{verb.upper()} {path}": whole(item[verb])
        for path, item in document["paths"].items()
        for verb in VERBS
        if verb in item
    }


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    for step in part["$ref"].removeprefix("#/").split("/"):
        document = document[step]
    return document


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
    served = {
        re.sub(r"<\w+:(\w+)>", r"{\1}", str(each))
        for each in routes()
        if each.view.dialect is AUTERITY and each.path.startswith(("/api/", "/health"))
    }
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
        if name in HEALTH:  # Unhealthy is said in the same body as healthy.
            assert "503" in statuses, name
            statuses -= {"503"}
        for status in statuses - SUCCESS:
            refusal = about["responses"][status]
            assert re.search(r"- `[A-Z]+_\d{3}` .", refusal["description"]), name
            schema = refusal["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}, name
    assert "409" in operations["PUT /api/workflows/{workflow_id}"]["responses"]
    assert "`WF_004`" in operations["DELETE /api/workflows/{workflow_id}"]["responses"]["409"]["description"]
    assert "`AUTH_004`" in operations["POST /api/auth/login"]["responses"]["400"]["description"]


def test_only_the_public_operations_go_without_a_token(operations: dict[str, dict[str, Any]]) -> None:
    public = {name for name, about in operations.items() if about.get("security") != [{"bearer": []}, {"apiKey": []}]}
    assert public == OPEN


def test_every_operation_takes_the_editions(operations: dict[str, dict[str, Any]]) -> None:
    for name, about in operations.items():
        (header,) = (each for each in about["parameters"] if each["name"] == "API-Version")
        assert header["schema"]["enum"] == ["2023-12-01", "2024-01-15", "2025-08-08"]
        assert header["schema"]["default"] == "2024-01-15"
        chosen = [each["name"] == "format" for each in about["parameters"]]
        assert any(chosen) == (name in ("GET /api/workflows/{workflow_id}/export", "GET /api/audit/export"))


@pytest.mark.parametrize("name", ["Register", "Login", "CrossSystem", "WorkflowCreate", "Execute", "Instantiate"])
def test_the_documents_examples_are_shown(document: dict[str, Any], name: str) -> None:
    schema = document["components"]["schemas"][f"{name}Request"]
    example = schema.get("example") or schema["examples"][0]
    assert set(example) <= set(schema["properties"])


def test_every_body_has_an_example_that_fits_its_schema(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    played = 0
    for name, about in operations.items():
        for body in (about.get("requestBody", {}), *about["responses"].values()):
            for media, content in body.get("content", {}).items():
                if media != "application/json":
                    continue
                shown = [each["value"] for each in content.get("examples", {}).values()] or [content["example"]]
                whole = {**content["schema"], "components": document["components"]}
                judge = Draft202012Validator(whole, format_checker=FormatChecker())
                assert [each.message for value in shown for each in judge.iter_errors(value)] == [], name
                played += len(shown)
    assert played > 5 * len(operations)


def test_every_refusal_shows_the_code_it_comes_with(operations: dict[str, dict[str, Any]]) -> None:
    for name, about in operations.items():
        for status, answer in about["responses"].items():
            shown = answer.get("content", {}).get("application/json", {}).get("examples", {})
            assert shown or status in SUCCESS or status in ("503",), name
            if not shown or status in SUCCESS:
                continue
            assert {f"- `{code[:-3]}_{code[-3:]}` " in answer["description"] for code in shown} == {True}, name
            for example in shown.values():
                assert set(example["value"]["error"]) >= {"code", "message", "trace_id", "timestamp"}, name


def test_every_operation_documents_what_any_request_can_meet(operations: dict[str, dict[str, Any]]) -> None:
    """An unknown edition, a type nobody writes, a limit, a database that does not answer, a defect of ours."""
    for name, about in operations.items():
        assert {"400", "500", "503"} <= set(about["responses"]), name
        takes_input = "requestBody" in about or any(each["in"] == "query" for each in about["parameters"])
        assert not takes_input or name in OPEN or "422" in about["responses"], name


def test_every_answer_names_the_headers_it_carries(operations: dict[str, dict[str, Any]]) -> None:
    always = {"X-Request-ID", "API-Version", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    for name, about in operations.items():
        for status, answer in about["responses"].items():
            headers = set(answer["headers"])
            assert always <= headers, (name, status)
            assert (status == "401") == ("WWW-Authenticate" in headers), name
            assert (status in ("429", "503")) == ("Retry-After" in headers), name


def test_the_groups_and_the_schemes_are_described(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    assert {tag for about in operations.values() for tag in about["tags"]} == {
        each["name"] for each in document["tags"]
    }
    assert [each for each in document["tags"] if len(each["description"]) < 10] == []
    assert document["components"]["securitySchemes"]["bearer"]["description"]


def test_a_query_says_its_bounds(operations: dict[str, dict[str, Any]]) -> None:
    parameters = {each["name"]: each["schema"] for each in operations["GET /api/workflows"]["parameters"]}
    assert parameters["page_size"] == {"type": "integer", "minimum": 1, "maximum": 100}
    assert parameters["search"]["maxLength"] == 200


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
    for script in re.findall(r'src="(/docs[^"]+)"', page):
        page += anyone.get(html.unescape(script)).content.decode()
    assert "/openapi.json" in page


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_what_the_pages_refuse_is_worded_as_everywhere(anyone: Api, path: str) -> None:
    answer = anyone.post(path, {}, Accept="text/html")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (405, "application/json")
    assert answer.json()["error"]["message"]


def test_no_two_shapes_have_one_name() -> None:
    """The document knows a shape by its name alone: of two, one would be described as the other."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in pkgutil.walk_packages(api.__path__, "api."):
        if ".bodies." not in module.name:
            continue
        for name, shape in vars(importlib.import_module(module.name)).items():
            if isinstance(shape, type) and issubclass(shape, BaseModel):
                found[name].add(f"{shape.__module__}.{shape.__qualname__}")
    assert {name: where for name, where in found.items() if len(where) > 1} == {}
