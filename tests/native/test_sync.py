"""Offline work over HTTP: a device is told every row once, and what it sends is stored once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import pytest
from django.db import connection

from native import services
from native.models import SyncedChange
from tests.api.graphs import chain
from tests.api.people import Api, Person
from tests.native.devices import DRAFTS, SYNC, Device, change, made, synced
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_first_start_tells_everything_and_the_next_one_nothing(ann: Person, member: Person) -> None:
    workflow = made(ann)
    device = Device(member.api)
    first = device.sync()
    version, data = device.draft(workflow["id"])
    assert version == workflow["revision"]
    assert (data["name"], data["nodes"]) == ("Follow up", workflow["nodes"])
    assert [each["collection"] for each in first["changes"]] == [DRAFTS, "preferences"]
    assert device.rows["preferences"]
    again = device.sync()
    assert (again["changes"], again["has_more"]) == ([], False)


def test_a_start_of_many_rows_comes_in_pages_each_row_once(ann: Person) -> None:
    ids = {made(ann, f"Number {number}")["id"] for number in range(25)}
    device = Device(ann.api, (DRAFTS,))
    device.sync(limit=4)
    assert set(device.rows[DRAFTS]) == ids
    assert device.told == 25
    for each in sorted(ids)[:9]:
        ann.api.put(f"/api/workflows/{each}", {"name": f"New {each}"})
    device.sync(limit=4)
    assert device.told == 34
    assert [data["name"] for each, (_, data) in sorted(device.rows[DRAFTS].items())][:9] == [
        f"New {each}" for each in sorted(ids)[:9]
    ]


def test_what_is_deleted_elsewhere_is_told(ann: Person) -> None:
    workflow = made(ann)
    device = Device(ann.api)
    device.sync()
    version, _ = device.draft(workflow["id"])
    assert ann.api.delete(f"/api/workflows/{workflow['id']}").status_code == 204
    (told,) = device.sync()["changes"]
    assert (told["op"], told["id"], told["data"]) == ("delete", workflow["id"], {})
    assert told["version"] > version
    assert device.rows[DRAFTS] == {}
    fresh = Device(ann.api, (DRAFTS,))
    fresh.sync()
    assert fresh.rows[DRAFTS] == {}


def test_a_commit_that_comes_late_is_told_all_the_same(ann: Person) -> None:
    """Its moment is already past when it becomes visible."""
    early, late = made(ann, "Early"), made(ann, "Late")
    device = Device(ann.api, (DRAFTS,))
    device.sync()
    ann.api.put(f"/api/workflows/{early['id']}", {"name": "Early 2"})
    device.sync()
    before = Workflow.unscoped.get(pk=early["id"]).updated_at
    Workflow.unscoped.filter(pk=late["id"]).update(name="Late 2", revision=9, updated_at=before - timedelta(seconds=30))
    (told,) = device.sync()["changes"]
    assert told["data"]["name"] == "Late 2"
    assert device.sync()["changes"] == []


@pytest.mark.parametrize("collection", ["workflows", "executions", "templates", "notifications", "files"])
def test_a_cursor_of_the_list_goes_on_from_there(ann: Person, collection: str) -> None:
    listed = ann.api.get(f"/native/api/data?collection={collection}").json()
    device = Device(ann.api, (collection,))
    device.cursors = {collection: listed["meta"]["cursor"]}
    assert device.sync()["has_more"] is False
    assert device.sync()["changes"] == []


def test_a_cursor_of_workflows_starts_their_drafts(ann: Person) -> None:
    cursor = ann.api.get("/native/api/data?collection=workflows").json()["meta"]["cursor"]
    workflow = made(ann)
    device = Device(ann.api, (DRAFTS,))
    device.cursors = {DRAFTS: cursor}
    (told,) = device.sync()["changes"]
    assert told["id"] == workflow["id"]


def test_a_new_draft_is_stored_unpublished_and_known_by_the_clients_own_id(ann: Person) -> None:
    device, own = Device(ann.api), str(uuid4())
    create = change(DRAFTS, "create", own, data={"name": "On the train", **chain("a")["definition"]})
    update = change(DRAFTS, "update", own, 1, {"description": "Written in a tunnel"})
    done = device.sync(create, update)
    assert [each["status"] for each in done["applied"]] == ["applied", "applied"], done
    server_id = done["applied"][0]["id"]
    assert server_id != own
    assert done["applied"][1]["id"] == server_id
    stored = ann.api.get(f"/api/workflows/{server_id}").json()
    assert (stored["name"], stored["description"]) == ("On the train", "Written in a tunnel")
    assert (stored["published_version"], stored["has_draft"]) == (None, True)
    twice = synced(ann.api, change(DRAFTS, "create", own, data={"name": "Again", **chain("a")["definition"]}))
    assert twice["rejected"][0]["code"] == "ERR_409_CONFLICT"
    assert Workflow.unscoped.count() == 1


def test_a_repeat_changes_nothing_and_says_so(ann: Person) -> None:
    workflow = made(ann)
    mine = change(DRAFTS, "update", workflow["id"], workflow["revision"], {"name": "Once"})
    (first,) = synced(ann.api, mine)["applied"]
    ann.api.put(f"/api/workflows/{workflow['id']}", {"name": "By the web"})
    (again,) = synced(ann.api, mine)["applied"]
    assert (again["status"], again["version"], again["id"]) == ("already_applied", first["version"], workflow["id"])
    assert Workflow.unscoped.get(pk=workflow["id"]).name == "By the web"
    other = {**mine, "data": {"name": "Another"}}
    assert synced(ann.api, other)["rejected"][0]["code"] == "ERR_422_VALIDATION"


def test_ten_repeats_at_once_apply_once(ann: Person) -> None:
    create = change(DRAFTS, "create", str(uuid4()), data={"name": "Once", **chain("a")["definition"]})
    workflow = made(ann, "Other")
    update = change(DRAFTS, "update", workflow["id"], workflow["revision"], {"description": "Once"})

    def send(_number: int) -> list[dict[str, Any]]:
        try:
            applied: list[dict[str, Any]] = synced(Api(ann.api.token), create, update)["applied"]
            return applied
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(send, range(10)))
    assert all(len(each) == 2 for each in answers), answers
    for place in (0, 1):
        states = [each[place]["status"] for each in answers]
        assert sorted(states) == ["already_applied"] * 9 + ["applied"]
        assert len({(each[place]["id"], each[place]["version"]) for each in answers}) == 1
    assert Workflow.unscoped.filter(name="Once").count() == 1
    assert Workflow.unscoped.get(pk=workflow["id"]).revision == workflow["revision"] + 1


def test_a_crash_between_changes_loses_none_and_doubles_none(ann: Person) -> None:
    creates = [
        change(DRAFTS, "create", str(uuid4()), data={"name": f"Number {number}", **chain("a")["definition"]})
        for number in range(4)
    ]
    real, seen = services._write, []

    def crashing(actor: Any, collection: Any, each: Any, policy: Any) -> Any:
        seen.append(each.change_id)
        written = real(actor, collection, each, policy)
        if len(seen) == 3:
            raise RuntimeError("the process died before its commit")
        return written

    with mock.patch.object(services, "_write", crashing):
        assert ann.api.post(SYNC, {"cursors": {}, "changes": creates}).status_code == 500
    assert Workflow.unscoped.count() == 2
    states = [each["status"] for each in synced(ann.api, *creates)["applied"]]
    assert states == ["already_applied", "already_applied", "applied", "applied"]
    assert sorted(Workflow.unscoped.values_list("name", flat=True)) == [f"Number {number}" for number in range(4)]


def test_a_bad_change_holds_up_no_other(ann: Person) -> None:
    workflow = made(ann)
    bad = change(DRAFTS, "update", str(uuid4()), 1, {"name": "Nobody's"})
    good = change(DRAFTS, "update", workflow["id"], workflow["revision"], {"name": "Good"})
    answer = synced(ann.api, bad, good)
    assert [each["code"] for each in answer["rejected"]] == ["ERR_404_NOT_FOUND"]
    assert len(answer["applied"]) == 1
    assert SyncedChange.unscoped.count() == 1


def test_notes_of_old_changes_are_forgotten(ann: Person) -> None:
    from django.utils import timezone

    workflow = made(ann)
    synced(ann.api, change(DRAFTS, "update", workflow["id"], workflow["revision"], {"name": "Noted"}))
    organization = UUID(str(ann.actor.organization_id))
    now = timezone.now()
    assert services.forgotten(organization, now).count() == 0
    assert services.forgotten(organization, now + timedelta(days=31)).count() == 1
