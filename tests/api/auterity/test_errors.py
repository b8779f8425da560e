"""Whatever is sent, the answer is the envelope, never a crash (000, "Error Handling Specifications")."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError

from tests.api.graphs import FOLLOW_UP, chain
from tests.api.people import Api, Person, refusal
from workflows.models import Workflow

pytestmark = pytest.mark.django_db

WORKFLOWS = "/api/workflows"
NOBODY = "018f0000-0000-7000-8000-000000000000"


def test_the_request_id_is_taken_over_when_it_is_a_good_one(api: Api) -> None:
    for path in (WORKFLOWS, f"{WORKFLOWS}/{NOBODY}", "/api/nowhere", "/nowhere", "/docs"):
        assert api.get(path, X_Request_ID="abc123-def456-ghi789").headers["X-Request-ID"] == "abc123-def456-ghi789"
    error = refusal(api.get(f"{WORKFLOWS}/{NOBODY}", X_Request_ID="abc123-def456-ghi789"), 404, "WF_001")
    assert error["trace_id"] == "abc123-def456-ghi789"


@pytest.mark.parametrize("given", ["short", "x" * 65, "has a blank", "ünïcödé-id", "semi;colon-id", "<script>alert"])
def test_a_bad_request_id_is_replaced(api: Api, given: str) -> None:
    made = api.get(WORKFLOWS, X_Request_ID=given).headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f-]{36}", made)


def test_two_requests_have_two_ids(api: Api) -> None:
    assert api.get(WORKFLOWS).headers["X-Request-ID"] != api.get(WORKFLOWS).headers["X-Request-ID"]


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nowhere", f"{WORKFLOWS}/not-a-uuid", f"{WORKFLOWS}/{NOBODY}/fly", "/nowhere", "/ws"]
)
def test_an_unknown_path(api: Api, anyone: Api, path: str) -> None:
    for caller in (api, anyone):
        refusal(caller.get(path), 404, "RES_001")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", WORKFLOWS, {"GET", "POST"}),
        ("PUT", "/api/workflows/node-types", {"GET"}),
        ("POST", f"{WORKFLOWS}/{NOBODY}", {"GET", "PUT", "PATCH", "DELETE"}),
        ("GET", "/api/auth/login", {"POST"}),
        ("TRACE", WORKFLOWS, {"GET", "POST"}),
        ("BREW", WORKFLOWS, {"GET", "POST"}),
        ("DELETE", "/openapi.json", {"GET"}),
    ],
)
def test_a_method_that_an_address_does_not_take(api: Api, method: str, path: str, allowed: set[str]) -> None:
    answer = api.call(method, path)
    refusal(answer, 405, "VAL_001")
    assert set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == allowed


def test_an_answer_that_nobody_can_write(api: Api) -> None:
    refusal(api.get(WORKFLOWS, Accept="text/html"), 406, "VAL_001")
    refusal(api.get(WORKFLOWS, Accept="application/vnd.auterity.v2+json"), 406, "VAL_001")
    refusal(api.get(WORKFLOWS, Accept="application/json;q=0"), 406, "VAL_001")


def test_a_query_parameter_named_format_decides_nothing(api: Api) -> None:
    assert api.get(f"{WORKFLOWS}?format=csv").status_code == 200


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_kind(api: Api, media: str) -> None:
    refusal(api.post(WORKFLOWS, raw=b'{"name": "x"}', media=media), 415, "VAL_001")
    assert Workflow.unscoped.count() == 0


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"name": "x"', "line 1"),
        (b'{"name": "x",\n  name: 1}', "line 2, column 3"),
        (b"{'name': 'x'}", "column 2"),
        (b'{"name": NaN}', "not valid JSON"),
        (b'{"name": Infinity}', "not valid JSON"),
        (b'{"name": 1e999}', "not valid JSON"),
        (b'{"name": "\\ud800"}', "not valid JSON"),
        (b'{"name": "\xff\xfe"}', "not valid JSON"),
        (b'{"name": "a\x00b"}', "not valid JSON"),
        (b'\xef\xbb\xbf{"name": "x"}', "not valid JSON"),
        ('{"name": "x"}'.encode("utf-16"), "not valid JSON"),
        (b'{"name": "x", "name": "y"}', "'name' is given twice"),
        (b'{"definition": {"nodes": [{"id": "a", "id": "b"}]}}', "'id' is given twice"),
        (b'{"name": "a\\u0000b"}', "NUL"),
        (b'{"a\\u0000b": 1}', "NUL"),
        (b'{"name": 18446744073709551616}', "64-bit"),
        (b'{"name": -9223372036854775809}', "64-bit"),
        (b"[" * 100_000, "not valid JSON"),
        (b'[{"name": "x"}]', "must be a JSON object"),
        (b'"name"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"12", "must be a JSON object"),
    ],
)
def test_a_body_that_cannot_be_read_says_where_it_breaks(api: Api, raw: bytes, said: str) -> None:
    error = refusal(api.post(WORKFLOWS, raw=raw), 400, "VAL_001")
    assert said in error["message"]
    assert len(error["message"]) < 300
    assert Workflow.unscoped.count() == 0


def test_a_repeated_key_among_very_many_is_found_at_once(api: Api) -> None:
    keys = ",".join(f'"k{at}":0' for at in range(300_000))
    raw = b'{"' + b"x" * 100_000 + b'":1,' + f'{keys},"k299999":1}}'.encode()
    error = refusal(api.post(WORKFLOWS, raw=raw), 400, "VAL_001")
    assert "'k299999' is given twice" in error["message"]


def test_a_body_over_5_mb_is_413(api: Api) -> None:
    raw = b'{"name": "' + b"x" * (5 * 1024 * 1024) + b'"}'
    refusal(api.post(WORKFLOWS, raw=raw), 413, "VAL_001")
    refusal(api.post(WORKFLOWS, raw=raw, API_Version="2025-08-08"), 413, "VALIDATION_ERROR")


def test_a_body_that_is_nested_too_deep_is_413(api: Api) -> None:
    error = refusal(api.post(WORKFLOWS, raw=b'{"a":' * 70 + b"1" + b"}" * 70), 413, "VAL_001")
    assert "nested deeper than 64" in error["message"]
    assert Workflow.unscoped.count() == 0


def test_an_empty_body_is_an_empty_object(api: Api) -> None:
    assert refusal(api.post(WORKFLOWS, raw=b"  \n"), 400, "VAL_002")["details"]["field"] == "name"
    assert refusal(api.post(WORKFLOWS), 400, "VAL_002")["details"]["field"] == "name"


NASTY: list[Any] = [
    2**63,
    2**64 - 1,
    -(2**63),
    1e308,
    "",
    "\u202e",
    "x" * 100_000,
    [],
    {},
    None,
    True,
    [[[]]],
    {"a": {}},
]


@pytest.mark.parametrize("field", ["name", "description", "category", "is_active", "definition", "nodes", "edges",
                                   "variables", "triggers", "settings", "version"])  # fmt: skip
def test_no_value_of_any_field_is_a_crash(api: Api, field: str) -> None:
    made = api.made(WORKFLOWS, FOLLOW_UP)
    for value in NASTY:
        for answer in (
            api.post(WORKFLOWS, {**FOLLOW_UP, field: value}),
            api.put(f"{WORKFLOWS}/{made['id']}", {field: value}),
            api.post(f"{WORKFLOWS}/validate", {"definition": {}, field: value}),
        ):
            assert answer.status_code < 500, (field, value, answer.content)
            if answer.status_code >= 400:
                refusal(answer, answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("part", ["id", "type", "position", "title", "config", "data", "inputs", "outputs", "validation",
                                  "source", "target", "source_port", "condition", "description"])  # fmt: skip
def test_no_value_inside_a_graph_is_a_crash(api: Api, part: str) -> None:
    for value in NASTY:
        node = {"id": "a", "type": "start", part: value}
        edge = {"id": "e", "source": "a", "target": "a", part: value}
        body = {"name": "x", "is_active": False, "definition": {"nodes": [node], "edges": [edge]}}
        for path in (WORKFLOWS, f"{WORKFLOWS}/validate"):
            answer = api.post(path, body)
            assert answer.status_code < 500, (part, value, answer.content)
            if answer.status_code == 201:
                assert api.get(f"{WORKFLOWS}/{answer.json()['id']}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "search=%00",
        "category=a%00b",
        "search=%ff",
        "is_active=maybe",
        "page=",
        "search=" + "x" * 201,
        "search=%25_'\"\\",
    ],
)
def test_no_query_is_a_crash(api: Api, query: str) -> None:
    answer = api.get(f"{WORKFLOWS}?{query}")
    assert answer.status_code in (200, 400)
    if "%00" in query or "maybe" in query or "xxx" in query:
        error = refusal(answer, 400, answer.json()["error"]["code"])
        assert error["details"]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("header", "sent"), [("Authorization", "Bearer"), ("Authorization", "Basic YTpi"), ("Authorization", "Bearer \xff")]
)
def test_no_authorization_header_is_a_crash(anyone: Api, header: str, sent: str) -> None:
    answer = anyone.get(WORKFLOWS, **{header: sent})
    refusal(answer, 401, "AUTH_001")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_database_that_is_away_is_503_and_a_defect_500_without_internals(ann: Person) -> None:
    for error, status, code in (
        (OperationalError("connection to 10.1.2.3 refused"), 503, "SYS_002"),
        (ZeroDivisionError("secret"), 500, "SYS_001"),
    ):
        with mock.patch("workflows.selectors.list_workflows", side_effect=error):
            answer = ann.api.get(WORKFLOWS)
        refusal(answer, status, code)
        assert b"10.1.2.3" not in answer.content
        assert b"secret" not in answer.content
    assert refusal(answer, 500, "SYS_001")


def test_a_host_that_is_not_ours_is_refused_in_the_envelope(api: Api) -> None:
    refusal(api.get(WORKFLOWS, Host="evil.example"), 400, "VAL_001")


@pytest.mark.parametrize("path", [WORKFLOWS, "/api/auth/me", "/api/logs", "/openapi.json", "/docs"])
def test_paths_work_with_and_without_a_trailing_slash(api: Api, path: str) -> None:
    assert api.get(path).status_code == api.get(f"{path}/").status_code == 200


def test_a_post_with_a_trailing_slash_is_not_redirected(api: Api) -> None:
    made = api.made(f"{WORKFLOWS}/", chain("a"))
    assert api.get(f"{WORKFLOWS}/{made['id']}/").json()["id"] == made["id"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/ai/process", {"model": "gpt-4", "prompt": "Hi", "max_tokens": True}, "max_tokens"),
        ("/api/ai/process", {"model": "gpt-4", "prompt": "Hi", "max_tokens": "200"}, "max_tokens"),
        ("/api/ai/process", {"model": "gpt-4", "prompt": "Hi", "temperature": "0.5"}, "temperature"),
        (WORKFLOWS, {"name": "x", "nodes": [], "edges": [], "is_active": "yes"}, "is_active"),
        (WORKFLOWS, {"name": "x", "nodes": [], "edges": [], "is_active": 1}, "is_active"),
        (
            "/api/templates",
            {"name": "x", "nodes": [], "edges": [], "parameters": [{"name": "a", "type": "string", "is_required": 1}]},
            "parameters.0.is_required",
        ),
    ],
)
def test_a_field_of_another_json_type_is_named(api: Api, path: str, body: dict[str, Any], field: str) -> None:
    assert refusal(api.post(path, body), 400, "VAL_001")["details"]["field"] == field
    answer = api.post(path, body, API_Version="2025-08-08")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, field)


def test_a_version_is_no_truth_value(api: Api) -> None:
    made = api.made(WORKFLOWS, chain("a"))
    for version in (True, "1"):
        error = refusal(api.put(f"{WORKFLOWS}/{made['id']}", {"name": "y", "version": version}), 400, "VAL_001")
        assert error["details"]["field"] == "version"
