"""Firing: each moment once, whoever looks and whoever dies; what becomes of missed ones; and one that cannot run."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from auterity.kernel.access import Actor
from executions import schedules, services, tasks
from executions.models import Execution, ScheduleFire
from executions.runner import Runner
from executions.schedules import fire_due
from tests.executions.support import ended, flow, person, save, steps_of, until
from workflows import services as workflows
from workflows.models import Schedule, Workflow

HOUR = dt.timedelta(hours=1)


def clock(actor: Actor, **config: Any) -> Workflow:
    """An active workflow that runs every hour, unless told otherwise."""
    config = config if "cron" in config else {"every_seconds": 3600, **config}
    return save(actor, flow({"clock": ("schedule-trigger", config)}))


def put_due(workflow: Workflow, *, ago: dt.timedelta = dt.timedelta(seconds=1)) -> dt.datetime:
    moment = timezone.now() - ago
    Schedule.unscoped.filter(workflow=workflow).update(due_at=moment)
    return moment


def row(workflow: Workflow) -> Schedule:
    return Schedule.unscoped.get(workflow=workflow)


def runs(workflow: Workflow) -> list[Execution]:
    return list(Execution.unscoped.filter(workflow=workflow).order_by("id"))


def fired(workflow: Workflow) -> list[dt.datetime]:
    """The recorded moments, each with an execution of its own."""
    found = list(ScheduleFire.unscoped.filter(schedule__workflow=workflow).order_by("fire_at"))
    assert {each.execution_id for each in found} == {each.id for each in runs(workflow)}
    assert len({each.execution_id for each in found}) == len(found)
    return [each.fire_at for each in found]


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


# -- a moment comes --------------------------------------------------------------------------------------------------


def test_a_moment_that_came_starts_one_execution(actor: Actor) -> None:
    workflow = clock(actor, inputs={"region": "north"})
    due = put_due(workflow)
    assert fire_due() == 1
    assert fired(workflow) == [due]
    (execution,) = runs(workflow)
    assert execution.organization_id == actor.organization_id
    assert execution.created_by_id == actor.user_id
    assert at(execution.input_data["scheduled_for"]) == due
    assert due <= at(execution.input_data["fired_at"]) <= execution.created_at
    assert execution.input_data.keys() == {"region", "scheduled_for", "fired_at"}
    assert row(workflow).due_at == due + HOUR
    assert row(workflow).last_fired_at == at(execution.input_data["fired_at"])
    assert fire_due() == 0
    assert len(runs(workflow)) == 1


def test_before_its_moment_nothing_happens(actor: Actor) -> None:
    workflow = clock(actor)
    assert fire_due() == 0
    assert runs(workflow) == []
    assert row(workflow).last_fired_at is None


def test_a_worker_fires_by_itself_and_the_trigger_says_for_when(actor: Actor, runner: Runner) -> None:
    workflow = clock(actor)
    due = put_due(workflow)
    execution = ended(until(lambda: runs(workflow), what="the run")[0])
    output = steps_of(execution)["clock"].output_data
    assert at(output["scheduled_for"]) == due
    assert output["fired_at"] == execution.input_data["fired_at"]
    assert execution.output_data == output
    assert fired(workflow) == [due]


def test_beats_tick_fires_too_and_is_on_its_list(actor: Actor) -> None:
    workflow = clock(actor)
    due = put_due(workflow)
    tasks.fire_due()
    tasks.fire_due()
    assert fired(workflow) == [due]
    assert configured.CELERY["beat_schedule"]["fire_due"]["task"] == tasks.fire_due.name


def test_every_organization_is_served_and_runs_stay_inside_it(actor: Actor) -> None:
    other = person("bob@example.com")
    made = [clock(actor), clock(other), clock(actor)]
    for workflow in made:
        put_due(workflow)
    assert fire_due(limit=2) == 2
    assert fire_due(limit=2) == 1
    assert [[each.organization_id for each in runs(workflow)] for workflow in made] == [
        [actor.organization_id], [other.organization_id], [actor.organization_id],
    ]  # fmt: skip
    assert ScheduleFire.objects.of(other).count() == 1


# -- missed moments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "expected"), [("skip", []), ("one", [3]), ("all", [0, 1, 2, 3])])
def test_after_an_outage_the_policy_decides(actor: Actor, policy: str, expected: list[int]) -> None:
    workflow = clock(actor, misfire=policy)
    due = put_due(workflow, ago=3 * HOUR + dt.timedelta(minutes=5))
    assert fire_due() == 1
    assert fired(workflow) == [due + HOUR * each for each in expected]
    assert row(workflow).due_at == due + 4 * HOUR
    assert (row(workflow).last_fired_at is not None) == bool(expected)
    assert fire_due() == 0


def test_catching_up_has_its_bound(actor: Actor) -> None:
    workflow = clock(actor, misfire="all", max_catch_up=2)
    due = put_due(workflow, ago=9 * HOUR + dt.timedelta(minutes=5))
    fire_due()
    assert fired(workflow) == [due + 8 * HOUR, due + 9 * HOUR]


def test_skipping_fires_what_is_only_just_late(actor: Actor, engine: Callable[..., None]) -> None:
    engine(schedule_grace_seconds=600.0)
    workflow = clock(actor)
    due = put_due(workflow, ago=2 * HOUR + dt.timedelta(minutes=5))
    fire_due()
    assert fired(workflow) == [due + 2 * HOUR]


def test_a_cron_rule_goes_on_at_its_next_time_of_day(actor: Actor) -> None:
    workflow = clock(actor, cron="0 9 * * *", timezone="Europe/Berlin", misfire="one")
    planned = row(workflow).due_at
    put_due(workflow, ago=dt.timedelta(days=2))
    fire_due()
    assert len(runs(workflow)) == 1
    assert row(workflow).due_at == planned


# -- never twice -----------------------------------------------------------------------------------------------------


def test_many_looking_at_once_fire_each_moment_once(actor: Actor) -> None:
    made = [clock(actor, misfire="all") for _ in range(5)]
    for workflow in made:
        put_due(workflow, ago=2 * HOUR + dt.timedelta(minutes=1))
    ready = threading.Barrier(4)
    failures: list[BaseException] = []

    def look() -> None:
        try:
            ready.wait(10)
            while fire_due():
                pass
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert [len(fired(workflow)) for workflow in made] == [3] * 5


def test_a_worker_that_dies_before_its_commit_leaves_the_moment_due(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = clock(actor)
    due = put_due(workflow)

    def die(*_about: Any, **_more: Any) -> None:
        assert len(runs(workflow)) == 1  # It has started, and nobody else sees it.
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(schedules, "following", die)
        with pytest.raises(SystemExit):
            fire_due()
    assert runs(workflow) == []
    assert row(workflow).due_at == due
    assert fire_due() == 1
    assert fired(workflow) == [due]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_one_that_somebody_fires_right_now_is_left_alone_and_the_others_are_not(actor: Actor) -> None:
    held, free = clock(actor), clock(actor)
    put_due(held, ago=dt.timedelta(seconds=9))
    put_due(free)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Schedule.unscoped.select_for_update().get(workflow=held)
            locked.set()
            done.wait(20)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(10)
    try:
        assert fire_due() == 1
    finally:
        done.set()
        thread.join(10)
    assert (len(runs(held)), len(runs(free))) == (0, 1)
    assert fire_due() == 1
    assert len(runs(held)) == 1


def test_a_moment_that_was_fired_already_is_not_fired_again(actor: Actor) -> None:
    workflow = clock(actor, misfire="all")
    due = put_due(workflow, ago=HOUR + dt.timedelta(minutes=1))
    fire_due()
    Schedule.unscoped.filter(workflow=workflow).update(due_at=due - HOUR)
    assert fire_due() == 1
    assert fired(workflow) == [due - HOUR, due, due + HOUR]


# -- one that cannot run ---------------------------------------------------------------------------------------------


def test_one_that_cannot_run_moves_on_and_does_not_hold_up_the_others(actor: Actor, logs: list[Any]) -> None:
    broken, good = clock(actor, misfire="all"), clock(actor)
    due = put_due(broken, ago=HOUR + dt.timedelta(minutes=1))
    put_due(good)
    Workflow.unscoped.filter(id=broken.id).update(is_active=False)  # Behind the services' back.
    assert fire_due() == 2
    assert (runs(broken), len(runs(good))) == ([], 1)
    assert row(broken).due_at == due + 2 * HOUR
    assert row(broken).last_fired_at is None
    assert [(each["event"], each["reason"]) for each in logs] == [("schedule_cannot_run", "workflow_not_runnable")]


def test_inputs_that_are_too_large_start_nothing(actor: Actor, logs: list[Any]) -> None:
    workflow = clock(actor, inputs={"text": "x" * 1_100_000})
    put_due(workflow)
    assert fire_due() == 1
    assert runs(workflow) == []
    assert [each["reason"] for each in logs] == ["invalid_input"]


def test_a_defect_with_one_is_its_own(actor: Actor, monkeypatch: pytest.MonkeyPatch, logs: list[Any]) -> None:
    bad, good = clock(actor, misfire="all"), clock(actor)
    due = put_due(bad, ago=HOUR + dt.timedelta(minutes=1))
    put_due(good)
    start, seen = services.start, []

    def fail_midway(**about: Any) -> Execution:
        seen.append(about["workflow_id"])
        if seen == [bad.id, bad.id]:
            raise RuntimeError("a defect")
        return start(**about)

    monkeypatch.setattr(services, "start", fail_midway)
    assert fire_due() == 2
    assert (len(runs(bad)), len(runs(good))) == (1, 1)  # Each moment stands for itself.
    assert row(bad).due_at == due + 2 * HOUR
    assert [each["event"] for each in logs] == ["schedule_crashed"]


def test_a_database_that_goes_away_loses_no_moment(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = clock(actor)
    due = put_due(workflow)

    def away(**_about: Any) -> Execution:
        raise OperationalError("server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(services, "start", away)
        with pytest.raises(OperationalError):
            fire_due()
    assert row(workflow).due_at == due
    fire_due()
    assert fired(workflow) == [due]


def test_a_rule_that_can_no_longer_be_read_is_switched_off_and_said(actor: Actor, logs: list[Any]) -> None:
    workflow = clock(actor)
    put_due(workflow)
    Schedule.unscoped.filter(workflow=workflow).update(rule={"cron": "0 9 * * *", "timezone": "Mars/Olympus"})
    assert fire_due() == 1
    assert row(workflow).due_at is None
    assert [each["event"] for each in logs] == ["schedule_unreadable"]
    assert runs(workflow) == []


def test_a_workflow_that_was_switched_off_or_deleted_does_not_fire(actor: Actor) -> None:
    off, gone = clock(actor), clock(actor)
    put_due(off)
    put_due(gone)
    workflows.set_active(actor=actor, workflow_id=off.id, active=False)
    workflows.delete_workflow(actor=actor, workflow_id=gone.id)
    assert fire_due() == 0
    assert (runs(off), runs(gone)) == ([], [])


def test_the_system_acts_for_the_maker_and_may_no_more_than_run(actor: Actor) -> None:
    owner = services.owner_of(clock(actor))
    assert (owner.user_id, owner.organization_id) == (actor.user_id, actor.organization_id)
    assert sorted(owner.permissions) == ["execution:read", "workflow:execute"]
