"""Claims, leases and commits as the database sees them: who lost its lease writes nothing, and nothing is applied twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from auterity.kernel.access import Actor
from engine.node import Done, Effect
from engine.ports import Usage
from executions import claims, gateway, journal, services
from executions.active import Active
from executions.claims import Claim
from executions.journal import Checkpoint
from executions.models import ExecutionLog, ExecutionStep, WorkflowFigures
from integrations.models import WebhookDelivery
from tests.executions.support import flow, fresh, lines_of, make_due, save, start, steps_of
from workflows.plans import plan_of

SUM = ("data-transformation", {"set": {"total": "{{ input.n + 1 }}"}})


def claim(owner: str = "w1", *, limit: int = 10, lease: float = 30.0, suspect: bool = False) -> list[Claim]:
    if suspect:
        return claims.claim_suspect(owner=owner, lease=lease)
    return claims.claim(owner=owner, limit=limit, lease=lease)


def take_up(held: Claim) -> Active:
    plan = plan_of(held.version_id)
    about = {"execution": {"id": str(held.id)}, "workflow": plan.workflow, "organization": plan.organization}
    return Active.take_up(held, plan.graph, about, gateway.ports_of(held.organization_id))


def carried_out(held: Claim, owner: str = "w1") -> Checkpoint:
    """What a worker would commit for an execution of pure steps."""
    active = take_up(held)
    active.drive()
    checkpoint = active.checkpoint(owner=owner, lease=30.0)
    assert checkpoint is not None
    return checkpoint


# -- claiming --------------------------------------------------------------------------------------------------------


def test_a_claim_takes_a_lease_raises_the_fence_and_counts_an_attempt(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}), {"n": 1}, context={"c": 2})
    [held] = claim()
    stored = fresh(accepted)
    assert (held.id, held.fence, held.attempts, held.inputs, held.context) == (accepted.id, 1, 1, {"n": 1}, {"c": 2})
    assert (held.fresh, held.late, held.steps) == (True, False, [])
    assert (stored.status, stored.lease_owner, stored.fence, stored.attempts) == ("running", "w1", 1, 1)
    assert dt.timedelta(seconds=29) < stored.due_at - stored.started_at < dt.timedelta(seconds=31)
    assert abs(held.now() - stored.started_at) < dt.timedelta(seconds=2)


def test_what_is_held_is_not_claimed_until_its_lease_runs_out(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    claim("w1")
    assert claim("w2") == []
    make_due(accepted)
    [again] = claim("w2")
    assert (again.fence, again.attempts, fresh(accepted).lease_owner) == (2, 2, "w2")


def test_no_more_are_claimed_than_wanted_and_the_longest_due_go_first(actor: Actor) -> None:
    workflow = save(actor, flow({"a": "start"}))
    accepted = [start(actor, workflow).id for _ in range(5)]
    assert {held.id for held in claim(limit=2)} == set(accepted[:2])
    assert {held.id for held in claim(limit=10)} == set(accepted[2:])


def test_an_ended_execution_is_never_claimed(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    services.cancel(actor=actor, execution_id=accepted.id)
    make_due(accepted)
    assert claim() == []


def test_one_that_three_workers_took_in_vain_is_claimed_by_itself(actor: Actor) -> None:
    workflow = save(actor, flow({"a": "start"}))
    bad = start(actor, workflow)
    for attempt in (1, 2, 3):
        assert [held.attempts for held in claim()] == [attempt]
        make_due(bad)
    good = start(actor, workflow)
    assert [held.id for held in claim()] == [good.id]
    assert [(held.id, held.attempts) for held in claim(suspect=True)] == [(bad.id, 4)]


def test_a_claim_brings_the_recorded_steps_in_their_order(actor: Actor, add_node: Any) -> None:
    add_node("call", lambda config, step: Done(1), effect=Effect.KEYED)
    accepted = start(actor, flow({"a": "start", "b": SUM, "c": "call"}, "a > b", "b > c"), {"n": 1})
    active = take_up(claim()[0])
    active.drive()
    assert [job.node.id for job in active.begin(5)] == ["c"]
    checkpoint = active.checkpoint(owner="w1", lease=30.0)
    assert set(journal.commit([checkpoint])) == {accepted.id}
    make_due(accepted)
    [again] = claim("w2")
    assert [(step.node_id, step.status, step.output_data) for step in again.steps] == [
        ("a", "completed", {"n": 1}),
        ("b", "completed", {"total": 2}),
        ("c", "running", None),
    ]
    assert (again.fresh, again.seq, again.attempts) == (False, 4, 1)


# -- renewing --------------------------------------------------------------------------------------------------------


def test_renewing_pushes_only_ones_own_leases(actor: Actor) -> None:
    workflow = save(actor, flow({"a": "start"}))
    mine, theirs, gone = (start(actor, workflow) for _ in range(3))
    held = claim("w1")
    make_due(theirs)
    claim("w2")
    services.cancel(actor=actor, execution_id=gone.id)
    before = fresh(theirs).due_at
    assert claims.renew(owner="w1", claims=held, lease=500.0) == {theirs.id, gone.id}
    assert fresh(mine).due_at - fresh(mine).started_at > dt.timedelta(seconds=400)
    assert (fresh(theirs).due_at, fresh(gone).due_at) == (before, None)


def test_a_lease_taken_again_by_the_same_worker_is_lost_under_its_old_fence(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    [old] = claim("w1")
    make_due(accepted)
    [new] = claim("w1")
    assert claims.renew(owner="w1", claims=[old], lease=30.0) == {accepted.id}
    assert claims.renew(owner="w1", claims=[new], lease=30.0) == set()


# -- committing ------------------------------------------------------------------------------------------------------


def rows() -> tuple[int, int, int, int]:
    return (
        ExecutionStep.objects.count(),
        ExecutionLog.unscoped.count(),
        WorkflowFigures.objects.count(),
        WebhookDelivery.unscoped.count(),
    )


def test_a_worker_that_lost_its_lease_writes_nothing(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start", "b": SUM}, "a > b"), {"n": 1})
    [stale] = claim("w1")
    checkpoint = carried_out(stale)
    make_due(accepted)
    [held] = claim("w2")
    assert set(journal.commit([checkpoint])) == set()
    assert rows() == (0, 0, 0, 0)
    stored = fresh(accepted)
    assert (stored.status, stored.fence, stored.seq, stored.lease_owner) == ("running", 2, 0, "w2")
    assert set(journal.commit([carried_out(held, "w2")])) == {accepted.id}
    assert fresh(accepted).output_data == {"total": 2}
    assert set(journal.commit([checkpoint])) == set()
    assert rows() == (2, 4, 1, 0)


def test_a_result_that_comes_after_a_cancel_is_not_written(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    checkpoint = carried_out(claim()[0])
    services.cancel(actor=actor, execution_id=accepted.id)
    assert set(journal.commit([checkpoint])) == set()
    assert (fresh(accepted).status, steps_of(accepted), len(lines_of(accepted))) == ("cancelled", {}, 1)


def test_in_one_batch_the_stale_write_nothing_and_the_others_all(actor: Actor) -> None:
    workflow = save(actor, flow({"a": "start", "b": SUM}, "a > b"))
    lost, kept = start(actor, workflow, {"n": 1}), start(actor, workflow, {"n": 2})
    checkpoints = [carried_out(held) for held in claim("w1")]
    make_due(lost)
    claim("w2")
    assert set(journal.commit(checkpoints)) == {kept.id}
    assert (fresh(kept).output_data, fresh(lost).status) == ({"total": 3}, "running")
    assert (len(steps_of(kept)), len(steps_of(lost))) == (2, 0)
    assert WorkflowFigures.objects.get().completed == 1


def test_a_commit_whose_answer_was_lost_is_repeated_without_effect(actor: Actor, add_node: Any, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    usage = Usage("p", "m", 1, 1)
    add_node("think", lambda config, step: Done({"x": 1}, usage=usage))
    accepted = start(actor, flow({"a": "think"}), webhook_url="http://127.0.0.1:9/hook")
    checkpoint = carried_out(claim()[0])
    assert set(journal.commit([checkpoint])) == {accepted.id}
    before = fresh(accepted)
    assert set(journal.commit([checkpoint])) == {accepted.id}
    assert fresh(accepted).completed_at == before.completed_at
    assert rows() == (1, 3, 1, 1)
    assert WorkflowFigures.objects.get().completed == 1
    assert len(lines_of(accepted)) == 3


def test_an_intent_whose_answer_was_lost_is_repeated_without_effect(actor: Actor, add_node: Any) -> None:
    add_node("call", lambda config, step: Done(1), effect=Effect.KEYED)
    accepted = start(actor, flow({"a": "call"}))
    active = take_up(claim()[0])
    active.drive()
    active.begin(1)
    intent = active.checkpoint(owner="w1", lease=30.0)
    assert set(journal.commit([intent])) == {accepted.id}
    assert set(journal.commit([intent])) == {accepted.id}
    assert (len(steps_of(accepted)), len(lines_of(accepted))) == (1, 2)


def test_an_old_commit_under_the_same_fence_is_not_taken_for_the_newest(actor: Actor, add_node: Any) -> None:
    """The fence alone does not tell; the number of the last line does."""
    add_node("call", lambda config, step: Done(1), effect=Effect.KEYED)
    accepted = start(actor, flow({"a": "call", "b": "call"}, "a > b"))
    active = take_up(claim()[0])
    active.drive()
    [job] = active.begin(1)
    first = active.checkpoint(owner="w1", lease=30.0)
    assert set(journal.commit([first])) == {accepted.id}
    first.claim = replace(active.claim)
    active.unsaved.saved()
    active.finish(job, Done("result"))
    active.drive()
    assert active.begin(1)
    assert set(journal.commit([active.checkpoint(owner="w1", lease=30.0)])) == {accepted.id}
    before = fresh(accepted)
    assert set(journal.commit([first])) == set()
    assert (fresh(accepted).seq, fresh(accepted).progress) == (before.seq, before.progress)
    assert [(row.node_id, row.status) for row in steps_of(accepted).values()] == [("a", "completed"), ("b", "running")]
    assert len(lines_of(accepted)) == 4


def test_a_commit_that_was_rolled_back_is_tried_again_with_fresh_keys(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start", "b": SUM}, "a > b"), {"n": 1})
    checkpoint = carried_out(claim()[0])
    with transaction.atomic():
        assert set(journal.commit([checkpoint])) == {accepted.id}
        transaction.set_rollback(True)
    assert rows() == (0, 0, 0, 0)
    other = start(actor, flow({"a": "start"}))
    assert set(journal.commit([carried_out(claim()[0])])) == {other.id}
    assert set(journal.commit([checkpoint])) == {accepted.id}
    assert list(steps_of(accepted)) == ["a", "b"]


def test_a_step_cannot_be_recorded_twice(actor: Actor) -> None:
    """Whatever else goes wrong, the table refuses; and with it everything else of that commit."""
    accepted = start(actor, flow({"a": "start"}))
    checkpoint = carried_out(claim()[0])
    ExecutionStep.objects.create(
        execution=accepted,
        node_id="a",
        node_name="a",
        node_type="start",
        status="completed",
        started_at=accepted.created_at,
    )
    with pytest.raises(IntegrityError):
        journal.commit([checkpoint])
    stored = fresh(accepted)
    assert (stored.status, stored.seq, rows()) == ("running", 0, (1, 0, 0, 0))


def test_a_journal_line_cannot_be_written_twice(actor: Actor) -> None:
    accepted = start(actor, flow({"a": "start"}))
    assert set(journal.commit([carried_out(claim()[0])])) == {accepted.id}
    [line] = ExecutionLog.unscoped.filter(execution=accepted, seq=2)
    line.pk = None
    with pytest.raises(IntegrityError):
        ExecutionLog.unscoped.bulk_create([line])


def test_beginning_a_step_once_more_is_no_progress(actor: Actor, add_node: Any) -> None:
    """Else a step that takes its worker down would be begun for ever."""
    add_node("call", lambda config, step: Done(1), effect=Effect.KEYED)
    accepted = start(actor, flow({"a": "call"}))
    seen = []
    for _ in range(4):
        [held] = claim() or claim(suspect=True)
        active = take_up(held)
        active.drive()
        active.begin(1)
        journal.commit([active.checkpoint(owner="w1", lease=30.0)])
        seen.append((held.attempts, fresh(accepted).attempts))
        make_due(accepted)
    assert seen == [(1, 0), (1, 1), (2, 2), (3, 3)]


def test_what_comes_while_the_run_is_put_down_is_looked_at_at_once(actor: Actor) -> None:
    accepted = start(actor, flow({"a": ("delay", {"seconds": 3600}), "b": "start"}, "a > b"))
    [held] = claim()
    checkpoint = carried_out(held)
    assert (checkpoint.owner, checkpoint.waits) == ("", True)

    with transaction.atomic():
        journal.signal([accepted.id])
    assert held.id in journal.commit([checkpoint])
    [again] = claim("w2")
    assert (again.id, again.fence) == (accepted.id, 2)
