"""Secrets that older editions stored in the clear, sealed where they stand: everything goes on working."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_httpserver import HTTPServer

from auterity.kernel.access import Actor
from executions.trials.services import NodeInput, try_node
from templates_app import services as templates
from tests.executions.support import flow, person
from tests.workflows.test_sealed_headers import TOKEN, calling, headers_of, is_nowhere_in_the_clear, made, shown_of
from workflows import collaboration, services
from workflows.changes import WorkflowChange
from workflows.collaboration import Edit
from workflows.drafts import checksum, state_of
from workflows.models import Workflow, WorkflowOperation, WorkflowSecret, WorkflowVersion
from workflows.sealing import reveal
from workflows.shapes import read_definition
from workflows.versions import keep

OLD = {"Authorization": TOKEN, "Accept": "text/plain"}
TABLES = ("workflow_versions", "workflow_operations", "templates", "template_versions", "workflow_secrets")


@pytest.fixture
def actor(db: None) -> Actor:
    return person()


def old(actor: Actor, **more: Any) -> Workflow:
    """A workflow whose rows are as an edition left them that knew nothing of sealed headers."""
    workflow = made(actor, {"Accept": "text/plain"}, **more)
    plain = read_definition({"definition": calling(OLD, **more)}) or {}
    WorkflowVersion.objects.of(actor).filter(workflow=workflow).update(definition=plain, checksum=checksum(plain))
    WorkflowSecret.objects.of(actor).delete()
    return workflow


def sealed(**options: Any) -> str:
    told = StringIO()
    call_command("seal_secrets", stdout=told, **options)
    return told.getvalue().strip()


def test_what_is_stored_in_the_clear_is_sealed_where_it_stands(actor: Actor) -> None:
    workflow = old(actor)
    template = templates.save_as_template(actor=actor, workflow_id=workflow.id)
    plain = calling(OLD)
    template.versions.update(definition=plain)
    type(template).unscoped.filter(id=template.id).update(definition=plain)
    title = {"node_id": "call", "changes": {"title": "Call them"}}
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit("node_updated", title))
    change = {"set": [[["config", "headers"], OLD]], "unset": [], "type": "api-integration"}
    WorkflowOperation.objects.of(actor).update(data=change, before=change)
    assert not is_nowhere_in_the_clear(*TABLES)
    assert sealed() == "Sealed the secrets of 1 versions, 1 edits and 2 templates."
    assert is_nowhere_in_the_clear(*TABLES)
    row = WorkflowVersion.objects.of(actor).get(workflow=workflow, number=1)
    assert row.checksum == checksum(row.definition)
    headers = row.definition["nodes"][0]["config"]["headers"]
    assert (reveal(actor.organization_id, headers["Authorization"]), headers["Accept"]) == (TOKEN, "text/plain")
    [told] = WorkflowOperation.objects.of(actor)
    assert told.data == told.before == {**change, "set": [[["config", "headers"], headers]]}
    assert sealed() == "Sealed the secrets of 0 versions, 0 edits and 0 templates."


def test_saving_it_again_changes_nothing(actor: Actor) -> None:
    workflow = old(actor)
    sealed()
    same = WorkflowChange(parts={"nodes": shown_of(workflow)["nodes"]})
    assert services.update_workflow(actor=actor, workflow_id=workflow.id, change=same).version == 1


def test_the_call_carries_it_before_and_after(actor: Actor, httpserver: HTTPServer, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1", "localhost"]
    httpserver.expect_request("/leads").respond_with_json({})
    workflow = old(actor, url=httpserver.url_for("/leads"))
    given = NodeInput(input={}, has_input=True)
    for _ in range(2):
        try_node(actor=actor, workflow_id=workflow.id, node_id="call", number=1, given=given, really=True)
        sealed()
    assert [request.headers["Authorization"] for request, _ in httpserver.log] == [TOKEN, TOKEN]


def test_a_memory_of_the_old_row_is_not_stored_again(actor: Actor) -> None:
    workflow = old(actor)
    title = {"node_id": "call", "changes": {"title": "Call them"}}
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit("node_updated", title))
    workflow.refresh_from_db()
    assert headers_of(workflow)["Authorization"] == TOKEN  # Worked out from the old row, and kept in memory.
    kept = keep(workflow, workflow.version)
    assert reveal(actor.organization_id, kept.definition["nodes"][0]["config"]["headers"]["Authorization"]) == TOKEN
    assert kept.checksum == checksum(kept.definition) == checksum(state_of(workflow).definition())
    sealed()
    assert is_nowhere_in_the_clear(*TABLES)


def test_one_organization_alone(actor: Actor) -> None:
    old(actor)
    eve = person("eve@example.com")
    theirs = old(eve)
    assert sealed(organization=str(eve.organization_id)) == "Sealed the secrets of 1 versions, 0 edits and 0 templates."
    assert WorkflowSecret.objects.of(eve).count() == 1
    assert WorkflowSecret.objects.of(actor).count() == 0
    assert theirs.version == 1
    with pytest.raises(CommandError, match="'nobody' is not an organization's id"):
        sealed(organization="nobody")


def test_what_holds_no_secret_is_not_touched(actor: Actor) -> None:
    services.create_workflow(actor=actor, name="Plain", definition=flow({"a": "start"}))
    before = WorkflowVersion.objects.of(actor).values_list("definition", "checksum").get()
    assert sealed() == "Sealed the secrets of 0 versions, 0 edits and 0 templates."
    assert WorkflowVersion.objects.of(actor).values_list("definition", "checksum").get() == before
