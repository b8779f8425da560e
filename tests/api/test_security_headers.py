"""003's security headers on every answer of every kind, the policies under which the pages work, and 001's CORS."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from accounts.models import User
from api.middleware import SECURITY
from tests.api.people import Api, Person
from tests.api.serving import Server

pytestmark = pytest.mark.django_db

NOBODY = "018f0000-0000-7000-8000-000000000000"
ORIGIN = "https://app.example"
UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
KEY = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/workflows", 401),
        ("/api/nowhere", 404),
        ("/nowhere", 404),
        ("/api/v1/nowhere", 404),
        ("/native/nowhere", 404),
        ("/ws/nowhere", 404),
        ("/openapi.json", 200),
        ("/docs", 200),
        ("/redoc", 200),
        ("/answer/nothing", 404),
        (f"/forms/{NOBODY}/start", 404),
        ("/admin", 302),
        ("/admin/", 302),
        ("/admin/login/", 200),
        ("/admin/nowhere", 302),
        ("/static/admin/css/base.css", 200 if settings.EMBEDDED else 404),  # Else `collectstatic` comes first.
    ],
)
def test_every_kind_of_answer_has_them(anyone: Api, path: str, status: int) -> None:
    answer = anyone.get(path, Accept="*/*")
    assert answer.status_code == status
    for name, value in SECURITY.items():
        if name != "Referrer-Policy":  # Hosted pages tell other sites nothing at all.
            assert answer.headers[name] == value, name
    assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert "default-src" in answer.headers["Content-Security-Policy"]
    assert "X-Request-ID" in answer.headers


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param("GET /api/workflows?x=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="no HTTP"),
        pytest.param("BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="no method"),
        pytest.param("POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, id="two lengths"),
        pytest.param("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400, id="another host"),
        pytest.param(
            f"GET /ws/nowhere HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}Sec-WebSocket-Key: x\r\n\r\n", 400, id="no key"
        ),
        pytest.param(f"GET /ws/nowhere HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}{KEY}\r\n", 101, id="a socket"),
    ],
)
def test_what_the_server_answers_by_itself_has_them_too(server: Server, sent: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 20) as line:
        line.sendall(sent.encode("latin-1"))
        head = b""
        while b"\r\n\r\n" not in head and (piece := line.recv(65536)):
            head += piece
    first, *lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    assert first.split()[1] == str(status)
    assert {name: headers.get(name.lower()) for name in SECURITY} == SECURITY
    assert "default-src" in headers["content-security-policy"]
    assert headers.get("cache-control") == "no-store"


def test_a_refusal_is_not_kept_by_anybody(anyone: Api) -> None:
    for path in ("/nowhere", "/static/nowhere.css", "/api/nowhere", "/admin"):
        assert anyone.get(path, Accept="*/*").headers["Cache-Control"] == "no-store"


def test_a_host_that_is_not_ours_and_too_many_fields_are_told_apart(anyone: Api, api: Api) -> None:
    strange = anyone.get("/api/nowhere", Host="evil.example").json()
    many = api.get(f"/api/workflows?{'a=1&' * 1001}").json()
    assert "AUTERITY_ALLOWED_HOSTS" in strange["error"]["message"]
    assert "1,000 fields" in many["error"]["message"]


def test_redirects_to_tls_have_them_too(anyone: Api, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = anyone.get("/api/workflows")
    assert answer.status_code == 301
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["API-Version"] == "2024-01-15"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_description_pages_hold_no_script_that_their_policy_forbids(anyone: Api, path: str) -> None:
    answer = anyone.get(path, Accept="text/html")
    policy, page = answer.headers["Content-Security-Policy"], answer.content.decode()
    assert "script-src" not in policy
    assert "default-src 'self'" in policy
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert no_forbidden_script(page)
    for source in re.findall(r'<script[^>]+src="([^"]+)"', page):
        if source.startswith("/static/"):
            assert finders.find(source.removeprefix("/static/")), source
        else:
            script = anyone.get(source.replace("&amp;", "&"), Accept="*/*")
            assert (script.status_code, script.headers["Content-Type"].partition(";")[0]) == (
                200,
                "application/javascript",
            )
            assert "/openapi.json" in script.content.decode()


@pytest.mark.parametrize(
    "path",
    ["/admin/", "/admin/login/", "/admin/accounts/user/", "/admin/accounts/user/add/", "/admin/workflows/workflow/"],
)
def test_the_operators_pages_hold_no_script_that_their_policy_forbids(path: str) -> None:
    client = Client()
    if path != "/admin/login/":
        client.force_login(User.objects.create_superuser("root@example.com", "correct horse 9"))
    answer = client.get(path)
    assert answer.status_code == 200
    assert "'unsafe-eval'" in answer.headers["Content-Security-Policy"]
    assert no_forbidden_script(answer.content.decode())


def no_forbidden_script(page: str) -> bool:
    """No script inside the page but data, and no handler in an attribute: `script-src 'self'` would stop them."""
    inside = re.findall(r"<script(?![^>]*\ssrc=)([^>]*)>", page)
    assert [each for each in inside if "application/json" not in each and "text/template" not in each] == []
    assert re.findall(r"<[^>]+\son(?:click|change|submit|load|error|input)=", page) == []
    assert re.findall(r'(?:href|src|action)="(?:https?:)?//[^"]+"', page) == []
    return True


def test_only_listed_origins_may_read_an_answer(ann: Person, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    listed = ann.api.get("/api/workflows", Origin=ORIGIN)
    assert listed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in listed.headers
    exposed = {each.strip() for each in listed.headers["Access-Control-Expose-Headers"].split(",")}
    assert {
        *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Window"),
        *("X-Request-ID", "Retry-After", "API-Version", "Link", "X-Total-Count", "ETag"),
    } <= exposed
    varies = {each.strip().lower() for each in listed.headers["Vary"].split(",")}
    assert {"origin", "api-version", "accept"} <= varies
    for origin in ("https://evil.example", "null", f"{ORIGIN}.evil.example"):
        answer = ann.api.get("/api/workflows", Origin=origin)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_preflight_allows_the_headers_of_the_api(settings: Any, anyone: Api) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    answer = anyone.call(
        "OPTIONS", "/api/workflows", **{name.replace("-", "_"): value for name, value in asked.items()}
    )
    allowed = {each.strip() for each in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "api-version", "idempotency-key", "if-match", "x-request-id"} <= allowed
    assert answer.headers["X-Frame-Options"] == "DENY"
