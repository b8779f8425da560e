"""G14: the admin of one organization tries the ids of another's objects at every place of every operation that takes one.

Path: always 404 or 403, one of the two for an operation, and the same answer that an id gets which nobody has. Query and body:
the same answer as for an id that nobody has. Settings of nodes and sockets too. Nothing of the victim's is changed, and nothing
of it is in any answer. `python -m tests.load.g14_tenants [--short]`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.load.asked import Asked, operations, with_id, without_ids
from tests.load.estate import CHAIN, Estate, estate, rows_of
from tests.load.gates import Figures
from tests.load.servers import stand_alone

# Positions, parts and free text, not objects of somebody's.
NO_OBJECTS = {"cursor", "node_id", "number", "other", "resource_id", "version"}
FEWEST_PAIRS = 160
# Bodies that fit where the document's example, made of the schema, does not.
FITTING: dict[str, Any] = {"PUT /api/integrations/dms/{integration_id}": {}}
NOT_THERE = {"GET /api/templates/{template_id}/preview"}  # The estate's template has no picture.


def measure(short: bool, only: str = "") -> Figures:
    from django.test import override_settings

    with override_settings(RATE_LIMITS=False, ALLOWED_HOSTS=["*"]):
        victim, thief = estate("victim"), estate("thief")
        trial = Trial(victim, thief, short)
        before = rows_of(victim.organization_id)
        asked = [each for each in operations() if each.needs != "open" and only in str(each)]
        for each in asked:
            trial.path(each)
            trial.query(each)
            trial.body(each)
        if not only:
            trial.nodes()
            trial.sockets()
        changed = sorted(name for name, digest in rows_of(victim.organization_id).items() if digest != before[name])
        fitting, unfit = reachable(victim, asked)
    mixed = sorted(name for name, seen in trial.statuses.items() if len(seen) > 1)
    wrong = sorted({f"{name}: {status}" for name, seen in trial.statuses.items() for status in seen - {403, 404}})
    figures = {
        "operations": len(asked), "pairs": trial.pairs, "by_place": dict(trial.places), "sockets": trial.tried_sockets,
        "tables_watched": len(before), "tables_changed": changed, "wrong_statuses": wrong, "mixed_statuses": mixed,
        "told_apart_from_nobodys": sorted(trial.told_apart), "markers_seen": sorted(trial.leaked),
        "reads_the_owner_can": fitting, "reads_the_owner_cannot": unfit,
        "slots_without_an_object": sorted({slot for each in asked for slot in each.slots} - victim.ids.keys()),
    }  # fmt: skip
    enough = bool(only) or (trial.pairs >= FEWEST_PAIRS and trial.tried_sockets >= 2 and fitting >= 20)
    clean = not (changed or wrong or mixed or trial.told_apart or trial.leaked or unfit)
    return {**figures, "passed": clean and enough}


@dataclass(frozen=True)
class Told:
    """An answer, also one that came in pieces."""

    status_code: int
    content: bytes


class Trial:
    """What was tried, and what went wrong."""

    def __init__(self, victim: Estate, thief: Estate, short: bool) -> None:
        self.victim, self.thief, self.short = victim, thief, short
        self.api = thief.owner.api
        self.pairs = self.tried_sockets = 0
        self.places: dict[str, int] = defaultdict(int)
        self.statuses: dict[str, set[int]] = defaultdict(set)
        self.told_apart: set[str] = set()
        self.leaked: set[str] = set()

    def path(self, asked: Asked) -> None:
        """Every slot foreign; each slot foreign among one's own; and, in full, every foreign id in every slot."""
        slots = [each for each in asked.slots if each not in NO_OBJECTS]
        for foreign in _ways(slots):
            self._compared(asked, {slot: self.victim.id_for(slot) for slot in foreign})
        if slots and not self.short:
            for identity in set(self.victim.ids.values()):
                if len(identity) == 36:
                    self._compared(asked, {slot: identity for slot in slots if slot != "effect_id"})

    def _compared(self, asked: Asked, foreign: dict[str, str]) -> None:
        if not foreign:
            return
        nobodys = {slot: nobodys_id(slot) for slot in foreign}
        body = FITTING.get(str(asked), asked.body)
        found = self._ask(asked, asked.filled(lambda slot: foreign.get(slot) or self.thief.id_for(slot)), body, "path")
        other = self._ask(asked, asked.filled(lambda slot: nobodys.get(slot) or self.thief.id_for(slot)), body, "")
        self.statuses[str(asked)].add(found.status_code)
        if _plain(found, foreign) != _plain(other, nobodys):
            self.told_apart.add(f"{asked} {sorted(foreign)}")

    def query(self, asked: Asked) -> None:
        path = asked.filled(self.thief.id_for)
        for name in sorted(set(asked.queries) - NO_OBJECTS):
            foreign, nobody = self.victim.id_for(name), nobodys_id(name)
            found = self._ask(asked, f"{path}?{name}={foreign}", asked.body, "query")
            other = self._ask(asked, f"{path}?{name}={nobody}", asked.body, "")
            if _plain(found, {name: foreign}) != _plain(other, {name: nobody}):
                self.told_apart.add(f"{asked} ?{name}=")

    def body(self, asked: Asked) -> None:
        path = asked.filled(self.thief.id_for)
        for place in asked.fields:
            name = _name_of(place)
            if name in NO_OBJECTS:
                continue
            foreign, nobody = self.victim.id_for(name), nobodys_id(name)
            found = self._ask(asked, path, with_id(asked.body, place, foreign), "body")
            other = self._ask(asked, path, with_id(asked.body, place, nobody), "")
            if _plain(found, {name: foreign}) != _plain(other, {name: nobody}):
                self.told_apart.add(f"{asked} {'.'.join(place)}")

    def nodes(self) -> None:
        """Ids in the settings of nodes: saved, validated, tried and run in the thief's own workflow."""
        kinds = self.api.get("/api/workflows/node-types").json()["node_types"]
        for kind in kinds:
            for name in kind["config_schema"].get("properties", {}):
                if name.endswith(("_id", "connection", "workflow", "integration")):
                    foreign, nobody = self.victim.id_for(_slot_of(name)), nobodys_id(name)
                    seen = [self._with_node(kind["type"], name, each) for each in (foreign, nobody)]
                    if seen[0] != seen[1]:
                        self.told_apart.add(f"node {kind['type']}.{name}")

    def _with_node(self, kind: str, name: str, identity: str) -> list[str]:
        nodes = [{"id": "start", "type": "start"}, {"id": "a", "type": kind, "config": {name: identity}}]
        made = {"name": "Stolen", "definition": {**CHAIN["definition"], "nodes": nodes}}
        answers = [self.api.post("/api/workflows", made), self.api.post("/api/workflows/validate", made)]
        if answers[0].status_code == 201:
            path = f"/api/workflows/{answers[0].json()['id']}"
            answers.append(self.api.post(f"{path}/nodes/a/test", {}))
            answers.append(self.api.post(f"{path}/dry-run", {"inputs": {}}))
            answers.append(self.api.get(path))
        self.pairs += 1
        self.places["nodes"] += 1
        for each in answers:
            self._look(f"node {kind}.{name}", each.content)
        return [_plain(each, {name: identity}) for each in answers]

    def sockets(self) -> None:
        from tests.api.serving import Server

        paths = (
            f"/ws/executions/{self.victim.ids['execution_id']}",
            f"/ws/workflows/{self.victim.ids['workflow_id']}/collaboration",
        )
        with Server() as server:
            for path in paths:
                with server.socket(path, header=self.api.token) as socket:
                    frames, code, _ = socket.closed()
                    self._look(path, repr(frames).encode())
                self.statuses[path.rpartition("/")[0].rpartition("/")[0]].add(code - 4000)
                self.tried_sockets += 1
            server.settle()

    def _ask(self, asked: Asked, path: str, body: Any, place: str) -> Any:
        from django.db import transaction

        with transaction.atomic():  # Nothing of it is kept, so that the next request finds what this one found.
            answer = self.api.call(asked.method, path, **_sent(asked, body))
            transaction.set_rollback(True)
        if place:
            self.pairs += 1
            self.places[place] += 1
            if answer.status_code == 500:
                self.statuses[str(asked)].add(500)
        told = Told(answer.status_code, answer.getvalue() if answer.streaming else answer.content)
        self._look(str(asked), told.content)
        return told

    def _look(self, where: str, content: bytes) -> None:
        if self.victim.marker.encode() in content.replace(self.victim.ids["model_id"].encode(), b""):
            self.leaked.add(where)


def reachable(owner: Estate, asked: list[Asked]) -> tuple[int, list[str]]:
    """How many addresses with a slot the owner can read with the same ids, and which not: else the trial proves nothing."""
    reads = [each for each in asked if each.method == "GET" and each.slots]
    unfit = [
        str(each)
        for each in reads
        if owner.owner.api.get(each.filled(owner.id_for)).status_code in (400, 404, 500)
        and owner.ids.keys() >= set(each.slots)
    ]
    return len(reads) - len(unfit), sorted(set(unfit) - NOT_THERE)


def nobodys_id(name: str) -> str:
    from auterity.kernel.models import uuid7

    return "999999999" if name == "effect_id" else "zebra-000000000000-scorer" if name == "model_id" else str(uuid7())


def _ways(slots: list[str]) -> Iterator[list[str]]:
    if slots:
        yield slots
    if len(slots) > 1:
        yield from ([each] for each in slots)


def _sent(asked: Asked, body: Any) -> dict[str, Any]:
    if asked.body is None:
        return {}
    if asked.media == "application/json":
        return {"body": body}
    return {"raw": b"", "media": asked.media}


def _plain(answer: Any, ids: dict[str, str]) -> str:
    text = without_ids(answer)
    for each in ids.values():
        text = text.replace(each, "ID") if len(each) > 8 else text
    return text


def _name_of(place: tuple[str, ...]) -> str:
    last = place[-2] if place[-1] == "*" else place[-1]
    return {"mentions": "user_id", "ids": "notification_id", "from_execution": "execution_id"}.get(last, last)


def _slot_of(name: str) -> str:
    return name if name.endswith("_id") else f"{name}_id"


if __name__ == "__main__":
    stand_alone("g14_tenants", measure)
