"""ETags, 304, Cache-Control and If-Match, over every kind of answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from tests.api.graphs import chain
from tests.api.people import PASSWORD, Api, Person, refusal

pytestmark = pytest.mark.django_db

WORKFLOWS = "/api/workflows"
VENDOR = "application/vnd.auterity.v1+json"


@pytest.fixture
def path(api: Api) -> str:
    return f"{WORKFLOWS}/{api.made(WORKFLOWS, chain('a'))['id']}"


@pytest.mark.parametrize("shown", [WORKFLOWS, "/api/templates", "/api/logs", "/openapi.json", "/docs", "/redoc"])
def test_what_did_not_change_is_not_sent_again(api: Api, shown: str) -> None:
    first = api.get(shown)
    etag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    for asked in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = api.get(shown, If_None_Match=asked)
        assert (again.status_code, again.content) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary", "API-Version", "X-Frame-Options"):
            assert again.headers[name] == first.headers[name], name
        assert "X-Request-ID" in again.headers
        assert "Content-Type" not in again.headers
    for asked in ('"other"', "", "garbage"):
        assert api.get(shown, If_None_Match=asked).status_code == 200
    assert api.call("HEAD", shown).headers["ETag"] == etag
    assert api.call("HEAD", shown, If_None_Match=etag).status_code == 304


def test_an_etag_changes_with_the_body_the_edition_the_fields_and_the_type(api: Api, path: str) -> None:
    seen = [
        api.get(path).headers["ETag"],
        api.get(path, API_Version="2023-12-01").headers["ETag"],
        api.get(f"{path}?fields=id").headers["ETag"],
        api.get(path, Accept=VENDOR).headers["ETag"],
    ]
    assert api.put(path, {"name": "Renamed"}).status_code == 200
    seen.append(api.get(path).headers["ETag"])
    assert len(set(seen)) == 5


def test_a_client_that_knows_an_answer_still_has_to_be_let_in(api: Api, anyone: Api, otto: Person, path: str) -> None:
    etag = api.get(path).headers["ETag"]
    assert anyone.get(path, If_None_Match=etag).status_code == 401
    assert otto.api.get(path, If_None_Match=etag).status_code == 404
    assert otto.api.get(path, If_None_Match="*").status_code == 404


def test_tokens_people_and_refusals_are_kept_nowhere(ann: Person, anyone: Api) -> None:
    login = anyone.post("/api/auth/login", {"email": ann.email, "password": PASSWORD})
    for answer in (
        login,
        ann.api.get("/api/auth/me"),
        ann.api.get("/api/nowhere"),
        anyone.get(WORKFLOWS),
        ann.api.post(WORKFLOWS, chain("a")),
        anyone.post("/api/auth/refresh", {"refresh_token": login.json()["refresh_token"]}),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers


def test_a_file_keeps_the_etag_of_its_content(ann: Person) -> None:
    boundary = "xyz"
    raw = (
        f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n"
        f"Content-Type: text/plain\r\n\r\nhello\r\n--{boundary}--\r\n"
    ).encode()  # fmt: skip
    made = ann.api.call("POST", "/api/files", raw=raw, media=f"multipart/form-data; boundary={boundary}").json()
    answer = ann.api.get(f"/api/files/{made['id']}/content")
    assert answer.headers["ETag"] == f'"{made["sha256"]}"'
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    again = ann.api.get(f"/api/files/{made['id']}/content", If_None_Match=answer.headers["ETag"])
    assert (again.status_code, again.headers["API-Version"]) == (304, "2024-01-15")


def test_a_change_that_names_what_it_read_is_refused_once_that_is_stale(api: Api, path: str) -> None:
    first = api.get(path).headers["ETag"]
    assert first.startswith('"1-')
    assert api.put(path, chain("a", "b"), If_Match=first).status_code == 200
    for method, body in (("PUT", chain("a", "c")), ("PATCH", {"name": "Mine"}), ("DELETE", {})):
        refused = api.call(method, path, body, If_Match=first)
        error = refusal(refused, 412, "WF_004")
        assert (error["details"]["given"], error["details"]["current"]) == (1, 2)
    newest = api.put(path, {"name": "Mine"}, If_Match=first, API_Version="2025-08-08")
    assert refusal(newest, 412, "WORKFLOW_CONFLICT")
    assert api.get(path).json()["version"] == 2
    second = api.get(path).headers["ETag"]
    assert api.put(path, {"name": "Mine"}, If_Match=f"{first}, {second}").status_code == 200
    assert api.delete(path, If_Match=second).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("named", "status"),
    [('"1"', 200), ("*", 200), ('"2"', 412), ('"0"', 412), ('W/"1"', 412), ('"x"', 412), ("1", 412)],
)
def test_the_version_in_quotes_will_do_and_what_is_no_etag_of_ours_never_fits(
    api: Api, path: str, named: str, status: int
) -> None:
    assert api.put(path, {"name": "Renamed"}, If_Match=named).status_code == status


def test_if_match_on_nothing_is_not_found(api: Api) -> None:
    nobody = f"{WORKFLOWS}/018f0000-0000-7000-8000-000000000000"
    assert api.put(nobody, {"name": "x"}, If_Match='"1"').status_code == 404
    assert api.delete(nobody, If_Match="*").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_two_who_read_the_same_one_saves(api: Api, path: str) -> None:
    etag = api.get(path).headers["ETag"]
    start, seen = threading.Barrier(2), []

    def save(name: str) -> None:
        start.wait()
        try:
            seen.append(Api(api.token).put(path, chain("a", name), If_Match=etag).status_code)
        finally:
            connection.close()

    threads: list[Any] = [threading.Thread(target=save, args=[name]) for name in ("b", "c")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(seen) == [200, 412]
    assert api.get(path).json()["version"] == 2
