"""Offline work over HTTP: whose rows and cursors they are, and what is refused, or rejected, with nothing stored."""

from __future__ import annotations

from typing import Any
from unittest import mock
from uuid import uuid4

import pytest

from accounts import narrow
from auterity.kernel.access import Scope
from native.models import SyncedChange
from tests.api.graphs import chain
from tests.api.people import Api, Person
from tests.native.devices import DRAFTS, SYNC, Device, change, made, refused, synced
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)


# -- whose ------------------------------------------------------------------------------------------------------------------


def test_a_viewers_change_is_rejected_and_nothing_is_stored(ann: Person, viewer: Person) -> None:
    workflow = made(ann)
    device = Device(viewer.api)
    changes = [
        change(DRAFTS, "update", workflow["id"], 1, {"name": "Mine now"}),
        change(DRAFTS, "delete", workflow["id"], 1),
        change(DRAFTS, "create", str(uuid4()), data={"name": "New", **chain("a")["definition"]}),
    ]
    answer = device.sync(*changes)
    assert [each["code"] for each in answer["rejected"]] == ["ERR_403_ROLE"] * 3
    assert Workflow.unscoped.get().name == "Follow up"
    own = next(iter(device.rows["preferences"]))
    assert len(synced(viewer.api, change("preferences", "update", own, 1, {"ui": {"theme": "dark"}}))["applied"]) == 1


def test_another_organizations_rows_are_unknown(ann: Person, otto: Person) -> None:
    workflow = made(ann)
    device, foreign = Device(otto.api), Device(ann.api)
    foreign.sync()
    device.sync()
    assert device.rows[DRAFTS] == {}
    sheet = next(iter(foreign.rows["preferences"]))
    unknown = str(uuid4())
    for collection, row in (
        (DRAFTS, workflow["id"]),
        (DRAFTS, unknown),
        ("preferences", sheet),
        ("preferences", unknown),
    ):
        for op in ("update", "delete"):
            answer = synced(otto.api, change(collection, op, row, 1, {"name": "Taken"} if collection == DRAFTS else {}))
            (said,) = answer["rejected"]
            assert (said["code"], workflow["name"] in said["message"]) == ("ERR_404_NOT_FOUND", False)
    assert Workflow.unscoped.get(pk=workflow["id"]).name == "Follow up"


def test_a_cursor_is_one_persons_in_one_organization(ann: Person, member: Person, otto: Person) -> None:
    device = Device(ann.api)
    device.sync()
    for somebody in (member, otto):
        answer = somebody.api.post(SYNC, {"cursors": device.cursors})
        error = refused(answer, 400, "ERR_400_VALIDATION")
        assert error["details"]["field"] == "cursors.workflow_drafts"
    swapped = {DRAFTS: device.cursors["preferences"]}
    refused(ann.api.post(SYNC, {"cursors": swapped}), 400, "ERR_400_VALIDATION")
    for text in ("", "x", "x" * 100_000, "a:b:c", str(device.cursors[DRAFTS])[:-1], "é:🙂:\n"):
        refused(ann.api.post(SYNC, {"cursors": {DRAFTS: text}}), 400, "ERR_400_VALIDATION")


def test_a_cursor_older_than_thirty_days_is_gone_and_nothing_is_stored(ann: Person) -> None:
    import time

    workflow = made(ann)
    device = Device(ann.api)
    with mock.patch("django.core.signing.time.time", return_value=time.time() - 31 * 86400):
        device.sync()
    mine = change(DRAFTS, "update", workflow["id"], workflow["revision"], {"name": "Not stored"})
    error = refused(ann.api.post(SYNC, {"cursors": device.cursors, "changes": [mine]}), 410, "ERR_410_CURSOR_EXPIRED")
    assert error["details"]["collection"] == DRAFTS
    assert Workflow.unscoped.get().name == "Follow up"
    with mock.patch("django.core.signing.time.time", return_value=time.time() - 29 * 86400):
        fresh = Device(ann.api)
        fresh.sync()
    assert fresh.sync(mine)["applied"]


def test_a_narrow_token_reads_with_one_scope_and_writes_with_two(ann: Person) -> None:
    workflow = made(ann)
    mine = change(DRAFTS, "update", workflow["id"], workflow["revision"], {"name": "Narrow"})
    tokens = {
        each: Api(narrow.issue(actor=ann.actor, scopes=each).token)
        for each in ((Scope.UPLOAD,), (Scope.DATA_READ,), (Scope.DATA_READ, Scope.DATA_WRITE))
    }
    refused(tokens[(Scope.UPLOAD,)].post(SYNC, {"cursors": {}}), 403, "ERR_403_SCOPE")
    assert synced(tokens[(Scope.DATA_READ,)], mine)["rejected"][0]["code"] == "ERR_403_SCOPE"
    assert len(synced(tokens[(Scope.DATA_READ, Scope.DATA_WRITE)], mine)["applied"]) == 1


# -- hostile --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["conversations", "messages", "tasks", "calendar_events", "", "nothing", "workflow_drafts\u2028"]
)
def test_a_collection_that_is_not_there_is_refused_with_those_that_are(ann: Person, name: str) -> None:
    for body in (
        {"cursors": {name: None}},
        {"cursors": {}, "changes": [change(name, "create", str(uuid4()), data={})]},
    ):
        error = refused(ann.api.post(SYNC, body), 400, "ERR_400_COLLECTION")
        assert "workflow_drafts, preferences" in error["message"]
        assert "preferences" in error["details"]["collections"]


def test_what_is_only_read_takes_no_changes(ann: Person) -> None:
    answer = synced(ann.api, change("executions", "delete", str(uuid4()), 1))
    assert answer["rejected"][0]["code"] == "ERR_400_COLLECTION"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cursors": None},
        {"cursors": []},
        {"cursors": {DRAFTS: 7}},
        {"cursors": {}, "limit": 0},
        {"cursors": {}, "limit": 501},
        {"cursors": {}, "conflict_policy": "mine"},
        {"cursors": {f"c{n}": None for n in range(21)}},
        {"cursors": {}, "changes": {}},
        {"cursors": {}, "changes": [None]},
        {"cursors": {}, "changes": [change(DRAFTS, "create", str(uuid4()))] * 101},
        {"cursors": {}, "changes": [change(DRAFTS, "upsert", str(uuid4()))]},
        {"cursors": {}, "changes": [change(DRAFTS, "update", "not an id", 1)]},
        {"cursors": {}, "changes": [change(DRAFTS, "update", str(uuid4()), -1)]},
        {"cursors": {}, "changes": [{**change(DRAFTS, "update", str(uuid4())), "base_version": True}]},
        {"cursors": {}, "changes": [{**change(DRAFTS, "update", str(uuid4())), "base_version": 2**60}]},
        {"cursors": {}, "changes": [{**change(DRAFTS, "update", str(uuid4()), 1), "data": [1]}]},
        {"cursors": {}, "changes": [{**change(DRAFTS, "update", str(uuid4()), 1), "client_change_id": "7"}]},
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_whole(ann: Person, body: Any) -> None:
    refused(ann.api.post(SYNC, body), 400, "ERR_400_VALIDATION")


@pytest.mark.parametrize(
    "data",
    [
        {"name": 7},
        {"name": ""},
        {"name": "x" * 201},
        {"name": {"a": 1}},
        {"is_active": "yes"},
        {"nodes": 7},
        {"nodes": [7]},
        {"nodes": [{"id": "a"}]},
        {"nodes": [{"id": "a", "type": "start"}, {"id": "a", "type": "start"}]},
        {"edges": [{"id": "e", "source": "a", "target": "nowhere"}]},
        {"definition": "nothing"},
        {"settings": []},
        {"variables": [{"name": "x"}, {"name": "x"}]},
        {"nodes": [{"id": "a", "type": "start", "config": {"deep": [[[[[[[[[[1]]]]]]]]]], "big": "x" * 4_300_000}}]},
    ],
    ids=lambda data: str(data)[:40],
)
def test_data_that_no_workflow_can_have_is_rejected_with_the_field(ann: Person, data: dict[str, Any]) -> None:
    workflow = made(ann)
    before = WorkflowVersion.unscoped.count()
    update = change(DRAFTS, "update", workflow["id"], workflow["revision"], data)
    (said,) = synced(ann.api, update)["rejected"]
    assert said["code"] == "ERR_400_VALIDATION", said
    assert said["message"]
    assert Workflow.unscoped.get().revision == workflow["revision"]
    assert WorkflowVersion.unscoped.count() == before
    assert not SyncedChange.unscoped.exists()


@pytest.mark.parametrize(
    "data",
    [
        {"ui": {"theme": "neon"}},
        {"ui": {"nothing": 1}},
        {"ui": 7},
        {"strange": {"a": 1}},
        {"focus": {"working_days": [1, 1]}},
        {"focus": {"daily_goal_minutes": True}},
        {"regional": {"timezone": "../../etc/passwd"}},
        {"regional": {"locale": "x" * 36}},
        {"ai": {"temperature": 3}},
    ],
    ids=str,
)
def test_preferences_that_are_none_are_rejected(ann: Person, data: dict[str, Any]) -> None:
    device = Device(ann.api)
    device.sync()
    ((row, (version, _)),) = device.rows["preferences"].items()
    (said,) = synced(ann.api, change("preferences", "update", row, version, data))["rejected"]
    assert said["code"] == "ERR_400_VALIDATION"
    assert device.sync()["changes"] == []


def test_a_version_that_is_not_there_yet_and_none_at_all_are_rejected(ann: Person) -> None:
    workflow = made(ann)
    for op in ("update", "delete"):
        for base in (None, 0, workflow["revision"] + 1):
            (said,) = synced(ann.api, change(DRAFTS, op, workflow["id"], base, {"name": "x"}))["rejected"]
            assert said["code"] == "ERR_400_VALIDATION"
            assert "base_version" in said["message"]
    assert Workflow.unscoped.get().name == "Follow up"


def test_a_device_that_is_not_the_callers_is_unknown(ann: Person) -> None:
    refused(ann.api.post(SYNC, {"cursors": {}, "device_id": str(uuid4())}), 404, "ERR_404_NOT_FOUND")


def test_nobody_without_a_token_synchronizes(anyone: Api) -> None:
    refused(anyone.post(SYNC, {"cursors": {}}), 401, "ERR_401_TOKEN_INVALID")
