"""Credentials in the headers of a step that calls an API: sent, and neither kept in the clear nor shown to anybody."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pytest_httpserver import HTTPServer

from auterity.kernel.access import Actor
from executions.trials.services import NodeInput, try_node
from templates_app import services as templates
from templates_app.parameters import ParameterSpec, ParameterType
from tests.executions.support import flow, person
from tests.workflows.test_sealed_secrets import stored_text
from vault import services as vault
from workflows import collaboration, services, transfer
from workflows.changes import WorkflowChange
from workflows.collaboration import Edit
from workflows.diff import diff
from workflows.drafts import state_of
from workflows.errors import DefinitionRefused
from workflows.live import shown_edit
from workflows.models import Workflow, WorkflowOperation, WorkflowVersion
from workflows.sealing import reveal
from workflows.secrets import MASK, carries_credentials
from workflows.shapes import read_definition, write_graph
from workflows.wording import entries

TOKEN = "Bearer token-marker-81"
DEALER = "dealer-marker-82"
MARKERS = ("token-marker", "dealer-marker")
HEADERS = {
    "Authorization": TOKEN,
    "X-Dealer": {"secret": DEALER},
    "X-Filled-Token": "Bearer {{ input.token }}",
    "Accept": "application/json",
}
SHOWN = {**HEADERS, "Authorization": MASK, "X-Dealer": MASK}


def calling(headers: Any = HEADERS, url: str = "https://api.example.com/leads") -> dict[str, Any]:
    return flow({"call": ("api-integration", {"method": "GET", "url": url, "headers": headers})})


def made(actor: Actor, headers: Any = HEADERS, **more: Any) -> Workflow:
    definition = read_definition({"definition": calling(headers, **more)}) or {}
    return services.create_workflow(actor=actor, name="Calling", definition=definition)


def headers_of(workflow: Workflow) -> dict[str, Any]:
    found: dict[str, Any] = state_of(workflow).nodes["call"]["config"]["headers"]
    return found


def shown_of(workflow: Workflow) -> dict[str, Any]:
    return write_graph(state_of(workflow).definition())


def is_nowhere_in_the_clear(*tables: str) -> bool:
    return not any(each in stored_text(table) for table in tables for each in MARKERS)


@pytest.fixture
def actor(db: None) -> Actor:
    return person()


@pytest.mark.parametrize(
    "name",
    ["Authorization", "X-Api-Key", "Cookie", "Proxy-Authorization", "api-key", "X-Auth-Token", "X_Secret", "X-Vault-Password",
     "Ocp-Apim-Subscription-Key", "X-JWT"],
)  # fmt: skip
def test_names_that_say_credential(name: str) -> None:
    assert carries_credentials(name)


@pytest.mark.parametrize("name", ["Accept", "Idempotency-Key", "X-Author", "X-Tokenizer", "Content-Type", "X-Keyboard"])
def test_names_that_do_not(name: str) -> None:
    assert not carries_credentials(name)


def test_a_definition_holds_references_and_its_readers_see_masks(actor: Actor) -> None:
    workflow = made(actor)
    stored = headers_of(workflow)
    assert reveal(actor.organization_id, stored["Authorization"]) == TOKEN
    assert reveal(actor.organization_id, stored["X-Dealer"]) == DEALER
    assert {name: stored[name] for name in ("X-Filled-Token", "Accept")} == {
        name: HEADERS[name] for name in ("X-Filled-Token", "Accept")
    }
    node = shown_of(workflow)["nodes"][0]
    assert node["config"]["headers"] == node["data"]["headers"] == SHOWN
    assert is_nowhere_in_the_clear("workflow_versions", "workflow_operations", "workflows", "workflow_secrets")


def test_the_mask_sent_back_is_what_is_stored(actor: Actor) -> None:
    workflow = made(actor)
    before = headers_of(workflow)
    same = WorkflowChange(parts={"nodes": shown_of(workflow)["nodes"]})
    assert services.update_workflow(actor=actor, workflow_id=workflow.id, change=same).version == 1
    headers = {"authorization": MASK, "X-New": MASK, "Accept": "text/plain"}
    change = WorkflowChange(parts={"definition": calling(headers)})
    after = headers_of(services.update_workflow(actor=actor, workflow_id=workflow.id, change=change))
    assert after == {"authorization": before["Authorization"], "Accept": "text/plain"}


def test_an_edit_is_stored_and_told_without_them(actor: Actor) -> None:
    workflow = made(actor, {"Accept": "text/plain"})
    change = {"node_id": "call", "changes": {"config": {"headers": HEADERS}}}
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit("node_updated", change))
    row = WorkflowOperation.objects.of(actor).get()
    assert shown_edit(row)["changes"]["config"]["headers"] == SHOWN
    again = {"node_id": "call", "changes": {"config": {"headers": {**SHOWN, "Accept": "*/*"}}}}
    collaboration.edit(actor=actor, workflow_id=workflow.id, edit=Edit("node_updated", again))
    workflow.refresh_from_db()
    assert reveal(actor.organization_id, headers_of(workflow)["X-Dealer"]) == DEALER
    assert is_nowhere_in_the_clear("workflow_versions", "workflow_operations", "workflows")


def test_a_difference_shows_that_it_changed_and_not_what_it_is(actor: Actor) -> None:
    workflow = made(actor)
    headers = {**HEADERS, "X-Dealer": {"secret": "dealer-marker-other"}}
    change = WorkflowChange(parts={"definition": calling(headers)})
    services.update_workflow(actor=actor, workflow_id=workflow.id, change=change)
    old, new = WorkflowVersion.objects.of(actor).order_by("number").values_list("definition", flat=True)
    text = repr(list(entries(diff(old, new), old, new)))
    assert "X-Dealer" in text
    assert "sealed:" not in text
    assert not any(each in text for each in MARKERS)


def test_a_document_leaves_without_them_and_asks_for_them(actor: Actor) -> None:
    workflow = made(actor)
    document = transfer.export_workflow(actor=actor, workflow_id=workflow.id)
    assert not any(each in orjson.dumps(document).decode() for each in (*MARKERS, "sealed:"))
    assert {each["field"] for each in document["fill_in"]} == {"headers.Authorization", "headers.X-Dealer"}
    fill = {"call": {"headers.Authorization": TOKEN, "headers.X-Dealer": DEALER}}
    taken, _ = transfer.import_workflow(actor=actor, document={**document, "fill": fill})
    assert headers_of(taken) == headers_of(workflow)


def test_a_template_keeps_them_for_its_own_organization_alone(actor: Actor) -> None:
    workflow = made(actor)
    template = templates.save_as_template(actor=actor, workflow_id=workflow.id, is_public=True)
    own = templates.instantiate(actor=actor, template_id=template.id, values={})
    assert headers_of(own) == headers_of(workflow)
    foreign = templates.instantiate(actor=person("eve@example.com"), template_id=template.id, values={})
    assert set(headers_of(foreign)) == {"X-Filled-Token", "Accept"}
    assert is_nowhere_in_the_clear("templates", "template_versions", "workflow_versions")


def test_a_blank_of_a_template_is_sealed_once_it_is_filled(actor: Actor) -> None:
    template = templates.create_template(
        actor=actor,
        name="Leads",
        definition=calling({"X-Dealer": {"secret": "{{ dealer }}"}}),
        parameters=[ParameterSpec(name="dealer", type=ParameterType.STRING)],
    )
    assert template.definition["nodes"][0]["config"]["headers"] == {"X-Dealer": {"secret": "{{ dealer }}"}}
    own = templates.instantiate(actor=actor, template_id=template.id, values={"dealer": DEALER})
    assert reveal(actor.organization_id, headers_of(own)["X-Dealer"]) == DEALER


def test_a_marked_header_holds_no_template_and_nothing_but_text(actor: Actor) -> None:
    for wrong in ({"secret": "a {{ input.b }}"}, {"secret": 7}, {"secret": "a", "more": 1}):
        with pytest.raises(DefinitionRefused):
            made(actor, {"X-Dealer": wrong})


def test_an_old_definition_is_masked_at_once_and_sealed_when_it_is_saved(actor: Actor) -> None:
    workflow = made(actor)
    versions = WorkflowVersion.objects.of(actor)
    versions.update(definition=calling({"Authorization": TOKEN, "Accept": "text/plain"}))
    workflow.refresh_from_db()
    shown = shown_of(workflow)
    assert shown["nodes"][0]["config"]["headers"] == {"Authorization": MASK, "Accept": "text/plain"}
    change = WorkflowChange(parts={"nodes": shown["nodes"]})
    saved = services.update_workflow(actor=actor, workflow_id=workflow.id, change=change)
    assert reveal(actor.organization_id, headers_of(saved)["Authorization"]) == TOKEN


def test_a_trial_sends_them_too_and_shows_masks(actor: Actor, httpserver: HTTPServer, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1", "localhost"]
    httpserver.expect_request("/leads").respond_with_json({})
    workflow = made(actor, url=httpserver.url_for("/leads"))
    given = NodeInput(input={"token": "given"}, has_input=True)
    tried = try_node(actor=actor, workflow_id=workflow.id, node_id="call", number=None, given=given, really=True)
    ((request, _),) = httpserver.log
    assert (request.headers["Authorization"], request.headers["X-Dealer"]) == (TOKEN, DEALER)
    assert tried.step.config is not None
    assert tried.step.config["headers"] == {**SHOWN, "X-Filled-Token": MASK}


def test_a_step_whose_secret_is_gone_sends_nothing(actor: Actor, httpserver: HTTPServer, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1", "localhost"]
    workflow = made(actor, url=httpserver.url_for("/leads"))
    vault.destroy(organization_id=actor.organization_id)
    given = NodeInput(input={"token": "given"}, has_input=True)
    tried = try_node(actor=actor, workflow_id=workflow.id, node_id="call", number=None, given=given, really=True)
    assert tried.step.status == "failed"
    assert httpserver.log == []
