"""What else operators find and mend: the first page's figures, search and filters, webhooks, workflows."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.operators import first_id_of
from auterity.kernel.models import uuid7
from auterity.navigation import GROUPS
from executions.models import Execution
from integrations import services as integrations
from integrations.models import WebhookDelivery
from workflows import services as workflows
from workflows.models import Workflow, WorkflowVersion

LIST = "admin:executions_execution_changelist"


def found(operator, **query: str) -> set:
    return {each.pk for each in operator.get(reverse(LIST), query).context["cl"].result_list}


@pytest.fixture
def delivery(organization):
    def delivery(status: str, **more) -> WebhookDelivery:
        row = WebhookDelivery(
            organization=organization,
            url="https://a.example/hook",
            event="execution.ended",
            payload={},
            status=status,
            **more,
        )
        row.save(force_insert=True)
        return row

    return delivery


# -- the first page --------------------------------------------------------------------------------------------------


def test_the_first_page_shows_what_is_so_now(operator, in_state, delivery) -> None:
    now = timezone.now()
    in_state("pending", due_at=now - dt.timedelta(seconds=90))
    in_state("running", due_at=now + dt.timedelta(seconds=30))
    in_state("running", due_at=now + dt.timedelta(seconds=30))
    recent = in_state("failed", error_message="The CRM is away.")
    timed_out = in_state("timeout")
    in_state("failed", completed_at=now - dt.timedelta(hours=2))
    in_state("completed")
    delivery("pending", attempts=2, due_at=now)
    delivery("pending", attempts=0, due_at=now)
    delivery("failed", attempts=10)
    shown = operator.get(reverse("admin:index"))
    values = {each.name: each.value for each in shown.context["figures"]}
    assert values.pop("Longest due") == "1 min 30 s"
    assert values == {
        "Pending": "1",
        "Running": "2",
        "Failed": "2",
        "Webhooks tried again": "1",
        "Webhooks given up": "1",
    }
    assert [each.name for each in shown.context["figures"] if each.wrong] == [
        "Failed", "Longest due", "Webhooks tried again", "Webhooks given up",
    ]  # fmt: skip
    body = shown.content.decode()
    assert "The CRM is away." in body
    assert body.index(str(timed_out.pk)) < body.index(str(recent.pk))


def test_the_sidebar_leads_to_what_the_operator_may_see(operator, db) -> None:
    shown = operator.get(reverse("admin:index")).context["sidebar_navigation"]
    assert [each["title"] for each in shown] == list(GROUPS)
    for group in shown:
        for item in group["items"]:
            assert operator.get(item["link"]).status_code == 200
    viewer = User.objects.create_user("view@example.com", "pw", first_name="V", last_name="W", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_execution"))
    client = Client()
    client.force_login(viewer)
    (group,) = client.get(reverse("admin:index")).context["sidebar_navigation"]
    assert [each["title"] for each in group["items"]] == ["Executions"]


def test_with_nothing_wrong_it_says_so(operator) -> None:
    shown = operator.get(reverse("admin:index"))
    assert not any(each.wrong for each in shown.context["figures"])
    assert "has failed." in shown.content.decode()


def test_the_last_ten_failures_are_shown(operator, in_state) -> None:
    rows = [in_state("failed") for _ in range(12)]
    body = operator.get(reverse("admin:index")).content.decode()
    assert [str(each.pk) in body for each in rows] == [False] * 2 + [True] * 10


# -- finding executions ----------------------------------------------------------------------------------------------


def test_an_execution_is_found_by_its_id_or_the_beginning_of_it(operator, in_state) -> None:
    old = in_state("completed", id=uuid7())
    new = in_state("completed", id=first_id_of(timezone.now() + dt.timedelta(days=1)))
    assert found(operator, q=str(old.pk)) == {old.pk}
    assert found(operator, q=old.pk.hex.upper()) == {old.pk}
    assert found(operator, q=str(old.pk)[:18]) == {old.pk}
    assert found(operator, q=str(new.pk)[:13]) == {new.pk}
    assert found(operator, q=str(old.workflow_id)) == {old.pk, new.pk}


def test_an_execution_is_found_by_workflow_and_by_error(operator, in_state, acting) -> None:
    other = workflows.create_workflow(
        actor=acting, name="Invoices", definition={"nodes": [{"id": "s", "type": "start", "config": {}}], "edges": []}
    )
    version = WorkflowVersion.unscoped.get(workflow=other)
    invoice = in_state("completed", workflow=other, version=version)
    broken = in_state("failed", error_message="The CRM answered 503.", error_code="HTTP_503")
    assert found(operator, q="voice") == {invoice.pk}
    assert found(operator, q="crm ANSWERED") == {broken.pk}
    assert found(operator, q="http_503") == {broken.pk}
    assert found(operator, q="nothing like it") == set()


def test_executions_are_filtered_by_state_age_workflow_and_organization(operator, in_state) -> None:
    rows = {each: in_state(each).pk for each in ("pending", "running", "completed", "failed", "cancelled", "timeout")}
    for status, key in rows.items():
        assert found(operator, status=status) == {key}
    assert found(operator, status="broken") == {rows["failed"], rows["timeout"]}
    old = in_state("failed", id=first_id_of(timezone.now() - dt.timedelta(days=3)))
    assert found(operator, age="day", status="failed") == {rows["failed"]}
    assert found(operator, age="week", status="failed") == {rows["failed"], old.pk}
    assert old.pk in found(operator, workflow__id__exact=str(old.workflow_id))
    assert old.pk in found(operator, organization__id__exact=str(old.organization_id))
    assert found(operator, workflow__id__exact=str(uuid7())) == set()
    chosen = operator.get(reverse(LIST), {"workflow__id__exact": str(old.workflow_id)}).content.decode()
    assert "Lead &lt;b&gt;qualification" in chosen
    assert operator.get(reverse(LIST), {"workflow__id__exact": "nonsense"}).status_code == 302


def test_the_list_reads_no_payloads(operator, in_state) -> None:
    in_state("completed")
    with CaptureQueriesContext(connection) as captured:
        operator.get(reverse(LIST))
    asked = [each["sql"] for each in captured if "workflow_executions" in each["sql"]]
    assert len(asked) == 1
    assert not any(name in asked[0] for name in ("input_data", "output_data", '"context"', "definition"))


def test_a_workflow_is_found_by_typing_in_the_filter(operator, workflow) -> None:
    query = {"app_label": "executions", "model_name": "execution", "field_name": "workflow", "term": "lead"}
    answer = operator.get(reverse("admin:autocomplete"), query).json()
    assert [each["id"] for each in answer["results"]] == [str(workflow.pk)]


# -- mending ---------------------------------------------------------------------------------------------------------


def test_what_was_given_up_is_delivered_again_and_nothing_else(operator, delivery) -> None:
    given_up = delivery("failed", attempts=10, last_error="gone")
    done = delivery("delivered", attempts=1)
    sent = {"action": "deliver_again", "_selected_action": [str(given_up.pk), str(done.pk)]}
    answer = operator.post(reverse("admin:integrations_webhookdelivery_changelist"), sent, follow=True)
    assert [str(each) for each in answer.context["messages"]] == [
        "1 deliveries are due again; only those given up can be."
    ]
    given_up.refresh_from_db()
    done.refresh_from_db()
    assert (given_up.status, given_up.attempts, given_up.last_error) == ("pending", 0, "gone")
    assert given_up.due_at is not None
    assert given_up.due_at <= timezone.now()
    assert (done.status, done.due_at) == ("delivered", None)


def test_one_that_is_still_owed_keeps_its_turn(delivery) -> None:
    later = timezone.now() + dt.timedelta(hours=1)
    owed = delivery("pending", attempts=3, due_at=later)
    assert integrations.deliver_again(delivery_ids=[owed.pk]) == 0
    owed.refresh_from_db()
    assert (owed.due_at, owed.attempts) == (later, 3)


def test_a_workflow_is_switched_through_its_service(operator, workflow) -> None:
    listing = reverse("admin:workflows_workflow_changelist")
    sent = {"_selected_action": [str(workflow.pk)]}
    operator.post(listing, {**sent, "action": "deactivate", "confirmed": "yes"})
    assert Workflow.unscoped.get(pk=workflow.pk).is_active is False
    operator.post(listing, {**sent, "action": "activate"})
    assert Workflow.unscoped.get(pk=workflow.pk).is_active is True


def test_a_workflow_that_cannot_run_is_not_switched_on_and_the_reason_is_shown(operator, acting) -> None:
    unset = {"nodes": [{"id": "ask", "type": "api-integration", "title": "Ask", "config": {}}], "edges": []}
    empty = workflows.create_workflow(actor=acting, name="Empty", definition=unset, is_active=False)
    sent = {"action": "activate", "_selected_action": [str(empty.pk)]}
    answer = operator.post(reverse("admin:workflows_workflow_changelist"), sent, follow=True)
    (message,) = [str(each) for each in answer.context["messages"]]
    assert message.startswith("Empty: The workflow definition has problems.")
    assert Workflow.unscoped.get(pk=empty.pk).is_active is False


def test_a_workflows_list_shows_what_its_runs_add_up_to(operator, in_state, workflow) -> None:
    for status in ("completed", "completed", "failed", "timeout"):
        in_state(status)
    (shown,) = operator.get(reverse("admin:workflows_workflow_changelist")).context["cl"].result_list
    assert (shown.runs_completed, shown.runs_failed) == (2, 2)


def test_a_version_shows_its_nodes_and_edges(operator, workflow) -> None:
    version = WorkflowVersion.unscoped.get(workflow=workflow)
    body = operator.get(reverse("admin:workflows_workflowversion_change", args=[version.pk])).content.decode()
    assert "Ask the CRM" in body
    assert "https://crm.example.com" in body
    assert "<b>qualification" not in body


def test_a_damaged_version_still_opens(operator, workflow) -> None:
    version = WorkflowVersion.unscoped.get(workflow=workflow)
    for damaged in ([1], {"nodes": "x", "edges": [None]}, "text"):
        WorkflowVersion.unscoped.filter(pk=version.pk).update(definition=damaged)
        assert operator.get(reverse("admin:workflows_workflowversion_change", args=[version.pk])).status_code == 200


def test_executions_stay_when_an_operator_tries_to_delete_their_workflow(operator, execution) -> None:
    path = reverse("admin:workflows_workflow_delete", args=[execution.workflow_id])
    assert operator.post(path, {"post": "yes"}).status_code == 403
    assert Execution.unscoped.filter(pk=execution.pk).exists()
