"""Lists for native screens: the same rows as everywhere else, filtered, in pages, and not sent again while they are the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import narrow
from api.workflow_engine import pages
from auterity.kernel.access import Scope
from executions.models import Execution
from notifications.models import Category, Severity
from notifications.services import Notice, mark_read, notify
from tests.api.graphs import chain
from tests.api.people import Api, Person
from tests.artefacts import uploads
from tests.native.devices import Device, refused

pytestmark = pytest.mark.django_db(transaction=True)

DATA = "/native/api/data"


def read(api: Api, collection: str, query: str = "") -> dict[str, Any]:
    answer = api.get(f"{DATA}?collection={collection}{query}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def noted(person: Person, title: str, key: str = "") -> None:
    notice = Notice(Category.SYSTEM, Severity.INFO, title, "Said", key=key)
    notify(organization_id=person.actor.organization_id, notice=notice, user_ids=[person.actor.user_id])


@pytest.fixture
def estate(ann: Person, worker: None, ended: Callable[..., dict[str, Any]]) -> dict[str, str]:
    """One of each collection, by its id."""
    workflow = ann.api.made("/api/workflows", chain("a"))
    run = ended(ann.api, ann.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {}})["execution_id"])
    template = ann.api.made("/api/templates", {"name": "Mine", "definition": chain("a")["definition"]})
    file = uploads.send(ann.api, "x.csv", b"a,b\n1,2\n", "text/csv").json()
    noted(ann, "Hello")
    notification = ann.api.get("/api/notifications").json()["notifications"][0]
    return {
        "workflows": workflow["id"],
        "executions": run["id"],
        "templates": template["id"],
        "files": file["id"],
        "notifications": notification["id"],
    }


def test_each_collection_shows_its_rows_and_nobody_elses(estate: dict[str, str], ann: Person, otto: Person) -> None:
    for collection, row in estate.items():
        found = read(ann.api, collection)
        about = next(each for each in found["data"] if each["id"] == row)
        assert about["collection"] == collection == found["meta"]["collection"]
        assert about["version"] >= 1
        assert about["attributes"]
        assert about["updated_at"].endswith("Z")
        assert found["pagination"]["total"] == len(found["data"])
        assert row not in str(read(otto.api, collection)["data"])
        assert read(otto.api, collection, f"&ids={row}")["data"] == []


def test_what_is_shown_of_each_is_what_the_web_shows(estate: dict[str, str], ann: Person) -> None:
    (run,) = read(ann.api, "executions")["data"]
    web = ann.api.get(f"/api/workflows/executions/{estate['executions']}").json()
    assert (run["attributes"]["status"], run["attributes"]["workflow_id"]) == (web["status"], web["workflow_id"])
    (file,) = read(ann.api, "files")["data"]
    given = ann.api.get(file["attributes"]["download_path"])
    assert given.getvalue() == b"a,b\n1,2\n"
    (workflow,) = read(ann.api, "workflows")["data"]
    shown = ann.api.get(f"/api/workflows/{estate['workflows']}").json()
    assert workflow["version"] == shown["revision"]
    assert workflow["attributes"]["version"] == shown["version"]


def test_since_shows_what_changed_since(estate: dict[str, str], ann: Person) -> None:
    later = (timezone.now() + timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    before = (timezone.now() - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for collection, row in estate.items():
        assert row in [each["id"] for each in read(ann.api, collection, f"&since={before}")["data"]]
        assert read(ann.api, collection, f"&since={later}")["data"] == []


def test_a_run_that_ended_after_a_moment_is_shown_though_it_began_before(ann: Person, estate: dict[str, str]) -> None:
    row = Execution.unscoped.get(pk=estate["executions"])
    assert row.completed_at is not None
    assert row.completed_at > row.created_at
    between = row.created_at + (row.completed_at - row.created_at) / 2
    moment = between.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert [each["id"] for each in read(ann.api, "executions", f"&since={moment}")["data"]] == [str(row.pk)]


def test_pages_hold_each_row_once(ann: Person) -> None:
    made = [ann.api.made("/api/workflows", chain("a", name=f"W{n}"))["id"] for n in range(5)]
    seen = []
    for page in (1, 2, 3):
        found = read(ann.api, "workflows", f"&page={page}&per_page=2")
        assert found["pagination"] == {"page": page, "per_page": 2, "total": 5, "pages": 3}
        seen += [each["id"] for each in found["data"]]
    assert seen == made[::-1]


def test_runs_beyond_what_is_counted_are_told_as_such(
    ann: Person, estate: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        ann.api.made(f"/api/workflows/{estate['workflows']}/execute", {"inputs": {}})
    monkeypatch.setattr(pages, "COUNTED", 3)
    first = read(ann.api, "executions", "&per_page=2")
    assert (first["pagination"]["total"], first["meta"]["total_exact"]) == (3, False)
    last = read(ann.api, "executions", "&per_page=2&page=3")
    assert (last["pagination"]["total"], last["meta"]["total_exact"], len(last["data"])) == (5, True, 1)


def test_a_page_costs_the_same_however_many_rows_there_are(ann: Person, estate: dict[str, str]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            read(ann.api, "executions", "&per_page=100")
        return len(caught)

    before = queries()
    for _ in range(5):
        ann.api.made(f"/api/workflows/{estate['workflows']}/execute", {"inputs": {}})
    assert queries() == before


def test_fields_and_ids_choose(ann: Person) -> None:
    one, two = (ann.api.made("/api/workflows", chain("a", name=name)) for name in ("One", "Two"))
    found = read(ann.api, "workflows", f"&ids={one['id']},{two['id']}&fields=name, category")
    assert [each["attributes"] for each in found["data"]] == [
        {"name": "Two", "category": ""},
        {"name": "One", "category": ""},
    ]
    assert [each["id"] for each in read(ann.api, "workflows", f"&ids={one['id']}")["data"]] == [one["id"]]


def test_the_same_rows_are_not_sent_again(ann: Person) -> None:
    workflow = ann.api.made("/api/workflows", chain("a"))
    first = ann.api.get(f"{DATA}?collection=workflows")
    etag = first.headers["ETag"]
    again = ann.api.get(f"{DATA}?collection=workflows", If_None_Match=etag)
    assert (again.status_code, again.content) == (304, b"")
    ann.api.put(f"/api/workflows/{workflow['id']}", {"name": "New"})
    changed = ann.api.get(f"{DATA}?collection=workflows", If_None_Match=etag)
    assert (changed.status_code, changed.headers["ETag"] == etag) == (200, False)


@pytest.mark.parametrize("name", ["", "conversations", "tasks", "workflow_drafts", "preferences", "nothing"])
def test_a_collection_without_a_list_is_refused(ann: Person, name: str) -> None:
    error = refused(ann.api.get(f"{DATA}?collection={name}"), 400, "ERR_400_COLLECTION")
    assert error["details"]["collections"] == ["workflows", "executions", "templates", "notifications", "files"]
    assert "notifications" in error["message"]
    refused(ann.api.get(DATA), 400, "ERR_400_COLLECTION")


@pytest.mark.parametrize(
    "query",
    ["&ids=x", "&ids=" + ",".join(["018f0000-0000-7000-8000-000000000000"] * 101), "&since=yesterday", "&fields=secret",
     "&page=0", "&per_page=101", "&fields=" + "a" * 1001, "&since=0001-01-01T00:00:00"],
)  # fmt: skip
def test_a_query_of_the_wrong_shape_is_refused(ann: Person, query: str) -> None:
    refused(ann.api.get(f"{DATA}?collection=workflows{query}"), 400, "ERR_400_VALIDATION")


def test_extreme_moments_are_moments(ann: Person, estate: dict[str, str]) -> None:
    for collection in estate:
        for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00%2B14:00"):
            read(ann.api, collection, f"&since={moment}")


def test_a_narrow_token_needs_the_scope(ann: Person, viewer: Person, anyone: Api) -> None:
    good = narrow.issue(actor=ann.actor, scopes=[Scope.DATA_READ]).token
    bad = narrow.issue(actor=ann.actor, scopes=[Scope.UPLOAD]).token
    assert read(Api(good), "workflows")["data"] == []
    refused(Api(bad).get(f"{DATA}?collection=workflows"), 403, "ERR_403_SCOPE")
    refused(anyone.get(f"{DATA}?collection=workflows"), 401, "ERR_401_TOKEN_INVALID")
    assert read(viewer.api, "workflows")["data"] == []


def test_what_is_read_and_counted_on_is_told_to_copies(ann: Person) -> None:
    noted(ann, "Failed", key="k")
    device = Device(ann.api, ("notifications",))
    device.sync()
    ((row, (version, data)),) = device.rows["notifications"].items()
    assert (data["read"], data["count"]) == (False, 1)
    mark_read(actor=ann.actor)
    device.sync()
    read_version, data = device.rows["notifications"][row]
    assert (data["read"], read_version > version) == (True, True)
    noted(ann, "Failed again", key="k")
    device.sync()
    counted, data = device.rows["notifications"][row]
    assert (data["read"], data["count"], counted > read_version) == (False, 2, True)
    assert device.sync()["changes"] == []


def test_runs_and_files_and_templates_reach_copies_as_they_move(ann: Person, estate: dict[str, str]) -> None:
    device = Device(ann.api, ("executions", "files", "templates"))
    device.sync()
    assert set(device.rows["executions"]) == {estate["executions"]}
    told = device.told
    assert device.sync()["changes"] == []
    more = ann.api.made(f"/api/workflows/{estate['workflows']}/execute", {"inputs": {}})["execution_id"]
    until = timezone.now() + timedelta(seconds=60)
    while device.rows["executions"].get(more, (0, {"status": ""}))[1]["status"] != "completed":
        assert timezone.now() < until
        device.sync()
    ann.api.put(f"/api/templates/{estate['templates']}", {"name": "Renamed"})
    device.sync()
    assert device.rows["templates"][estate["templates"]][1]["name"] == "Renamed"
    assert ann.api.delete(f"/api/templates/{estate['templates']}").status_code in (200, 204)
    device.sync()
    assert estate["templates"] not in device.rows["templates"]
    assert device.told > told
