"""Edits of one draft by several threads, and what versions, runs and saves make of a draft that is edited live."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput, RevisionConflict
from executions.trials.publishing import publish
from executions.trials.services import planned
from tests.executions.support import person
from workflows import collaboration, drafts, selectors, services, versions
from workflows.changes import WorkflowChange
from workflows.collaboration import Edit, Edited
from workflows.errors import EditConflict, NothingToUndo, VersionNotFound
from workflows.models import Workflow, WorkflowOperation, WorkflowVersion
from workflows.sealing import reveal
from workflows.shapes import read_definition, write_graph


@pytest.fixture
def actor(db: None) -> Actor:
    return person()


def create(actor: Actor, *ids: str, **more: Any) -> Workflow:
    nodes = [{"id": each, "type": "start"} for each in ids or ("a",)]
    definition = read_definition({"nodes": nodes, "edges": []})
    assert definition
    return services.create_workflow(actor=actor, name="W", definition=definition, **more)


def colleague(actor: Actor, email: str) -> Actor:
    return Actor(person(email).user_id, actor.organization_id, actor.role, actor.permissions)


def do(actor: Actor, workflow: Workflow, operation: str, data: Any, **more: Any) -> Edited:
    return collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit(operation, data, **more))


def title(actor: Actor, workflow: Workflow, text: str, node: str = "a", **more: Any) -> Edited:
    return do(actor, workflow, "node_updated", {"node_id": node, "changes": {"title": text}}, **more)


def fresh(workflow: Workflow) -> Workflow:
    return Workflow.unscoped.get(id=workflow.id)


def titles(actor: Actor, workflow: Workflow, number: int | None = None) -> list[str]:
    version = selectors.get_version(actor=actor, workflow=fresh(workflow), number=number)
    return [each["title"] for each in version.definition["nodes"]]


@pytest.mark.django_db(transaction=True)
def test_revisions_have_no_gaps_when_many_write_at_once() -> None:
    actor = person()
    workflow = create(actor, "a", "b", "c", "d")
    other = create(actor)
    wrong: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for turn in range(12):
                title(actor, workflow, f"{name}{turn}", node=name, client_op_id=f"{name}-{turn}")
                title(actor, workflow, f"{name}{turn}", node=name, client_op_id=f"{name}-{turn}")  # Sent twice.
                do(actor, workflow, "node_updated", {"node_id": "a", "changes": {"config": {name: turn}}})
                title(actor, other, name)
        except BaseException as error:
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(each,)) for each in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join(90)
    assert wrong == []
    rows = list(WorkflowOperation.unscoped.filter(workflow=workflow).order_by("revision"))
    assert [each.revision for each in rows] == list(range(2, 4 * 24 + 2))
    assert len({each.client_op_id for each in rows if each.client_op_id}) == 48
    drafts._recent._states.clear()
    assert titles(actor, workflow) == ["a11", "b11", "c11", "d11"]
    stored = selectors.get_version(actor=actor, workflow=fresh(workflow)).definition
    assert stored["nodes"][0]["config"] == {"a": 11, "b": 11, "c": 11, "d": 11}
    assert fresh(other).revision == 49


def test_a_draft_is_stored_whole_now_and_then_and_every_version_can_be_read(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "KEPT_EVERY", 4)
    workflow = create(actor)
    for turn in range(2, 12):
        title(actor, workflow, f"T{turn}")
    kept = WorkflowVersion.unscoped.filter(workflow=workflow).order_by("number")
    assert [each.number for each in kept] == [1, 5, 9]
    assert [titles(actor, workflow, each) for each in range(2, 12)] == [[f"T{each}"] for each in range(2, 12)]
    with pytest.raises(VersionNotFound):
        titles(actor, workflow, 12)
    with pytest.raises(VersionNotFound):
        titles(actor, workflow, 0)


def test_an_edited_draft_does_not_run_until_it_is_published(actor: Actor) -> None:
    workflow = create(actor)
    title(actor, workflow, "New")
    standing = fresh(workflow)
    assert (standing.version, standing.published_version, standing.has_draft) == (2, 1, True)
    row = WorkflowVersion.unscoped.get(id=services.runnable_version(actor=actor, workflow_id=workflow.id))
    assert row.number == 1
    version, plan = planned(actor, workflow.id, None)
    assert (version.number, plan.graph.nodes[0].title) == (2, "New")
    publish(actor=actor, workflow_id=workflow.id)
    assert (fresh(workflow).published_version, fresh(workflow).revision) == (2, 3)
    assert services.runnable_version(actor=actor, workflow_id=workflow.id) == version.id


def test_saving_what_is_shown_publishes_the_draft_and_restoring_goes_back(actor: Actor) -> None:
    workflow = create(actor)
    title(actor, workflow, "New")
    definition = selectors.get_version(actor=actor, workflow=fresh(workflow)).definition
    services.update_workflow(
        actor=actor, workflow_id=workflow.id, change=WorkflowChange(definition=definition, version=2)
    )
    assert (fresh(workflow).version, fresh(workflow).published_version) == (2, 2)
    title(actor, workflow, "Newer")
    services.restore_version(actor=actor, workflow_id=workflow.id, number=1)
    assert (titles(actor, workflow), fresh(workflow).published_version) == ([""], 4)
    assert titles(actor, workflow, 3) == ["Newer"]


def test_a_client_that_knows_only_versions_overwrites_no_live_edit(actor: Actor) -> None:
    workflow = create(actor)
    title(actor, workflow, "New")
    with pytest.raises(RevisionConflict) as refused:
        services.update_workflow(
            actor=actor,
            workflow_id=workflow.id,
            change=WorkflowChange(parts={"nodes": [{"id": "a", "type": "start", "title": "Mine"}]}, version=1),
        )
    (conflict,) = refused.value.details["conflicts"]
    assert (conflict["field"], conflict["yours"], conflict["stored"]) == ("nodes.a.title", "Mine", "New")
    assert titles(actor, workflow) == ["New"]


def test_a_save_counts_as_a_change_of_the_fields_it_changed(actor: Actor) -> None:
    bob = colleague(actor, "bob@example.com")
    workflow = create(actor, "a", "b")
    parts = {"nodes": [{"id": "a", "type": "start", "title": "Saved"}, {"id": "b", "type": "start"}]}
    services.update_workflow(actor=actor, workflow_id=workflow.id, change=WorkflowChange(parts=parts))
    with pytest.raises(EditConflict) as refused:
        title(bob, workflow, "Bob's", base_revision=1)
    (field,) = refused.value.details["fields"]
    assert (field["yours"], field["theirs"], field["revision"]) == ("Bob's", "Saved", 2)
    title(bob, workflow, "Bob's", node="b", base_revision=1)
    with pytest.raises(EditConflict):  # Deleting what somebody has just changed is no less an overwrite.
        do(bob, workflow, "node_deleted", {"node_id": "a"}, base_revision=1)
    do(bob, workflow, "node_deleted", {"node_id": "a"}, base_revision=1, force=True)


def test_undo_goes_back_step_by_step_and_a_new_edit_ends_redo(actor: Actor) -> None:
    workflow = create(actor)
    for text in ("One", "Two"):
        title(actor, workflow, text)
    seen = []
    for redo in (False, False, True, True):
        collaboration.undo(actor=actor, workflow_id=workflow.id, redo=redo)
        seen += titles(actor, workflow)
    assert seen == ["One", "", "One", "Two"]
    collaboration.undo(actor=actor, workflow_id=workflow.id)
    title(actor, workflow, "Three")
    with pytest.raises(NothingToUndo):
        collaboration.undo(actor=actor, workflow_id=workflow.id, redo=True)
    with pytest.raises(NothingToUndo):
        collaboration.undo(actor=colleague(actor, "zoe@example.com"), workflow_id=workflow.id)


def test_undo_brings_back_a_secret_with_its_node(actor: Actor) -> None:
    workflow = create(actor)
    node = {"id": "hook", "type": "webhook-trigger", "config": {"secret": "s3cret"}}
    do(actor, workflow, "node_added", {"node": node})
    do(actor, workflow, "node_deleted", {"node_id": "hook"})
    collaboration.undo(actor=actor, workflow_id=workflow.id)
    stored = selectors.get_version(actor=actor, workflow=fresh(workflow)).definition
    assert reveal(actor.organization_id, stored["nodes"][1]["config"]["secret"]) == "s3cret"


def test_a_definition_stays_within_its_bounds(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = create(actor)
    monkeypatch.setattr(collaboration, "MAX_DEFINITION_BYTES", 1000)
    with pytest.raises(InvalidInput):
        do(actor, workflow, "node_updated", {"node_id": "a", "changes": {"description": "x" * 2000}})
    assert fresh(workflow).revision == 1


def test_a_secret_inside_a_map_is_masked_and_kept(actor: Actor) -> None:
    inner = {"id": "in", "type": "webhook-trigger", "config": {"secret": "s3cret"}}
    body = {
        "nodes": [inner, {"id": "m", "type": "map", "config": {"workflow": {"nodes": [inner], "edges": []}}}],
        "edges": [],
    }
    node = {"id": "each", "type": "map", "config": {"items": [], "workflow": body}}
    stored = read_definition({"nodes": [node], "edges": []})
    assert stored
    shown = write_graph(stored)
    assert "s3cret" not in str(shown)
    assert shown["nodes"][0]["config"]["workflow"]["nodes"][0]["config"]["secret"] == "********"
    assert read_definition(shown, stored) == stored
    shown["nodes"][0]["config"]["workflow"]["nodes"][0]["config"]["secret"] = "n3w"
    again = read_definition(shown, stored)
    assert again
    assert again["nodes"][0]["config"]["workflow"]["nodes"][0]["config"]["secret"] == "n3w"
    deep = again["nodes"][0]["config"]["workflow"]["nodes"][1]["config"]["workflow"]["nodes"][0]["config"]
    assert deep == {"secret": "s3cret"}
    workflow = services.create_workflow(actor=actor, name="W", definition=stored, is_active=False, draft=True)
    masked = write_graph(stored)["nodes"][0]["config"]["workflow"]
    do(actor, workflow, "node_updated", {"node_id": "each", "changes": {"config": {"workflow": masked}}})
    kept = selectors.get_version(actor=actor, workflow=fresh(workflow)).definition["nodes"][0]["config"]["workflow"]
    deep = kept["nodes"][1]["config"]["workflow"]["nodes"][0]
    for each in (kept["nodes"][0], deep):
        assert reveal(actor.organization_id, each["config"]["secret"]) == "s3cret"
