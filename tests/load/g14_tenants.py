"""G14: the admin of one organization tries the ids of another's objects at every place of every operation that takes one.

Path: always 404 or 403, one of the two for an operation, and the same answer that an id gets which nobody has. Query and body:
the same answer as for an id that nobody has. Settings of nodes, which are run, and sockets too. Nothing of the victim's is
changed, looked at before each change is taken back, and nothing of it is in any answer.
`python -m tests.load.g14_tenants [--short]`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.load.asked import Asked, operations, with_id
from tests.load.estate import Estate, estate, rows_of
from tests.load.gates import Figures
from tests.load.references import References, difference, nobodys, same, unnamed
from tests.load.servers import stand_alone

# Positions, parts, free text and installed apps, not objects of somebody's; and conversations, which there are none of yet.
NO_OBJECTS = {"client_id", "conversation_id", "install_id", "node_id", "number", "other", "version"}
# Everybody may ask these by an id, so there is nothing to tell apart: the id itself is what one is given.
FOR_ALL = {"GET /api/auth/sso/{provider_id}/authorize", "POST /api/workflows/{workflow_id}/triggers/{node_id}"}
FEWEST_PAIRS, FEWEST_IN_SHORT = 2300, 230
# What an id in a body or a query is of, where its name does not say so.
OBJECTS = {
    "affected.user_ids": "user_id", "assigned_to": "user_id", "credential.raw_id": "credential_id",
    "evidence_event_ids": "event_id", "from_execution": "execution_id", "id": "alert_id", "ids": "notification_id",
    "mentions": "user_id", "parent_id": "comment_id", "resource_id": "workflow_id",
}  # fmt: skip
# Bodies that fit where the document's example, made of the schema, does not.
FITTING: dict[str, Any] = {"PUT /api/integrations/dms/{integration_id}": {}}
NOT_THERE = {"GET /api/templates/{template_id}/preview"}  # The estate's template has no picture.


def measure(short: bool, only: str = "") -> Figures:
    from django.test import override_settings

    with override_settings(RATE_LIMITS=False, ALLOWED_HOSTS=["*"]):
        victim, thief = estate("victim"), estate("thief")
        trial = Trial(victim, thief, short)
        asked = [each for each in operations() if str(each) not in FOR_ALL and only in str(each)]
        known = References(victim, thief, trial.look, trial.told_apart)
        tried_sockets = 0 if only else known.over_sockets()
        trial.before = rows_of(victim.organization_id)
        for each in asked:
            trial.path(each)
            trial.query(each)
            trial.body(each)
        if not only:
            known.everywhere()
        trial.compare("afterwards")
        unnamed_settings = unnamed(thief.owner.api.get("/api/workflows/node-types").json()["node_types"])
        fitting, unfit = reachable(victim, asked)
    mixed = sorted(name for name, seen in trial.statuses.items() if len(seen) > 1)
    wrong = sorted({f"{name}: {status}" for name, seen in trial.statuses.items() for status in seen - {403, 404}})
    missing = sorted({slot for each in asked for slot in named(each)} - victim.ids.keys() - NO_OBJECTS)
    pairs = trial.pairs + known.tried + tried_sockets
    figures = {
        "operations": len(asked), "pairs": pairs, "by_place": {**trial.places, "nodes": known.tried, "sockets": tried_sockets},
        "runs": known.ran, "comparisons_of_rows": trial.comparisons, "tables_watched": len(trial.before),
        "rows_changed": sorted(trial.changed), "wrong_statuses": wrong, "mixed_statuses": mixed,
        "told_apart_from_nobodys": trial.told_apart, "markers_seen": sorted(trial.leaked),
        "reads_the_owner_can": fitting, "reads_the_owner_cannot": unfit, "slots_without_an_object": missing,
        "settings_without_a_trial": unnamed_settings,
    }  # fmt: skip
    enough = bool(only) or (
        pairs >= (FEWEST_IN_SHORT if short else FEWEST_PAIRS)
        and tried_sockets >= 8
        and fitting >= 20
        and known.ran >= 20
    )
    clean = not (trial.changed or wrong or mixed or trial.told_apart or trial.leaked or unfit)
    return {**figures, "passed": clean and enough and not (missing or unnamed_settings)}


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
        self.pairs = self.comparisons = 0
        self.before: dict[str, str] = {}
        self.changed: set[str] = set()
        self.places: dict[str, int] = defaultdict(int)
        self.statuses: dict[str, set[int]] = defaultdict(set)
        self.told_apart: dict[str, str] = {}
        self.leaked: set[str] = set()

    def path(self, asked: Asked) -> None:
        """Every slot foreign; each slot foreign among one's own; and, in full, every foreign id in every slot."""
        slots = [each for each in asked.slots if each not in NO_OBJECTS]
        for foreign in _ways(slots):
            self._compared(asked, {slot: self.victim.id_for(slot) for slot in foreign})
        if slots and not self.short:
            for identity in set(self.victim.ids.values()):
                if len(identity) == 36:
                    self._compared(asked, {slot: identity for slot in slots if slot != "effect_id"}, watched=False)

    def _compared(self, asked: Asked, foreign: dict[str, str], *, watched: bool = True) -> None:
        if not foreign:
            return
        nobody = {slot: nobodys(slot, identity) for slot, identity in foreign.items()}
        body = FITTING.get(str(asked), asked.body)
        place = "path" if watched else "path, other kinds"
        query = query_of(asked, self.thief)
        to_foreign = asked.filled(lambda slot: foreign.get(slot) or self.thief.id_for(slot))
        to_nobody = asked.filled(lambda slot: nobody.get(slot) or self.thief.id_for(slot))
        found = self._ask(asked, to_foreign + query, body, place)
        other = self._ask(asked, to_nobody + query, body, "")
        self.statuses[str(asked)].add(found.status_code)
        self._same(f"{asked} {sorted(foreign)}", _plain(found, foreign), _plain(other, nobody))

    def query(self, asked: Asked) -> None:
        path = asked.filled(self.thief.id_for)
        for name in sorted(set(asked.queries) - NO_OBJECTS):
            if name == "cursor":
                self._cursor(asked, path)
                continue
            foreign = self.victim.id_for(object_of(name))
            nobody = nobodys(object_of(name), foreign)
            found = self._ask(asked, f"{path}?{name}={foreign}", asked.body, "query")
            other = self._ask(asked, f"{path}?{name}={nobody}", asked.body, "")
            self._same(f"{asked} ?{name}=", _plain(found, {name: foreign}), _plain(other, {name: nobody}))

    def _cursor(self, asked: Asked, path: str) -> None:
        """Where the victim's page goes on: whatever the answer is, it shows the thief's own alone."""
        page = self.victim.owner.api.get(f"{path}?limit=1").json()
        cursor = next((each for each in _texts(page, "next_cursor")), "")
        assert cursor, (path, page)
        self._ask(asked, f"{path}?limit=100&cursor={cursor}", asked.body, "query")

    def body(self, asked: Asked) -> None:
        path = asked.filled(self.thief.id_for)
        for place in asked.fields:
            name = _name_of(place)
            if name in NO_OBJECTS:
                continue
            foreign = self.victim.id_for(name)
            nobody = nobodys(name, foreign)
            found = self._ask(asked, path, with_id(asked.body, place, foreign), "body")
            other = self._ask(asked, path, with_id(asked.body, place, nobody), "")
            where = f"{asked} {'.'.join(place)}"
            self._same(where, _plain(found, {name: foreign}), _plain(other, {name: nobody}))

    def _same(self, where: str, found: str, other: str) -> None:
        if found != other:
            self.told_apart[where] = difference(found, other)

    def compare(self, after: str) -> None:
        """Whether the victim's rows are what they were."""
        self.comparisons += 1
        now = rows_of(self.victim.organization_id)
        self.changed |= {f"{name} {after}" for name, digest in now.items() if digest != self.before[name]}

    def _ask(self, asked: Asked, path: str, body: Any, place: str) -> Any:
        from django.db import transaction

        with transaction.atomic():  # Nothing of it is kept, so that the next request finds what this one found.
            answer = self.api.call(asked.method, path, **_sent(asked, body))
            if asked.method != "GET" and place in ("path", "query", "body"):
                self.compare(f"after {asked}")
            transaction.set_rollback(True)
        if place:
            self.pairs += 1
            self.places[place] += 1
            if answer.status_code == 500:
                self.statuses[str(asked)].add(500)
        told = Told(answer.status_code, answer.getvalue() if answer.streaming else answer.content)
        self.look(str(asked), told.content)
        return told

    def look(self, where: str, content: bytes) -> None:
        if self.victim.marker.encode() in content.replace(self.victim.ids["model_id"].encode(), b""):
            self.leaked.add(where)


def reachable(owner: Estate, asked: list[Asked]) -> tuple[int, list[str]]:
    """How many addresses with a slot the owner can read with the same ids, and which not: else the trial proves nothing."""
    reads = [each for each in asked if each.method == "GET" and each.slots]
    unfit = [
        str(each)
        for each in reads
        if owner.owner.api.get(each.filled(owner.id_for) + query_of(each, owner)).status_code in (400, 404, 500)
        and owner.ids.keys() >= set(each.slots)
    ]
    return len(reads) - len(unfit), sorted(set(unfit) - NOT_THERE)


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
    text = same(answer, "")
    for each in ids.values():
        text = text.replace(each, "ID") if len(each) > 8 else text
    return text


def query_of(asked: Asked, owner: Estate) -> str:
    """The owner's own signature, where the address wants one."""
    if str(asked) != "GET /api/exports/{export_id}/content":
        return ""
    link: str = owner.owner.api.get("/api/organization/export").json()["download_url"]
    return "?" + link.partition("?")[2]


def named(asked: Asked) -> set[str]:
    """What kinds of objects an operation takes ids of."""
    found = {*asked.slots, *(object_of(each) for each in asked.queries), *(_name_of(each) for each in asked.fields)}
    return found - {"cursor"}


def _name_of(place: tuple[str, ...]) -> str:
    keys = [each for each in place if each != "*"]
    return OBJECTS.get(".".join(keys)) or object_of(keys[-1])


def object_of(name: str) -> str:
    return OBJECTS.get(name, name)


def _texts(value: Any, key: str) -> Iterator[str]:
    """Every text of that name, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get(key), str):
            yield value[key]
        for each in value.values():
            yield from _texts(each, key)


if __name__ == "__main__":
    stand_alone("g14_tenants", measure)
