"""Why an execution is where it is: one plain sentence for every reason there is, and what mends it."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Organization
from auterity.kernel.access import Actor
from engine.node import Done, Effect
from engine.ports import Rejected, Unavailable, Unknown
from engine.waiting import Reason as Wait
from executions import claims, control, questions, selectors, services, turns
from executions.explain import explanation_of
from executions.models import BrakeReason, Execution, ExecutionStep, Worker, WorkflowBrake
from executions.presence import Presence
from executions.reasons import Reason
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, make_due, save, start, steps_of, until
from tests.executions.test_waits import approval, asked, colleague, event_flow, resting


def reasons(execution: Execution) -> dict[str, Reason]:
    found = explanation_of(fresh(execution))
    assert found.summary == found.reasons[0].sentence
    assert all(each.sentence[0].isupper() or each.sentence[0] == "'" for each in found.reasons)
    return {each.kind: each for each in found.reasons}


def queries(execution: Execution) -> int:
    held = fresh(execution)
    explanation_of(held)  # The plan is in memory from now on.
    with CaptureQueriesContext(connection) as captured:
        explanation_of(held)
    return len(captured)


# -- before and while a worker has it --------------------------------------------------------------------------------


def test_nobody_has_looked(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    found = reasons(accepted)
    assert list(found) == ["pending", "deadline"]
    assert found["pending"].sentence.endswith(" and no worker has claimed it. No worker is there: start one.")
    assert (found["pending"].mend, found["pending"].since) == ("Start a worker.", fresh(accepted).due_at)
    assert found["deadline"].until == accepted.deadline_at
    long_ago = timezone.now() - dt.timedelta(hours=1)
    Worker.objects.create(owner="w1", looked_at=long_ago)
    assert "No worker has looked for 1 h 0 min: are workers running?" in reasons(accepted)["pending"].sentence
    Worker.objects.create(owner="w2")
    found = reasons(accepted)
    assert "1 worker looked lately, the last one " in found["pending"].sentence
    assert (found["pending"].details["workers"], found["pending"].mend) == (1, None)
    assert queries(accepted) == 5  # Two of the reasons, three of the turn.


def test_it_waits_for_its_turn(actor: Actor) -> None:
    workflow = save(actor, flow({"a": "start"}, settings={"concurrency": 1}))
    first, second = start(actor, workflow), start(actor, workflow)
    assert [each.id for each in claims.claim(owner="w1", limit=10, lease=30.0)] == [first.id]
    found = reasons(second)
    assert found["slot"].sentence == (
        "It waits for its turn: 1 of the 1 runs that may be at work at a time are (workflow), and 0 come before it."
    )
    assert found["slot"].details == {
        "limit": "workflow",
        "allowed": 1,
        "held": 1,
        "holders": [str(first.id)],
        "ahead": 0,
    }


def test_so_many_are_before_it_that_nobody_counts(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "AHEAD_COUNTED", 1)
    workflow = save(actor, flow({"a": "start"}, settings={"concurrency": 1}))
    runs = [start(actor, workflow) for _ in range(3)]
    claims.claim(owner="w1", limit=10, lease=30.0)
    found = reasons(runs[-1])["slot"]
    assert found.sentence.endswith("(workflow), and more than can be counted come before it.")
    assert found.details["ahead"] is None


def test_its_workflow_took_workers_down(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    brake = WorkflowBrake(
        organization_id=actor.organization_id, workflow_id=accepted.workflow_id, reason=BrakeReason.POISON,
        message="3 of its runs were given up.", until=timezone.now() + dt.timedelta(minutes=9, seconds=30),
    )  # fmt: skip
    brake.save(force_insert=True)
    assert claims.claim(owner="w1", limit=10, lease=30.0) == []
    found = reasons(accepted)
    assert list(found) == ["brake", "deadline"]
    assert found["brake"].sentence.startswith("Its workflow's runs are held back for another 9 min ")
    assert found["brake"].sentence.endswith(": 3 of its runs were given up.")
    assert (found["brake"].until, found["brake"].details["reason"]) == (brake.until, "poison")
    assert found["brake"].mend is not None


def test_its_organization_is_switched_off(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    Organization.objects.filter(id=actor.organization_id).update(is_active=False)
    assert claims.claim(owner="w1", limit=10, lease=30.0) == []
    found = reasons(accepted)
    assert list(found) == ["inactive", "deadline"]
    assert found["inactive"].sentence.startswith("Its organization is switched off")
    assert found["inactive"].mend is not None


def test_a_step_is_under_way(actor: Actor, add_node: Any, runner: Runner) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def slow(config: Any, step: Any) -> Done:
        begun.set()
        assert let_go.wait(20)
        return Done(1)

    add_node("slow", slow, effect=Effect.KEYED)
    accepted = start(actor, flow({"a": ("slow", {"timeout_seconds": 90})}))
    assert begun.wait(10)
    found = reasons(accepted)
    assert list(found) == ["lease", "step", "deadline"]
    assert found["lease"].sentence.startswith(
        "A worker holds it and performs 'a'; unless renewed, its lease runs out in "
    )
    assert found["lease"].details["owner"] == runner.owner
    assert found["step"].sentence.endswith(" of the 1 min 30 s it may take.")
    assert (found["step"].node_id, found["step"].details["hung"], found["step"].details["effect"]) == (
        "a",
        False,
        "intent",
    )
    ExecutionStep.objects.filter(execution=accepted).update(started_at=Now() - dt.timedelta(minutes=5))
    found = reasons(accepted)
    assert found["step"].details["hung"] is True
    assert "It is past its limit" in found["step"].sentence
    assert queries(accepted) == 1
    let_go.set()
    ended(accepted)


def test_a_worker_died(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    Execution.unscoped.filter(id=accepted.id).update(lease_owner="gone", status="running", attempts=2)
    make_due(accepted)
    found = reasons(accepted)["lease"]
    assert "ran out" in found.sentence
    assert (
        "the next free worker takes it up (claim 3, given up after 5 without progress). No worker is there"
        in found.sentence
    )
    assert (found.details["owner"], found.mend) == ("gone", "Start a worker.")


def test_nobody_would_ever_look(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    Execution.unscoped.filter(id=accepted.id).update(due_at=None)
    assert list(reasons(accepted)) == ["stuck", "deadline"]


# -- waits -----------------------------------------------------------------------------------------------------------


def shown(actor: Actor, execution: Execution) -> tuple[Any, ...]:
    """What the execution's own page says it waits for."""
    found = selectors.describe(actor=actor, execution_id=execution.id).waiting_for
    assert found is not None
    return found["reason"], found["node_id"], found["until"]


def test_a_retry(actor: Actor, add_node: Any, runner: Runner) -> None:
    def away(config: Any, step: Any) -> Done:
        raise Unavailable("The CRM is away.")

    add_node("call", away, effect=Effect.KEYED)
    retry = {"max_attempts": 2, "backoff_seconds": 600, "jitter": False}
    accepted = start(actor, flow({"a": ("call", {"retry": retry})}))
    until(lambda: steps_of(accepted) and resting(accepted).due_at is not None)
    found = reasons(accepted)
    assert list(found) == ["retry", "deadline"]
    assert found["retry"].sentence.endswith("the next attempt of 'a', whose attempt 1 failed: The CRM is away.")
    assert found["retry"].details == {"attempt": 1, "error_code": "unavailable", "last_error": "The CRM is away."}
    assert found["retry"].until == steps_of(accepted)["a"].due_at
    assert queries(accepted) == 1


def test_a_delay(actor: Actor, runner: Runner) -> None:
    accepted = start(actor, flow({"a": ("delay", {"seconds": 3600})}))
    resting(accepted)
    found = reasons(accepted)
    assert list(found) == ["delay", "deadline"]
    assert found["delay"].sentence.startswith("'a' waits for another 59 min")
    assert found["deadline"].sentence.endswith("the time it waits does not count.")
    assert shown(actor, accepted) == ("delay", "a", steps_of(accepted)["a"].due_at)


def test_an_approval(actor: Actor, runner: Runner) -> None:
    bob = colleague(actor, "bob@example.com")
    accepted = start(actor, approval(assignees=["bob@example.com", "dan@elsewhere.com"], required=2))
    question = asked(accepted)
    resting(accepted)
    found = reasons(accepted)
    assert found["approval"].sentence == (
        "'ask' waits for bob@example.com, dan@elsewhere.com to decide; nobody answered so far."
    )
    assert found["approval"].details["question_id"] == str(question.id)
    assert found["approval"].mend == "Answer the question."
    assert shown(actor, accepted) == ("approval", "ask", None)
    assert queries(accepted) == 2
    questions.answer(actor=bob, question_id=question.id, given={"decision": "approve"})
    assert reasons(accepted)["approval"].sentence.endswith(" to decide; 1 answered so far.")


def test_an_event(actor: Actor, runner: Runner) -> None:
    accepted = start(actor, event_flow(match="event.order == inputs.order", expires_in_seconds=3600), {"order": 1})
    asked(accepted)
    resting(accepted)
    found = reasons(accepted)["event"]
    assert found.sentence.startswith("'wait' waits for another 59 min")
    assert found.sentence.endswith(" for the event 'paid' for which event.order == inputs.order.")
    assert (found.details["event"], found.details["match"]) == ("paid", "event.order == inputs.order")
    assert found.mend == "Let the other system send it to POST /api/events, with 'paid' as its event."


def test_somebody_shall_settle(actor: Actor, add_node: Any, runner: Runner) -> None:
    def lost(config: Any, step: Any) -> Done:
        raise Unknown("No answer.")

    add_node("call", lost, effect=Effect.UNKEYED)
    accepted = start(actor, flow({"a": ("call", {"on_unknown": "ask"})}))
    asked(accepted)
    resting(accepted)
    assert reasons(accepted)["settle"].sentence == (
        "'a' waits for any manager, any admin to say whether it took effect; nobody answered so far."
    )


def test_runs_that_it_started(actor: Actor) -> None:
    workflow_run = start(actor, flow({"a": "start"}))
    for status in ("completed", "running", "running"):
        child = start(actor, flow({"a": "start"}))
        Execution.unscoped.filter(id=child.id).update(
            parent_id=workflow_run.id, parent_node="a", parent_item=child.id.int % 1000, status=status
        )
    Execution.unscoped.filter(id=workflow_run.id).update(status="running", due_at=None)
    ExecutionStep.objects.create(
        execution=workflow_run, node_id="a", node_name="Each lead", node_type="map", status="waiting", waits_for=Wait.RUNS,
        started_at=timezone.now(),
    )  # fmt: skip
    found = reasons(workflow_run)["runs"]
    assert found.sentence == "'Each lead' waits for the runs it started: 1 completed, 2 running."
    assert found.details == {"runs": {"completed": 1, "running": 2}}
    assert queries(workflow_run) == 2
    assert shown(actor, workflow_run) == ("runs", "a", None)


def test_it_is_paused(actor: Actor, runner: Runner) -> None:
    accepted = start(actor, flow({"a": ("delay", {"seconds": 3600})}))
    resting(accepted)
    control.pause(actor=actor, execution_id=accepted.id)
    found = reasons(accepted)
    assert list(found) == ["paused", "delay", "deadline"]
    assert found["paused"].sentence == "Paused by ann@example.com. It begins nothing more until it is resumed."
    assert found["paused"].since == fresh(accepted).paused_at
    assert shown(actor, accepted) == ("paused", None, None)
    assert queries(accepted) == 2


# -- how it ended ----------------------------------------------------------------------------------------------------


def test_it_completed_and_where_its_time_went(actor: Actor, runner: Runner) -> None:
    done = ended(start(actor, flow({"a": "start", "b": "start"}, "a > b")))
    end = done.started_at + dt.timedelta(seconds=10)
    Execution.unscoped.filter(id=done.id).update(completed_at=end)
    ExecutionStep.objects.filter(execution=done, node_id="b").update(
        started_at=end - dt.timedelta(seconds=4), completed_at=end
    )
    ExecutionStep.objects.filter(execution=done, node_id="a").update(completed_at=done.started_at)
    found = explanation_of(fresh(done))
    assert found.summary == "It completed in 10.0 s."
    assert [(each.kind, each.sentence) for each in found.reasons[1:2]] == [
        ("time", "'b' took 4.0 s, 40 % of the whole.")
    ]
    assert selectors.describe(actor=actor, execution_id=done.id).waiting_for is None
    assert queries(done) == 2


def test_it_failed(actor: Actor, add_node: Any, runner: Runner) -> None:
    def refuse(config: Any, step: Any) -> Done:
        raise Rejected("The address is closed.")

    add_node("call", refuse, effect=Effect.KEYED)
    failed = ended(start(actor, flow({"a": "start", "b": "call"}, "a > b")))
    found = reasons(failed)["failed"]
    assert found.sentence == "It failed. 'b' failed: The address is closed."
    assert (found.node_id, found.details) == ("b", {"code": "rejected", "attempts": 1, "effect": "not_done"})
    assert found.mend == (
        "The other side said no. Mend what is sent, or the right to send it, and run again from this step."
    )


def test_it_was_cancelled_ran_out_of_time_or_was_poison(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    services.cancel(actor=actor, execution_id=accepted.id)
    assert reasons(accepted)["cancelled"].sentence == "Cancelled by ann@example.com."
    end = Execution.unscoped.filter(id=accepted.id)
    end.update(status="timeout", error_code="TIMEOUT", error_message="The execution did not end within its 5 seconds.")
    assert reasons(accepted)["deadline"].sentence == "The execution did not end within its 5 seconds."
    end.update(status="failed", error_code="POISON", error_message="Given up after 5 workers.")
    found = reasons(accepted)["poison"]
    assert (found.sentence, found.mend) == (
        "It failed. Given up after 5 workers.",
        "The workers' logs say at which step they went down. Take that step apart, then run again from it.",
    )


# -- workers ---------------------------------------------------------------------------------------------------------


def test_a_worker_is_there_while_it_runs_and_takes_its_row_along(actor: Actor, start_runner: Any) -> None:
    runner = start_runner()
    until(lambda: Worker.objects.filter(owner=runner.owner).exists(), what="its row")
    ended(start(actor, flow({"a": "start"})))
    runner.stop()
    assert not Worker.objects.exists()


def test_what_a_worker_notes(actor: Actor) -> None:
    Worker.objects.create(owner="dead long ago", looked_at=timezone.now() - dt.timedelta(days=2))
    Worker.objects.create(owner="dead lately", looked_at=timezone.now() - dt.timedelta(hours=2))
    presence = Presence("w")
    assert set(Worker.objects.values_list("owner", flat=True)) == {"dead lately", "w"}
    hour_ago = timezone.now() - dt.timedelta(hours=1)

    def seen(**about: float) -> tuple[bool, bool]:
        """Whether it noted that it looked, and that it claimed."""
        Worker.objects.filter(owner="w").update(looked_at=hour_ago, claimed_at=None)
        presence._at = 0.0  # As if ten seconds had passed.
        presence.note(**about)
        row = Worker.objects.get(owner="w")
        return row.looked_at > hour_ago, row.claimed_at is not None

    assert seen(turned_at=5.0, claimed_at=0.0) == (True, False)
    assert seen(turned_at=5.0, claimed_at=0.0) == (False, False)  # A desk that does not come round.
    assert seen(turned_at=6.0, claimed_at=6.0) == (True, True)
    assert seen(turned_at=7.0, claimed_at=6.0) == (True, False)
    Worker.objects.all().delete()
    presence._at = 0.0
    presence.note(turned_at=8.0, claimed_at=6.0)
    assert Worker.objects.get().owner == "w"


def test_nothing_is_noted_twice_within_ten_seconds(actor: Actor) -> None:
    presence = Presence("w")
    presence.note(turned_at=1.0, claimed_at=0.0)
    with CaptureQueriesContext(connection) as captured:
        presence.note(turned_at=2.0, claimed_at=2.0)
    assert len(captured) == 0
