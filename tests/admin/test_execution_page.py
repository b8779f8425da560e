"""The page of one execution says what happened and why it waits; its buttons act once, for operators only."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from executions.models import Execution, ExecutionLog, ExecutionStep
from workflows import services as workflows

SURE = {"confirmed": "yes"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def page(execution: Execution) -> str:
    return reverse("admin:executions_execution_change", args=[execution.pk])


def button(name: str, execution: Execution) -> str:
    return reverse(f"admin:executions_execution_{name}", args=[execution.pk])


def said(answer) -> list[str]:
    return [str(each) for each in answer.context["messages"]]


@pytest.fixture
def viewer(db: None) -> Client:
    """On the staff, and may look at executions but not act on them."""
    user = User.objects.create_user("view@example.com", "pw", first_name="V", last_name="W", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_execution"))
    client = Client()
    client.force_login(user)
    return client


def test_cancel_ends_it_in_the_operators_name(operator, execution) -> None:
    answer = operator.post(button("cancel", execution), SURE, follow=True)
    assert said(answer) == ["The execution is cancelled."]
    execution.refresh_from_db()
    assert (execution.status, execution.error_message) == ("cancelled", "Cancelled by root@example.com.")
    assert LogEntry.objects.get().change_message == "Cancelled."


@pytest.mark.parametrize(("name", "warning"), [("cancel", "goes on no more"), ("run_again", "is done once more")])
def test_what_cannot_be_taken_back_is_asked_first(operator, execution, name: str, warning: str) -> None:
    asked = operator.post(button(name, execution))
    assert warning in asked.content.decode()
    assert f'href="{page(execution)}"' in asked.content.decode()
    assert (Execution.unscoped.get().status, LogEntry.objects.count()) == ("pending", 0)


def test_a_refusal_is_shown_in_its_own_words(operator, execution) -> None:
    operator.post(button("cancel", execution), SURE, follow=True)
    answer = operator.post(button("cancel", execution), SURE, follow=True)
    assert said(answer) == ["This execution has already ended: cancelled."]
    assert LogEntry.objects.count() == 1


def test_it_is_paused_and_resumed(operator, execution) -> None:
    shown = operator.get(page(execution)).content.decode()
    assert (button("pause", execution) in shown, button("resume", execution) in shown) == (True, False)
    assert said(operator.post(button("pause", execution), follow=True)) == [
        "The execution begins no further step until it is resumed."
    ]
    execution.refresh_from_db()
    assert (execution.status, execution.due_at, execution.paused_at is None) == ("pending", None, False)
    shown = operator.get(page(execution)).content.decode()
    assert (button("pause", execution) in shown, button("resume", execution) in shown) == (False, True)
    assert said(operator.post(button("resume", execution), follow=True)) == ["The execution goes on."]
    assert said(operator.post(button("resume", execution), follow=True)) == ["This execution is not paused."]
    execution.refresh_from_db()
    assert (execution.paused_at, execution.due_at is None) == (None, False)
    assert [each.change_message for each in LogEntry.objects.order_by("pk")] == ["Paused.", "Resumed."]


def test_run_again_starts_a_new_one_and_leads_to_it(operator, execution) -> None:
    answer = operator.post(button("run_again", execution), SURE)
    again = Execution.unscoped.exclude(pk=execution.pk).get()
    assert (again.rerun_of, again.input_data, again.status) == (execution.pk, {"lead": "Ann"}, "pending")
    assert answer.url == page(again)
    assert page(execution) in operator.get(page(again)).content.decode()


def test_run_again_says_why_it_cannot(operator, acting, execution, workflow) -> None:
    workflows.set_active(actor=acting, workflow_id=workflow.id, active=False)
    answer = operator.post(button("run_again", execution), SURE, follow=True)
    assert said(answer) == ["The workflow is not active. Activate it first."]
    assert Execution.unscoped.count() == 1


@pytest.mark.parametrize("name", ["cancel", "pause", "run_again"])
def test_nothing_happens_without_a_post_a_token_or_the_right(operator, stranger, viewer, root, execution, name) -> None:
    assert operator.get(button(name, execution)).status_code == 405
    assert operator.head(button(name, execution)).status_code == 405
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(root)
    assert guarded.post(button(name, execution)).status_code == 403
    assert stranger.post(button(name, execution)).status_code == 302
    assert viewer.post(button(name, execution)).status_code == 403
    execution.refresh_from_db()
    assert (execution.status, Execution.unscoped.count()) == ("pending", 1)
    assert LogEntry.objects.count() == 0


def test_who_may_only_look_has_no_buttons(viewer, operator, execution) -> None:
    assert button("cancel", execution) in operator.get(page(execution)).content.decode()
    shown = viewer.get(page(execution))
    assert shown.status_code == 200
    assert button("cancel", execution) not in shown.content.decode()
    assert button("run_again", execution) not in shown.content.decode()


def test_an_ended_one_can_only_be_run_again(operator, in_state) -> None:
    shown = operator.get(page(ended := in_state("failed"))).content.decode()
    assert button("cancel", ended) not in shown
    assert button("run_again", ended) in shown


def test_an_unknown_one_leads_back(operator, execution) -> None:
    execution.id = "01a20103-fc18-70b5-8000-000000000000"
    assert operator.get(page(execution)).status_code == 302
    assert operator.post(button("cancel", execution)).status_code == 302


def test_the_list_acts_on_several_and_tells_what_was_refused(operator, in_state) -> None:
    live, ended = in_state("running"), in_state("failed")
    listing = reverse("admin:executions_execution_changelist")
    sent = {"action": "cancel_selected", "_selected_action": [str(live.pk), str(ended.pk)], **SURE}
    answer = operator.post(listing, sent, follow=True)
    assert said(answer) == [f"{ended.pk}: This execution has already ended: failed.", "1 executions cancelled."]


def test_hostile_texts_are_shown_and_never_run(operator, in_state) -> None:
    execution = in_state(
        "failed",
        input_data={HOSTILE: HOSTILE},
        output_data=[HOSTILE],
        error_code="X",
        error_message=HOSTILE,
        webhook_url=HOSTILE,
    )
    moment = timezone.now()
    step = ExecutionStep.objects.create(
        execution=execution, node_id="ask", node_name=HOSTILE, node_type=HOSTILE, status="failed", started_at=moment,
        completed_at=moment, input_data={"a": HOSTILE}, output_data={"b": HOSTILE}, error_code="Y", error_message=HOSTILE,
    )  # fmt: skip
    line = ExecutionLog(
        organization_id=execution.organization_id, execution=execution, workflow_id=execution.workflow_id, seq=1, kind="ended",
        level="error", node_id=HOSTILE, message=HOSTILE, data={"c": HOSTILE}, status="failed", progress=0,
    )  # fmt: skip
    line.save(force_insert=True)
    for path in (
        page(execution),
        reverse("admin:executions_executionstep_change", args=[step.pk]),
        reverse("admin:executions_executionlog_change", args=[line.pk]),
        reverse("admin:executions_execution_changelist"),
        reverse("admin:executions_executionstep_changelist"),
        reverse("admin:executions_executionlog_changelist"),
        reverse("admin:index"),
    ):
        shown = operator.get(path).content.decode()
        assert "<script>alert" not in shown, path
        assert "<img src=x" not in shown, path
    assert "&lt;script&gt;alert(1)" in operator.get(page(execution)).content.decode()


def test_a_long_value_is_cut_and_says_so(operator, in_state) -> None:
    shown = operator.get(page(in_state("completed", output_data={"text": "x" * 50_000}))).content.decode()
    assert "Cut: the first 20,000 of 50," in shown
    assert "x" * 20_001 not in shown


def test_steps_stand_on_the_time_line_of_the_whole_run(operator, in_state) -> None:
    end = timezone.now()
    execution = in_state("completed", started_at=end - dt.timedelta(seconds=10), completed_at=end)
    for node, begin, close in (("start", 10, 8), ("ask", 8, 3)):
        ExecutionStep.objects.create(
            execution=execution,
            node_id=node,
            node_name=node,
            node_type="start",
            status="completed",
            started_at=end - dt.timedelta(seconds=begin),
            completed_at=end - dt.timedelta(seconds=close),
        )
    steps = operator.get(page(execution)).context["page"].steps
    assert [each.duration for each in steps] == ["2.0 s", "5.0 s"]
    assert "margin-left:0.00%;width:20.00%" in steps[0].bar
    assert "margin-left:20.00%;width:50.00%" in steps[1].bar


def test_a_very_long_run_shows_its_newest_steps_and_leads_to_all(operator, in_state) -> None:
    execution = in_state("completed")
    ExecutionStep.objects.bulk_create(
        ExecutionStep(
            execution=execution,
            node_id=f"n{at}",
            node_name="n",
            node_type="start",
            status="completed",
            started_at=timezone.now(),
        )
        for at in range(301)
    )
    shown = operator.get(page(execution))
    assert (len(shown.context["page"].steps), shown.context["page"].steps[-1].node_id) == (300, "n300")
    assert "all 301" in shown.content.decode()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"status": "completed", "due_at": None}, r"It completed in 1 min \d+ s\."),
        ({"due_at": None}, r"Nobody will look at it again: it has not ended, yet no moment is set for it\."),
        ({"due_at": -5}, r"It has been due for \S+ s and no worker has claimed it\. No worker is there: start one\."),
        ({"due_at": 7210}, r"It is due in 2 h 0 min\."),
        ({"due_at": 20, "lease_owner": "w"}, r"A worker holds it; unless renewed, its lease runs out in \S+ s\."),
        (
            {"due_at": -3, "lease_owner": "w"},
            r"The lease of the worker that held it ran out \S+ s ago without being renewed",
        ),
    ],
)
def test_why_it_waits_is_one_sentence(operator, in_state, state, sentence) -> None:
    due = None if state["due_at"] is None else timezone.now() + dt.timedelta(seconds=state["due_at"])
    execution = in_state(**{"status": "running", **state, "due_at": due})
    assert re.match(sentence, operator.get(page(execution)).context["page"].why)
