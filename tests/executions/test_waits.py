"""Steps that go on later: nobody holds them meanwhile, and whatever wakes them does so once."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from email import message_from_bytes, policy
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from accounts import members
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Role
from auterity.kernel.errors import InvalidInput, PermissionDenied
from engine.node import Done, Effect, Failed
from executions import control, journal, questions, services
from executions.errors import AlreadyAnswered, ExecutionEnded, NotPaused, QuestionClosed, QuestionNotFound
from executions.models import Execution, OpenQuestion, QuestionAnswer
from executions.people import Link, link_of, read_link
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, kinds_of, lines_of, make_due, person, start, steps_of, until


def resting(execution: Execution) -> Execution:
    """The execution once no worker holds it."""
    until(lambda: fresh(execution).lease_owner == "" and fresh(execution).seq > 0, what="rest")
    return fresh(execution)


def asked(execution: Execution) -> OpenQuestion:
    until(lambda: OpenQuestion.unscoped.filter(execution=execution, closed_at=None).exists(), what="a question")
    return OpenQuestion.unscoped.get(execution=execution, closed_at=None)


def colleague(actor: Actor, email: str, role: Role = Role.MEMBER) -> Actor:
    """Another member of the actor's organization."""
    about = {"password": "correct horse 9", "first_name": email.split("@")[0].title(), "last_name": "Ames"}
    joined = members.members_add(actor=actor, email=email, role=role, **about)
    return Actor(joined.user_id, actor.organization_id, role, ROLE_PERMISSIONS[role], email)


def mails(folder: Any) -> dict[str, str]:
    """The text of each mail in the outbox, by who it is to."""
    found = {}
    for path in folder.glob("*.eml"):
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        found[message["To"]] = message.get_body(("plain",)).get_content()
    return found


# -- delay -----------------------------------------------------------------------------------------------------------


def test_a_delay_holds_no_worker_and_goes_on_when_its_time_has_come(actor: Actor, runner: Runner) -> None:
    accepted = start(actor, flow({"a": "start", "b": ("delay", {"seconds": 3600}), "c": "start"}, "a > b", "b > c"))
    waiting = resting(accepted)
    step = steps_of(accepted)["b"]
    assert (waiting.status, step.status, step.waits_for) == ("running", "waiting", "delay")
    assert dt.timedelta(seconds=3590) < waiting.due_at - timezone.now() < dt.timedelta(seconds=3600)
    assert waiting.waiting_since is not None

    type(step).objects.filter(pk=step.pk).update(due_at=F("started_at"))
    make_due(accepted)
    runner.wake()
    done = ended(accepted)
    assert (done.status, done.waiting_since) == ("completed", None)
    assert list(steps_of(accepted)["b"].output_data) == ["waited_seconds"]
    assert [kind for kind, node in kinds_of(accepted) if node == "b"] == ["step_waiting", "step_completed"]


def test_a_moment_that_has_passed_is_no_wait(actor: Actor, runner: Runner) -> None:
    done = ended(start(actor, flow({"a": ("delay", {"until": "2020-01-01T00:00:00"})})))
    assert (done.status, done.output_data) == ("completed", {"waited_seconds": 0.0})


def test_the_time_waited_does_not_count_against_the_deadline(actor: Actor, runner: Runner) -> None:
    definition = flow({"a": ("delay", {"seconds": 3600})}, settings={"timeout_seconds": 60})
    accepted = start(actor, definition)
    waiting = resting(accepted)
    hour = dt.timedelta(hours=1)
    Execution.unscoped.filter(id=accepted.id).update(
        waiting_since=F("waiting_since") - hour, deadline_at=F("deadline_at") - hour
    )
    steps_of(accepted)["a"].__class__.objects.filter(execution=accepted).update(due_at=F("started_at"))
    make_due(accepted)
    runner.wake()
    done = ended(accepted)
    assert done.status == "completed"
    assert abs(done.deadline_at - waiting.deadline_at) < dt.timedelta(seconds=30)


YES = {"decision": "approve"}


# -- approval --------------------------------------------------------------------------------------------------------


def approval(**config: Any) -> dict[str, Any]:
    """a asks; whichever way it goes is named by the step after it."""
    nodes = {"ask": ("approval", {"title": "Discount?", **config}), "yes": "start", "no": "start", "late": "start"}
    return flow(nodes, "ask.approved > yes", "ask.rejected > no", "ask.expired > late")


def test_as_many_as_are_required_must_approve(actor: Actor, runner: Runner) -> None:
    bob, cay = colleague(actor, "bob@example.com"), colleague(actor, "cay@example.com")
    accepted = start(actor, approval(assignees=["bob@example.com", "cay@example.com", "dan@elsewhere.com"], required=2))
    question = asked(accepted)
    questions.answer(actor=bob, question_id=question.id, given={"decision": "approve", "comment": "Fine."})
    with pytest.raises(AlreadyAnswered):
        questions.answer(actor=bob, question_id=question.id, given={"decision": "reject"})
    resting(accepted)
    assert fresh(accepted).status == "running"
    questions.answer(actor=cay, question_id=question.id, given={"decision": "approve"})
    done = ended(accepted)
    output = steps_of(accepted)["ask"].output_data
    assert (done.status, output["decision"]) == ("completed", "approved")
    assert [(vote["email"], vote["decision"], vote["comment"]) for vote in output["by"]] == [
        ("bob@example.com", "approved", "Fine."),
        ("cay@example.com", "approved", ""),
    ]
    assert set(steps_of(accepted)) == {"ask", "yes"}
    with pytest.raises(QuestionClosed):
        questions.answer_by_link(link=Link(accepted.id, "ask", "dan@elsewhere.com"), given={"decision": "reject"})


def test_one_rejection_decides(actor: Actor, runner: Runner) -> None:
    bob = colleague(actor, "bob@example.com")
    accepted = start(actor, approval(assignees=["bob@example.com", "dan@elsewhere.com"], required=2))
    questions.answer(actor=bob, question_id=asked(accepted).id, given={"decision": "reject", "comment": "Too much."})
    assert ended(accepted).status == "completed"
    assert set(steps_of(accepted)) == {"ask", "no"}


def test_who_started_the_run_may_not_decide_unless_it_is_allowed(actor: Actor, runner: Runner) -> None:
    accepted = start(actor, approval())
    with pytest.raises(PermissionDenied, match="Who started this run may not decide"):
        questions.answer(actor=actor, question_id=asked(accepted).id, given={"decision": "approve"})
    assert QuestionAnswer.unscoped.count() == 0
    allowed = start(actor, approval(allow_author=True))
    questions.answer(actor=actor, question_id=asked(allowed).id, given={"decision": "approve"})
    assert ended(allowed).status == "completed"


def test_only_those_who_were_asked_may_decide(actor: Actor, runner: Runner) -> None:
    member, manager = colleague(actor, "m@example.com"), colleague(actor, "boss@example.com", Role.MANAGER)
    question = asked(start(actor, approval(assignees=["manager"])))
    with pytest.raises(PermissionDenied, match="not among those who were asked"):
        questions.answer(actor=member, question_id=question.id, given={"decision": "approve"})
    assert questions.may_answer(actor=manager, question=question)
    with pytest.raises(InvalidInput, match="Invalid"):
        questions.answer(actor=manager, question_id=question.id, given={"decision": "perhaps"})
    assert QuestionAnswer.unscoped.count() == 0


@pytest.mark.parametrize(("on_expiry", "way"), [(None, "late"), ("reject", "no"), ("approve", "yes")])
def test_nobody_decides_in_time(actor: Actor, runner: Runner, on_expiry: str | None, way: str) -> None:
    accepted = start(actor, approval(expires_in_seconds=1, on_expiry=on_expiry))
    assert ended(accepted).status == "completed"
    assert set(steps_of(accepted)) == {"ask", way}
    assert OpenQuestion.unscoped.filter(closed_at=None).count() == 0


def test_others_are_asked_when_nobody_decides_in_time(actor: Actor, runner: Runner) -> None:
    bob, cay = colleague(actor, "bob@example.com"), colleague(actor, "cay@example.com")
    config = {"assignees": ["bob@example.com"], "on_expiry": "escalate", "escalate_to": ["cay@example.com"]}
    accepted = start(actor, approval(expires_in_seconds=600, **config))
    first = asked(accepted)
    resting(accepted)
    step = steps_of(accepted)["ask"]
    type(step).objects.filter(pk=step.pk).update(due_at=F("started_at"))
    make_due(accepted)
    runner.wake()
    until(lambda: asked(accepted).id != first.id, what="a second question")
    with pytest.raises(QuestionClosed):
        questions.answer(actor=bob, question_id=first.id, given={"decision": "approve"})
    questions.answer(actor=cay, question_id=asked(accepted).id, given={"decision": "approve"})
    assert ended(accepted).status == "completed"
    assert set(steps_of(accepted)) == {"ask", "yes"}


def test_those_who_are_asked_are_written_to_with_a_link_of_their_own(
    actor: Actor, settings: Any, tmp_path: Any, start_runner: Any
) -> None:
    settings.OUTBOX_DIR = tmp_path
    start_runner()
    accepted = start(actor, approval(assignees=["dan@elsewhere.com", "eve@elsewhere.com"]))
    asked(accepted)
    sent = mails(tmp_path)
    assert sorted(sent.keys() - {actor.email}) == [
        "dan@elsewhere.com",
        "eve@elsewhere.com",
    ]  # Its own letter may go out too.
    token = "".join(sent["dan@elsewhere.com"].split("/answer/")[1].split())
    link = read_link(token)
    assert link == Link(accepted.id, "ask", "dan@elsewhere.com")
    assert questions.question_of(link).title == "Discount?"
    assert read_link(token[:-1] + "x") is None
    with pytest.raises(QuestionNotFound):
        questions.question_of(Link(accepted.id, "ask", "mallory@elsewhere.com"))
    questions.answer_by_link(link=link, given={"decision": "approve"})
    assert ended(accepted).status == "completed"


# -- form and event --------------------------------------------------------------------------------------------------


def test_a_form_in_mid_run_waits_for_values_and_checks_them_when_they_come(actor: Actor, runner: Runner) -> None:
    fields = [{"name": "vin", "type": "string", "required": True}, {"name": "miles", "type": "number"}]
    definition = flow({"a": "start", "form": ("form-input", {"fields": fields, "who": "public"})}, "a > form")
    accepted = start(actor, definition)
    link = read_link(link_of(f"{asked(accepted).execution_id}/form/0").rpartition("/")[2])
    assert link is not None
    with pytest.raises(InvalidInput) as refused:
        questions.answer_by_link(link=link, given={"values": {"miles": "many"}})
    assert {each.field for each in refused.value.problems} == {"values.vin", "values.miles"}
    questions.answer_by_link(link=link, given={"values": {"vin": "1HGCM82633A004352", "miles": "42"}})
    done = ended(accepted)
    assert (done.status, done.output_data) == ("completed", {"vin": "1HGCM82633A004352", "miles": 42})
    with pytest.raises((QuestionClosed, AlreadyAnswered)):
        questions.answer_by_link(link=link, given={"values": {"vin": "x"}})


def test_of_two_people_who_answer_one_form_at_once_the_second_is_told_that_it_is_closed(
    actor: Actor, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is stored and not committed yet when the second one comes."""
    fields = [{"name": "vin", "type": "string", "required": True}]
    accepted = start(
        actor, flow({"a": "start", "form": ("form-input", {"fields": fields, "who": "members"})}, "a > form")
    )
    question = asked(resting(accepted))
    stored, go_on, signal = threading.Event(), threading.Event(), journal.signal

    def slow_signal(ids: Any) -> None:
        stored.set()
        assert go_on.wait(15)
        signal(ids)

    def answer(who: Actor) -> str:
        try:
            questions.answer(actor=who, question_id=question.id, given={"values": {"vin": who.email}})
        except QuestionClosed:
            return "closed"
        finally:
            connection.close()
        return "taken"

    other = colleague(actor, "bea@example.com")
    monkeypatch.setattr(journal, "signal", slow_signal)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(answer, actor)
        assert stored.wait(15)
        second = threads.submit(answer, other)
        wait(
            [second], timeout=0.5
        )  # It cannot end before the first one has; without the lock it would, and be taken too.
        go_on.set()
        assert (first.result(), second.result()) == ("taken", "closed")
    assert ended(accepted).output_data == {"vin": actor.email}


def event_flow(**config: Any) -> dict[str, Any]:
    nodes = {"a": "start", "wait": ("wait-for-event", {"event": "paid", **config}), "got": "start", "late": "start"}
    return flow(nodes, "a > wait", "wait.received > got", "wait.expired > late")


def test_an_event_wakes_the_runs_whose_condition_holds(actor: Actor, runner: Runner) -> None:
    mine = start(actor, event_flow(match="event.order == inputs.order"), {"order": 1})
    other = start(actor, event_flow(match="event.order == inputs.order"), {"order": 2})
    asked(mine), asked(other)
    assert questions.receive_event(actor=actor, name="paid", data={"order": 1, "sum": 9}, key="e1") == (2, False)
    assert questions.receive_event(actor=actor, name="paid", data={"order": 2}, key="e1") == (0, True)
    assert ended(mine).status == "completed"
    output = steps_of(mine)["wait"].output_data
    assert (output["event"], output["order"], output["sum"]) == ("paid", 1, 9)
    resting(other)
    assert (fresh(other).status, set(steps_of(other))) == ("running", {"a", "wait"})


def test_an_event_that_came_while_the_run_was_under_way_counts(actor: Actor, runner: Runner, add_node: Any) -> None:
    def send(config: Any, step: Any) -> Done:
        questions.receive_event(actor=actor, name="paid", data={"n": 7})
        connection.close()  # This is a thread of the worker's own.
        return Done(None)

    add_node("call", send, effect=Effect.KEYED)
    accepted = start(actor, flow({"a": "call", "wait": ("wait-for-event", {"event": "paid"})}, "a > wait"))
    assert ended(accepted).status == "completed"
    assert steps_of(accepted)["wait"].output_data["n"] == 7


def test_another_organizations_event_wakes_nobody(actor: Actor, runner: Runner) -> None:
    stranger = person("eve@elsewhere.com")
    accepted = start(actor, event_flow(expires_in_seconds=2))
    question = asked(accepted)
    assert questions.receive_event(actor=stranger, name="paid", data={}) == (0, False)
    with pytest.raises(QuestionNotFound):
        questions.get_question(actor=stranger, question_id=question.id)
    assert ended(accepted).status == "completed"
    assert set(steps_of(accepted)) == {"a", "wait", "late"}


# -- pause -----------------------------------------------------------------------------------------------------------


def test_a_paused_run_ends_what_is_under_way_and_begins_nothing(actor: Actor, runner: Runner, add_node: Any) -> None:
    opened, keys = threading.Event(), []

    def call(config: Any, step: Any) -> Done:
        keys.append(step.key)
        assert opened.wait(20)
        return Done(None)

    add_node("call", call, effect=Effect.KEYED)
    accepted = start(actor, flow({"a": "call", "b": "call"}, "a > b"))
    until(lambda: keys, what="the first call")
    control.pause(actor=actor, execution_id=accepted.id)
    opened.set()
    paused = resting(accepted)
    states = {name: (step.status, step.attempt, step.effect) for name, step in steps_of(accepted).items()}
    assert states.pop("a") == ("completed", 1, "confirmed")
    # Whether the worker saw the pause before or after it recorded that b is next: it does not perform it.
    assert states in ({}, {"b": ("waiting", 0, "not_done")})
    assert (paused.status, paused.due_at, keys) == ("running", None, [f"{accepted.id}/a/0"])
    control.resume(actor=actor, execution_id=accepted.id)
    assert ended(accepted).status == "completed"
    assert keys == [f"{accepted.id}/a/0", f"{accepted.id}/b/0"]
    assert [kind for kind, _ in kinds_of(accepted) if kind in ("paused", "resumed")] == ["paused", "resumed"]


def test_a_run_can_be_paused_before_anybody_takes_it(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    control.pause(actor=actor, execution_id=accepted.id)
    control.pause(actor=actor, execution_id=accepted.id)
    assert (fresh(accepted).status, fresh(accepted).due_at) == ("pending", None)
    assert [line.kind for line in lines_of(accepted)] == ["paused"]
    services.cancel(actor=actor, execution_id=accepted.id)
    with pytest.raises(ExecutionEnded):
        control.resume(actor=actor, execution_id=accepted.id)


def test_only_a_paused_run_is_resumed(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    with pytest.raises(NotPaused):
        control.resume(actor=actor, execution_id=accepted.id)
    assert lines_of(accepted) == []


def test_an_answer_to_a_paused_run_is_kept_until_it_goes_on(actor: Actor, runner: Runner) -> None:
    accepted = start(actor, approval(allow_author=True))
    question = asked(accepted)
    resting(accepted)
    control.pause(actor=actor, execution_id=accepted.id)
    questions.answer(actor=actor, question_id=question.id, given={"decision": "approve"})
    assert fresh(accepted).due_at is None
    control.resume(actor=actor, execution_id=accepted.id)
    assert ended(accepted).status == "completed"


# -- what nobody can tell --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("happened", "calls"), [(True, 1), (False, 2)])
def test_people_say_whether_an_unknown_effect_took_place(
    actor: Actor, runner: Runner, add_node: Any, happened: bool, calls: int
) -> None:
    keys: list[str] = []

    def send(config: Any, step: Any) -> Done | Failed:
        keys.append(step.key)
        return Failed("unknown_outcome", "It was sent and no answer came.") if len(keys) == 1 else Done({"sent": True})

    add_node("call", send, effect=Effect.UNKEYED)
    accepted = start(actor, flow({"a": ("call", {"on_unknown": "ask"})}))
    question = asked(accepted)
    assert (question.reason, steps_of(accepted)["a"].effect) == ("settle", "unknown")
    questions.answer(actor=actor, question_id=question.id, given={"happened": happened, "output": None})
    done = ended(accepted)
    assert (done.status, len(keys), len(set(keys))) == ("completed", calls, 1)
    assert steps_of(accepted)["a"].effect == ("settled_done" if happened else "confirmed")


def test_a_cancelled_run_leaves_no_question_open(actor: Actor, runner: Runner) -> None:
    accepted = start(actor, approval())
    question = asked(accepted)
    services.cancel(actor=actor, execution_id=accepted.id)
    with pytest.raises(QuestionClosed):
        questions.answer(actor=colleague(actor, "boss@example.com", Role.MANAGER), question_id=question.id, given=YES)
    assert OpenQuestion.unscoped.get(id=question.id).closed_at is not None
    assert steps_of(accepted)["ask"].status == "cancelled"
