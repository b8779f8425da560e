"""Syncs with a DMS end well, however it and the workers behave: stumbles, refusals, limits, turns and deaths."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from werkzeug import Request, Response

from integrations.dms import sync
from integrations.dms.client import PAGE_SIZE
from integrations.dms.sync import sync_due
from integrations.models import DmsCustomer, DmsIntegration, DmsSync
from tests.api.people import Api, Person, refusal
from tests.integrations.dms.system import KEY, LONG_AGO, PATH, Dms, all_due, at, customer, settings_of, synced

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"<html>", "JSON"),
        (b'{"customers": {}}', "list of customers"),
        (b'{"customers": [], "next": "https://evil.example.com/x"}', "another address"),
    ],
)
def test_an_answer_that_is_none_fails_the_sync(
    ann: Person, dms: Dms, made: dict[str, Any], body: bytes, word: str
) -> None:
    dms.moods = [Response(body)]
    found = synced(ann.api, made)
    assert (found["status"], len(dms.asked)) == ("failed", 1)
    assert word in found["error_message"]
    assert found["completed_at"]


def test_a_dms_that_stumbles_is_read_to_the_end(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    dms.rows["customers"] = [customer(number) for number in range(150)]
    busy, down = Response("", 429, {"Retry-After": "120"}), Response("", 503)
    dms.moods = [busy, down, 0.0, down, down]  # Two stumbles a page are within the two attempts more.
    accepted = ann.api.made(at(made, "/sync"), {"entities": ["customers"]})
    assert sync_due()
    row = DmsSync.unscoped.get()
    assert (row.due_at - timezone.now()).total_seconds() > 100  # As the DMS asked.
    waiting = ann.api.get(at(made, f"/sync/{accepted['sync_id']}")).json()
    assert (waiting["status"], waiting["completed_at"]) == ("running", None)
    assert "429" in waiting["error_message"]
    for _ in range(6):
        all_due()
        sync_due()
    found = ann.api.get(at(made, f"/sync/{accepted['sync_id']}")).json()
    assert (found["status"], found["customers_synced"], found["error_message"]) == ("completed", 150, None)


def test_a_dms_that_stays_down_is_given_up_after_the_agreed_attempts(
    ann: Person, dms: Dms, made: dict[str, Any]
) -> None:
    dms.rows["customers"] = [customer(number) for number in range(150)]
    dms.moods = [0.0, *[Response("", 500) for _ in range(9)]]
    found = synced(ann.api, made)
    assert (found["status"], found["customers_synced"], len(dms.asked)) == ("failed", PAGE_SIZE, 4)
    assert "3 times" in found["error_message"]
    dms.moods = []
    assert synced(ann.api, made)["customers_synced"] == 150


def test_a_slow_dms_is_a_failed_attempt(ann: Person, dms: Dms) -> None:
    made = ann.api.made(PATH, settings_of(dms, timeout_ms=1000, retry_attempts=4))
    dms.moods = [2.0, 0.0]
    found = synced(ann.api, made)
    assert found["status"] == "completed"
    assert len(dms.asked) >= 3


def test_refused_credentials_fail_at_once(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    dms.headers = {"X-API-Key": "another"}
    found = synced(ann.api, made)
    assert (found["status"], len(dms.asked)) == ("failed", 1)
    assert "credentials (401)" in found["error_message"]
    assert KEY not in str(found)


def test_a_dms_that_takes_no_connection_is_503(ann: Person, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    made = ann.api.made(
        PATH, {**settings_of(), "configuration": {**settings_of()["configuration"], "base_url": "http://127.0.0.1:1"}}
    )
    error = refusal(ann.api.post(at(made, "/sync"), {}), 503, "DMS_001")
    assert error["details"]["provider"] == "Custom"
    settings.EGRESS_ALLOW = []
    refusal(ann.api.post(at(made, "/sync"), {}), 503, "DMS_001")
    assert DmsSync.unscoped.count() == 0


def test_one_sync_at_a_time(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    def start(_: int) -> int:
        try:
            status: int = Api(ann.api.token).post(at(made, "/sync"), {}).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(start, range(4))) == [202, 409, 409, 409]
    refusal(ann.api.post(at(made, "/sync"), {}), 409, "RES_002")
    assert sync_due()
    assert ann.api.post(at(made, "/sync"), {}).status_code == 202
    refusal(ann.api.post(at(made, "/sync"), {"entities": []}), 400, "VAL_001")
    refusal(ann.api.post(at(made, "/sync"), {"since": "yesterday"}), 400, "VAL_003")


def test_two_workers_at_once_read_every_page_once(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    dms.rows["customers"] = [customer(number) for number in range(250)]
    ann.api.made(at(made, "/sync"), {"entities": ["customers"]})

    def work(_: int) -> bool:
        try:
            return sync_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(work, range(3))) == [False, False, True]
    assert [asked["page"] for _, asked in dms.asked] == ["1", "2", "3"]


def test_what_a_dead_worker_left_goes_on_at_its_page_and_the_dead_one_writes_nothing(
    ann: Person, dms: Dms, made: dict[str, Any]
) -> None:
    """The worker stops after page 1, as a killed one does; then it comes back from the dead in the middle of page 2."""
    dms.rows["customers"] = [customer(number) for number in range(250)]
    accepted = ann.api.made(at(made, "/sync"), {"entities": ["customers"]})

    def overtaken(request: Request) -> Response:
        if request.args["page"] == "2" and not stolen:
            stolen.append(1)
            all_due()
            with ThreadPoolExecutor(1) as thread:
                thread.submit(_work_and_close).result()
        return Dms.answer(dms, request)

    stolen: list[int] = []
    dms.server.clear()
    dms.server.expect_request("/v1/customers").respond_with_handler(overtaken)
    assert sync_due()
    found = ann.api.get(at(made, f"/sync/{accepted['sync_id']}")).json()
    assert (found["status"], found["customers_synced"]) == ("completed", 250)
    assert [asked["page"] for _, asked in dms.asked] == ["1", "2", "3", "2"]
    assert DmsCustomer.unscoped.count() == 250


def _work_and_close() -> None:
    try:
        sync_due()
    finally:
        connection.close()


def test_a_sync_that_kills_its_workers_is_given_up(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    ann.api.made(at(made, "/sync"), {})
    DmsSync.unscoped.update(status="running", attempts=20, due_at=LONG_AGO)
    assert sync_due()
    assert (DmsSync.unscoped.get().status, dms.asked) == ("failed", [])


def test_a_long_sync_gives_others_their_turn(
    ann: Person, dms: Dms, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With turns so short that each reads one page."""
    monkeypatch.setattr(sync, "TURN_SECONDS", 0.000_001)
    dms.rows["customers"] = [customer(number) for number in range(150)]
    other = ann.api.made(PATH, settings_of(dms))
    for each in (made, other):
        ann.api.made(at(each, "/sync"), {"entities": ["customers"]})
    assert [sync_due() for _ in range(4)] == [True] * 4
    all_due()
    turns = 4
    while sync_due():
        turns += 1
        assert turns < 100
    assert set(DmsSync.unscoped.values_list("status", "customers_synced")) == {("completed", 150)}


def test_a_rate_limit_is_kept_without_a_waiting_worker(ann: Person, dms: Dms) -> None:
    limit = {"requests_per_minute": 6, "burst_size": 2}
    made = ann.api.made(PATH, settings_of(dms, rate_limit=limit))
    dms.rows["customers"] = [customer(number) for number in range(250)]
    ann.api.made(at(made, "/sync"), {"entities": ["customers"]})
    assert sync_due()
    assert len(dms.asked) == 2
    row = DmsSync.unscoped.get()
    assert 5 < (row.due_at - timezone.now()).total_seconds() <= 10
    assert (row.status, row.attempts) == ("running", 0)
    DmsIntegration.unscoped.update(refilled_at=timezone.now() - dt.timedelta(seconds=10))
    all_due()
    assert sync_due()
    assert (len(dms.asked), DmsSync.unscoped.get().status) == (3, "completed")
