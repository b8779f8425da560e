"""Somebody of another organization tries every id of the first one at every address that takes an id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps

from accounts.models import Membership
from executions.models import ExecutionLog, Worker
from templates_app.models import WorkflowTemplate
from tests.api.graphs import chain
from tests.api.people import Api, Person
from tests.api.routes import routes
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)

MARKER = "zebra-crossing-7781"
BODY = {
    "name": "Taken over",
    "is_active": False,
    "inputs": {"a": 1},
    "definition": {"nodes": [], "edges": []},
    "parameter_values": {},
    "rating": 5,
    "mode": "whole",
    "happened": True,
    "body": "A comment",
    "scopes": ["workflow:read"],
    "nickname": "Taken over",
    "permissions": ["workflow:read"],
}
KEPT = ("workflows", "executions", "templates_app", "integrations", "ai", "api")


@pytest.fixture
def belongings(ann: Person, worker: None, ended: Callable[..., dict[str, Any]]) -> list[str]:
    """One of everything that has an id, each with the marker in it; also ids that no address should take."""
    made = chain("a", name=f"{MARKER} workflow")
    made["definition"]["nodes"][1]["config"] = {"set": {"x": f"{MARKER} {{{{ inputs.missing.deep }}}}"}}
    workflow = ann.api.made("/api/workflows", {**made, "description": MARKER, "category": MARKER})
    path = f"/api/workflows/{workflow['id']}/execute"
    run = ended(ann.api, ann.api.made(path, {"inputs": {"note": MARKER}})["execution_id"])
    template = WorkflowTemplate.unscoped.create(
        organization_id=ann.actor.organization_id,
        created_by_id=ann.actor.user_id,
        name=f"{MARKER} template",
        definition={"nodes": [{"id": "start", "type": "start"}], "edges": []},
    )
    live = ann.api.made("/api/workflows", chain("a", name=f"{MARKER} live"))
    line = ExecutionLog.unscoped.filter(execution_id=run["id"]).first()
    version = WorkflowVersion.unscoped.filter(workflow_id=workflow["id"]).first()
    member = Membership.objects.get(user_id=ann.actor.user_id)
    assert line is not None
    assert version is not None
    found = [workflow["id"], live["id"], run["id"], template.id, line.id, version.id]
    return [str(each) for each in (*found, member.id, ann.actor.user_id, ann.actor.organization_id)]


def everything() -> dict[str, list[dict[str, Any]]]:
    """Without the rows of the workers, which note that they are there."""
    models = [model for label in KEPT for model in apps.get_app_config(label).get_models() if model is not Worker]
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}


def test_every_id_of_another_organization_is_unknown_everywhere(otto: Person, belongings: list[str]) -> None:
    slots = [each for each in routes() if each.has_slot and not each.view.public]
    assert len(slots) >= 20
    before = everything()
    tried = 0
    for route in slots:
        for identity in belongings:
            for edition in ("2024-01-15", "2025-08-08"):
                answer = otto.api.call(route.method, route.filled(identity), BODY, API_Version=edition)
                assert answer.status_code == 404, (str(route), identity, answer.content)
                assert MARKER.encode() not in answer.content
                assert identity.encode() not in answer.content
            tried += 1
    assert everything() == before
    print(f"{tried} pairs of an address and a foreign id tried")


def test_no_list_and_no_search_shows_another_organization(otto: Person, belongings: list[str]) -> None:
    lists = [each for each in routes() if each.method == "GET" and each.path.startswith("/api/") and not each.has_slot]
    assert len(lists) >= 5
    for route in lists:
        for query in ("", f"?search={MARKER}", f"?category={MARKER}", f"?workflow_id={belongings[0]}&page_size=100"):
            answer = otto.api.get(f"{route.path}{query}")
            # 400: no such category there. 404: there is none of it yet. 503: Google is not set up here.
            assert answer.status_code in (200, 400, 404, 503), (str(route), answer.getvalue())
            assert MARKER.encode() not in answer.getvalue(), (str(route), query)
            assert not any(identity.encode() in answer.getvalue() for identity in belongings)


def test_the_owner_sees_the_marker_at_the_same_addresses(ann: Person, belongings: list[str]) -> None:
    """Otherwise the tests above would prove nothing."""
    seen = {
        str(route)
        for route in routes()
        if route.has_slot and route.method == "GET"
        for identity in belongings
        if MARKER.encode() in ann.api.get(route.filled(identity)).content
    }
    assert seen >= {
        "GET /api/workflows/<uuid:workflow_id>",
        "GET /api/workflows/<uuid:workflow_id>/versions/<int:number>",
        "GET /api/workflows/executions/<uuid:execution_id>",
        "GET /api/templates/<uuid:template_id>",
    }


def test_a_body_cannot_name_another_organization(otto: Person, ann: Person) -> None:
    body = {**chain("a"), "organization_id": str(ann.actor.organization_id), "created_by": str(ann.actor.user_id)}
    made = otto.api.made("/api/workflows", body)
    assert made["organization_id"] == str(otto.actor.organization_id)
    assert made["created_by"] == str(otto.actor.user_id)
    assert Api(ann.api.token).get("/api/workflows").json()["total"] == 0
