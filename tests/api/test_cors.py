"""CORS: exactly the listed origins, on every kind of answer, for every method; and nobody's cookies unless it is switched on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.limiting import full_buckets
from tests.api.people import PASSWORD, UNSENT, Api, Person

pytestmark = pytest.mark.django_db

ORIGIN = "https://app.example"
STRANGERS = [
    "null",
    "https://evil.example",
    "http://app.example",
    "https://app.example:8443",
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://APP.example",
    "https://app.example/",
    "https://user@app.example",
    "https://app.example https://evil.example",
    "file://",
    "//app.example",
    "https://[app.example",
]
NOBODY = "018f0000-0000-7000-8000-000000000000"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# A path of each kind of answer there is, and what it answers to whoever has no token.
ANSWERS = {
    "a good answer": ("/api/v1/auth/csrf-token", {"GET": 200, "*": 405}),
    "another dialect's": ("/health", {"GET": 200, "*": 405}),
    "a closed door": ("/api/workflows", {"*": 401}),
    "an unknown address": ("/api/v1/nothing", {"*": 404}),
    "an unknown address elsewhere": ("/native/nothing", {"*": 404}),
    "a wrong body": ("/api/v1/auth/jwt/login", {"POST": 400, "*": 405}),
}


@pytest.fixture(autouse=True)
def listed(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("method", METHODS)
def test_only_a_listed_origin_may_read_an_answer(anyone: Api, kind: str, method: str) -> None:
    path, statuses = ANSWERS[kind]
    for origin in (ORIGIN, *STRANGERS, ""):
        answer = anyone.call(method, path, {} if method == "POST" else UNSENT, **({"Origin": origin} if origin else {}))
        assert answer.status_code == statuses.get(method, statuses["*"])
        allowed = {name: value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}
        if origin == ORIGIN:
            assert allowed["access-control-allow-origin"] == ORIGIN
            assert set(allowed) == {"access-control-allow-origin", "access-control-expose-headers"}
        else:
            assert allowed == {}, origin
        assert "origin" in [each.strip().lower() for each in answer.headers["Vary"].split(",")]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("method", METHODS)
def test_a_preflight_is_answered_to_listed_origins_alone(anyone: Api, kind: str, method: str) -> None:
    for origin in (ORIGIN, *STRANGERS):
        asked = {"Origin": origin, "Access_Control_Request_Method": method}
        answer = anyone.call("OPTIONS", ANSWERS[kind][0], **asked, Access_Control_Request_Headers="x-csrf-token")
        assert answer.status_code == 200
        assert answer.content == b""
        assert ("access-control-allow-origin" in answer.headers) == (origin == ORIGIN)
        assert ("access-control-allow-methods" in answer.headers) == (origin == ORIGIN)
        assert "access-control-allow-credentials" not in answer.headers
        if origin == ORIGIN:
            assert method in answer.headers["access-control-allow-methods"]
            assert "x-csrf-token" in answer.headers["access-control-allow-headers"]
        assert "origin" in answer.headers["Vary"].lower()
        assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/admin/login/", "/static/admin/css/base.css", "/docs", f"/forms/{NOBODY}/start"])
def test_pages_are_no_other_sites_to_read(anyone: Api, path: str) -> None:
    answer = anyone.get(path, Origin=ORIGIN, Accept="*/*")
    assert "access-control-allow-origin" not in answer.headers


def test_what_is_limited_and_what_breaks_is_readable_too(anyone: Api, settings: Any) -> None:
    settings.RATE_LIMITS = True
    with full_buckets(settings.REDIS_URL):
        guess = {"username": "a@b.example", "password": "guess"}
        answers = [anyone.post("/api/v1/auth/jwt/login", guess, Origin=ORIGIN) for _ in range(6)]
    assert [each.status_code for each in answers] == [401] * 5 + [429]
    assert {each.headers["access-control-allow-origin"] for each in answers} == {ORIGIN}
    assert "retry-after" in answers[-1].headers["access-control-expose-headers"].lower()


def test_credentials_are_for_listed_origins_where_an_operator_says_so(ann: Person, settings: Any) -> None:
    settings.CORS_ALLOW_CREDENTIALS = True
    listed = ann.api.get("/api/workflows", Origin=ORIGIN)
    assert listed.headers["access-control-allow-credentials"] == "true"
    stranger = ann.api.get("/api/workflows", Origin="https://evil.example")
    assert "access-control-allow-credentials" not in stranger.headers


def test_a_foreign_page_cannot_log_a_browser_in(ann: Person, anyone: Api) -> None:
    """What a form of another site can send, without a preflight, sets no cookie."""
    body = f"username={ann.email}&password={PASSWORD}".encode()
    answer = anyone.post(
        "/api/v1/auth/jwt/login", raw=body, media="application/x-www-form-urlencoded", Origin="https://evil.example"
    )
    assert answer.status_code == 200
    assert not answer.cookies
    assert "access-control-allow-origin" not in answer.headers
