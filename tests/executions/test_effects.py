"""The ledger tells of every effect what is known, whatever interrupts it; people settle the rest, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import PermissionDenied
from engine.node import Done, Effect, Failed, Outcome
from engine.ports import Rejected, Unavailable, Unknown
from engine.waiting import Reason, Wait
from executions import claims, control, effects, gateway, journal, services
from executions.active import Active
from executions.desk import _timed_out
from executions.errors import EffectKnown, EffectNotFound, EffectUnderWay
from executions.models import Execution, ExecutionStep, LogKind, OpenQuestion
from executions.runner import Runner
from tests.executions.support import ended, flow, fresh, lines_of, make_due, person, start, steps_of, until
from tests.executions.test_waits import asked, colleague
from workflows.plans import plan_of

CALL = flow({"a": "call"})


def states(execution: Execution) -> dict[str, str]:
    return {name: row.effect for name, row in steps_of(execution).items()}


def answering(*outcomes: Any) -> Any:
    """A node that gives one outcome after the other."""
    left = list(outcomes)

    def run(config: Any, step: Any) -> Outcome:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return run


# -- what is known after each outcome --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([Done(1, receipt="r")], "confirmed"),
        ([Done(1, confirmed=False)], "sent"),
        ([Rejected("No.")], "not_done"),
        ([Unavailable("Away.")], "not_done"),
        ([Unknown("No answer.")], "unknown"),
        ([RuntimeError("a defect after it was sent")], "unknown"),
        ([Done({"big": object()})], "confirmed"),
    ],
    ids=["done", "queued", "rejected", "unavailable", "unknown", "crash", "output that cannot be kept"],
)
@pytest.mark.parametrize("effect", [Effect.KEYED, Effect.UNKEYED])
def test_each_outcome_leaves_what_is_known(
    actor: Actor, add_node: Any, runner: Runner, outcomes: list[Any], state: str, effect: Effect
) -> None:
    add_node("call", answering(*outcomes), effect=effect)
    assert states(ended(start(actor, CALL))) == {"a": state}


SOON = {"backoff_seconds": 0, "jitter": False}


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([Unavailable("Away."), Done(1)], "confirmed"),
        ([Unavailable("Away."), Rejected("No.")], "not_done"),
        ([Unknown("No answer."), Done(1)], "confirmed"),
        ([Unknown("No answer."), Rejected("No.")], "unknown"),
        ([Unknown("No answer."), Unavailable("Away."), Unavailable("Away.")], "unknown"),
    ],
)
def test_a_later_failure_tells_nothing_of_an_attempt_that_is_in_doubt(
    actor: Actor, add_node: Any, runner: Runner, outcomes: list[Any], state: str
) -> None:
    add_node("call", answering(*outcomes), effect=Effect.KEYED)
    retry = {"max_attempts": 3, "on": ["unavailable", "unknown_outcome"], **SOON}
    assert states(ended(start(actor, flow({"a": ("call", {"retry": retry})})))) == {"a": state}


def test_what_a_step_did_before_it_waits_is_done_although_another_step_fails(
    actor: Actor, add_node: Any, runner: Runner
) -> None:
    failed = threading.Event()

    def ask(config: Any, step: Any) -> Outcome:
        assert failed.wait(15)
        return Wait(Reason.EVENT)

    add_node("ask", ask, effect=Effect.KEYED)
    add_node("call", answering(Rejected("No.")), effect=Effect.KEYED)
    accepted = start(actor, flow({"a": "ask", "b": "call"}))
    until(lambda: states(accepted).get("b") == "not_done")
    failed.set()
    assert (ended(accepted).status, states(accepted)) == ("failed", {"a": "confirmed", "b": "not_done"})


# -- what interrupts -------------------------------------------------------------------------------------------------


@pytest.fixture
def let_go(add_node: Any) -> Iterator[threading.Event]:
    """The step `call` is under way until this is set."""
    begun, opened = threading.Event(), threading.Event()

    def slow(config: Any, step: Any) -> Done:
        begun.set()
        assert opened.wait(20)
        return Done(1)

    add_node("call", slow, effect=Effect.UNKEYED)
    opened.begun = begun  # type: ignore[attr-defined]
    yield opened
    opened.set()


def test_of_a_step_that_is_cancelled_under_way_nobody_knows(actor: Actor, let_go: Any, runner: Runner) -> None:
    accepted = start(actor, CALL)
    assert let_go.begun.wait(10)
    assert states(accepted) == {"a": "intent"}
    services.cancel(actor=actor, execution_id=accepted.id)
    let_go.set()
    until(lambda: not runner.desk._active)
    assert states(accepted) == {"a": "unknown"}


def test_of_a_step_whose_execution_runs_out_of_time_nobody_knows(actor: Actor, let_go: Any, runner: Runner) -> None:
    accepted = start(actor, flow({"a": "call"}, settings={"timeout_seconds": 0.5}))
    assert ended(accepted).status == "timeout"
    assert states(accepted) == {"a": "unknown"}


def test_a_pause_lets_a_step_under_way_end(actor: Actor, let_go: Any, runner: Runner) -> None:
    accepted = start(actor, CALL)
    assert let_go.begun.wait(10)
    control.pause(actor=actor, execution_id=accepted.id)
    assert states(accepted) == {"a": "intent"}
    let_go.set()
    assert ended(accepted).status == "completed"
    assert states(accepted) == {"a": "confirmed"}


class Hands:
    """A worker in the test's own hands: it may stop at any moment between two commits."""

    def __init__(self, execution: Execution) -> None:
        make_due(execution)
        [held] = claims.claim(owner="w", limit=1, lease=30.0) or claims.claim_suspect(owner="w", lease=30.0)
        plan = plan_of(held.version_id)
        about = {"execution": {"id": str(held.id)}, "workflow": plan.workflow, "organization": plan.organization}
        self.active = Active.take_up(held, plan.graph, about, gateway.ports_of(held.organization_id))

    def commit(self) -> bool:
        """Whether there was something to be recorded, and it was."""
        checkpoint = self.active.checkpoint(owner="w", lease=30.0)
        if checkpoint is None:
            return False
        held = bool(journal.commit([checkpoint]))
        self.active.unsaved.saved()
        return held

    def begin(self) -> Any:
        """The job of the step, once its intent is recorded; None when there is nothing to do."""
        self.active.drive()
        jobs = self.active.begin(1)
        self.commit()
        return jobs[0] if jobs else None

    def shelve(self, job: Any) -> None:
        """It was paused before the step was performed."""
        self.active.shelve(job)
        self.commit()


def test_an_interrupted_step_stays_to_be_recovered_although_a_pause_came_between(actor: Actor, add_node: Any) -> None:
    """Else it would be performed once more after the pause, without being looked up."""
    sent: list[str] = []

    def send(config: Any, step: Any) -> Done:
        sent.append(step.key)
        return Done(1)

    add_node("call", send, effect=Effect.UNKEYED)
    accepted = start(actor, CALL)
    Hands(accepted).begin().perform()  # And its worker is gone.
    second = Hands(accepted)
    second.shelve(second.begin())
    assert states(accepted) == {"a": "intent"}
    third = Hands(accepted)
    job = third.begin()
    third.active.finish(job, job.perform())
    third.commit()
    assert (sent, fresh(accepted).error_code, states(accepted)) == (
        [f"{accepted.id}/a/0"],
        "unknown_outcome",
        {"a": "unknown"},
    )


def test_a_keyed_step_whose_repeat_fails_is_in_doubt(actor: Actor, add_node: Any) -> None:
    add_node("call", answering(Done(1), Rejected("No.")), effect=Effect.KEYED)
    accepted = start(actor, CALL)
    Hands(accepted).begin().perform()
    second = Hands(accepted)
    job = second.begin()
    second.active.finish(job, job.perform())
    second.commit()
    assert (fresh(accepted).error_code, states(accepted)) == ("rejected", {"a": "unknown"})


def test_a_run_that_times_out_between_two_workers_leaves_its_step_in_doubt(actor: Actor, add_node: Any) -> None:
    add_node("call", answering(Done(1)), effect=Effect.KEYED)
    accepted = start(actor, CALL)
    Hands(accepted).begin()
    make_due(accepted)
    [held] = claims.claim(owner="w2", limit=1, lease=30.0)
    assert set(journal.commit([_timed_out(held)])) == {accepted.id}
    assert (fresh(accepted).status, states(accepted)) == ("timeout", {"a": "unknown"})


# -- reading ---------------------------------------------------------------------------------------------------------


def test_an_entry_says_what_was_done_without_saying_secrets(actor: Actor, add_node: Any, runner: Runner) -> None:
    add_node("call", answering(Done(1, receipt="201 /orders/5")), effect=Effect.KEYED)
    url = "https://user:pass@api.example.com/v1/orders?key=secret"
    done = ended(start(actor, flow({"a": ("call", {"url": url})})))
    [entry] = effects.list_effects(actor=actor, execution_id=done.id)
    row = steps_of(done)["a"]
    assert (entry.key, entry.what, entry.state, entry.receipt, entry.attempts) == (
        f"{done.id}/a/0",
        "GET api.example.com",
        "confirmed",
        "201 /orders/5",
        1,
    )
    assert (entry.first_at, entry.last_at, entry.settled_by) == (row.started_at, row.completed_at, None)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"method": "POST", "url": "https://a.example/x"}, "POST a.example"),
        ({"url": "********"}, "GET ?"),
        ({"to": "a@x.example, b@x.example", "cc": ["c@x.example"]}, "to 3 recipients"),
        ({"to": ["a@x.example"]}, "to 1 recipient"),
        ({"omitted": "70,000 bytes"}, "some-type"),
        (None, "some-type"),
    ],
)
def test_what_is_a_few_words(config: Any, what: str) -> None:
    assert effects.what_of(ExecutionStep(input_data=config, node_type="some-type")) == what


def test_mails_and_calls_have_receipts(
    actor: Actor, settings: Any, tmp_path: Any, receiver: Any, start_runner: Any
) -> None:
    settings.OUTBOX_DIR = tmp_path
    receiver.expect_request("/orders").respond_with_data("{}", 201, {"Location": "/orders/5", "X-Request-Id": "r1"})
    nodes = {
        "mail": ("email-sender", {"to": "jane@example.com", "subject": "Hi", "text": "Hello"}),
        "call": ("api-integration", {"method": "POST", "url": receiver.url_for("/orders"), "body": {}}),
    }
    start_runner()
    done = ended(start(actor, flow(nodes, "mail > call")))
    rows = steps_of(done)
    assert done.status == "completed", done.error_message
    assert rows["mail"].receipt == rows["mail"].output_data["message_id"]
    assert (rows["mail"].effect, rows["call"].effect, rows["call"].receipt) == (
        "confirmed",
        "confirmed",
        "201 /orders/5",
    )
    assert [each.what for each in effects.list_effects(actor=actor, execution_id=done.id)] == [
        "to 1 recipient",
        "POST 127.0.0.1" if "127.0.0.1" in receiver.url_for("/") else "POST localhost",
    ]


# -- settling --------------------------------------------------------------------------------------------------------


def in_doubt(actor: Actor, add_node: Any, **config: Any) -> Execution:
    add_node("call", answering(Unknown("No answer."), Done(1)), effect=Effect.UNKEYED)
    return start(actor, flow({"a": ("call", config)}))


def test_an_unknown_effect_is_settled_once_and_the_log_says_by_whom(
    actor: Actor, add_node: Any, runner: Runner
) -> None:
    failed = ended(in_doubt(actor, add_node))
    [row] = effects.list_unknown(actor=actor)
    entry = effects.settle(actor=actor, effect_id=row.pk, happened=True, note="It is in their list.")
    assert (entry.state, entry.settled_by, entry.note) == ("settled_done", "ann@example.com", "It is in their list.")
    assert list(effects.list_unknown(actor=actor)) == []
    line = lines_of(failed)[-1]
    assert (line.kind, line.node_id, line.status, line.message) == (
        LogKind.NOTE,
        "a",
        "failed",
        "ann@example.com says that 'a' did happen: It is in their list.",
    )
    assert line.created_at > fresh(failed).completed_at
    with pytest.raises(EffectKnown) as refused:
        effects.settle(actor=actor, effect_id=row.pk, happened=False)
    assert refused.value.details == {"state": "settled_done"}
    assert (states(failed), len(lines_of(failed))) == ({"a": "settled_done"}, line.seq)
    [listed] = effects.list_effects(actor=actor, execution_id=failed.id)
    assert (listed.settled_by, listed.settled_at) == ("ann@example.com", line.created_at)


@pytest.mark.parametrize(("happened", "state"), [(True, "settled_done"), (False, "confirmed")])
def test_settling_answers_an_execution_that_asks(
    actor: Actor, add_node: Any, runner: Runner, happened: bool, state: str
) -> None:
    accepted = in_doubt(actor, add_node, on_unknown="ask")
    question = asked(accepted)
    until(lambda: fresh(accepted).lease_owner == "")
    [entry] = effects.list_effects(actor=actor, execution_id=accepted.id)
    assert (entry.state, entry.question_id) == ("unknown", question.id)
    effects.settle(actor=actor, effect_id=entry.id, happened=happened, note="Seen.")
    assert (ended(accepted).status, states(accepted)) == ("completed", {"a": state})
    [listed] = effects.list_effects(actor=actor, execution_id=accepted.id)
    assert (listed.settled_by, listed.note) == ("ann@example.com", "Seen.")
    with pytest.raises(EffectKnown):
        effects.settle(actor=actor, effect_id=entry.id, happened=happened)


def test_only_managers_and_admins_settle(actor: Actor, add_node: Any, runner: Runner) -> None:
    failed = ended(in_doubt(actor, add_node))
    effect = steps_of(failed)["a"].pk
    for role in (Role.VIEWER, Role.MEMBER):
        with pytest.raises(PermissionDenied):
            effects.settle(actor=colleague(actor, f"{role}@example.com", role), effect_id=effect, happened=True)
    with pytest.raises(EffectNotFound):
        effects.settle(actor=person("eve@elsewhere.com"), effect_id=effect, happened=True)
    assert states(failed) == {"a": "unknown"}
    manager = colleague(actor, "boss@example.com", Role.MANAGER)
    assert effects.settle(actor=manager, effect_id=effect, happened=False).state == "settled_not"


def test_what_is_known_or_has_no_effect_is_not_settled(actor: Actor, add_node: Any, runner: Runner) -> None:
    add_node("call", answering(Done(1)), effect=Effect.KEYED)
    done = ended(start(actor, flow({"a": "start", "b": "call"}, "a > b")))
    rows = steps_of(done)
    with pytest.raises(EffectNotFound):
        effects.settle(actor=actor, effect_id=rows["a"].pk, happened=True)
    with pytest.raises(EffectKnown):
        effects.settle(actor=actor, effect_id=rows["b"].pk, happened=True)
    assert states(done) == {"a": "", "b": "confirmed"}


def test_an_execution_that_may_still_find_out_is_let_alone(actor: Actor, add_node: Any, runner: Runner) -> None:
    add_node("call", answering(Unknown("No answer."), Done(1)), effect=Effect.KEYED)
    retry = {"max_attempts": 2, "on": ["unknown_outcome"], "backoff_seconds": 600, "jitter": False}
    accepted = start(actor, flow({"a": ("call", {"retry": retry})}))
    until(lambda: fresh(accepted).lease_owner == "" and states(accepted) == {"a": "unknown"})
    seq = fresh(accepted).seq
    with pytest.raises(EffectUnderWay):
        effects.settle(actor=actor, effect_id=steps_of(accepted)["a"].pk, happened=True)
    assert (states(accepted), fresh(accepted).seq, OpenQuestion.unscoped.count()) == ({"a": "unknown"}, seq, 0)


def test_another_organizations_effects_are_not_listed(actor: Actor, add_node: Any, runner: Runner) -> None:
    failed = ended(in_doubt(actor, add_node))
    assert [row.execution_id for row in effects.list_unknown(actor=actor)] == [failed.id]
    assert list(effects.list_unknown(actor=person("eve@elsewhere.com"))) == []


def test_a_failure_before_anything_was_done_is_not_on_the_ledger(actor: Actor, add_node: Any, runner: Runner) -> None:
    add_node("call", lambda config, step: Failed("rejected", "No."), effect=Effect.KEYED)
    failed = ended(start(actor, flow({"a": ("call", {"url": "{{ inputs.gone.deep }}"})})))
    assert (failed.error_code, states(failed)) == ("expression", {"a": ""})
