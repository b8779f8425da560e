"""Settings that can be written and not read back."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from auterity.kernel.access import Actor
from engine.registry import NODES
from tests.executions.support import flow, person
from workflows import services
from workflows.models import WorkflowVersion
from workflows.secrets import MASK, masked, unmasked, without_secrets
from workflows.shapes import read_definition, write_graph

STORED = {"id": "hook", "type": "webhook-trigger", "config": {"secret": "s3cret", "authentication": "token"}}


def test_every_setting_that_is_write_only_is_masked() -> None:
    """An editor's form and what is shown agree on which settings are secrets."""
    for node_type in NODES:
        for name, about in node_type.config.model_json_schema()["properties"].items():
            assert bool(about.get("x-secret")) == bool(about.get("writeOnly")), f"{node_type.name}.{name}"
            if about.get("x-secret"):
                assert masked({"type": node_type.name, "config": {name: "s3cret"}}) == {name: MASK}


@pytest.mark.parametrize(
    "node", [{}, {"type": "nobody"}, {"type": "webhook-trigger", "config": None}, {"config": "text"}]
)
def test_a_damaged_node_has_nothing_to_show(node: dict[str, Any]) -> None:
    assert masked(node) == {}


def test_an_empty_secret_is_shown_as_empty() -> None:
    assert masked({"type": "webhook-trigger", "config": {"secret": ""}}) == {"secret": ""}


@pytest.mark.parametrize("definition", [None, [], {}, {"nodes": "x"}, {"nodes": [1, {}]}])
def test_a_damaged_definition_is_shown_as_it_is(definition: Any) -> None:
    assert without_secrets(definition) == definition


def test_masking_changes_nothing_that_is_stored() -> None:
    definition = {"nodes": [STORED], "edges": []}
    assert without_secrets(definition)["nodes"][0]["config"] == {"secret": MASK, "authentication": "token"}
    assert STORED["config"]["secret"] == "s3cret"  # type: ignore[index]


@pytest.mark.parametrize(
    ("node_type", "given", "stored", "expected"),
    [
        ("webhook-trigger", None, STORED, None),
        ("webhook-trigger", {"secret": MASK}, STORED, {"secret": "s3cret"}),
        ("webhook-trigger", {"secret": "new"}, STORED, {"secret": "new"}),
        ("webhook-trigger", {"secret": ""}, STORED, {"secret": ""}),
        ("webhook-trigger", {"secret": MASK}, {}, {}),
        ("start", {"secret": MASK, "a": 1}, STORED, {"a": 1}),
        ("start", {"secret": "s3cret"}, STORED, {}),
        ("webhook-trigger", {"secret": MASK}, {"type": "start", "config": {"secret": "plain"}}, {}),
    ],
)
def test_the_mask_means_what_is_stored(
    node_type: str, given: dict[str, Any] | None, stored: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    assert unmasked(node_type, given, stored) == expected


@pytest.mark.parametrize("edited", ["config", "data"])
def test_what_was_read_may_be_edited_under_either_name_and_sent_back(edited: str) -> None:
    stored = read_definition({"nodes": [STORED]})
    node = write_graph(stored or {})["nodes"][0]
    assert node["config"]["secret"] == node["data"]["secret"] == MASK
    sent = {**node, edited: {**node[edited], "authentication": "hmac"}}
    again = read_definition({"nodes": [sent]}, stored)
    assert again is not None
    assert again["nodes"][0]["config"] == {"secret": "s3cret", "authentication": "hmac"}


@pytest.mark.django_db
def test_the_operators_site_does_not_show_it() -> None:
    actor: Actor = person()
    config = {"secret": "s3cret-of-the-hook", "authentication": "token"}
    workflow = services.create_workflow(
        actor=actor, name="Hooked", definition=flow({"hook": ("webhook-trigger", config)})
    )
    version = WorkflowVersion.unscoped.get(workflow=workflow)
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "pw", first_name="Ro", last_name="Ot"))
    page = client.get(reverse("admin:workflows_workflowversion_change", args=[version.pk]))
    assert page.status_code == 200
    assert b"s3cret-of-the-hook" not in page.content
    assert page.content.count(MASK.encode()) >= 2
