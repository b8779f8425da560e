"""Workflows that really run with connections: what their steps bring, and what they say when a connection is not theirs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from integrations.models import Connection, StoredSms
from tests.api.people import Api, Person

pytestmark = pytest.mark.django_db(transaction=True)

Ended = Callable[..., dict[str, Any]]


def ran(person: Person, ended: Ended, type: str, config: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    nodes = [{"id": "start", "type": "start"}, {"id": "do", "type": type, "config": config}]
    definition = {"nodes": nodes, "edges": [{"id": "e", "source": "start", "target": "do"}]}
    workflow = person.api.made("/api/workflows", {"name": "w", "definition": definition})
    run = person.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": inputs})
    return ended(person.api, run["execution_id"])


def connect(api: Api, type: str, config: dict[str, Any], credentials: dict[str, Any] | None = None) -> str:
    made = api.made(
        "/api/integrations/connections",
        {"name": f"our {type}", "type": type, "config": config, "credentials": credentials or {}},
    )
    return str(made["id"])


@pytest.fixture
def cars(settings: Any, tmp_path: Path) -> dict[str, Any]:
    settings.SQLITE_DIR = str(tmp_path)
    with closing(sqlite3.connect(tmp_path / "cars.db")) as made:
        made.execute("CREATE TABLE cars (id integer PRIMARY KEY, name text)")
        made.executemany("INSERT INTO cars VALUES (?, ?)", [(1, "Civic"), (2, "CR-V")])
        made.commit()
    return {"file": "cars.db"}


def test_a_workflow_reads_a_database(ann: Person, worker: None, ended: Ended, cars: dict[str, Any]) -> None:
    config = {
        "connection_id": connect(ann.api, "sqlite", cars),
        "sql": "SELECT name FROM cars WHERE name = :name",
        "parameters": {"name": "{{ inputs.name }}"},
    }
    run = ran(ann, ended, "database-query", config, name="CR-V")
    assert (run["status"], run["output_data"]) == (
        "completed",
        {"rows": [{"name": "CR-V"}], "row_count": 1, "truncated": False},
    )
    assert Connection.unscoped.get().last_used_at is not None


def test_a_foreign_connection_fails_as_a_missing_one(
    ann: Person, otto: Person, worker: None, ended: Ended, cars: dict[str, Any]
) -> None:
    theirs = connect(ann.api, "sqlite", cars)
    said = []
    for identity in (theirs, "018f0000-0000-7000-8000-000000000000"):
        config = {"connection_id": identity, "sql": "SELECT name FROM cars"}
        run = ran(otto, ended, "database-query", config)
        assert run["status"] == "failed"
        said.append(run["error_message"])
    assert said[0] == said[1]
    assert "There is no such connection" in said[0]
    assert Connection.unscoped.get().last_used_at is None


def test_without_a_provider_text_messages_are_kept(ann: Person, worker: None, ended: Ended) -> None:
    run = ran(ann, ended, "sms-sender", {"to": "{{ inputs.phone }}", "message": "Hi"}, phone="512 555 0143")
    assert run["status"] == "completed"
    assert (run["output_data"]["provider"], run["output_data"]["status"]) == ("outbox", "queued")
    [kept] = StoredSms.unscoped.all()
    assert (kept.recipient, kept.text, str(kept.id)) == ("+15125550143", "Hi", run["output_data"]["message_id"])


def test_a_file_that_is_not_there_is_told(ann: Person, worker: None, ended: Ended) -> None:
    run = ran(ann, ended, "ai-image-analysis", {"image": "018f0000-0000-7000-8000-000000000000"})
    assert run["status"] == "failed"
    assert "no file" in run["error_message"]


def test_credentials_are_in_no_part_of_a_run(ann: Person, worker: None, ended: Ended) -> None:
    secret = "run-marker-secret"
    given = {"account_sid": "AC1", "auth_token": secret}
    identity = connect(ann.api, "twilio", {"from": "+15125550100", "api_url": "https://twilio.invalid"}, given)
    run = ran(ann, ended, "sms-sender", {"to": "5125550143", "message": "Hi", "connection_id": identity})
    assert run["status"] == "failed"
    for path in ("", "/steps", "/logs"):
        answer = ann.api.get(f"/api/workflows/executions/{run['id']}{path}")
        assert answer.status_code == 200
        assert secret not in answer.text
