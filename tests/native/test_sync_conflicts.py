"""Offline work over HTTP: what two devices and the web did to the same rows comes together, or is told with both sides."""

from __future__ import annotations

import pytest

from tests.api.people import Person
from tests.native.devices import DRAFTS, Device, change, made, node, synced, with_config
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_devices_that_changed_different_fields_both_have_theirs(ann: Person, member: Person) -> None:
    workflow = made(ann)
    one, two = Device(ann.api), Device(member.api)
    one.sync()
    two.sync()
    version, data = one.draft(workflow["id"])
    first = change(
        DRAFTS, "update", workflow["id"], version, {**data, "name": "By Ann", **with_config(data, "a", set={"x": 1})}
    )
    second = change(
        DRAFTS,
        "update",
        workflow["id"],
        version,
        {**data, "category": "By Bob", **with_config(data, "b", set={"y": 2})},
    )
    assert len(one.sync(first)["applied"]) == 1
    answer = two.sync(second)
    assert (len(answer["applied"]), answer["conflicts"]) == (1, [])
    one.sync()
    assert one.draft(workflow["id"]) == two.draft(workflow["id"])
    _, merged = one.draft(workflow["id"])
    assert (merged["name"], merged["category"]) == ("By Ann", "By Bob")
    assert (node(merged, "a")["config"]["set"], node(merged, "b")["config"]["set"]) == ({"x": 1}, {"y": 2})
    assert ann.api.get(f"/api/workflows/{workflow['id']}").json()["published_version"] == 1


@pytest.mark.parametrize(
    ("policy", "resolution", "name", "category"),
    [
        ("server_wins", "merged", "By Ann", "Mine"),
        ("client_wins", "client_kept", "By Bob", "Mine"),
        ("manual", "needs_manual", "By Ann", ""),
    ],
)
def test_a_field_that_both_changed_is_told_with_both_sides(
    ann: Person, member: Person, policy: str, resolution: str, name: str, category: str
) -> None:
    workflow = made(ann)
    device = Device(member.api)
    device.sync()
    version, _ = device.draft(workflow["id"])
    ann.api.put(f"/api/workflows/{workflow['id']}", {"name": "By Ann"})
    mine = change(DRAFTS, "update", workflow["id"], version, {"name": "By Bob", "category": "Mine"})
    answer = device.sync(mine, conflict_policy=policy)
    (conflict,) = answer["conflicts"]
    about = {key: conflict[key] for key in ("client_change_id", "id", "reason", "fields", "resolution")}
    assert about == {
        "client_change_id": mine["client_change_id"],
        "id": workflow["id"],
        "reason": "version_mismatch",
        "fields": ["name"],
        "resolution": resolution,
    }
    assert (conflict["server_data"]["name"], conflict["client_data"]) == ("By Ann", mine["data"])
    stored = ann.api.get(f"/api/workflows/{workflow['id']}").json()
    assert (stored["name"], stored["category"]) == (name, category)
    assert device.draft(workflow["id"])[1]["name"] == name


def test_a_field_of_a_node_that_both_changed_is_a_conflict_of_that_field(ann: Person, member: Person) -> None:
    workflow = made(ann)
    device = Device(member.api)
    device.sync()
    version, data = device.draft(workflow["id"])
    ann.api.put(f"/api/workflows/{workflow['id']}", {**with_config(data, "a", set={"x": 1}), "draft": True})
    mine = change(DRAFTS, "update", workflow["id"], version, with_config(data, "a", set={"x": 2}, note="kept"))
    (conflict,) = device.sync(mine)["conflicts"]
    assert (conflict["fields"], conflict["resolution"]) == (["nodes.a.config.set"], "merged")
    config = node(device.draft(workflow["id"])[1], "a")["config"]
    assert (config["set"], config["note"]) == ({"x": 1}, "kept")


def test_what_does_not_fit_together_is_a_merge_that_failed(ann: Person, member: Person) -> None:
    """One side takes a node away, the other joins an edge to it."""
    workflow = made(ann)
    device = Device(member.api)
    device.sync()
    version, data = device.draft(workflow["id"])
    without = {"nodes": [each for each in data["nodes"] if each["id"] != "b"]}
    without["edges"] = [each for each in data["edges"] if "b" not in (each["source"], each["target"])]
    assert ann.api.put(f"/api/workflows/{workflow['id']}", {**without, "draft": True}).status_code == 200
    extra = {"id": "c", "type": "data-transformation", "config": {}}
    joined = {
        "nodes": [*data["nodes"], extra],
        "edges": [*data["edges"], {"id": "bc", "source": "b", "target": "c"}],
    }
    (conflict,) = device.sync(change(DRAFTS, "update", workflow["id"], version, joined))["conflicts"]
    assert (conflict["reason"], conflict["resolution"]) == ("merge_failed", "server_kept")
    assert [each["id"] for each in device.draft(workflow["id"])[1]["nodes"]] == [
        each["id"] for each in without["nodes"]
    ]


@pytest.mark.parametrize(
    ("policy", "resolution"),
    [("server_wins", "server_kept"), ("client_wins", "needs_manual"), ("manual", "needs_manual")],
)
def test_what_was_deleted_on_the_server_stays_deleted(
    ann: Person, member: Person, policy: str, resolution: str
) -> None:
    workflow = made(ann)
    device = Device(member.api)
    device.sync()
    version, _ = device.draft(workflow["id"])
    ann.api.delete(f"/api/workflows/{workflow['id']}")
    answer = device.sync(change(DRAFTS, "update", workflow["id"], version, {"name": "Late"}), conflict_policy=policy)
    (conflict,) = answer["conflicts"]
    assert (conflict["reason"], conflict["resolution"], conflict["server_data"]) == (
        "deleted_on_server",
        resolution,
        {},
    )
    assert device.rows[DRAFTS] == {}


def test_a_delete_that_did_not_see_the_newest_is_a_conflict_unless_the_client_wins(ann: Person) -> None:
    workflow = made(ann)
    device = Device(ann.api)
    device.sync()
    version, _ = device.draft(workflow["id"])
    ann.api.put(f"/api/workflows/{workflow['id']}", {"name": "Newer"})
    (conflict,) = device.sync(change(DRAFTS, "delete", workflow["id"], version))["conflicts"]
    assert (conflict["reason"], conflict["resolution"]) == ("version_mismatch", "server_kept")
    assert conflict["server_data"]["name"] == "Newer"
    wanted = change(DRAFTS, "delete", workflow["id"], version)
    (conflict,) = device.sync(wanted, conflict_policy="client_wins")["conflicts"]
    assert (conflict["resolution"], conflict["server_data"]["name"]) == ("client_kept", "Newer")
    assert ann.api.get(f"/api/workflows/{workflow['id']}").status_code == 404
    gone = synced(ann.api, change(DRAFTS, "delete", workflow["id"], version))
    assert gone["applied"][0]["id"] == workflow["id"]


def test_preferences_of_two_devices_come_together_key_by_key(ann: Person) -> None:
    phone, desk = Device(ann.api), Device(ann.api)
    phone.sync()
    desk.sync()
    ((row, (version, shown)),) = phone.rows["preferences"].items()
    assert shown["ui"]["theme"] == "system"
    phone.sync(change("preferences", "update", row, version, {"ui": {"theme": "dark"}}))
    answer = desk.sync(
        change("preferences", "update", row, version, {"ui": {"theme": "light", "density": "compact"}}),
    )
    (conflict,) = answer["conflicts"]
    assert (conflict["fields"], conflict["resolution"]) == (["ui.theme"], "merged")
    assert conflict["server_data"]["ui"]["theme"] == "dark"
    phone.sync()
    assert phone.rows == desk.rows
    ((_, (version, shown)),) = phone.rows["preferences"].items()
    assert (shown["ui"]["theme"], shown["ui"]["density"]) == ("dark", "compact")
    phone.sync(change("preferences", "delete", row, version))
    assert next(iter(phone.rows["preferences"].values()))[1]["ui"]["theme"] == "system"


def test_a_secret_is_neither_told_nor_lost(ann: Person, member: Person) -> None:
    definition = {
        "nodes": [{"id": "w", "type": "webhook-trigger", "config": {"auth": "token", "secret": "s3cret-7781"}}]
    }
    workflow = ann.api.made(
        "/api/workflows", {"name": "Hook", "is_active": False, "definition": {**definition, "edges": []}}
    )
    device = Device(member.api)
    device.sync()
    version, data = device.draft(workflow["id"])
    assert "s3cret" not in str(data)
    ann.api.put(f"/api/workflows/{workflow['id']}", {"name": "By Ann"})
    answer = device.sync(
        change(DRAFTS, "update", workflow["id"], version, {**data, "name": "By Bob", "description": "x"})
    )
    assert answer["conflicts"][0]["fields"] == ["name"]
    assert "s3cret" not in str(answer)
    definitions = WorkflowVersion.unscoped.filter(workflow_id=workflow["id"]).values_list("definition", flat=True)
    secrets = {str(node(each, "w")["config"]["secret"]) for each in definitions}
    assert len(secrets) == 1
    assert "sealed:" in secrets.pop()
