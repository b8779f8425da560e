"""Workflows of before there were drafts: what was saved is what was published."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps

from tests.executions.support import flow, person, save
from workflows import services
from workflows.models import Workflow, WorkflowVersion
from workflows.services import WorkflowChange


@pytest.mark.django_db
def test_what_was_saved_before_is_published_as_it_ran() -> None:
    actor = person()
    workflow = save(actor, flow({"a": "start"}))
    services.update_workflow(
        actor=actor, workflow_id=workflow.id, change=WorkflowChange(definition=flow({"b": "start"}))
    )
    Workflow.unscoped.update(published_version=None)
    WorkflowVersion.unscoped.update(published_at=None, published_by=None)
    import_module("workflows.migrations.0004_what_was_saved_is_published").publish_what_runs(apps, None)
    assert Workflow.unscoped.get().published_version == 2
    rows = WorkflowVersion.unscoped.order_by("number")
    assert [(each.number, each.published_by_id, each.published_at == each.created_at) for each in rows] == [
        (1, actor.user_id, True),
        (2, actor.user_id, True),
    ]
