"""Every kind of refusal in every edition: its status, its code, the envelope, and the headers that every answer has."""

from __future__ import annotations

import http.client
import json
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError

from accounts import services
from api.middleware import SECURITY
from tests.api.people import JSON, PASSWORD, Api, Person
from tests.api.serving import Server

pytestmark = pytest.mark.django_db

WORKFLOWS = "/api/workflows"
NOBODY = f"{WORKFLOWS}/018f0000-0000-7000-8000-000000000000"
NEWEST, DEFAULT, OLD = "2025-08-08", "2024-01-15", "2023-12-01"
VENDOR = "application/vnd.auterity.v1+json"
DEEP = b'{"a":' * 70 + b"1" + b"}" * 70
LARGE = b'{"name": "' + b"x" * (5 * 1024 * 1024) + b'"}'
OUTSIDE = "corsheaders.middleware.CorsMiddleware.add_response_headers"  # Not inside any view.

# What is sent, and the status and code (by default, and in the newest edition where it differs) of its refusal.
REFUSALS: dict[str, tuple[dict[str, Any], int, str, int, str]] = {
    "malformed": ({"method": "POST", "path": WORKFLOWS, "raw": b"{"}, 400, "VAL_001", 400, "VALIDATION_ERROR"),
    "not an object": ({"method": "POST", "path": WORKFLOWS, "raw": b"[]"}, 400, "VAL_001", 400, "VALIDATION_ERROR"),
    "missing field": ({"method": "POST", "path": WORKFLOWS, "raw": b"{}"}, 400, "VAL_002", 422, "VALIDATION_ERROR"),
    "bad query": ({"method": "GET", "path": f"{WORKFLOWS}?page=x"}, 400, "VAL_003", 422, "VALIDATION_ERROR"),
    "no token": ({"method": "GET", "path": WORKFLOWS, "token": ""}, 401, "AUTH_001", 401, "INVALID_CREDENTIALS"),
    "not found": ({"method": "GET", "path": NOBODY}, 404, "WF_001", 404, "WORKFLOW_NOT_FOUND"),
    "unknown path": ({"method": "GET", "path": "/api/nowhere"}, 404, "RES_001", 404, "RESOURCE_NOT_FOUND"),
    "outside": ({"method": "GET", "path": "/nowhere"}, 404, "RES_001", 404, "RESOURCE_NOT_FOUND"),
    "wrong method": ({"method": "DELETE", "path": WORKFLOWS}, 405, "VAL_001", 405, "VALIDATION_ERROR"),
    "large": ({"method": "POST", "path": WORKFLOWS, "raw": LARGE}, 413, "VAL_001", 413, "VALIDATION_ERROR"),
    "deep": ({"method": "POST", "path": WORKFLOWS, "raw": DEEP}, 413, "VAL_001", 413, "VALIDATION_ERROR"),
    "other media": (
        {"method": "POST", "path": WORKFLOWS, "raw": b"a", "media": "text/plain"}, 415, "VAL_001", 415, "VALIDATION_ERROR",
    ),
    "other host": ({"method": "GET", "path": WORKFLOWS, "Host": "evil.example"}, 400, "VAL_001", 400, "VALIDATION_ERROR"),
}  # fmt: skip


def checked(answer: Any, edition: str, status: int, code: str, media: str = JSON) -> dict[str, Any]:
    """The body of a refusal in this edition's envelope, with the headers of every answer."""
    assert answer.status_code == status, (answer.status_code, answer.content[:300])
    assert answer.headers["Content-Type"] == media
    for name, value in SECURITY.items():
        assert answer.headers[name] == value
    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
    body: dict[str, Any] = answer.json()
    if edition == OLD:
        assert set(body) == {"error", "code"}
        assert (body["code"], bool(body["error"])) == (code, True)
        return body
    error = body["error"]
    assert set(body) == {"error"}
    assert set(error) - {"details"} == {"code", "message", "trace_id", "request_id", "timestamp"}
    assert error["code"] == code
    assert error["request_id"] == error["trace_id"] == answer.headers["X-Request-ID"]
    assert isinstance(error.get("details", []), list if edition == NEWEST else (dict, list))
    return body


@pytest.mark.parametrize("edition", [NEWEST, DEFAULT, OLD])
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_in_each_edition(ann: Person, kind: str, edition: str) -> None:
    sent, status, code, newest_status, newest_code = REFUSALS[kind]
    sent = dict(sent)
    caller = Api(sent.pop("token", ann.tokens.access_token))
    answer = caller.call(**sent, API_Version=edition)
    expected = (newest_status, newest_code) if edition == NEWEST else (status, code)
    checked(answer, edition, *expected)
    if sent["path"].startswith("/api"):
        assert answer.headers["API-Version"] == edition
        assert {"API-Version", "Accept"} <= {each.strip() for each in answer.headers["Vary"].split(",")}
        assert answer.headers["Cache-Control"] == "no-store"
        assert ("Deprecation" in answer.headers) == (edition == OLD)
    if status == 405:
        assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("edition", [NEWEST, DEFAULT, OLD])
def test_nothing_that_can_be_written_is_accepted(ann: Person, edition: str) -> None:
    code = "VALIDATION_ERROR" if edition == NEWEST else "VAL_001"
    checked(ann.api.get(WORKFLOWS, Accept="text/html", API_Version=edition), edition, 406, code)


@pytest.mark.parametrize("edition", [NEWEST, DEFAULT, OLD])
@pytest.mark.parametrize(
    ("error", "status", "code", "newest"),
    [
        (OperationalError("connection to 10.1.2.3 refused"), 503, "SYS_002", "SERVICE_UNAVAILABLE"),
        (ZeroDivisionError("secret"), 500, "SYS_001", "INTERNAL_SERVER_ERROR"),
    ],
    ids=["away", "defect"],
)
@pytest.mark.parametrize("place", ["workflows.selectors.list_workflows", "accounts.tokens.standing", OUTSIDE])
def test_a_database_that_is_away_and_a_defect_wherever_they_strike(
    ann: Person, place: str, error: Exception, status: int, code: str, newest: str, edition: str
) -> None:
    with mock.patch(place, side_effect=error):
        answer = ann.api.get(WORKFLOWS, API_Version=edition)
    checked(answer, edition, status, newest if edition == NEWEST else code)
    assert b"10.1.2.3" not in answer.content
    assert b"secret" not in answer.content
    assert (answer.headers.get("Retry-After") is not None) == (status == 503)


@pytest.mark.parametrize("path", [WORKFLOWS, NOBODY, "/api/nowhere", "/api/nowhere/"])
def test_a_refusal_has_the_type_that_was_asked_for(anyone: Api, path: str) -> None:
    assert anyone.get(path, Accept=VENDOR).headers["Content-Type"] == VENDOR
    assert anyone.get(path, Accept=f"text/html, {VENDOR};q=0.9").headers["Content-Type"] == VENDOR
    assert anyone.get(path, Accept="text/html").headers["Content-Type"] == JSON


@pytest.mark.parametrize(
    "path", [WORKFLOWS, NOBODY, "/api/auth/login", "/api/auth/me", "/api/files", "/docs", "/openapi.json"]
)
def test_options_say_the_methods_without_a_token(anyone: Api, path: str) -> None:
    answer = anyone.call("OPTIONS", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "OPTIONS" in answer.headers["Allow"]
    assert ("GET" in answer.headers["Allow"]) == ("HEAD" in answer.headers["Allow"]) == (path != "/api/auth/login")
    assert answer.headers["API-Version"] == DEFAULT
    assert anyone.call("OPTIONS", "/api/nowhere").status_code == 404


def test_an_expired_token_is_said_in_each_edition(ann: Person) -> None:
    past = services.timezone.now() - services.timedelta(hours=2)
    token = services.login(
        email=ann.email, password=PASSWORD, dialect="auterity", access_seconds=1800, now=past
    ).access_token
    for edition, code in ((NEWEST, "TOKEN_EXPIRED"), (DEFAULT, "AUTH_002"), (OLD, "AUTH_002")):
        checked(Api(token).get(WORKFLOWS, API_Version=edition), edition, 401, code)


def asked(server: Server, method: str, target: bytes, body: bytes = b"", **headers: str) -> tuple[Any, bytes]:
    """The answer to a request whose target is sent byte for byte."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    sent = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = b"%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (method.encode(), target, sent.encode())
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(head + body)
    response = http.client.HTTPResponse(connection.sock, method=method)
    response.begin()
    content = response.read()
    connection.close()
    return response, content


@pytest.mark.django_db(transaction=True)
def test_over_a_real_connection_what_the_server_itself_refuses_is_said_alike(server: Server) -> None:
    huge = str(9 * 1024 * 1024)
    response, content = asked(server, "POST", b"/api/workflows", Content_Length=huge, API_Version=OLD)
    assert (response.status, json.loads(content)["code"]) == (413, "VAL_001")
    assert (response.headers["API-Version"], response.headers["X-Frame-Options"]) == (OLD, "DENY")
    assert response.headers["X-Request-ID"]


@pytest.mark.django_db(transaction=True)
def test_over_a_real_connection_head_is_get_without_its_body(server: Server, ann: Person) -> None:
    bearer = {"Authorization": f"Bearer {ann.tokens.access_token}"}
    got, content = asked(server, "GET", b"/api/workflows", **bearer)
    head, nothing = asked(server, "HEAD", b"/api/workflows", **bearer)
    assert (head.status, nothing) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length", "API-Version", "Cache-Control", "Vary"):
        assert head.headers[name] == got.headers[name], name
    assert int(head.headers["Content-Length"]) == len(content)
    unchanged, nothing = asked(server, "GET", b"/api/workflows", If_None_Match=got.headers["ETag"], **bearer)
    assert (unchanged.status, nothing, unchanged.headers["ETag"]) == (304, b"", got.headers["ETag"])
