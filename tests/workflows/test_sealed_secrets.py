"""Secret settings at rest: nothing that is stored holds one in the clear, and everything that carries one goes on working."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

import orjson
import pytest
from django.apps import apps
from django.db import connection

from auterity.kernel.access import Actor
from auterity.kernel.vault import SecretUnreadable
from engine.registry import NODES
from executions import incoming
from executions.errors import WebhookRefused
from templates_app import services as templates
from tests.executions.support import flow, person
from vault import services as vault
from vault.models import DataKey
from workflows import collaboration, services, transfer
from workflows.changes import WorkflowChange
from workflows.collaboration import Edit
from workflows.drafts import state_of
from workflows.models import Workflow, WorkflowOperation, WorkflowSecret, WorkflowVersion
from workflows.sealing import reveal, sealed_definition
from workflows.secrets import MASK, secret_names
from workflows.shapes import read_definition, write_graph

SECRET = "hook-marker-5f1e"


def hooked(secret: str = SECRET, **more: Any) -> dict[str, Any]:
    return flow({"hook": ("webhook-trigger", {"secret": secret, "authentication": "token", **more})})


def stored_text(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")  # noqa: S608  Names of this file.
        return repr(cursor.fetchall())


def secret_of(workflow: Workflow) -> str:
    text: str = state_of(workflow).nodes["hook"]["config"]["secret"]
    return text


@pytest.fixture
def actor(db: None) -> Actor:
    return person()


def made(actor: Actor, secret: str = SECRET) -> Workflow:
    return services.create_workflow(
        actor=actor, name="Hooked", definition=read_definition({"definition": hooked(secret)}) or {}
    )


def admitted(workflow: Workflow, token: str) -> bool:
    door = incoming.door_of(workflow_id=workflow.id, node_id="hook")
    try:
        incoming.admit(door, raw=b"{}", headers={"x-webhook-token": token})
    except WebhookRefused:
        return False
    return True


def test_only_triggers_have_secret_settings_for_their_door_opens_them() -> None:
    """A node type that takes a secret and is no trigger must open it where it runs; none does yet."""
    assert [each.name for each in NODES if secret_names(each.name) and not each.trigger] == []


def test_a_definition_holds_a_reference_and_the_door_compares_the_secret(actor: Actor) -> None:
    workflow = made(actor)
    assert secret_of(workflow).startswith("sealed:")
    assert reveal(actor.organization_id, secret_of(workflow)) == SECRET
    assert admitted(workflow, SECRET)
    assert not admitted(workflow, secret_of(workflow))
    for table in ("workflow_versions", "workflow_operations", "workflow_secrets", "workflows"):
        assert SECRET not in stored_text(table)


def test_saving_what_is_stored_changes_nothing(actor: Actor) -> None:
    workflow = made(actor)
    again = services.update_workflow(
        actor=actor, workflow_id=workflow.id, change=WorkflowChange(parts={"definition": hooked()})
    )
    shown = write_graph(state_of(workflow).definition())
    third = services.update_workflow(
        actor=actor, workflow_id=workflow.id, change=WorkflowChange(parts={"nodes": shown["nodes"]})
    )
    assert (again.version, third.version) == (1, 1)
    assert WorkflowSecret.objects.of(actor).count() == 1


def test_an_edit_its_undoing_and_its_redoing_carry_references(actor: Actor) -> None:
    workflow = made(actor)
    first = secret_of(workflow)
    change = {"node_id": "hook", "changes": {"config": {"secret": "second-marker-9c"}}}
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit("node_updated", change))
    workflow.refresh_from_db()
    assert reveal(actor.organization_id, secret_of(workflow)) == "second-marker-9c"
    collaboration.undo(actor=actor, workflow_id=workflow.id)
    workflow.refresh_from_db()
    assert secret_of(workflow) == first
    collaboration.undo(actor=actor, workflow_id=workflow.id, redo=True)
    workflow.refresh_from_db()
    assert reveal(actor.organization_id, secret_of(workflow)) == "second-marker-9c"
    added = {"node": {"id": "other", "type": "webhook-trigger", "config": {"secret": "third-marker-77"}}}
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit("node_added", added))
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit("node_deleted", {"node_id": "other"}))
    assert WorkflowOperation.objects.of(actor).count() == 5
    text = stored_text("workflow_operations")
    assert not any(each in text for each in (SECRET, "second-marker-9c", "third-marker-77"))


def test_two_editors_who_mean_the_same_do_not_dispute(actor: Actor) -> None:
    workflow = made(actor)
    change = {"node_id": "hook", "changes": {"config": {"secret": "agreed-marker-1"}}}
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit("node_updated", change))
    late = Edit("node_updated", change, base_revision=1)
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=late)
    workflow.refresh_from_db()
    assert reveal(actor.organization_id, secret_of(workflow)) == "agreed-marker-1"


def test_a_reference_is_worth_nothing_in_another_organization(actor: Actor) -> None:
    reference = secret_of(made(actor))
    other = person("eve@example.com")
    with pytest.raises(SecretUnreadable):
        reveal(other.organization_id, reference)
    stolen = made(other, reference)
    assert reveal(other.organization_id, secret_of(stolen)) == reference
    assert not admitted(stolen, SECRET)


def test_a_sealed_value_that_is_moved_opens_nothing(actor: Actor) -> None:
    first, second = secret_of(made(actor)), secret_of(made(actor, "another-marker"))
    rows = WorkflowSecret.objects.of(actor)
    moved = rows.get(id=first.removeprefix("sealed:")).sealed
    rows.filter(id=second.removeprefix("sealed:")).update(sealed=moved)
    with pytest.raises(SecretUnreadable):
        reveal(actor.organization_id, second)


def test_rotation_covers_them_and_destroyed_keys_lose_them(actor: Actor) -> None:
    reference = secret_of(made(actor))
    before = bytes(WorkflowSecret.objects.of(actor).get().sealed)
    vault.rotate(organization_id=actor.organization_id)
    assert bytes(WorkflowSecret.objects.of(actor).get().sealed) != before
    DataKey.objects.of(actor).exclude(retired_at=None).delete()
    assert reveal(actor.organization_id, reference) == SECRET
    vault.destroy(organization_id=actor.organization_id)
    with pytest.raises(SecretUnreadable):
        reveal(actor.organization_id, reference)


def test_a_workflow_inside_a_node_is_sealed_too(actor: Actor) -> None:
    body = {"nodes": [{"id": "in", "type": "webhook-trigger", "data": {"secret": "inner-marker-3"}}], "edges": []}
    definition = flow({"each": ("map", {"items": "{{ input }}", "workflow": body})})
    sealed = sealed_definition(actor.organization_id, definition)
    assert b"inner-marker-3" not in orjson.dumps(sealed)
    assert sealed_definition(actor.organization_id, sealed) is sealed


def test_documents_and_templates_carry_no_secret(actor: Actor) -> None:
    workflow = made(actor)
    document = transfer.export_workflow(actor=actor, workflow_id=workflow.id)
    assert b"sealed:" not in orjson.dumps(document)
    taken, _ = transfer.import_workflow(
        actor=actor, document={**document, "fill": {"hook": {"secret": "filled-marker-4"}}}
    )
    assert reveal(actor.organization_id, secret_of(taken)) == "filled-marker-4"
    template = templates.save_as_template(actor=actor, workflow_id=workflow.id, is_public=True)
    own = templates.instantiate(actor=actor, template_id=template.id, values={})
    assert reveal(actor.organization_id, secret_of(own)) == SECRET
    other = person("eve@example.com")
    foreign = templates.instantiate(actor=other, template_id=template.id, values={})
    assert "secret" not in state_of(foreign).nodes["hook"]["config"]
    for table in ("templates", "template_versions", "workflow_versions"):
        text = stored_text(table)
        assert SECRET not in text
        assert "filled-marker-4" not in text


def test_the_answer_to_a_reader_is_a_mask(actor: Actor) -> None:
    workflow = made(actor)
    node = write_graph(state_of(workflow).definition())["nodes"][0]
    assert node["config"]["secret"] == node["data"]["secret"] == MASK


def test_the_migrations_seal_what_is_stored_in_the_clear(actor: Actor) -> None:
    workflow = made(actor)
    template = templates.save_as_template(actor=actor, workflow_id=workflow.id)
    plain = hooked("old-marker-12")
    change = {"set": [[["config", "secret"], "old-marker-13"]], "unset": [], "type": "webhook-trigger"}
    WorkflowVersion.objects.of(actor).update(definition=plain)
    collaboration.edit(
        actor=actor,
        workflow_id=workflow.id,
        edit=Edit("node_updated", {"node_id": "hook", "changes": {"title": "Hook 2"}}),
    )
    WorkflowOperation.objects.of(actor).update(data=change, before=change)
    template.versions.update(definition=plain)
    type(template).unscoped.filter(id=template.id).update(definition=plain)
    for app in ("workflows.migrations.0006", "templates_app.migrations.0003"):
        module = import_module(f"{app}_secrets_sealed")
        module.seal_what_is_stored(apps, _Editor())
    for table in ("workflow_versions", "workflow_operations", "templates", "template_versions"):
        assert "old-marker-1" not in stored_text(table)
    assert admitted(Workflow.objects.of(actor).get(), "old-marker-12")


class _Editor:
    connection = connection


@pytest.mark.django_db(transaction=True)
def test_the_same_secret_stored_twice_at_once_is_one_row() -> None:
    actor = person()
    vault.rotate(organization_id=actor.organization_id)
    found: list[Any] = []
    gate = threading.Barrier(2)

    def seal() -> None:
        gate.wait()
        try:
            found.append(sealed_definition(actor.organization_id, hooked())["nodes"][0]["config"]["secret"])
        finally:
            connection.close()

    threads = [threading.Thread(target=seal) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 2
    assert len(set(found)) == 1
