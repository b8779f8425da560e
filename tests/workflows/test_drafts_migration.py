"""Workflows of before there were drafts: what was saved is what was published."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.models import Organization, User


@pytest.mark.django_db(transaction=True)
def test_what_was_saved_before_is_published_as_it_ran() -> None:
    user = User.objects.create_user("old@example.com", "pw", first_name="O", last_name="L")
    organization = Organization.objects.create(name="Old Inc.")
    executor = MigrationExecutor(connection)
    newest = [key for key in executor.loader.graph.leaf_nodes() if key[0] == "workflows"]
    try:
        executor.migrate([("workflows", "0003_drafts_and_test_cases")])
        old = executor.loader.project_state([("workflows", "0003_drafts_and_test_cases")]).apps
        about = {"organization_id": organization.id, "created_by_id": user.id}
        workflow = old.get_model("workflows", "Workflow").unscoped.create(name="Old", version=2, **about)
        for number in (1, 2):
            old.get_model("workflows", "WorkflowVersion").unscoped.create(
                workflow=workflow, number=number, definition={"nodes": [], "edges": []}, checksum="x", **about
            )
    finally:
        MigrationExecutor(connection).migrate(newest)
    from workflows.models import Workflow, WorkflowVersion

    assert Workflow.unscoped.get().published_version == 2
    rows = WorkflowVersion.unscoped.order_by("number")
    assert [(each.number, each.published_by_id, each.published_at == each.created_at) for each in rows] == [
        (1, user.id, True),
        (2, user.id, True),
    ]
