"""How a client keeps up with a workflow: the whole algorithm, as `docs/howto/edit-together.md` tells it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
PARTS = ("nodes", "edges", "variables", "triggers", "settings")


class Replica:
    """A copy of the definition as answers show it, and the sequence number of the last frame in it."""

    def __init__(self) -> None:
        self.seq = 0
        self.nodes: list[Json] = []
        self.edges: list[Json] = []
        self.variables: list[Json] = []
        self.triggers: list[Any] = []
        self.settings: Json = {}

    def shown(self) -> Json:
        return {part: getattr(self, part) for part in PARTS}

    def take(self, frame: Json) -> None:
        """A snapshot replaces everything; of other frames the next one is applied and one that is known already is dropped."""
        if frame["type"] == "collaboration_snapshot":
            if frame["seq"] >= self.seq:
                self.seq = frame["seq"]
                for part in PARTS:
                    setattr(self, part, frame[part])
            return
        if frame["seq"] <= self.seq:
            return
        assert frame["seq"] == self.seq + 1, f"a gap: {frame['seq']} after {self.seq}"
        self.seq = frame["seq"]
        if "operation" in frame:
            self._apply(frame["operation"], frame["data"])

    def _apply(self, operation: str, data: Json) -> None:
        if operation == "node_added":
            self.nodes = [*self.nodes, data["node"]]
        elif operation == "node_updated":
            self.nodes = [merged(each, data) if each["id"] == data["node_id"] else each for each in self.nodes]
        elif operation == "node_deleted":
            self.nodes = [each for each in self.nodes if each["id"] != data["node_id"]]
        elif operation == "edge_added":
            self.edges = [*self.edges, data["edge"]]
        elif operation == "edge_deleted":
            self.edges = [each for each in self.edges if each["id"] != data["edge_id"]]
        else:
            assert operation == "settings_updated"
            by_name = {"variables": {each["name"]: each for each in self.variables}, "settings": self.settings}
            rest = merged({**by_name, "triggers": self.triggers}, data)
            self.variables = list(rest["variables"].values())
            self.triggers, self.settings = rest["triggers"], rest["settings"]


def merged(thing: Json, data: Json) -> Json:
    """A node with its changed fields: `config` and `data` key by key, every other field whole; `removed` are gone."""
    after = dict(thing)
    for name, value in data["changes"].items():
        nested = name in ("config", "data", "settings", "variables")
        after[name] = {**(thing.get(name) or {}), **value} if nested else value
    for path in data["removed"]:
        if len(path) == 1:
            after.pop(path[0], None)
        else:
            after[path[0]] = {name: value for name, value in after[path[0]].items() if name != path[1]}
    return after
