"""Two devices and the web do what they like to the same rows, in any order: once all have synchronized, all have the same."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from native.models import SyncedChange
from tests.api.graphs import chain
from tests.api.people import Api, Person
from tests.native.devices import DRAFTS, Device, change

pytestmark = pytest.mark.django_db(transaction=True)

WHO = st.integers(0, 1)
POLICY = st.sampled_from(["server_wins", "client_wins", "manual"])
FIELDS = st.dictionaries(
    st.sampled_from(["name", "description", "category"]), st.sampled_from(["one", "two", "three"]), min_size=1
)
SETTINGS = st.dictionaries(st.sampled_from(["x", "y"]), st.integers(1, 3), min_size=1)
WHICH = st.integers(0, 5)
people: list[Person] = []


class Working(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.web: Api = people[0].api
        for each in self.listed():
            self.web.delete(f"/api/workflows/{each}")
        self.devices = [Device(Api(each.api.token)) for each in people]
        self.queues: list[list[dict[str, Any]]] = [[], []]
        self.sent: list[tuple[int, dict[str, Any]]] = []
        self.web.made("/api/workflows", chain("a", "b"))
        for device in self.devices:
            device.sync()

    def listed(self) -> list[str]:
        return [each["id"] for each in self.web.get("/api/workflows?limit=100").json()["workflows"]]

    def row(self, who: int, which: int) -> tuple[str, int, dict[str, Any]] | None:
        rows = sorted(self.devices[who].rows[DRAFTS].items())
        if not rows:
            return None
        row_id, (version, data) = rows[which % len(rows)]
        return row_id, version, data

    @rule(who=WHO, which=WHICH, fields=FIELDS)
    def edit_offline(self, who: int, which: int, fields: dict[str, str]) -> None:
        if found := self.row(who, which):
            self.queues[who].append(change(DRAFTS, "update", found[0], found[1], {**found[2], **fields}))

    @rule(who=WHO, which=WHICH, node=st.sampled_from(["a", "b"]), config=SETTINGS)
    def configure_offline(self, who: int, which: int, node: str, config: dict[str, int]) -> None:
        if found := self.row(who, which):
            nodes = [
                {**each, "config": {**each["config"], **config}, "data": None} if each["id"] == node else each
                for each in found[2]["nodes"]
            ]
            self.queues[who].append(change(DRAFTS, "update", found[0], found[1], {"nodes": nodes}))

    @rule(who=WHO)
    def create_offline(self, who: int) -> None:
        self.queues[who].append(
            change(DRAFTS, "create", str(uuid4()), data={"name": "New", **chain("a")["definition"]})
        )

    @rule(who=WHO, which=WHICH)
    def delete_offline(self, who: int, which: int) -> None:
        if found := self.row(who, which):
            self.queues[who].append(change(DRAFTS, "delete", found[0], found[1]))

    @rule(which=WHICH, fields=FIELDS)
    def edit_on_the_web(self, which: int, fields: dict[str, str]) -> None:
        if ids := self.listed():
            self.web.put(f"/api/workflows/{ids[which % len(ids)]}", fields)

    @rule(which=WHICH)
    def delete_on_the_web(self, which: int) -> None:
        if ids := self.listed():
            self.web.delete(f"/api/workflows/{ids[which % len(ids)]}")

    @rule(who=WHO, policy=POLICY, limit=st.integers(1, 5))
    def come_back(self, who: int, policy: str, limit: int) -> None:
        changes, self.queues[who] = self.queues[who], []
        answer = self.devices[who].sync(*changes, conflict_policy=policy, limit=limit)
        outcomes = [*answer["applied"], *answer["conflicts"], *answer["rejected"]]
        assert {each["client_change_id"] for each in outcomes} == {each["client_change_id"] for each in changes}
        assert len(outcomes) == len(changes)
        self.sent += [(who, each) for each in changes]

    @rule(which=st.integers(0, 50))
    def send_again(self, which: int) -> None:
        """As after an answer that was lost."""
        stored = set(map(str, SyncedChange.unscoped.values_list("change_id", flat=True)))
        known = [(who, each) for who, each in self.sent if each["client_change_id"] in stored]
        if known:
            who, again = known[which % len(known)]
            (applied,) = self.devices[who].sync(again)["applied"]
            assert applied["status"] == "already_applied"

    def teardown(self) -> None:
        if not hasattr(self, "devices"):
            return
        for who in (0, 1, 0):
            self.come_back(who, "server_wins", 100)
        one, two = self.devices
        assert one.rows[DRAFTS] == two.rows[DRAFTS]
        assert set(one.rows[DRAFTS]) == set(self.listed())
        for row_id, (version, data) in one.rows[DRAFTS].items():
            stored = self.web.get(f"/api/workflows/{row_id}").json()
            assert stored["revision"] == version
            assert {name: stored[name] for name in ("name", "description", "category", "nodes", "edges")} == {
                name: data[name] for name in ("name", "description", "category", "nodes", "edges")
            }


def test_all_end_with_the_same(ann: Person) -> None:
    from auterity.kernel.access import Role
    from tests.api.people import colleague

    people[:] = [ann, colleague(ann, "second@example.com", Role.MANAGER)]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Working,
        settings=settings(
            max_examples=5,
            stateful_step_count=10,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
