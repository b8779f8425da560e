"""The three editions of the API and its media types (000, "API Versioning Strategy")."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from api.auterity.editions import default_edition
from tests.api.graphs import FOLLOW_UP, REGISTRATION, chain
from tests.api.people import JSON, Api, refusal

pytestmark = pytest.mark.django_db

NEWEST, DEFAULT, OLD = "2025-08-08", "2024-01-15", "2023-12-01"
VENDOR = "application/vnd.auterity.v1+json"
BAD = {**REGISTRATION, "email": "nowhere", "first_name": ""}


def test_the_default_is_2024_and_every_answer_names_its_edition(api: Api) -> None:
    assert api.get("/api/workflows").headers["API-Version"] == DEFAULT
    for edition in (NEWEST, DEFAULT, OLD):
        for path in ("/api/workflows", "/api/workflows/nowhere"):
            assert api.get(path, API_Version=edition).headers["API-Version"] == edition


def test_caches_are_told_what_an_answer_depends_on(api: Api) -> None:
    for path in ("/api/workflows", "/api/workflows/nowhere"):
        assert {"API-Version", "Accept"} <= {each.strip() for each in api.get(path).headers["Vary"].split(",")}


def test_validation_in_the_default_edition(anyone: Api) -> None:
    error = refusal(anyone.post("/api/auth/register", BAD), 400, "VAL_003")
    assert error["details"]["field"] == "email"
    assert error["details"]["reason"] == "This is not a valid email address."
    assert [each["field"] for each in error["details"]["problems"]] == ["email", "first_name"]


def test_validation_in_the_newest_edition(anyone: Api) -> None:
    answer = anyone.post("/api/auth/register", BAD, API_Version=NEWEST)
    error = refusal(answer, 422, "VALIDATION_ERROR")
    assert error["message"] == "Request validation failed"
    assert [each["field"] for each in error["details"]] == ["email", "first_name"]
    assert all(set(each) == {"field", "message"} for each in error["details"])


def test_validation_in_the_old_edition(anyone: Api) -> None:
    answer = anyone.post("/api/auth/register", BAD, API_Version=OLD)
    assert answer.status_code == 400
    assert answer.json() == {"error": "Invalid input data", "code": "VAL_003"}


@pytest.mark.parametrize(
    ("edition", "body"),
    [(DEFAULT, "WF_001"), (NEWEST, "WORKFLOW_NOT_FOUND")],
)
def test_codes_of_other_refusals(api: Api, edition: str, body: str) -> None:
    path = "/api/workflows/018f0000-0000-7000-8000-000000000000"
    refusal(api.get(path, API_Version=edition), 404, body)


def test_other_refusals_of_the_old_edition_are_flat_too(api: Api, anyone: Api) -> None:
    path = "/api/workflows/018f0000-0000-7000-8000-000000000000"
    assert api.get(path, API_Version=OLD).json() == {"error": "There is no such workflow.", "code": "WF_001"}
    assert anyone.get(path, API_Version=OLD).json()["code"] == "AUTH_001"
    assert api.get("/api/nowhere", API_Version=OLD).json()["code"] == "RES_001"


def test_details_of_a_token_that_expired_are_a_list_in_the_newest(api: Api) -> None:
    answer = api.put(
        "/api/workflows/" + api.made("/api/workflows", chain("a"))["id"], {"version": 9}, API_Version=NEWEST
    )
    error = refusal(answer, 409, "WORKFLOW_CONFLICT")
    assert error["details"][:2] == [{"field": "given", "message": "9"}, {"field": "current", "message": "1"}]


def test_pages_are_10_long_in_the_newest_and_20_in_the_others(api: Api) -> None:
    for edition, size in ((NEWEST, 10), (DEFAULT, 20), (OLD, 20)):
        body = api.get("/api/workflows", API_Version=edition).json()
        assert body["page_size"] == body["pagination"]["limit"] == size


def test_an_unknown_edition_names_the_known_ones(api: Api, anyone: Api) -> None:
    for edition in ("2024-01-16", "latest", "x" * 500, ""):
        error = refusal(api.get("/api/workflows", API_Version=edition), 400, "VAL_001")
        assert all(known in error["message"] for known in (NEWEST, DEFAULT, OLD))
    assert anyone.get("/api/workflows", API_Version="latest").status_code == 400


def test_the_old_edition_has_the_graph_only_inside_definition(api: Api) -> None:
    for answer in (
        api.post("/api/workflows", FOLLOW_UP, API_Version=OLD),
        api.get("/api/workflows/" + api.made("/api/workflows", FOLLOW_UP)["id"], API_Version=OLD),
    ):
        body = answer.json()
        assert not {"nodes", "edges"} & set(body)
        assert [each["id"] for each in body["definition"]["nodes"]] == ["start", "send_email"]


def test_the_old_edition_says_result(api: Api) -> None:
    workflow = api.made("/api/workflows", chain("a"))
    accepted = api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {}})
    path = f"/api/workflows/executions/{accepted['execution_id']}"
    old, new = api.get(path, API_Version=OLD).json(), api.get(path).json()
    assert ("result" in old, "output_data" in old) == (True, False)
    assert ("result" in new, "output_data" in new) == (False, True)


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("application/json", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (VENDOR, VENDOR),
        (f"text/html, {VENDOR};q=0.9", VENDOR),
        ("application/json, text/plain, */*", JSON),
        ("application/json; charset=utf-8", JSON),
        (f"{JSON};q=0.1, {VENDOR}", VENDOR),
        (f"{JSON};q=0, */*", VENDOR),
        (f"{VENDOR};q=0.5, application/*;q=0.9", JSON),
        ("", JSON),
    ],
)
def test_the_answer_has_the_type_that_was_asked_for(api: Api, accept: str, answered: str) -> None:
    answer = api.get("/api/workflows", Accept=accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, answered)
    missing = api.get("/api/workflows/018f0000-0000-7000-8000-000000000000", Accept=accept)
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, answered)


def test_a_body_may_be_sent_as_the_vendor_type(api: Api) -> None:
    answer = api.post("/api/workflows", chain("a"), media=VENDOR, Accept=VENDOR)
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, VENDOR)


def test_a_client_of_the_old_edition_sends_the_graph_inside_definition(api: Api) -> None:
    made = api.post("/api/workflows", {"name": "Old", "definition": FOLLOW_UP["definition"]}, API_Version=OLD)
    assert made.status_code == 201
    path = f"/api/workflows/{made.json()['id']}"
    body = api.get(path, API_Version=OLD).json()
    assert [each["id"] for each in body["definition"]["nodes"]] == ["start", "send_email"]
    body["definition"]["nodes"][0]["title"] = "Renamed"
    changed = api.put(path, body, API_Version=OLD)
    assert changed.status_code == 200
    assert changed.json()["definition"]["nodes"][0]["title"] == "Renamed"
    assert (changed.json()["version"], "nodes" in changed.json()) == (2, False)
    assert api.get(path).json()["nodes"][0]["title"] == "Renamed"
    checked = api.post("/api/workflows/validate", {"definition": FOLLOW_UP["definition"]}, API_Version=OLD)
    assert checked.json()["valid"]


def test_the_old_edition_is_deprecated_with_a_date_to_leave_it_by(api: Api, anyone: Api) -> None:
    for answer in (
        api.get("/api/workflows", API_Version=OLD),
        api.get("/api/nowhere", API_Version=OLD),
        anyone.get("/api/workflows", API_Version=OLD),
        api.call("OPTIONS", "/api/workflows", API_Version=OLD),
    ):
        deprecated = int(answer.headers["Deprecation"].removeprefix("@"))
        sunset = parsedate_to_datetime(answer.headers["Sunset"]).timestamp()
        assert sunset - deprecated >= 365 * 24 * 3600
        target, relation, _kind = answer.headers["Link"].split("; ")
        assert relation == 'rel="deprecation"'
        assert anyone.get(target.strip("<>"), Accept="text/html").status_code == 200
    for edition in (NEWEST, DEFAULT):
        assert not {"Deprecation", "Sunset"} & set(api.get("/api/workflows", API_Version=edition).headers)


def test_the_guide_to_leave_it_is_in_the_description(anyone: Api) -> None:
    about = anyone.get("/openapi.json").json()["info"]["description"]
    assert all(each in about for each in (NEWEST, DEFAULT, OLD, "deprecated", "definition", "output_data"))


def test_the_default_is_a_setting(api: Api, settings: Any) -> None:
    settings.PLATFORM_DEFAULT_VERSION = NEWEST
    assert api.get("/api/workflows").json()["page_size"] == 10
    assert api.get("/api/nowhere").headers["API-Version"] == NEWEST
    assert api.get("/api/workflows", API_Version=DEFAULT).headers["API-Version"] == DEFAULT
    settings.PLATFORM_DEFAULT_VERSION = "2030-01-01"
    with pytest.raises(ImproperlyConfigured, match=NEWEST):
        default_edition()


def test_bytes_name_their_edition_too(api: Api) -> None:
    workflow = api.made("/api/workflows", chain("a"))
    answer = api.get(f"/api/workflows/{workflow['id']}/export", API_Version=NEWEST)
    assert (answer.status_code, answer.headers["API-Version"]) == (200, NEWEST)


def test_what_was_imported_is_shown_as_the_edition_shows_it(api: Api) -> None:
    workflow = api.made("/api/workflows", FOLLOW_UP)
    document = api.get(f"/api/workflows/{workflow['id']}/export").json()
    imported = api.post("/api/workflows/import", document, API_Version=OLD)
    assert imported.status_code == 201
    assert "nodes" not in imported.json()["workflow"]
    assert imported.json()["workflow"]["definition"]["nodes"]
