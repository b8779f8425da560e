"""What is refused when there is too much to do, and what stops a workflow that starts itself."""

from __future__ import annotations

import datetime as dt
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from accounts.models import Organization, User
from auterity.kernel.access import Actor
from executions import admission, brakes, claims, schedules, services
from executions.admission import ADMISSION
from executions.errors import QueueFull, TooManyQueued, TooManyStarts, WorkflowBraked
from executions.events import WorkflowBraked as BrakeFact
from executions.models import BrakeReason, Execution, Origin, RunLimits, WorkflowBrake
from tests.executions.support import flow, person, save, start
from workflows import services as workflows
from workflows.errors import WorkflowBusy, WorkflowNotFound
from workflows.models import Schedule, Workflow

ONE = flow({"a": "start"})


@pytest.fixture(autouse=True)
def forget() -> None:
    ADMISSION.forget()
    schedules._resting.clear()
    brakes._usual.clear()


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from auterity.kernel import events

    told: list[Any] = []
    monkeypatch.setitem(events._listeners, BrakeFact, [told.append])
    return told


def limit(actor: Actor, **limits: int) -> None:
    RunLimits(organization_id=actor.organization_id, **limits).save(force_insert=True)


def automatic(actor: Actor, workflow: Workflow, origin: Origin = Origin.WEBHOOK) -> Execution:
    return services.start(actor=actor, workflow_id=workflow.id, inputs={}, origin=origin)


# -- caps ------------------------------------------------------------------------------------------------------------


def test_an_organization_has_no_more_runs_waiting_than_it_may(actor: Actor) -> None:
    limit(actor, queued_runs=3)
    workflow = save(actor, ONE)
    for _ in range(3):
        start(actor, workflow)
    with pytest.raises(TooManyQueued) as refused:
        start(actor, workflow)
    assert (refused.value.details, Execution.unscoped.count()) == ({"retry_after": 5}, 3)
    assert (
        refused.value.message
        == "3 runs of your organization wait to begin, and no more are taken on. Try again in 5 s."
    )
    start(person("bob@example.com"), ONE)
    assert len(claims.claim(owner="w1", limit=1, lease=30.0)) == 1
    claims.claim(owner="w1", limit=1, lease=30.0)
    ADMISSION.forget()
    start(actor, workflow)


def test_the_platform_takes_on_no_more_than_it_can_hold(actor: Actor, engine: Any) -> None:
    engine(queued_runs_in_all=2)
    start(actor, ONE)
    start(person("bob@example.com"), ONE)
    with pytest.raises(QueueFull):
        start(actor, ONE)
    assert Execution.unscoped.count() == 2


def test_an_organization_starts_no_more_a_minute_than_it_may(actor: Actor) -> None:
    limit(actor, starts_per_minute=2)
    workflow = save(actor, ONE)
    start(actor, workflow)
    start(actor, workflow)
    claims.claim(owner="w1", limit=9, lease=30.0)
    with pytest.raises(TooManyStarts):
        start(actor, workflow)
    assert Execution.unscoped.count() == 2


def test_a_burst_does_not_overshoot(actor: Actor) -> None:
    limit(actor, queued_runs=20)
    workflow = save(actor, ONE)
    outcomes: list[bool] = []

    def burst() -> None:
        try:
            for _ in range(10):
                try:
                    start(actor, workflow)
                    outcomes.append(True)
                except TooManyQueued:
                    outcomes.append(False)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=burst) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert (len(outcomes), outcomes.count(True), Execution.unscoped.count()) == (80, 20, 20)


def test_far_from_the_cap_most_starts_count_nothing(actor: Actor) -> None:
    counted = 0

    def count(_bound: int) -> int:
        nonlocal counted
        counted += 1
        return 0

    for _ in range(100):
        assert ADMISSION.has_room("queue", actor.organization_id, 20_000, count)
    assert counted == 1


def test_the_time_to_come_back_follows_how_fast_runs_end(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, now = iter([100, 150, 150]), iter([10.0, 20.0, 30.0])
    monkeypatch.setattr(admission, "_ended", lambda _organization: next(ended))
    monkeypatch.setattr(admission, "time", SimpleNamespace(monotonic=lambda: next(now)))
    # Nothing known yet; then 50 in 10 s, so a hundredth of the cap takes 20 s; then none at all.
    assert [ADMISSION.retry_after(actor.organization_id, 10_000) for _ in range(3)] == [5, 20, 120]


# -- schedules -------------------------------------------------------------------------------------------------------


def scheduled(actor: Actor, misfire: str) -> Schedule:
    config = {"every_seconds": 60, "misfire": misfire, "max_catch_up": 5}
    workflow = save(actor, flow({"a": ("schedule-trigger", config)}))
    Schedule.unscoped.filter(workflow=workflow).update(due_at=timezone.now() - dt.timedelta(seconds=150))
    return Schedule.unscoped.get(workflow=workflow)


@pytest.mark.parametrize(("misfire", "made_up"), [("one", 1), ("all", 3)])
def test_a_schedule_that_finds_no_room_is_made_up_later(
    actor: Actor, logs: list[Any], misfire: str, made_up: int
) -> None:
    limit(actor, queued_runs=1)
    start(actor, ONE)
    schedule = scheduled(actor, misfire)
    schedules.fire_due()
    assert Execution.unscoped.filter(origin=Origin.SCHEDULE).count() == 0
    assert [each["event"] for each in logs] == ["schedule_put_off"]
    assert Schedule.unscoped.get(id=schedule.id).due_at <= timezone.now()
    schedules.fire_due()
    assert len(logs) == 1  # It rests before it is tried again.
    schedules._resting.clear()
    RunLimits.unscoped.update(queued_runs=0)
    schedules.fire_due()
    assert Execution.unscoped.filter(origin=Origin.SCHEDULE).count() == made_up
    assert Schedule.unscoped.get(id=schedule.id).due_at > timezone.now()


def test_schedules_of_an_organization_that_is_not_active_rest(actor: Actor) -> None:
    schedule = scheduled(actor, "one")
    Organization.objects.filter(id=actor.organization_id).update(is_active=False)
    assert schedules.fire_due() == 0
    assert not Execution.unscoped.exists()
    Organization.objects.filter(id=actor.organization_id).update(is_active=True)
    assert schedules.fire_due() == 1
    assert Execution.unscoped.filter(workflow_id=schedule.workflow_id).count() == 1


# -- storms ----------------------------------------------------------------------------------------------------------


def test_a_workflow_that_is_started_far_more_often_than_usual_is_braked(
    actor: Actor, engine: Any, facts: list[Any], logs: list[Any]
) -> None:
    engine(storm_starts_per_minute=5, storm_times_usual=1)
    workflow = save(actor, ONE)
    accepted = [automatic(actor, workflow) for _ in range(6)]
    with pytest.raises(WorkflowBraked) as refused:
        automatic(actor, workflow)
    assert refused.value.details["reason"] == "storm"
    assert 890 <= refused.value.details["retry_after"] <= 900
    brake = WorkflowBrake.objects.of(actor).get()
    assert (brake.workflow_id, brake.reason, brake.tripped_by) == (workflow.id, "storm", accepted[-1].id)
    assert [(each.workflow_id, each.reason) for each in facts] == [(workflow.id, "storm")]
    assert [each["event"] for each in logs] == ["workflow_braked"]
    start(actor, workflow)  # A person still may,
    automatic(actor, save(actor, ONE))  # and so may other workflows.
    assert Execution.unscoped.filter(workflow=workflow).count() == 7


def chain(actor: Actor, *ran: Workflow) -> Execution:
    """The last of runs that each started the next."""
    parent = None
    for depth, workflow in enumerate(ran):
        run = start(actor, workflow)
        Execution.unscoped.filter(id=run.id).update(parent_id=parent, parent_node="n", parent_item=0, depth=depth)
        parent = run.id
    assert parent is not None
    return Execution.unscoped.get(id=parent)


def child_of(parent: Execution, workflow: Workflow) -> None:
    admission.admit(
        organization_id=parent.organization_id, workflow_id=workflow.id, execution_id=parent.id,
        origin=Origin.RUN, depth=parent.depth + 1, parent_id=parent.id,
    )  # fmt: skip


def test_a_workflow_that_starts_itself_through_another_is_braked(actor: Actor) -> None:
    first, second = save(actor, ONE), save(actor, ONE)
    child_of(chain(actor, first, second, first, second), first)
    assert not WorkflowBrake.objects.of(actor).exists()  # Four deep is no storm yet.
    deep = chain(actor, first, second, first, second, first)
    child_of(deep, save(actor, ONE))
    assert not WorkflowBrake.objects.of(actor).exists()  # Deep, but not among its own.
    child_of(deep, second)
    assert [each.workflow_id for each in WorkflowBrake.objects.of(actor)] == [second.id]
    with pytest.raises(WorkflowBraked):
        child_of(deep, second)


def test_many_children_of_one_run_are_no_storm(actor: Actor, engine: Any) -> None:
    engine(storm_starts_per_minute=3, storm_times_usual=1)
    parent, child = chain(actor, save(actor, ONE)), save(actor, ONE)
    for _ in range(6):
        child_of(parent, child)
        automatic_child = start(actor, child)
        Execution.unscoped.filter(id=automatic_child.id).update(origin=Origin.RUN)
    assert not WorkflowBrake.objects.of(actor).exists()


def braked(actor: Actor, reason: BrakeReason = BrakeReason.STORM, seconds: float = 60.0) -> WorkflowBrake:
    brake = WorkflowBrake(
        organization_id=actor.organization_id, workflow=save(actor, ONE), reason=reason, message="it starts itself.",
        until=timezone.now() + dt.timedelta(seconds=seconds),
    )  # fmt: skip
    brake.save(force_insert=True)
    return brake


def test_a_brake_ends_by_itself(actor: Actor, logs: list[Any]) -> None:
    lasting, over = braked(actor), braked(actor, seconds=-1.0)
    automatic(actor, over.workflow)  # Even before anybody has noticed.
    assert brakes.release_due() == 1
    over.refresh_from_db()
    lasting.refresh_from_db()
    assert (over.released_at, lasting.released_at) == (over.until, None)
    assert [each["event"] for each in logs] == ["workflow_brake_released"]


def test_an_operator_releases_a_brake(actor: Actor, client: Client) -> None:
    brake = braked(actor)
    client.force_login(User.objects.create_superuser("root@example.com", "pw", first_name="Ro", last_name="Ot"))
    page = "/admin/executions/workflowbrake/"
    assert client.get(f"{page}{brake.id}/change/").status_code == 200
    client.post(page, {"action": "release", "_selected_action": [str(brake.id)]})
    brake.refresh_from_db()
    assert (brake.released_at is None, brake.released_by) == (False, "root@example.com")
    automatic(actor, brake.workflow)


# -- poison ----------------------------------------------------------------------------------------------------------


def test_a_version_that_takes_workers_down_is_braked_and_does_not_begin(actor: Actor) -> None:
    workflow = save(actor, ONE)
    poisoned = [start(actor, workflow) for _ in range(3)]
    waits = start(actor, workflow)
    held = claims.claim(owner="w1", limit=3, lease=30.0)
    Execution.unscoped.filter(id__in=[each.id for each in poisoned[:2]]).update(
        error_code="POISON", completed_at=timezone.now(), status="failed", due_at=None
    )
    brakes.note_poison(held[:1])
    assert not WorkflowBrake.objects.of(actor).exists()
    Execution.unscoped.filter(id=poisoned[2].id).update(
        error_code="POISON", completed_at=timezone.now(), status="failed", due_at=None
    )
    brakes.note_poison(held[:1])
    brake = WorkflowBrake.objects.of(actor).get()
    assert (brake.reason, brake.workflow_id) == ("poison", workflow.id)
    assert claims.claim(owner="w1", limit=3, lease=30.0) == []
    brakes.release(brake=brake, by="root@example.com")
    assert [each.id for each in claims.claim(owner="w1", limit=3, lease=30.0)] == [waits.id]


# -- deleting --------------------------------------------------------------------------------------------------------


def test_a_workflow_is_deleted_or_started_but_not_both(actor: Actor) -> None:
    for _ in range(15):
        workflow = save(actor, ONE)
        ready = threading.Barrier(2)
        outcomes: list[str] = []

        def attempt(act: Any, ready: threading.Barrier = ready, outcomes: list[str] = outcomes) -> None:
            try:
                ready.wait(10)
                act()
                outcomes.append(act.__name__)
            except (WorkflowBusy, WorkflowNotFound):
                pass
            finally:
                connections.close_all()

        def begin(workflow: Workflow = workflow) -> None:
            start(actor, workflow)

        def delete(workflow: Workflow = workflow) -> None:
            services.delete_workflow(actor=actor, workflow_id=workflow.id)

        threads = [threading.Thread(target=attempt, args=(act,)) for act in (begin, delete)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)
        assert len(outcomes) == 1, outcomes
        deleted = Workflow.unscoped.get(id=workflow.id).deleted_at is not None
        assert Execution.unscoped.filter(workflow=workflow).exists() is not deleted


@pytest.mark.postgres
def test_a_start_that_waits_for_a_delete_finds_the_workflow_gone(actor: Actor) -> None:
    """The start has read its version before the delete, and stores after it."""
    from django.db import transaction

    workflow = save(actor, ONE)
    outcome: list[Any] = []

    def begin() -> None:
        try:
            outcome.append(start(actor, workflow))
        except WorkflowNotFound as error:
            outcome.append(error.slug)
        finally:
            connection.close()

    thread = threading.Thread(target=begin)
    with transaction.atomic():
        Workflow.objects.of(actor).select_for_update().get(id=workflow.id)
        thread.start()
        with connection.cursor() as cursor:
            for _ in range(1000):
                cursor.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone()[0]:
                    break
                cursor.execute("SELECT pg_sleep(0.01)")
        workflows.delete_workflow(actor=actor, workflow_id=workflow.id)
    thread.join(20)
    assert (outcome, Execution.unscoped.count()) == (["workflow_not_found"], 0)
