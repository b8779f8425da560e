"""`/api/integrations/dms` against a DMS on a real port: settings, secrets, and syncs that end well however the DMS behaves."""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from django.db import connection
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from integrations.dms import sync
from integrations.dms.client import PAGE_SIZE
from integrations.dms.credentials import opened
from integrations.dms.sync import sync_due
from integrations.models import DmsCustomer, DmsIntegration, DmsSync, DmsVehicle
from tests.api.people import Api, Person, refusal
from tests.api.shapes import PAGE, wrong

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/integrations/dms"
KEY = "dms-marker-551"
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
CUSTOMER = {
    "dms_customer_id": "string", "first_name": "string", "last_name": "string", "last_updated": "datetime",
    "vehicles": [{"dms_vehicle_id": "string", "vin": "string", "year": "integer", "make": "string", "model": "string"}],
}  # fmt: skip
RECORD = {
    "id": "uuid", "provider": "enum(CDK|Reynolds|DealerSocket|Custom)", "configuration": "object",
    "authentication": {"type": "string", "credentials": "object"}, "endpoints": "object",
    "last_synced_at": "datetime|null", "created_at": "datetime", "updated_at": "datetime",
}  # fmt: skip


def customer(number: int, day: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "dms_customer_id": f"C{number:04}", "first_name": "Ann", "last_name": f"Ames {number:04}",
        "email": f"ann{number}@example.com", "last_updated": f"2024-01-{day:02}T10:00:00Z", **more,
    }  # fmt: skip


def vehicle(number: int, **more: Any) -> dict[str, Any]:
    return {
        "dms_vehicle_id": f"V{number}",
        "vin": f"VIN{number}",
        "year": 2020,
        "make": "Ford",
        "model": "Focus",
        **more,
    }


class Dms:
    """A DMS with pages, a key, and moods: answers that come before the real ones."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.rows: dict[str, list[dict[str, Any]]] = {"customers": [], "vehicles": []}
        self.moods: list[Response | float] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.headers: dict[str, str] = {"X-API-Key": KEY}
        for entity in self.rows:
            server.expect_request(f"/v1/{entity}").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        entity = request.path.rpartition("/")[2]
        self.asked.append((entity, dict(request.args)))
        if self.moods:
            mood = self.moods.pop(0)
            if isinstance(mood, Response):
                return mood
            time.sleep(mood)
        if any(request.headers.get(name) != value for name, value in self.headers.items()):
            return Response("no", 401)
        since = request.args.get("updated_since", "")
        rows = [each for each in self.rows[entity] if each.get("last_updated", "9") >= since]
        page, size = int(request.args["page"]), int(request.args["page_size"])
        cut = rows[(page - 1) * size : page * size]
        return Response(
            orjson.dumps({entity: cut, "has_more": page * size < len(rows)}), content_type="application/json"
        )


@pytest.fixture(autouse=True)
def _one_turn_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr(sync, "TURN_SECONDS", 600.0)


@pytest.fixture
def dms(settings: Any) -> Iterator[Dms]:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with HTTPServer(host="127.0.0.1", threaded=True) as running:
        yield Dms(running)


def settings_of(dms: Dms | None = None, **configuration: Any) -> dict[str, Any]:
    """The contract's example, at the server's address."""
    base = dms.server.url_for("").rstrip("/") if dms else "https://dms.example.com"
    return {
        "provider": "Custom",
        "configuration": {
            "base_url": base, "api_version": "v1", "timeout_ms": 5000, "retry_attempts": 2,
            "rate_limit": {"requests_per_minute": 60_000, "burst_size": 1000}, **configuration,
        },
        "authentication": {"type": "api_key", "credentials": {"api_key": KEY}},
        "endpoints": {
            "customers": "customers", "vehicles": "vehicles", "service_appointments": "appointments",
            "sales_opportunities": "opportunities", "inventory": "inventory",
        },
    }  # fmt: skip


@pytest.fixture
def made(ann: Person, dms: Dms) -> dict[str, Any]:
    return ann.api.made(PATH, settings_of(dms))


def at(made: dict[str, Any], rest: str = "") -> str:
    return f"{PATH}/{made['id']}{rest}"


def all_due() -> None:
    DmsSync.unscoped.filter(due_at__isnull=False).update(due_at=LONG_AGO)


def synced(api: Api, made: dict[str, Any], **body: Any) -> dict[str, Any]:
    """A sync once it has ended, its waits skipped."""
    accepted = api.post(at(made, "/sync"), body)
    assert accepted.status_code == 202, accepted.content
    for _ in range(200):
        all_due()
        if not sync_due():
            break
    found: dict[str, Any] = api.get(at(made, f"/sync/{accepted.json()['sync_id']}")).json()
    return found


# Settings


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


# Syncs


def test_everything_is_read_page_by_page_and_can_be_searched(
    ann: Person, member: Person, dms: Dms, made: dict[str, Any]
) -> None:
    dms.rows["customers"] = [customer(number) for number in range(250)]
    dms.rows["customers"][3] |= {
        "phone": "+15550100", "address": {"city": "Austin"}, "preferences": {"sms": True}, "vehicles": [vehicle(1, mileage=10.5)],
    }  # fmt: skip
    dms.rows["vehicles"] = [vehicle(2, customer_id="C0004", last_updated="2024-01-03")]
    accepted = member.api.post(at(made, "/sync"), {})
    assert (
        wrong(
            accepted.json(),
            {"sync_id": "uuid", "integration_id": "uuid", "status": "enum(pending|running)", "created_at": "datetime"},
        )
        == []
    )
    assert sync_due()
    assert not sync_due()
    found = member.api.get(at(made, f"/sync/{accepted.json()['sync_id']}")).json()
    assert (found["status"], found["customers_synced"], found["vehicles_synced"], found["error_message"]) == (
        "completed",
        250,
        2,
        None,
    )
    assert [(entity, asked["page"]) for entity, asked in dms.asked] == [
        ("customers", "1"), ("customers", "2"), ("customers", "3"), ("vehicles", "1"),
    ]  # fmt: skip
    body = ann.api.get(at(made, "/customers?page_size=100&page=3")).json()
    assert wrong(body, {**PAGE, "customers": [CUSTOMER]}) == []
    assert (body["total"], len(body["customers"])) == (250, 50)
    (one,) = ann.api.get(at(made, "/customers?search=ames 0003")).json()["customers"]
    assert one == {
        **customer(3), "phone": "+15550100", "address": {"city": "Austin"}, "preferences": {"sms": True},
        "vehicles": [{**vehicle(1), "mileage": 10.5, "dms_customer_id": "C0003"}],
    }  # fmt: skip
    (owned,) = ann.api.get(at(made, "/vehicles?dms_customer_id=C0004")).json()["vehicles"]
    assert owned["dms_vehicle_id"] == "V2"
    assert ann.api.get(at(made, "/vehicles?search=vin1")).json()["total"] == 1
    assert ann.api.get(at(made)).json()["last_synced_at"]
    assert [each["sync_id"] for each in ann.api.get(at(made, "/sync")).json()["syncs"]] == [found["sync_id"]]


def test_the_next_sync_reads_what_changed_and_an_older_record_overwrites_nothing(
    ann: Person, dms: Dms, made: dict[str, Any]
) -> None:
    dms.rows["customers"] = [customer(1, day=10), customer(2, day=5)]
    synced(ann.api, made)
    dms.asked.clear()
    dms.rows["customers"] = [customer(1, day=12, first_name="Anna"), customer(2, day=5)]
    second = synced(ann.api, made)
    assert dms.asked[0][1]["updated_since"].startswith("2024-01-10T10:00:00")
    assert "updated_since" not in dms.asked[1][1]  # No vehicle ever said when it changed.
    assert (second["customers_synced"], second["skipped"]) == (1, 0)
    dms.rows["customers"] = [customer(1, day=11, first_name="Old"), customer(2, day=5, first_name="Same day")]
    third = synced(ann.api, made, since="2024-01-01T00:00:00Z", entities=["customers"])
    assert (third["customers_synced"], third["skipped"]) == (1, 1)
    names = dict(DmsCustomer.unscoped.values_list("dms_customer_id", "first_name"))
    assert names == {"C0001": "Anna", "C0002": "Same day"}
    assert DmsCustomer.unscoped.count() == 2


def test_a_since_that_leaves_a_gap_does_not_move_the_mark(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    dms.rows["customers"] = [customer(1, day=1), customer(2, day=20)]
    synced(ann.api, made, since="2024-01-15T00:00:00Z", entities=["customers"])
    assert DmsCustomer.unscoped.count() == 1
    synced(ann.api, made, entities=["customers"])
    assert DmsCustomer.unscoped.count() == 2


def test_records_that_cannot_be_read_are_counted_and_left_out(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    dms.rows["customers"] = [
        customer(1), {"first_name": "Nobody"}, customer(2, last_updated="yesterday"), customer(3, first_name=None, phone=["x"]),
        customer(4, first_name="x" * 5000, address="none", vehicles=[{"vin": "no id"}, vehicle(9, year="soon", mileage=-1)]),
        customer(5, dms_customer_id=""), customer(6, email="a\x00b"),
    ]  # fmt: skip
    found = synced(ann.api, made, entities=["customers"])
    assert (found["status"], found["customers_synced"], found["vehicles_synced"], found["skipped"]) == (
        "completed",
        4,
        1,
        3,
    )
    assert DmsVehicle.unscoped.get().year is None


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (lambda rows, more: rows, None),
        (lambda rows, more: {"data": rows, "next_page": 2 if more else None}, None),
        (lambda rows, more: {"items": rows, "next": "?page=2&page_size=100" if more else None}, None),
        (lambda rows, more: {"results": rows, "pagination": {"total_pages": 2}}, None),
        (lambda rows, more: {"customers": rows}, '</v1/customers?page=2&page_size=100>; rel="next"'),
    ],
)  # fmt: skip
def test_every_way_of_telling_the_next_page(
    ann: Person, dms: Dms, made: dict[str, Any], form: Any, field: str | None
) -> None:
    rows = [customer(number) for number in range(PAGE_SIZE + 1)]

    def answer(request: Request) -> Response:
        page = int(request.args["page"])
        more = page == 1
        headers = {"Link": field} if field and more else {}
        return Response(orjson.dumps(form(rows[:PAGE_SIZE] if more else rows[PAGE_SIZE:], more)), headers=headers)

    dms.server.clear()
    dms.server.expect_request("/v1/customers").respond_with_handler(answer)
    found = synced(ann.api, made, entities=["customers"])
    assert (found["status"], found["customers_synced"], len(dms.server.log)) == ("completed", PAGE_SIZE + 1, 2)


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


def test_a_deleted_integration_takes_everything_with_it(ann: Person, dms: Dms, made: dict[str, Any]) -> None:
    dms.rows["customers"] = [customer(1, vehicles=[vehicle(1)])]
    synced(ann.api, made)
    ann.api.made(at(made, "/sync"), {})
    assert ann.api.delete(at(made)).status_code == 204
    assert [each.unscoped.count() for each in (DmsIntegration, DmsSync, DmsCustomer, DmsVehicle)] == [0, 0, 0, 0]
    assert not sync_due()
    refusal(ann.api.get(at(made)), 404, "RES_001")


# Credentials on the wire


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


def test_a_worker_of_the_product_reads_it(ann: Person, dms: Dms, made: dict[str, Any], worker: None) -> None:
    dms.rows["customers"] = [customer(1)]
    started = ann.api.made(at(made, "/sync"), {})["sync_id"]
    until = time.monotonic() + 20
    while ann.api.get(at(made, f"/sync/{started}")).json()["status"] != "completed":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert DmsCustomer.unscoped.count() == 1
