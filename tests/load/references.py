"""Ids of another organization's objects where no OpenAPI document names them: in settings of nodes that are run, in imported
documents, and in what a socket is asked to follow. Each time the answer is the one that an id gets which nobody has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.load.asked import without_ids
from tests.load.estate import CHAIN, Estate
from tests.load.gates import wait_until

Settings = Callable[[str], dict[str, Any]]
MAIL = {"to": "a@example.com", "subject": "x", "text": "x"}
SMS = {"to": "+15125550100", "message": "x"}
# Every setting of a node that names an object of an organization: whose id it takes, and settings with one.
REFERENCES: dict[str, tuple[str, Settings]] = {
    "ai-image-analysis.image": ("file_id", lambda each: {"image": each, "prompt": "x"}),
    "ai-text-processing.connection_id": ("connection_id", lambda each: {"prompt": "x", "connection_id": each}),
    "api-integration.connection_id": (
        "connection_id", lambda each: {"method": "GET", "url": "/x", "connection_id": each},
    ),
    "approval.assignees": ("email", lambda each: {"title": "x", "assignees": [each]}),
    "custom-model.model_id": ("model_id", lambda each: {"model_id": each, "version": "1", "input": {}}),
    "database-query.connection_id": ("connection_id", lambda each: {"connection_id": each, "sql": "select 1"}),
    "email-sender.attachments": ("file_id", lambda each: {**MAIL, "attachments": [each]}),
    "email-sender.connection_id": ("connection_id", lambda each: {**MAIL, "connection_id": each}),
    "email-sender.template": ("message_template", lambda each: {"to": "a@example.com", "template": each}),
    "file-processor.file": ("file_id", lambda each: {"operation": "parse", "format": "csv", "file": each}),
    "map.workflow_id": ("workflow_id", lambda each: {"items": [1, 2], "workflow_id": each}),
    "sms-sender.connection_id": ("connection_id", lambda each: {**SMS, "connection_id": each}),
    "sub-workflow.workflow_id": ("workflow_id", lambda each: {"workflow_id": each}),
}  # fmt: skip
# A picture is asked for before the connection; stored prompts do not exist yet; one's own people are named by address or role.
ELSEWHERE = {"ai-image-analysis.connection_id", "ai-text-processing.prompt_id"}
ENDED = ("completed", "failed", "cancelled", "timeout")


@dataclass
class References:
    """`look` is told every answer; `told_apart` gets the places where somebody's id was answered otherwise, and how."""

    victim: Estate
    thief: Estate
    look: Callable[[str, bytes], None]
    told_apart: dict[str, str]
    tried: int = 0
    ran: int = 0
    _named: tuple[str, ...] = ()  # What the thief says at this moment.

    def everywhere(self) -> None:
        with running():
            for place, (kind, settings) in REFERENCES.items():
                foreign = self.victim.owner.email if kind == "email" else self.victim.ids[kind]
                nobody = nobodys(kind, foreign)
                for way in (self._plain, self._from_data, self._inside, self._imported):
                    if way == self._inside and kind == "email":
                        continue  # It waits for people, which a map's items may not.
                    self._compared(
                        f"{way.__name__[1:]} {place}", way, place.partition(".")[0], settings, foreign, nobody
                    )

    def _compared(self, name: str, way: Any, kind: str, settings: Settings, foreign: str, nobody: str) -> None:
        seen = []
        for identity in (foreign, nobody):
            self._named = (identity,)
            answers = list(way(kind, settings, identity))
            for each in answers:
                self.look(name, each.content.replace(identity.encode(), b""))  # What one says oneself is no secret.
            seen.append([same(each, identity) for each in answers])
        self.tried += 1
        if seen[0] != seen[1]:
            self.told_apart[name] = difference(repr(seen[0]), repr(seen[1]))

    def _plain(self, kind: str, settings: Settings, identity: str) -> Iterator[Any]:
        """Saved, validated, tried, and run."""
        yield from self._saved_and_run({"id": "a", "type": kind, "config": settings(identity)}, {})

    def _from_data(self, kind: str, settings: Settings, identity: str) -> Iterator[Any]:
        """The id comes as an input of the run, so that nothing sees it before."""
        node = {"id": "a", "type": kind, "config": settings("{{ inputs.stolen }}")}
        yield from self._saved_and_run(node, {"stolen": identity})

    def _inside(self, kind: str, settings: Settings, identity: str) -> Iterator[Any]:
        """In the workflow that a `map` carries out for each item."""
        inner = {"nodes": [{"id": "b", "type": kind, "config": settings(identity)}], "edges": []}
        node = {"id": "a", "type": "map", "config": {"items": [1], "workflow": inner}}
        yield from self._saved_and_run(node, {})

    def _imported(self, kind: str, settings: Settings, identity: str) -> Iterator[Any]:
        document = {
            "format": "auterity-workflow", "format_version": 1, "name": "Stolen",
            "definition": {**CHAIN["definition"], "nodes": drawn({"id": "a", "type": kind, "config": settings(identity)})},
            "fill": {"a": {name: identity for name in settings(identity) if settings(identity)[name] == identity}},
        }  # fmt: skip
        yield self.thief.owner.api.post("/api/workflows/import", document)

    def _saved_and_run(self, node: dict[str, Any], inputs: dict[str, Any]) -> Iterator[Any]:
        api = self.thief.owner.api
        made = {"name": "Stolen", "definition": {**CHAIN["definition"], "nodes": drawn(node)}}
        yield api.post("/api/workflows/validate", made)
        saved = api.post("/api/workflows", made)
        yield saved
        if saved.status_code != 201:
            return
        path = f"/api/workflows/{saved.json()['id']}"
        yield api.post(f"{path}/nodes/a/test", {"inputs": inputs})
        yield api.post(f"{path}/nodes/a/test", {"inputs": inputs, "perform": True})
        yield api.post(f"{path}/dry-run", {"inputs": inputs})
        begun = api.post(f"{path}/execute", {"inputs": inputs})
        if begun.status_code != 202:
            yield begun
            return
        run, of_it = f"/api/workflows/executions/{begun.json()['execution_id']}", begun.json()["execution_id"]
        asked = f"/api/questions?execution_id={of_it}"
        if not wait_until(
            lambda: api.get(run).json()["status"] in ENDED or bool(api.get(asked).json()["questions"]), 30
        ):
            raise AssertionError(f"{node} did not end")
        self.ran += 1
        yield from (api.get(run), api.get(f"{run}/steps"), api.get(f"{run}/effects"), api.get(asked))
        mine = api.get(f"{run}/logs").content
        for each in (*inputs.values(), *self._named):
            mine = mine.replace(each.encode(), b"")
        self.look(f"logs of {node['type']}", mine)

    def over_sockets(self) -> int:
        """Joining, tickets, and following: how many were tried."""
        from tests.api.serving import Server

        ids, api, token = self.victim.ids, self.thief.owner.api, self.thief.owner.api.token
        tried = 0
        with running(), Server() as server:
            for kind, path in (
                ("execution_id", "/ws/executions/{}"), ("workflow_id", "/ws/workflows/{}/collaboration"),
            ):  # fmt: skip
                seen = []
                for identity in (ids[kind], nobodys(kind, ids[kind])):
                    ticket = api.post("/api/ws-tickets", {"path": path.format(identity)})
                    with server.socket(path.format(identity), header=token) as socket:
                        frames, code, _ = socket.closed()
                    self.look(path, ticket.content + repr(frames).encode())
                    seen.append([ticket.status_code, [_words(each) for each in frames], code])
                    tried += 2
                if seen[0] != seen[1] or seen[0][2] not in (4403, 4404):
                    self.told_apart[path] = repr(seen)[:400]
            tried += self._followed(server, token)
            server.settle()
        return tried

    def _followed(self, server: Any, token: str) -> int:
        """What is asked of a client's socket; then something happens at the victim's, which alone hears of it."""
        ids, tried = self.victim.ids, 0
        with (
            server.socket("/ws/thief", header=token) as socket,
            server.socket("/ws/notifications", header=token) as told,
            server.socket("/ws/owner", header=self.victim.owner.api.token) as owner,
        ):
            heard = [socket.receive(), told.receive()]
            owner.receive()
            for name, kind in (("execution_ids", "execution_id"), ("workflow_ids", "workflow_id")):
                seen = []
                for identity in (ids[kind], nobodys(kind, ids[kind])):
                    asked = {"type": "subscribe", "data": {"events": ["execution_log"], name: [identity]}}
                    socket.send(asked)
                    while (frame := socket.receive())["type"] not in ("error", "subscribed"):
                        heard.append(frame)
                    heard.append(frame)
                    seen.append(_words(frame))
                    tried += 1
                if seen[0] != seen[1] or "NOT_FOUND" not in repr(seen[0]):
                    self.told_apart[f"subscribe {name}"] = repr(seen)[:400]
            api = self.victim.owner.api
            api.made(f"/api/workflows/{ids['workflow_id']}/execute", {"inputs": {"note": self.victim.marker}})
            while owner.receive()["type"] != "workflow_execution_update":
                pass
            for each in (socket, told):
                each.send({"type": "ping"})
                while (frame := each.receive())["type"] != "pong":
                    heard.append(frame)
            self.look("/ws/{client_id}", repr(heard).encode())
            if any(ids["workflow_id"] in repr(frame) for frame in heard if frame["type"] != "error"):
                self.told_apart["/ws/{client_id}"] = "heard of another's run"
        return tried + 2


def same(answer: Any, identity: str) -> str:
    """What an answer says, without what differs each time: also what was drawn at random, and the id that was sent."""
    text = re.sub(r"(?<![0-9a-f-])[0-9a-f]{16,64}(?![0-9a-f-])", "HEX", without_ids(answer))
    text = re.sub(r'"id":\d+', '"id":NUMBER', text)
    text = re.sub(r'"nonce":"[\w-]+"', '"nonce":"RANDOM"', text)
    text = re.sub(r'"\.?e[Jy][\w.:-]{20,}"', '"SIGNED"', text)  # a cursor: what is in it is opened by its owner alone
    return text.replace(identity, "ID") if identity else text


def difference(first: str, second: str) -> str:
    """Where two texts begin to differ."""
    at = next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
    return f"{first[max(0, at - 60) : at + 100]} | {second[max(0, at - 60) : at + 100]}"


def unnamed(kinds: list[dict[str, Any]]) -> list[str]:
    """Settings of nodes that look like references and are in no list here."""
    found = {
        f"{kind['type']}.{name}"
        for kind in kinds
        for name in kind["config_schema"].get("properties", {})
        if name.endswith(("_id", "_ids")) or name in ("image", "file", "attachments", "assignees", "template")
    }
    return sorted(found - REFERENCES.keys() - ELSEWHERE - {"output-formatter.template"})  # A text, not a name.


def nobodys(kind: str, foreign: str) -> str:
    """Of the same shape, so that answers can be compared."""
    from auterity.kernel.models import uuid7

    if kind in ("email", "message_template", "model_id", "dms_customer_id", "credential_id"):
        return foreign.replace("zebra", "okapi")
    return "999999999" if kind == "effect_id" else str(uuid7())


def drawn(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": "start", "type": "start"}, node]


@contextmanager
def running() -> Iterator[None]:
    from auterity.embedded import start_runner, stop_runner

    runner = start_runner()
    try:
        yield
    finally:
        stop_runner(runner)


def _words(frame: dict[str, Any]) -> tuple[Any, ...]:
    about = frame.get("data", frame)
    return frame.get("type"), about.get("code"), about.get("message")
