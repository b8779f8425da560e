"""`/api/integrations/dms`: settings and whose they are, and credentials, at rest and on the wire."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from django.db import connection
from werkzeug import Request, Response

from integrations.dms.credentials import opened
from integrations.dms.sync import sync_due
from integrations.models import DmsCustomer, DmsIntegration, DmsSync, DmsVehicle
from tests.api.people import Person, refusal
from tests.api.shapes import wrong
from tests.integrations.dms.system import KEY, PATH, RECORD, Dms, at, customer, settings_of, synced, vehicle

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_integration_is_stored_and_its_credentials_are_masked(
    ann: Person, member: Person, made: dict[str, Any]
) -> None:
    assert wrong(made, RECORD) == []
    assert made["authentication"]["credentials"] == {"api_key": "********"}
    assert member.api.get(PATH).json() == {"integrations": [made], "total": 1}
    assert member.api.get(at(made)).json() == made
    row = DmsIntegration.unscoped.get()
    assert KEY not in repr(row.__dict__)
    assert opened(row) == {"api_key": KEY}
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM dms_integrations")
        assert KEY.encode() not in b"".join(repr(each).encode() for each in cursor.fetchall())


@pytest.mark.parametrize(
    ("part", "change", "name"),
    [
        (None, {"provider": "Other"}, "provider"),
        ("configuration", {"base_url": "http://dms.example.com"}, "base_url"),
        ("configuration", {"base_url": "https://10.0.0.1"}, "base_url"),
        ("configuration", {"base_url": "https://169.254.169.254"}, "base_url"),
        ("configuration", {"base_url": "https://u:p@dms.example.com"}, "base_url"),
        ("configuration", {"base_url": "file:///etc/passwd"}, "base_url"),
        ("configuration", {"timeout_ms": 0}, "timeout_ms"),
        ("configuration", {"retry_attempts": 11}, "retry_attempts"),
        ("configuration", {"api_version": "../v1"}, "api_version"),
        ("configuration", {"rate_limit": {"requests_per_minute": 0, "burst_size": 1}}, "requests_per_minute"),
        ("configuration", {"other": 1}, "other"),
        ("endpoints", {"customers": "https://evil.example.com/x"}, "customers"),
        ("endpoints", {"customers": "../admin"}, "customers"),
        ("endpoints", {"customers": "a?b=c"}, "customers"),
        ("authentication", {"type": "magic"}, "type"),
        ("authentication", {"credentials": {}}, "authentication"),
        ("authentication", {"credentials": {"api_key": KEY, "extra": "x"}}, "authentication"),
        ("authentication", {"credentials": {"api_key": KEY, "header": "a\r\nb"}}, "authentication"),
        ("authentication", {"credentials": {"api_key": f"{KEY}\n"}}, "authentication"),
        ("authentication", {"credentials": {"api_key": "********"}}, "credentials"),
        ("authentication", {"type": "basic_auth", "credentials": {"username": "u"}}, "authentication"),
        ("authentication", {"type": "oauth2", "credentials": {"client_secret": KEY}}, "authentication"),
    ],
)
def test_what_does_not_fit_is_refused_and_quotes_no_secret(
    ann: Person, part: str | None, change: Any, name: str
) -> None:
    body = settings_of()
    body = {**body, **change} if part is None else {**body, part: {**body[part], **change}}
    answer = ann.api.post(PATH, body)
    assert name in str(refusal(answer, 400, answer.json()["error"]["code"])["details"])
    assert KEY.encode() not in answer.content
    assert DmsIntegration.unscoped.count() == 0


def test_a_kept_credential_never_follows_a_changed_address(ann: Person, made: dict[str, Any]) -> None:
    same = ann.api.put(at(made), {name: made[name] for name in ("configuration", "authentication", "endpoints")})
    assert same.status_code == 200
    row = DmsIntegration.unscoped.get()
    assert opened(row) == {"api_key": KEY}
    moved = {**made["configuration"], "base_url": "https://elsewhere.example.com"}
    for body in ({"configuration": moved}, {"configuration": moved, "authentication": made["authentication"]}):
        refusal(ann.api.put(at(made), body), 400, "VAL_002")
    fresh = {"type": "basic_auth", "credentials": {"username": "u", "password": "p"}}
    changed = ann.api.put(at(made), {"configuration": moved, "authentication": fresh}).json()
    assert changed["configuration"]["base_url"] == "https://elsewhere.example.com"
    assert changed["authentication"]["credentials"] == {"password": "********", "username": "********"}
    masked = {"type": "api_key", "credentials": {"api_key": "********"}}
    refusal(ann.api.put(at(made), {"authentication": masked}), 400, "VAL_002")


def test_whose_it_is_and_who_may(
    ann: Person, member: Person, viewer: Person, otto: Person, made: dict[str, Any]
) -> None:
    started = ann.api.made(at(made, "/sync"), {})["sync_id"]
    everything = [
        ("GET", at(made), {}), ("PUT", at(made), {}), ("DELETE", at(made), {}), ("POST", at(made, "/sync"), {}),
        ("GET", at(made, "/sync"), {}), ("GET", at(made, f"/sync/{started}"), {}), ("GET", at(made, "/customers"), {}),
        ("GET", at(made, "/vehicles"), {}),
    ]  # fmt: skip
    for method, path, body in everything:
        refusal(otto.api.call(method, path, body), 404, "RES_001")
        refusal(viewer.api.call(method, path, body), 403, "AUTH_003")
    for method, path, body in (("POST", PATH, settings_of()), ("PUT", at(made), {}), ("DELETE", at(made), {})):
        refusal(member.api.call(method, path, body), 403, "AUTH_003")
    refusal(viewer.api.get(PATH), 403, "AUTH_003")
    assert otto.api.get(PATH).json() == {"integrations": [], "total": 0}
    theirs = otto.api.made(PATH, settings_of())
    refusal(otto.api.get(at(theirs, f"/sync/{started}")), 404, "RES_001")


def test_a_deleted_integration_takes_everything_with_it(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    dms.rows["customers"] = [customer(1, vehicles=[vehicle(1)])]
    synced(ann.api, made)
    ann.api.made(at(made, "/sync"), {})
    assert ann.api.delete(at(made)).status_code == 204
    assert [each.unscoped.count() for each in (DmsIntegration, DmsSync, DmsCustomer, DmsVehicle)] == [0, 0, 0, 0]
    assert not sync_due()
    refusal(ann.api.get(at(made)), 404, "RES_001")


def test_basic_auth_and_a_header_of_ones_own(ann: Person, dms: Dms) -> None:
    basic = {"type": "basic_auth", "credentials": {"username": "u", "password": "p"}}
    bearer = {"type": "api_key", "credentials": {"api_key": KEY, "header": "Authorization"}}
    for given, sent in ((basic, "Basic " + base64.b64encode(b"u:p").decode()), (bearer, f"Bearer {KEY}")):
        dms.headers = {"Authorization": sent}
        made = ann.api.made(PATH, {**settings_of(dms), "authentication": given})
        assert synced(ann.api, made)["status"] == "completed"


def test_oauth2_gets_a_token_renews_it_and_keeps_a_replaced_refresh_token(ann: Person, dms: Dms) -> None:
    tokens: list[dict[str, list[str]]] = []

    def token(request: Request) -> Response:
        tokens.append(parse_qs(request.get_data(as_text=True)))
        dms.headers = {"Authorization": f"Bearer t{len(tokens)}"}
        return Response(orjson.dumps({"access_token": f"t{len(tokens)}", "refresh_token": f"r{len(tokens)}"}))

    dms.server.expect_request("/token", method="POST").respond_with_handler(token)
    given = {
        "type": "oauth2", "credentials": {"client_secret": KEY, "refresh_token": "r0"},
        "refresh_configuration": {"token_url": dms.server.url_for("/token"), "client_id": "me", "scope": "read"},
    }  # fmt: skip
    made = ann.api.made(PATH, {**settings_of(dms), "authentication": given})
    dms.rows["customers"] = [customer(number) for number in range(150)]
    dms.moods = [0.0, Response("", 401)]  # The token runs out after the first page.
    assert synced(ann.api, made, entities=["customers"])["customers_synced"] == 150
    assert [each["refresh_token"] for each in tokens] == [["r0"], ["r1"]]
    assert tokens[0] == {
        "client_id": ["me"], "client_secret": [KEY], "grant_type": ["refresh_token"], "refresh_token": ["r0"], "scope": ["read"],
    }  # fmt: skip
    synced(ann.api, made, entities=["customers"])
    assert tokens[-1]["refresh_token"] == ["r2"]
    plain = {**given, "credentials": {"client_secret": KEY, "client_id": "other"}}
    made = ann.api.made(PATH, {**settings_of(dms), "authentication": plain})
    assert synced(ann.api, made, entities=["customers"])["status"] == "completed"
    assert (tokens[-1]["grant_type"], tokens[-1]["client_id"]) == (["client_credentials"], ["other"])
