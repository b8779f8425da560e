"""A workflow as a document: what travels, what stays behind, and that nothing is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from executions.models import Execution
from tests.executions.support import flow, person
from workflows import cases, services, transfer
from workflows.cases import CaseContent
from workflows.models import Schedule, Workflow, WorkflowTestCase, WorkflowVersion
from workflows.sealing import reveal
from workflows.yaml_text import read_yaml

from stored_definitions import definitions  # isort: skip

ELSEWHERE = "018f0000-0000-7000-8000-000000000001"
HOOKED = flow(
    {
        "hook": ("webhook-trigger", {"authentication": "token", "secret": "s3cret-of-the-hook"}),
        "call": (
            "api-integration",
            {
                "url": "https://crm.example.com",
                "headers": {"Authorization": "Bearer s3cret-token", "X-Api-Key": "{{ inputs.key }}", "Accept": "a/b"},
            },
        ),
    },
    "hook > call",
)


@pytest.fixture
def actor(db: None) -> Actor:
    return person()


def create(actor: Actor, definition: dict[str, Any], **more: Any) -> Workflow:
    return services.create_workflow(actor=actor, name="Traveller", definition=definition, **more)


def exported(actor: Actor, workflow: Workflow) -> dict[str, Any]:
    return transfer.export_workflow(actor=actor, workflow_id=workflow.id)


def document(definition: Any, **more: Any) -> dict[str, Any]:
    return {"format": "auterity-workflow", "format_version": 1, "name": "N", "definition": definition, **more}


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(definitions())
def test_there_and_back_is_the_same_document(actor: Actor, definition: dict[str, Any]) -> None:
    workflow = create(actor, definition, draft=True, description="One\ntwo", category="sales")
    content = CaseContent(name="Case", input_data={"a": 1}, assertions=["status == 'completed'"])
    cases.add_case(actor=actor, workflow_id=workflow.id, content=content)
    first = exported(actor, workflow)
    for carried in (read_yaml(transfer.as_yaml(first)), first):
        arrived, _ = transfer.import_workflow(actor=actor, document=carried)
        second = exported(actor, arrived)
        assert transfer.as_json(second) == transfer.as_json(first)
        assert transfer.as_yaml(second) == transfer.as_yaml(first)


def test_secrets_and_ids_stay_behind_and_are_listed(actor: Actor) -> None:
    sent = exported(actor, create(actor, HOOKED))
    assert "s3cret" not in transfer.as_json(sent) + transfer.as_yaml(sent)
    assert sent["fill_in"] == [
        {"node": "hook", "title": "hook", "type": "webhook-trigger", "field": "secret", "kind": "secret"},
        {
            "node": "call",
            "title": "call",
            "type": "api-integration",
            "field": "headers.Authorization",
            "kind": "credential",
        },
    ]
    hook, call = sent["definition"]["nodes"]
    assert (hook["config"], hook["fill_in"]) == ({"authentication": "token"}, ["secret"])
    assert (call["config"]["headers"], call["fill_in"]) == (
        {"X-Api-Key": "{{ inputs.key }}", "Accept": "a/b"},
        ["headers.Authorization"],
    )


def test_what_must_be_filled_in_makes_an_inactive_draft(actor: Actor) -> None:
    sent = exported(actor, create(actor, HOOKED))
    arrived, reading = transfer.import_workflow(actor=actor, document=sent)
    assert (arrived.is_active, arrived.published_version, arrived.has_draft) == (False, None, True)
    assert [each.field for each in reading.blanks] == ["secret", "headers.Authorization"]
    assert exported(actor, arrived)["fill_in"] == sent["fill_in"]


def test_filled_in_at_once_it_is_complete(actor: Actor) -> None:
    sent = exported(actor, create(actor, HOOKED))
    fill = {"hook": {"secret": "new"}, "call": {"headers.Authorization": "Bearer new"}}
    arrived, reading = transfer.import_workflow(actor=actor, document=sent | {"fill": fill})
    assert (arrived.is_active, arrived.published_version, reading.blanks) == (True, 1, [])
    stored = WorkflowVersion.unscoped.get(workflow=arrived).definition["nodes"]
    assert reveal(actor.organization_id, stored[0]["config"]["secret"]) == "new"
    assert reveal(actor.organization_id, stored[1]["config"]["headers"]["Authorization"]) == "Bearer new"
    assert exported(actor, arrived)["fill_in"] == sent["fill_in"]


def test_a_connection_of_elsewhere_is_never_taken(actor: Actor) -> None:
    call = {
        "id": "c",
        "type": "api-integration",
        "config": {"url": "https://a.example.com", "connection_id": ELSEWHERE},
    }
    arrived, reading = transfer.import_workflow(actor=actor, document=document({"nodes": [call], "edges": []}))
    assert [(each.field, each.kind) for each in reading.blanks] == [("connection_id", "connection")]
    assert "connection_id" not in WorkflowVersion.unscoped.get(workflow=arrived).definition["nodes"][0]["config"]


def test_what_a_node_holds_inside_stays_behind_too(actor: Actor) -> None:
    inner = {
        "id": "call",
        "type": "api-integration",
        "config": {"url": "https://a.example.com", "headers": {"X-Api-Key": "s3cret"}, "connection_id": ELSEWHERE},
    }
    body = {"nodes": [{"id": "in", "type": "start"}, inner], "edges": [{"id": "e", "source": "in", "target": "call"}]}
    each = {"id": "each", "type": "map", "config": {"items": [1], "workflow": body}}
    arrived, reading = transfer.import_workflow(actor=actor, document=document({"nodes": [each], "edges": []}))
    assert [(blank.node, blank.field, blank.kind) for blank in reading.blanks] == [
        ("each/call", "connection_id", "connection")
    ]
    sent = exported(actor, arrived)
    assert "s3cret" not in transfer.as_yaml(sent)
    assert [(blank["node"], blank["field"]) for blank in sent["fill_in"]] == [
        ("each/call", "connection_id"),
        ("each/call", "headers.X-Api-Key"),
    ]
    back, _ = transfer.import_workflow(actor=actor, document=sent)
    assert transfer.as_yaml(exported(actor, back)) == transfer.as_yaml(sent)
    fill = {"each/call": {"headers.X-Api-Key": "new", "connection_id": "c"}}
    whole = transfer.read_document(actor=actor, document=sent | {"fill": fill})
    assert (whole.blanks, whole.problems) == ([], [])
    held = whole.definition["nodes"][0]["config"]["workflow"]["nodes"][1]["config"]
    assert (held["headers"], held["connection_id"]) == ({"X-Api-Key": "new"}, "c")


def test_nothing_runs_and_a_schedule_of_a_draft_is_not_due(actor: Actor) -> None:
    clock = flow({"clock": ("schedule-trigger", {"every_seconds": 60}), "mail": ("email-sender", {})}, "clock > mail")
    arrived, reading = transfer.import_workflow(actor=actor, document=document(clock))
    assert (reading.complete, arrived.is_active) == (False, False)
    assert [each.node for each in reading.faults] == ["mail"]
    assert not Schedule.unscoped.exists()
    assert not Execution.unscoped.exists()


def test_checking_stores_nothing(actor: Actor) -> None:
    reading = transfer.read_document(actor=actor, document=document(flow({"s": "start"})))
    assert (reading.problems, reading.complete, reading.name) == ([], True, "N")
    assert not Workflow.unscoped.exists()


def test_an_unknown_node_type_comes_with_a_suggestion(actor: Actor) -> None:
    with pytest.raises(InvalidInput) as refused:
        transfer.import_workflow(actor=actor, document=document(flow({"m": "email-sendr"})))
    (problem,) = refused.value.problems
    assert problem.field == "definition.nodes.m.type"
    assert problem.message == "'email-sendr' is not a node type; did you mean email-sender or sms-sender or email?"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"format": "n8n"}, "format"),
        ({"format_version": 2}, "format_version"),
        ({"format_version": True}, "format_version"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"category": "x" * 101}, "category"),
        ({"description": []}, "description"),
        ({"definition": None}, "definition"),
        ({"definition": {"nodes": 7}}, "definition.nodes"),
        ({"definition": {"nodes": [{"id": "a"}]}}, "definition.nodes[0].type"),
        ({"surprise": 1}, "surprise"),
        ({"fill": 7}, "fill"),
        ({"fill": {"s": {"secret": "x"}}}, "fill.s.secret"),
        ({"tests": 7}, "tests"),
        ({"tests": [7]}, "tests[0]"),
        ({"tests": [{"name": ""}]}, "tests[0].name"),
        ({"tests": [{"name": "a", "odd": 1}]}, "tests[0].odd"),
        ({"tests": [{"name": "a"}, {"name": "a"}]}, "tests[1].name"),
        ({"tests": [{"name": "a", "assertions": ["1 +"]}]}, "tests[0].assertions[0].expression"),
        ({"tests": [{"name": "a", "input_data": []}]}, "tests[0].input_data"),
    ],
)
def test_a_document_that_is_none_is_refused_whole(actor: Actor, changed: dict[str, Any], field: str) -> None:
    given = document(flow({"s": "start"})) | changed
    with pytest.raises(InvalidInput) as refused:
        transfer.import_workflow(actor=actor, document=given)
    assert field in [each.field for each in refused.value.problems]
    reading = transfer.read_document(actor=actor, document=given)
    assert field in [each.field for each in reading.problems]
    assert (Workflow.unscoped.count(), WorkflowTestCase.unscoped.count()) == (0, 0)
