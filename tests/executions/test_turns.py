"""Whose turn it is: lanes, organizations, slots, lines, and what a claim costs with a long backlog."""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models.functions import Now

from accounts.models import Organization
from auterity.kernel.access import Actor
from auterity.kernel.models import uuid7
from executions import claims, control, journal, services, slots, turns
from executions.claims import Claim
from executions.journal import Checkpoint
from executions.models import Execution, ExecutionStatus, Lane, RunLimits
from executions.turns import SlotWait, Turns
from tests.executions.support import flow, fresh, make_due, person, save, start
from workflows.errors import DefinitionRefused
from workflows.models import Workflow, WorkflowVersion

ONE = flow({"a": "start"})


def claim(limit: int = 10, turns: Turns | None = None) -> list[Claim]:
    return claims.claim(owner="w1", limit=limit, lease=30.0, turns=turns)


def limited(actor: Actor, concurrency: int, **more: Any) -> Workflow:
    return save(actor, {**ONE, "settings": {"concurrency": concurrency, **more}})


def finish(held: Claim) -> None:
    ended = Checkpoint(held, ExecutionStatus.COMPLETED, 100.0, None, ended=True)
    assert journal.commit([ended]).keys() == {held.id}


def rest(held: Claim, *, waits: bool) -> None:
    """Given up until something comes from outside (`waits`), or for a retry that is due at once."""
    resting = Checkpoint(held, ExecutionStatus.RUNNING, 0.0, None if waits else 0.0, waits=waits)
    assert journal.commit([resting]).keys() == {held.id}


def holding() -> int:
    return Execution.unscoped.filter(status="running", waiting_since=None).count()


@pytest.fixture
def other(actor: Actor) -> Actor:
    return person("bob@example.com")


# -- turns -----------------------------------------------------------------------------------------------------------


def test_an_organization_with_a_long_queue_does_not_delay_another_s_single_run(actor: Actor, other: Actor) -> None:
    many = save(actor, ONE)
    for _ in range(30):
        start(actor, many)
    late = start(other, ONE)
    taken = claim(6)
    assert Counter(each.organization_id for each in taken) == {actor.organization_id: 3, other.organization_id: 1}
    assert late.id in {each.id for each in taken}


def test_with_room_for_one_organizations_take_turns(actor: Actor, other: Actor) -> None:
    for who in (actor, other):
        workflow = save(who, ONE)
        for _ in range(3):
            start(who, workflow)
    round_ = Turns()
    order = [each.organization_id for _ in range(6) for each in claim(1, round_)]
    assert order[::2] in ([actor.organization_id] * 3, [other.organization_id] * 3)
    assert len(set(order[:2])) == 2
    assert claim(1, round_) == []


def test_within_an_organization_the_longest_due_comes_first(actor: Actor) -> None:
    first, second = save(actor, ONE), save(actor, ONE)
    accepted = [start(actor, each).id for each in (first, second, first, second)]
    assert [claim(1)[0].id for _ in accepted] == accepted


def test_lanes_come_in_their_order_and_none_starves(actor: Actor) -> None:
    by_lane = {
        name: save(actor, {**ONE, "settings": {"priority": name}}) for name in ("bulk", "ordinary", "interactive")
    }
    bulk, ordinary, interactive = ([start(actor, each) for _ in range(12)] for each in by_lane.values())
    assert [interactive[0].lane, ordinary[0].lane, bulk[0].lane] == [Lane.INTERACTIVE, Lane.ORDINARY, Lane.BULK]
    round_ = Turns()
    lanes = [fresh(each).lane for _ in range(10) for each in claim(1, round_)]
    assert lanes == [0] * 9 + [2]
    assert Counter(fresh(each).lane for each in claim(8, round_)) == {0: 3, 1: 5}


def test_a_lease_that_ran_out_comes_before_new_work_but_does_not_fill_the_room(actor: Actor) -> None:
    workflow = save(actor, ONE)
    gone = [start(actor, workflow) for _ in range(6)]
    assert len(claim(6)) == 6
    for each in gone:
        make_due(each)
    new = [start(actor, workflow).id for _ in range(6)]
    round_ = Turns()
    taken = [each.id for each in claim(4, round_)]
    assert len(set(taken) & {each.id for each in gone}) == 2
    assert len(set(taken) & set(new)) == 2
    assert round_.more


def test_an_organization_that_is_not_active_waits_until_it_is(actor: Actor) -> None:
    held = start(actor, ONE)
    resting = start(actor, ONE)
    claimed = {each.id: each for each in claim()}
    rest(claimed[resting.id], waits=False)
    waiting = start(actor, ONE)
    make_due(held)
    Organization.objects.filter(id=actor.organization_id).update(is_active=False)
    assert claim() == []
    Execution.unscoped.filter(id=held.id).update(attempts=3)
    assert claims.claim_suspect(owner="w1", lease=30.0) == []
    Organization.objects.filter(id=actor.organization_id).update(is_active=True)
    assert {each.id for each in claim()} == {resting.id, waiting.id}
    assert [each.id for each in claims.claim_suspect(owner="w1", lease=30.0)] == [held.id]


# -- slots -----------------------------------------------------------------------------------------------------------


def test_a_workflow_has_no_more_runs_under_way_than_it_says(actor: Actor) -> None:
    workflow = limited(actor, 2)
    accepted = [start(actor, workflow) for _ in range(5)]
    beside = start(actor, ONE)
    taken = claim()
    assert [each.id for each in taken] == [accepted[0].id, accepted[1].id, beside.id]
    parked = [fresh(each) for each in accepted[2:]]
    assert [(each.status, each.due_at, each.parked_at is None) for each in parked] == [("pending", None, False)] * 3
    assert claim() == []
    finish(taken[0])
    assert [each.id for each in claim()] == [accepted[2].id]
    assert fresh(accepted[2]).parked_at is None
    assert claim() == []


def test_who_stands_in_line_is_not_overtaken(actor: Actor) -> None:
    workflow = limited(actor, 1)
    first, second = start(actor, workflow), start(actor, workflow)
    [held] = claim()
    third = start(actor, workflow)
    finish(held)
    [held] = claim()
    assert (first.id, held.id) == (first.id, second.id)
    finish(held)
    assert [each.id for each in claim()] == [third.id]


def test_a_run_that_waits_gives_its_slot_back_and_stands_in_line_again(actor: Actor) -> None:
    workflow = limited(actor, 1)
    asks, next_ = start(actor, workflow), start(actor, workflow)
    [held] = claim()
    rest(held, waits=True)
    [second] = claim()
    assert second.id == next_.id
    deadline = fresh(asks).deadline_at
    journal.signal([asks.id])
    assert claim() == []
    assert fresh(asks).parked_at is not None
    finish(second)
    [again] = claim()
    assert again.id == asks.id
    assert again.deadline_at > deadline


def test_a_retry_and_a_recovery_keep_the_slot(actor: Actor) -> None:
    workflow = limited(actor, 1)
    first, second = start(actor, workflow), start(actor, workflow)
    [held] = claim()
    rest(held, waits=False)
    assert [each.id for each in claim()] == [first.id]
    make_due(first)
    assert [each.id for each in claim()] == [first.id]
    assert fresh(second).status == "pending"


def test_time_in_the_line_moves_the_deadline_on(actor: Actor) -> None:
    workflow = limited(actor, 1, timeout_seconds=60)
    start(actor, workflow)
    waits = start(actor, workflow)
    [held] = claim()
    before = fresh(waits).deadline_at
    finish(held)
    [taken] = claim()
    assert (taken.id, taken.deadline_at > before) == (waits.id, True)


@pytest.mark.parametrize("end", ["cancel", "pause"])
def test_a_parked_run_can_be_cancelled_and_paused(actor: Actor, end: str) -> None:
    workflow = limited(actor, 1)
    start(actor, workflow)
    parked, next_ = start(actor, workflow), start(actor, workflow)
    [held] = claim()
    if end == "cancel":
        services.cancel(actor=actor, execution_id=parked.id)
    else:
        control.pause(actor=actor, execution_id=parked.id)
    finish(held)
    [held] = claim()
    assert held.id == next_.id
    if end == "pause":
        control.resume(actor=actor, execution_id=parked.id)
        assert claim() == []
        finish(held)
        assert [each.id for each in claim()] == [parked.id]


def test_an_organization_has_no_more_runs_under_way_than_it_may(actor: Actor, other: Actor) -> None:
    RunLimits(organization_id=actor.organization_id, concurrent_runs=2).save(force_insert=True)
    accepted = [start(actor, ONE) for _ in range(4)]
    beside = start(other, ONE)
    round_ = Turns()
    taken = claim(turns=round_)
    assert {each.id for each in taken} == {accepted[0].id, accepted[1].id, beside.id}
    assert claim(turns=round_) == []
    assert (round_.more, round_.blocked) == (False, True)
    assert fresh(accepted[2]).due_at is not None
    finish(next(each for each in taken if each.id == accepted[0].id))
    assert [each.id for each in claim(turns=round_)] == [accepted[2].id]


def test_a_full_organization_s_retries_go_on(actor: Actor) -> None:
    RunLimits(organization_id=actor.organization_id, concurrent_runs=1).save(force_insert=True)
    first = start(actor, ONE)
    [held] = claim()
    rest(held, waits=False)
    start(actor, ONE)
    assert [each.id for each in claim()] == [first.id]


@pytest.mark.parametrize("of", ["workflow", "organization"])
def test_slots_hold_while_several_workers_claim_at_once(actor: Actor, of: str) -> None:
    workflow = limited(actor, 3 if of == "workflow" else 50)
    RunLimits(organization_id=actor.organization_id, concurrent_runs=3 if of == "organization" else 50).save(
        force_insert=True
    )
    for _ in range(40):
        start(actor, workflow)
    most: list[int] = []
    ended: list[UUID] = []

    def work(name: str) -> None:
        try:
            while len(ended) < 40:
                for held in claims.claim(owner=name, limit=5, lease=30.0):
                    most.append(holding())
                    finish(held)
                    ended.append(held.id)
        finally:
            connection.close()

    workers = [threading.Thread(target=work, args=(f"w{at}",)) for at in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
    assert len(ended) == len(set(ended)) == 40
    assert max(most) <= 3


# -- what a run waits for --------------------------------------------------------------------------------------------


def test_a_run_in_its_workflow_s_line_says_who_has_the_slots(actor: Actor) -> None:
    workflow = limited(actor, 2)
    accepted = [start(actor, workflow) for _ in range(4)]
    assert turns.slot_of(accepted[0]) is None
    claim()
    waits = turns.slot_of(fresh(accepted[3]))
    assert isinstance(waits, SlotWait)
    assert (waits.limit, waits.allowed, waits.held, waits.ahead) == ("workflow", 2, 2, 1)
    assert sorted(waits.holders) == sorted(each.id for each in accepted[:2])
    assert [turns.slot_of(fresh(each)) for each in accepted[:2]] == [None, None]


def test_a_run_of_a_full_organization_says_so(actor: Actor) -> None:
    RunLimits(organization_id=actor.organization_id, concurrent_runs=1).save(force_insert=True)
    accepted = [start(actor, ONE) for _ in range(3)]
    claim()
    assert turns.slot_of(fresh(accepted[2])) == SlotWait("organization", 1, 1, [accepted[0].id], 1)


@pytest.mark.parametrize(
    ("settings", "place"),
    [({"concurrency": 0}, "concurrency"), ({"concurrency": "2"}, "concurrency"), ({"priority": "fast"}, "priority")],
)
def test_settings_that_cannot_be_meant_are_refused(actor: Actor, settings: Any, place: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        save(actor, {**ONE, "settings": settings})
    assert [each.field for each in refused.value.problems] == [f"settings.{place}"]
    assert not Workflow.objects.of(actor).exists()


# -- what a claim costs ----------------------------------------------------------------------------------------------


def fill(actor: Actor, workflow: Workflow, count: int) -> None:
    """Accepted and due, without ceremony."""
    version = WorkflowVersion.unscoped.get(workflow=workflow)
    Execution.unscoped.bulk_create(
        [
            Execution(
                id=uuid7(), organization_id=actor.organization_id, workflow=workflow, version=version, input_data={},
                created_at=Now(), due_at=Now(), deadline_at=Now(),
            )
            for _ in range(count)
        ],
        batch_size=500,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def arms_of(place: slots.Place) -> list[tuple[str, str, list[Any]]]:
    return [
        ("places", slots.look_for(), []),
        ("in_lane", *slots.in_lane(place, 50)),
        ("in_line", *slots.in_line(place, 50)),
        ("go_on", *slots.go_on(50)),
    ]


INDEXES = {
    "places": {"executions_turns", "executions_parked", "executions_go_on"},
    "in_lane": {"executions_turns"},
    "in_line": {"executions_parked"},
    "go_on": {"executions_go_on"},
}


@pytest.mark.timeout(300)
def test_a_claim_costs_the_same_with_a_hundred_thousand_due(actor: Actor, other: Actor) -> None:
    """Counted in pages the database touched (PostgreSQL), or in instructions of its machine (SQLite)."""
    workflow = save(actor, ONE)
    start(other, ONE)
    cost = pages if connection.vendor == "postgresql" else steps
    fill(actor, workflow, 1_000)
    place = slots.Place(1, actor.organization_id, workflow.id, None, None)
    small = {name: cost(text, values, INDEXES[name]) for name, text, values in arms_of(place)}
    fill(actor, workflow, 99_000)
    large = {name: cost(text, values, INDEXES[name]) for name, text, values in arms_of(place)}
    assert {name: large[name] <= 3 * small[name] + 20 for name in large} == dict.fromkeys(large, True), (small, large)
    print(small, large)
    assert len(claim(50)) == 26


def pages(text: str, values: list[Any], indexes: set[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {text}", values)
        told = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan on workflow_executions" not in told, told
    assert {each for each in indexes if each not in told} == set(), told
    first = re.search(r"Buffers: shared (?:hit=(\d+))?(?: ?read=(\d+))?", told)
    assert first is not None
    return sum(int(each) for each in first.groups() if each)


def steps(text: str, values: list[Any], indexes: set[str]) -> int:
    """Instructions of SQLite's machine, in tens."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {text}", values)
        told = [row[3] for row in cursor.fetchall()]
        assert [each for each in told if re.fullmatch(r"SCAN (e|f|workflow_executions)", each)] == [], told
        assert {each for each in indexes if not any(each in line for line in told)} == set(), told
        connection.connection.set_progress_handler(tick, 10)
        cursor.execute(text, values)
        cursor.fetchall()
        connection.connection.set_progress_handler(None, 0)
    return count
