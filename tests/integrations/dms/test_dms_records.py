"""Syncs with a DMS: its records are read page by page, once, and no older one overwrites a newer."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from werkzeug import Request, Response

from integrations.dms.client import PAGE_SIZE
from integrations.dms.sync import sync_due
from integrations.models import DmsCustomer, DmsVehicle
from tests.api.people import Person
from tests.api.shapes import PAGE, wrong
from tests.integrations.dms.system import CUSTOMER, Dms, at, customer, synced, vehicle

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_a_worker_of_the_product_reads_it(ann: Person, dms: Dms, made: dict[str, Any], worker: None) -> None:
    dms.rows["customers"] = [customer(1)]
    started = ann.api.made(at(made, "/sync"), {})["sync_id"]
    until = time.monotonic() + 20
    while ann.api.get(at(made, f"/sync/{started}")).json()["status"] != "completed":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert DmsCustomer.unscoped.count() == 1
