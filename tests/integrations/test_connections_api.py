"""`/api/integrations/connections`: who may, what is stored, and that no credential ever comes out again."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import connection

from auterity.kernel.vault import SecretUnreadable
from engine.ports import Rejected
from executions.gateway import ports_of
from integrations.connected import connected
from integrations.models import Connection
from integrations.sealed import open_credentials
from tests.api.people import Person, refusal

pytestmark = pytest.mark.django_db

PATH = "/api/integrations/connections"
TOKEN = "tok-marker-8821-secret"
TWILIO = {
    "name": "Our Twilio",
    "type": "twilio",
    "config": {"from": "+15125550100"},
    "credentials": {"account_sid": "AC123", "auth_token": TOKEN},
}
REST = {
    "name": "CRM",
    "type": "custom_rest",
    "config": {"base_url": "https://crm.example.com/v1"},
    "credentials": {"token": TOKEN},
}
MISSING = "018f0000-0000-7000-8000-000000000000"


def invalid(answer: Any) -> dict[str, Any]:
    """The refusal of a body: VAL_002 says that something is missing, VAL_001 that it does not fit."""
    return refusal(answer, 400, "VAL_002" if "equired" in answer.text or "again" in answer.text else "VAL_001")


def stored(made: dict[str, Any]) -> dict[str, Any]:
    row = Connection.unscoped.get(id=made["id"])
    return open_credentials(organization_id=row.organization_id, connection_id=row.id, sealed=bytes(row.sealed))


def test_a_connection_is_stored_and_its_credentials_are_masked(ann: Person) -> None:
    made = ann.api.made(PATH, TWILIO)
    assert (made["name"], made["type"], made["disabled"], made["last_used_at"]) == ("Our Twilio", "twilio", False, None)
    assert made["config"] == {"from": "+15125550100", "api_url": "https://api.twilio.com"}
    assert made["credentials"] == {"account_sid": "********", "auth_token": "********"}
    assert stored(made) == TWILIO["credentials"]
    listed = ann.api.get(PATH).json()
    assert (listed["total"], listed["connections"]) == (1, [made])
    assert ann.api.get(f"{PATH}/{made['id']}").json() == made
    assert ann.api.get(f"{PATH}?type=postgres").json()["total"] == 0


def test_no_answer_log_repr_or_row_holds_the_credential(ann: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = ann.api.made(PATH, TWILIO)
    said = [
        ann.api.get(PATH).content,
        ann.api.get(f"{PATH}/{made['id']}").content,
        ann.api.put(f"{PATH}/{made['id']}", {"name": "x"}).content,
        ann.api.post(f"{PATH}/{made['id']}/test").content,
        ann.api.post(PATH, {**TWILIO, "credentials": {"auth_token": TOKEN}}).content,
        ann.api.post(PATH, {**TWILIO, "credentials": {"account_sid": ["x"], "auth_token": TOKEN, TOKEN: 1}}).content,
        ann.api.post(PATH, {**TWILIO, "credentials": TOKEN}).content,
    ]
    assert not any(TOKEN.encode() in each for each in (*said[:5], said[6]))  # said[5] names a field that is none.
    assert TOKEN not in caplog.text
    row = Connection.unscoped.get(id=made["id"])
    assert TOKEN not in repr(row.__dict__) + repr(row) + str(row)
    assert TOKEN not in repr(
        connected(organization_id=row.organization_id, kind="sms", connection_id=str(row.id)).__dict__
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM connections")
        assert TOKEN.encode() not in b"".join(repr(each).encode() for each in cursor.fetchall())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "nothing"}, "type"),
        ({"config": {}}, "config.from"),
        ({"config": {"from": "+15125550100", "other": 1}}, "config.other"),
        ({"config": {"from": "+15125550100", "api_url": "http://api.example.com"}}, "config.api_url"),
        ({"config": {"from": "+15125550100", "api_url": "https://10.0.0.1"}}, "config.api_url"),
        ({"config": {"from": "+15125550100", "api_url": "https://u:p@api.example.com"}}, "config.api_url"),
        ({"credentials": {"account_sid": "AC"}}, "credentials.auth_token"),
        ({"credentials": {}}, "credentials.account_sid"),
        ({"credentials": {"account_sid": "AC", "auth_token": "********"}}, "credentials"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(ann: Person, change: dict[str, Any], field: str) -> None:
    error = invalid(ann.api.post(PATH, {**TWILIO, **change}))
    assert field in str(error["details"])
    assert Connection.unscoped.count() == 0


def test_a_name_is_given_once(ann: Person, otto: Person) -> None:
    ann.api.made(PATH, TWILIO)
    refusal(ann.api.post(PATH, {**REST, "name": "Our Twilio"}), 409, "RES_002")
    assert Connection.unscoped.count() == 1
    otto.api.made(PATH, TWILIO)


def test_what_is_read_can_be_sent_back(ann: Person) -> None:
    made = ann.api.made(PATH, TWILIO)
    again = ann.api.put(f"{PATH}/{made['id']}", made)
    assert again.status_code == 200
    assert again.json() == {**made, "updated_at": again.json()["updated_at"]}
    assert stored(made) == TWILIO["credentials"]


def test_credentials_never_follow_to_another_address(ann: Person) -> None:
    """Else whoever may manage connections could read a credential by sending it to a server of their own."""
    made = ann.api.made(PATH, REST)
    elsewhere = {"config": {"base_url": "https://evil.example.com"}}
    for body in (elsewhere, {**elsewhere, "credentials": {"token": "********"}}):
        error = invalid(ann.api.put(f"{PATH}/{made['id']}", body))
        assert "Give the credentials again" in str(error)
    assert ann.api.get(f"{PATH}/{made['id']}").json()["config"]["base_url"] == "https://crm.example.com/v1"
    assert ann.api.put(f"{PATH}/{made['id']}", {**elsewhere, "credentials": {"token": "new"}}).status_code == 200
    assert stored(made) == {"token": "new"}


def test_roles(ann: Person, member: Person, viewer: Person) -> None:
    made = ann.api.made(PATH, TWILIO)
    one = f"{PATH}/{made['id']}"
    assert member.api.get(PATH).json()["total"] == 1
    for call in (
        lambda: member.api.post(PATH, REST),
        lambda: member.api.put(one, {"name": "x"}),
        lambda: member.api.delete(one),
        lambda: member.api.post(f"{one}/test"),
        lambda: viewer.api.get(PATH),
        lambda: viewer.api.get(one),
        lambda: viewer.api.get("/api/integrations/connection-types"),
    ):
        refusal(call(), 403, "AUTH_003")
    assert Connection.unscoped.get().name == "Our Twilio"


def test_another_organizations_connection_is_as_missing(ann: Person, otto: Person) -> None:
    made = ann.api.made(PATH, TWILIO)
    for call in (otto.api.get, otto.api.delete):
        foreign, missing = call(f"{PATH}/{made['id']}"), call(f"{PATH}/{MISSING}")
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert foreign.json()["error"]["message"] == missing.json()["error"]["message"]
    said = []
    for identity in (made["id"], MISSING, "x", ""):
        with pytest.raises(Rejected) as refused:
            ports_of(otto.actor.organization_id).connections.sms(identity)
        said.append(refused.value.message)
    assert len(set(said)) == 1
    assert Connection.unscoped.get().last_used_at is None


def test_a_sealed_text_opens_only_where_it_was_stored(ann: Person, otto: Person) -> None:
    mine, theirs = ann.api.made(PATH, TWILIO), otto.api.made(PATH, TWILIO)
    Connection.unscoped.filter(id=theirs["id"]).update(sealed=Connection.unscoped.get(id=mine["id"]).sealed)
    with pytest.raises(SecretUnreadable):
        stored(theirs)
    with pytest.raises(Rejected, match="give them again"):
        connected(organization_id=otto.actor.organization_id, kind="sms", connection_id=theirs["id"])


def test_wrong_kind_switched_off_and_deleted_are_told(ann: Person) -> None:
    made = ann.api.made(PATH, TWILIO)
    own = {"organization_id": ann.actor.organization_id, "connection_id": made["id"]}
    with pytest.raises(Rejected, match="'Our Twilio' is of type twilio; this needs mysql or postgres or sqlite"):
        connected(kind="database", **own)
    connected(kind="sms", **own)
    assert ann.api.get(f"{PATH}/{made['id']}").json()["last_used_at"].endswith("Z")
    ann.api.put(f"{PATH}/{made['id']}", {"disabled": True})
    with pytest.raises(Rejected, match="'Our Twilio' is switched off"):
        connected(kind="sms", **own)
    assert ann.api.delete(f"{PATH}/{made['id']}").status_code == 204
    with pytest.raises(Rejected, match="There is no such connection"):
        connected(kind="sms", **own)
    assert Connection.unscoped.count() == 0


def test_a_test_tells_what_it_found(ann: Person) -> None:
    made = ann.api.made(PATH, {"name": "db", "type": "sqlite", "config": {"file": "x.db"}})
    answer = ann.api.post(f"{PATH}/{made['id']}/test").json()
    assert (answer["ok"], answer["code"]) == (False, "not_configured")
    assert "AUTERITY_SQLITE_DIR" in answer["message"]


def test_types_describe_their_forms(ann: Person) -> None:
    types = {each["name"]: each for each in ann.api.get("/api/integrations/connection-types").json()["types"]}
    assert set(types) >= {
        "twilio",
        "messagebird",
        "postgres",
        "mysql",
        "sqlite",
        "smtp",
        "custom_rest",
        "openai",
        "ollama",
    }
    assert types["twilio"]["credentials_schema"]["properties"]["auth_token"]["writeOnly"] is True
    assert types["postgres"]["config_schema"]["properties"]["sslmode"]["default"] == "require"


@pytest.mark.parametrize("header", ["Authorization", "cookie", "X-API-Key"])
def test_settings_that_can_be_read_take_no_proof(ann: Person, header: str) -> None:
    config = {"base_url": "https://crm.example.com", "headers": {header: TOKEN}}
    answer = ann.api.post(PATH, {**REST, "config": config})
    error = refusal(answer, 400, "VAL_001")
    assert "as a credential" in str(error)
    assert TOKEN not in answer.text
    assert Connection.unscoped.count() == 0


@pytest.mark.parametrize(
    ("credentials", "fits"),
    [
        ({}, True),
        ({"api_key": "x", "header": "X-Key"}, True),
        ({"token": "x"}, True),
        ({"username": "a", "password": "b"}, True),
        ({"client_id": "a", "client_secret": "b", "token_url": "https://id.example.com/token", "scope": "r"}, True),
        ({"token": "x", "api_key": "y"}, False),
        ({"username": "a"}, False),
        ({"client_id": "a", "client_secret": "b"}, False),
        ({"client_id": "a", "client_secret": "b", "token_url": "http://id.example.com"}, False),
        ({"api_key": "x", "header": "X Key"}, False),
    ],
)
def test_a_rest_api_takes_one_way_to_prove_oneself(ann: Person, credentials: dict[str, str], fits: bool) -> None:
    answer = ann.api.post(PATH, {**REST, "credentials": credentials})
    assert answer.status_code == (201 if fits else 400)
    assert Connection.unscoped.count() == int(fits)
