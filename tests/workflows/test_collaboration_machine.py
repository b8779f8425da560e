"""Several clients edit one workflow in any order, lose their connection and come back: all end with what is stored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import InvalidInput, RevisionConflict
from tests.api.people import colleague, founder
from tests.executions.support import flow
from tests.workflows.replica import PARTS, Replica
from workflows import collaboration, drafts, publishing, selectors, services
from workflows.changes import WorkflowChange
from workflows.collaboration import Edit, Edited
from workflows.errors import DefinitionRefused, EditConflict, NothingToUndo
from workflows.live import facts_of
from workflows.models import Workflow, WorkflowOperation, WorkflowVersion
from workflows.shapes import read_definition, write_graph

pytestmark = pytest.mark.django_db(transaction=True)

IDS = st.sampled_from(["a", "b", "c", "d"])
TYPES = st.sampled_from(["start", "data-transformation", "webhook-trigger"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=3), st.just("********"))
CONFIGS = st.dictionaries(st.sampled_from(["set", "secret", "label", "x"]), VALUES, max_size=3)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["T", "a", "", None]),
        "type": TYPES,
        "position": st.sampled_from([{"x": 1, "y": 2}, {"x": 0, "y": 0}, None]),
        "description": st.sampled_from(["why", "", None]),
        "config": CONFIGS,
        "data": CONFIGS,
        "color": st.sampled_from(["red", None]),
        "inputs": st.sampled_from([[{"id": "in"}], []]),
    },
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "settings": st.dictionaries(
            st.sampled_from(["timeout_seconds", "note"]), st.sampled_from([1, None]), max_size=2
        ),
        "variables": st.dictionaries(IDS, st.sampled_from([{"default_value": 1}, None]), max_size=2),
        "triggers": st.sampled_from([[], [{"type": "manual"}]]),
    },
)
OPERATIONS = st.one_of(
    st.tuples(
        st.just("node_added"),
        st.builds(lambda i, t, c: {"node": {"id": i, "type": t, "config": c}}, IDS, TYPES, CONFIGS),
    ),
    st.tuples(st.just("node_updated"), st.builds(lambda i, c: {"node_id": i, "changes": c}, IDS, CHANGES)),
    st.tuples(st.just("node_deleted"), st.builds(lambda i: {"node_id": i}, IDS)),
    st.tuples(
        st.just("edge_added"),
        st.builds(lambda a, b: {"edge": {"id": f"{a}{b}", "source": a, "target": b}}, IDS, IDS),
    ),
    st.tuples(st.just("edge_deleted"), st.builds(lambda a, b: {"edge_id": f"{a}{b}"}, IDS, IDS)),
    st.tuples(st.just("settings_updated"), st.builds(lambda c: {"changes": c}, SETTINGS)),
)
CLIENTS = st.integers(0, 2)
people: list[Actor] = []


class Client:
    """A copy, what was sent, and whether frames reach it just now."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.replica = Replica()
        self.online = False
        self.sent: list[tuple[Edit, int]] = []


class Editing(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        definition = read_definition(
            flow({"a": "start", "b": ("webhook-trigger", {"secret": "s3cret", "x": None})}, "a > b")
        )
        assert definition
        self.workflow_id = services.create_workflow(actor=people[0], name="W", definition=definition).id
        self.clients = [Client(each) for each in people]
        for client in self.clients:
            self.come_back(client, replay=False)

    def workflow(self) -> Workflow:
        return Workflow.unscoped.get(id=self.workflow_id)

    def come_back(self, client: Client, *, replay: bool) -> None:
        """Either way of catching up: a snapshot, or only what was missed."""
        workflow = self.workflow()
        if not replay:
            version = selectors.get_version(actor=client.actor, workflow=workflow)
            frame = {"type": "collaboration_snapshot", "seq": workflow.revision, **shown(version.definition)}
            client.replica.take(frame)
        client.online = True
        self.catch_up(client)

    def catch_up(self, client: Client) -> None:
        workflow, rows = selectors.operations_after(
            actor=client.actor, workflow_id=self.workflow_id, revision=client.replica.seq, limit=10_000
        )
        for fact in facts_of(workflow, rows):
            client.replica.take(framed(fact))

    def deliver(self) -> None:
        for client in self.clients:
            if client.online:
                self.catch_up(client)

    @rule(who=CLIENTS, what=OPERATIONS, behind=st.integers(0, 3) | st.none(), force=st.booleans())
    def edit(self, who: int, what: tuple[str, Any], behind: int | None, force: bool) -> None:
        client = self.clients[who]
        before = self.workflow().revision
        base = None if behind is None else max(0, before - behind)
        edit = Edit(*what, client_op_id=f"op-{before}-{len(client.sent)}", base_revision=base, force=force)
        try:
            edited = self.send(client, edit)
        except (EditConflict, InvalidInput):
            assert self.workflow().revision == before
            return
        assert [each.revision for each in edited.operations] == list(range(before + 1, self.workflow().revision + 1))
        client.sent.append((edit, edited.operations[0].revision))
        self.deliver()

    def send(self, client: Client, edit: Edit) -> Edited:
        return collaboration.edit(actor=client.actor, workflow_id=self.workflow_id, edit=edit)

    @rule(who=CLIENTS, which=st.integers(0, 20))
    def send_again(self, who: int, which: int) -> None:
        client = self.clients[who]
        if client.sent:
            edit, revision = client.sent[which % len(client.sent)]
            before = self.workflow().revision
            again = self.send(client, edit)
            assert (again.repeated, again.operations[0].revision) == (True, revision)
            assert self.workflow().revision == before

    @rule(who=CLIENTS, redo=st.booleans())
    def take_back(self, who: int, redo: bool) -> None:
        actor = self.clients[who].actor
        try:
            edited = collaboration.undo(actor=actor, workflow_id=self.workflow_id, redo=redo)
        except (EditConflict, NothingToUndo):
            return
        target = edited.operations[0].target
        assert WorkflowOperation.unscoped.get(workflow=self.workflow_id, revision=target).user_id == actor.user_id
        self.deliver()

    @rule(who=CLIENTS)
    def drop(self, who: int) -> None:
        self.clients[who].online = False

    @rule(who=CLIENTS, replay=st.booleans())
    def reconnect(self, who: int, replay: bool) -> None:
        self.come_back(self.clients[who], replay=replay)

    @rule(who=CLIENTS, stale=st.integers(0, 2), drawn=st.lists(IDS, unique=True, max_size=3), draft=st.booleans())
    def save_whole(self, who: int, stale: int, drawn: list[str], draft: bool) -> None:
        before = self.workflow()
        change = WorkflowChange(
            parts={"nodes": [{"id": each, "type": "start"} for each in drawn], "edges": []},
            revision=before.revision - stale,
            draft=draft,
        )
        try:
            services.update_workflow(actor=self.clients[who].actor, workflow_id=self.workflow_id, change=change)
        except (RevisionConflict, DefinitionRefused):
            assert self.workflow().revision == before.revision
        else:
            assert stale == 0
        self.deliver()

    @rule(who=CLIENTS)
    def publish(self, who: int) -> None:
        workflow = self.workflow()
        try:
            publishing.publish_version(
                actor=self.clients[who].actor,
                workflow_id=self.workflow_id,
                number=workflow.version,
                seen_published=workflow.published_version,
            )
        except DefinitionRefused:
            return
        assert self.workflow().published_version == workflow.version
        assert WorkflowVersion.unscoped.get(workflow=workflow, number=workflow.version)
        self.deliver()

    def teardown(self) -> None:
        if not hasattr(self, "clients"):
            return
        workflow = self.workflow()
        rows = WorkflowOperation.unscoped.filter(workflow=workflow).order_by("revision")
        assert list(rows.values_list("revision", flat=True)) == list(range(2, workflow.revision + 1))
        drafts._recent._states.clear()
        stored = selectors.get_version(actor=people[0], workflow=workflow).definition
        for number in range(1, workflow.version + 1):
            assert selectors.get_version(actor=people[0], workflow=workflow, number=number).number == number
        for client in self.clients:
            self.come_back(client, replay=True)
            assert client.replica.seq == workflow.revision
            assert client.replica.shown() == shown(stored)
            assert "s3cret" not in str(client.replica.shown())


def shown(definition: dict[str, Any]) -> dict[str, Any]:
    rest = {part: definition.get(part) or ({} if part == "settings" else []) for part in PARTS}
    return {**rest, **write_graph(definition)}


def framed(fact: dict[str, Any]) -> dict[str, Any]:
    if fact["operation"] == "saved":
        return {"type": "collaboration_snapshot", **fact}
    if fact["operation"] == "published":
        return {"type": "workflow_published", "seq": fact["seq"]}
    return {"type": "workflow_collaboration", **fact}


def test_all_copies_end_as_what_is_stored() -> None:
    ann = founder("ann@example.com", "AutoDealer Inc.")
    people[:] = [ann.actor, colleague(ann, "bea@example.com", Role.MEMBER).actor, ann.actor]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Editing,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
