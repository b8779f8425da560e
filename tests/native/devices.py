"""A device that works offline: its copies, what it did meanwhile, and its cursors, as a client would keep them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.api.graphs import chain
from tests.api.people import Api, Person

SYNC = "/native/sync"
DRAFTS = "workflow_drafts"


def made(person: Person, name: str = "Follow up") -> dict[str, Any]:
    return person.api.made("/api/workflows", chain("a", "b", name=name))


def node(data: dict[str, Any], node_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in data["nodes"] if each["id"] == node_id)
    return found


def with_config(data: dict[str, Any], node_id: str, **config: Any) -> dict[str, Any]:
    """The row as a client sends it back, with other settings of one node."""
    nodes = [
        {**each, "config": {**each["config"], **config}, "data": None} if each["id"] == node_id else each
        for each in data["nodes"]
    ]
    return {"nodes": nodes}


def change(
    collection: str, op: str, row: str, base: int | None = None, data: Any = None, **more: Any
) -> dict[str, Any]:
    return {
        "client_change_id": str(uuid4()),
        "collection": collection,
        "op": op,
        "id": row,
        "base_version": base,
        "data": data or {},
        "changed_at": "2026-11-22T09:00:00Z",
        **more,
    }


def synced(api: Api, *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The data of one exchange that succeeded."""
    answer = api.post(SYNC, {"cursors": {}, "changes": list(changes), **more})
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The `error` of a refusal, its envelope checked."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    body = answer.json()
    assert body["success"] is False
    error: dict[str, Any] = body["error"]
    assert error["code"] == code, error
    assert error["message"]
    return error


@dataclass
class Device:
    """Rows by collection and id, each `(version, data)`."""

    api: Api
    collections: tuple[str, ...] = ("workflow_drafts", "preferences")
    rows: dict[str, dict[str, tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    cursors: dict[str, str | None] = field(default_factory=dict)
    told: int = 0

    def __post_init__(self) -> None:
        self.cursors = dict.fromkeys(self.collections)
        self.rows = {each: {} for each in self.collections}

    def sync(self, *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Send what was done, then take what came, until there is no more. The first answer."""
        first = self.exchange(list(changes), **more)
        answer = first
        while answer["has_more"]:
            answer = self.exchange([], **more)
        return first

    def exchange(self, changes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        answer = self.api.post(SYNC, {"cursors": self.cursors, "changes": changes, **more})
        assert answer.status_code == 200, answer.content
        data: dict[str, Any] = answer.json()["data"]
        for each in data["changes"]:
            self.told += 1
            if each["op"] == "delete":
                self.rows[each["collection"]].pop(each["id"], None)
            else:
                self.rows[each["collection"]][each["id"]] = (each["version"], each["data"])
        self.cursors = data["cursors"]
        return data

    def draft(self, row: str) -> tuple[int, dict[str, Any]]:
        return self.rows["workflow_drafts"][row]
