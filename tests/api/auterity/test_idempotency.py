"""`Idempotency-Key`: the same key and body within 24 hours get the first answer (contract README, decision 8)."""

from __future__ import annotations

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.utils import timezone

from api.models import IdempotencyRecord
from executions.models import Execution
from tests.api.graphs import FOLLOW_UP, chain
from tests.api.people import Api, Person, refusal
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
live = pytest.mark.django_db(transaction=True)

WORKFLOWS = "/api/workflows"


@pytest.fixture
def execute(api: Api) -> str:
    return f"{WORKFLOWS}/{api.made(WORKFLOWS, chain('a'))['id']}/execute"


def test_the_same_key_and_body_get_the_first_answer(api: Api, execute: str) -> None:
    first = api.post(execute, {"inputs": {"a": 1}}, Idempotency_Key="k-1")
    second = api.post(execute, {"inputs": {"a": 1}}, Idempotency_Key="k-1")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert ("Idempotent-Replayed" in first.headers, second.headers["Idempotent-Replayed"]) == (False, "true")
    assert Execution.unscoped.count() == 1


def test_another_body_is_a_conflict(api: Api, execute: str) -> None:
    api.post(execute, {"inputs": {"a": 1}}, Idempotency_Key="k-1")
    refusal(api.post(execute, {"inputs": {"a": 2}}, Idempotency_Key="k-1"), 409, "RES_002")
    refusal(api.post(execute, Idempotency_Key="k-1", API_Version="2025-08-08"), 409, "RESOURCE_CONFLICT")
    assert Execution.unscoped.count() == 1


def test_the_order_of_keys_and_blanks_make_no_other_body(api: Api, execute: str) -> None:
    first = api.post(execute, raw=b'{"inputs": {"a": 1, "b": 2}}', Idempotency_Key="k-1").json()
    assert api.post(execute, raw=b'{ "inputs":{"b":2,"a":1} }', Idempotency_Key="k-1").json() == first


def test_another_key_or_none_is_another_run(api: Api, execute: str) -> None:
    for key in ({"Idempotency_Key": "k-1"}, {"Idempotency_Key": "k-2"}, {}, {}):
        api.made(execute, {}, **key)
    assert Execution.unscoped.count() == 4


def test_a_key_belongs_to_one_address(api: Api, execute: str) -> None:
    other = f"{WORKFLOWS}/{api.made(WORKFLOWS, chain('b'))['id']}/execute"
    assert (
        api.made(execute, {}, Idempotency_Key="k")["workflow_id"]
        != api.made(other, {}, Idempotency_Key="k")["workflow_id"]
    )
    run = api.made(execute, {}, Idempotency_Key="k")["execution_id"]
    again = api.made(f"{WORKFLOWS}/executions/{run}/run-again", Idempotency_Key="k")
    assert again["execution_id"] != run


def test_a_key_belongs_to_one_organization(api: Api, otto: Person) -> None:
    mine = api.made(WORKFLOWS, FOLLOW_UP, Idempotency_Key="shared")
    theirs = otto.api.made(WORKFLOWS, FOLLOW_UP, Idempotency_Key="shared")
    assert mine["id"] != theirs["id"]
    assert mine["organization_id"] != theirs["organization_id"]


def test_creating_a_workflow_honours_it_in_the_edition_of_each_request(api: Api) -> None:
    first = api.post(WORKFLOWS, FOLLOW_UP, Idempotency_Key="k")
    second = api.post(WORKFLOWS, FOLLOW_UP, Idempotency_Key="k", API_Version="2023-12-01")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert "nodes" not in second.json()
    assert Workflow.unscoped.count() == 1


def test_a_refused_request_leaves_the_key_free(api: Api, execute: str) -> None:
    refusal(api.post(WORKFLOWS, {**FOLLOW_UP, "name": ""}, Idempotency_Key="k"), 400, "VAL_001")
    assert api.post(WORKFLOWS, FOLLOW_UP, Idempotency_Key="k").status_code == 201
    assert IdempotencyRecord.unscoped.count() == 1


def test_after_24_hours_a_key_is_new_again(api: Api, execute: str) -> None:
    first = api.made(execute, {}, Idempotency_Key="k")
    IdempotencyRecord.unscoped.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert api.made(execute, {"inputs": {"a": 1}}, Idempotency_Key="k")["execution_id"] != first["execution_id"]


def test_a_key_has_at_most_255_characters(api: Api, execute: str) -> None:
    assert api.post(execute, {}, Idempotency_Key="k" * 255).status_code == 202
    error = refusal(api.post(execute, {}, Idempotency_Key="k" * 256), 400, "VAL_001")
    assert error["details"]["field"] == "Idempotency-Key"


def test_a_key_of_somebody_else_in_the_organization_tells_no_more_than_their_rights(
    api: Api, viewer: Person, execute: str
) -> None:
    api.post(execute, {"inputs": {"secret": 1}}, Idempotency_Key="k")
    answer = viewer.api.post(execute, {"inputs": {"secret": 1}}, Idempotency_Key="k")
    refusal(answer, 403, "AUTH_003")


@live
def test_20_requests_at_once_with_one_key_start_one_execution(ann: Person, execute: str) -> None:
    def one(_: int) -> tuple[int, Any]:
        try:
            answer = Api(ann.api.token).post(execute, {"inputs": {"a": 1}}, Idempotency_Key="at-once")
            return answer.status_code, answer.json().get("execution_id")
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        answers = Counter(threads.map(one, range(20)))
    ((status, run),) = answers
    assert (status, answers[status, run], str(Execution.unscoped.get().id)) == (202, 20, run)


@live
def test_a_synchronous_run_with_a_key_is_awaited_both_times(ann: Person, worker: None, execute: str) -> None:
    first, second = (ann.api.post(execute, {"execution_mode": "sync"}, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["id"] == second.json()["id"]
    assert Execution.unscoped.count() == 1


def test_what_is_kept_of_a_request_and_its_answer_cannot_be_read(api: Api) -> None:
    """The digest is keyed and the answer sealed: who has the table learns neither, and cannot try out what a body held."""
    path = "/api/organizations/current/members"
    body = {
        "email": "kept@example.com", "password": "correct horse 9", "first_name": "Kim", "last_name": "Kew", "role": "member",
    }  # fmt: skip
    first = api.post(path, body, Idempotency_Key="k")
    assert first.status_code == 201, first.content
    record = IdempotencyRecord.unscoped.get(key="k")
    assert b"kept@example.com" not in bytes(record.sealed)
    asked = orjson.dumps(["POST", path, body], option=orjson.OPT_SORT_KEYS)
    assert record.request_hash != hashlib.sha256(asked).hexdigest()
    assert api.post(path, body, Idempotency_Key="k").json() == first.json()
