"""What an organization no longer keeps goes, in small batches; what it keeps, what lives and what was added up stays."""

from __future__ import annotations

import datetime as dt
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts import services as accounts
from accounts.models import Session
from api.models import IdempotencyRecord
from artefacts import services as artefacts
from artefacts.models import Artefact, Purpose, StorageUse
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.models import first_id_of, uuid7
from executions import retention
from executions.models import (
    Execution,
    ExecutionLog,
    ExecutionStatus,
    ExecutionStep,
    LogKind,
    ReceivedEvent,
    ScheduleFire,
    StepStatus,
    WebhookReceipt,
    WorkflowFigures,
)
from integrations.models import WebhookDelivery
from tests.executions.support import flow, person, save
from workflows.models import Schedule, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)
NOW = dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "folder": tmp_path / "files"}


@pytest.fixture
def workflow(actor: Actor) -> Workflow:
    return save(actor, flow({"start": "start"}))


def days_ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def ran(workflow: Workflow, *, days: float, steps: int = 2, status: str = ExecutionStatus.COMPLETED) -> Execution:
    """An execution that ended so many days ago, with steps, log lines and a file."""
    when = days_ago(days)
    made = uuid7()
    live = status == ExecutionStatus.RUNNING
    run = Execution(
        id=type(made)(int=first_id_of(when).int | made.int & (1 << 76) - 1),
        organization_id=workflow.organization_id,
        workflow=workflow,
        version=WorkflowVersion.unscoped.get(workflow=workflow),
        status=status,
        input_data={},
        completed_at=None if live else when,
        deadline_at=NOW,
        due_at=NOW if live else None,
    )
    run.save(force_insert=True)
    about = {"node_name": "n", "node_type": "start", "status": StepStatus.COMPLETED, "started_at": when}
    ExecutionStep.objects.bulk_create(ExecutionStep(execution=run, node_id=f"n{n}", **about) for n in range(steps))
    line = {"organization_id": workflow.organization_id, "workflow_id": workflow.pk, "kind": LogKind.NOTE}
    ExecutionLog.unscoped.bulk_create(
        ExecutionLog(execution=run, seq=n, message="m", status=status, progress=0, **line) for n in range(1, steps + 1)
    )
    artefacts.store(
        organization_id=workflow.organization_id,
        name="x",
        media_type="text/plain",
        pieces=[b"1234"],
        purpose=Purpose.STEP,
        key=f"{run.pk}/n/0",
        execution_id=run.pk,
    )
    return run


def left(workflow: Workflow) -> tuple[int, int, int, int]:
    """Executions, steps, log lines and files."""
    organization = workflow.organization_id
    return (
        Execution.objects.of(organization).count(),
        ExecutionStep.objects.filter(execution__organization_id=organization).count(),
        ExecutionLog.objects.of(organization).count(),
        Artefact.objects.of(organization).count(),
    )


def test_ended_executions_go_with_all_that_is_theirs_and_figures_stay(workflow: Workflow) -> None:
    for days in (91, 200):
        ran(workflow, days=days)
    young = ran(workflow, days=89)
    living = ran(workflow, days=500, status=ExecutionStatus.RUNNING)
    figures = {"completed": 2, "failed": 1, "cancelled": 0, "timeout": 0, "seconds": 9.5}
    WorkflowFigures.objects.create(workflow=workflow, **figures)
    swept = retention.sweep(now=NOW)
    assert swept.counts == {"executions": 2, "execution steps": 4, "execution logs": 4, "files": 2}
    assert not swept.more
    assert set(Execution.unscoped.values_list("pk", flat=True)) == {young.pk, living.pk}
    assert left(workflow) == (2, 4, 4, 2)
    assert WorkflowFigures.objects.filter(workflow=workflow).values(*figures).get() == figures
    assert StorageUse.objects.of(workflow.organization_id).get().bytes == 8
    assert retention.sweep(now=NOW).counts == {}


def test_each_organization_has_its_own_rules(actor: Actor, workflow: Workflow) -> None:
    others = save(person("otto@other.example"), flow({"start": "start"}))
    artefacts.set_retention(actor=actor, execution_days=7, receipt_days=7)
    for each in (workflow, others):
        ran(each, days=8)
    retention.sweep(now=NOW)
    assert (left(workflow)[0], left(others)[0]) == (0, 1)


def test_a_run_is_kept_by_its_end_not_its_beginning(workflow: Workflow) -> None:
    run = ran(workflow, days=100)
    Execution.unscoped.filter(pk=run.pk).update(completed_at=days_ago(80))
    assert retention.sweep(now=NOW).counts == {}


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_a_sweep_stops_at_its_limit_and_the_next_goes_on(workflow: Workflow, limit: int) -> None:
    for days in (100, 110, 120):
        ran(workflow, days=days, steps=3)
    total = rounds = 0
    while True:
        swept = retention.sweep(limit=limit, now=NOW)
        deleted = sum(swept.counts.values())
        assert deleted <= limit
        total, rounds = total + deleted, rounds + 1
        # An execution is there as long as anything of it is.
        assert left(workflow)[0] >= (1 if left(workflow)[1] else 0)
        if not swept.more:
            break
    assert left(workflow) == (0, 0, 0, 0)
    assert total == 3 + 9 + 9 + 3
    assert rounds >= total // limit


class Crash(BaseException):
    pass


def test_a_crash_in_the_middle_is_made_up_for(workflow: Workflow) -> None:
    ran(workflow, days=100, steps=3)
    statements = 0

    def crash(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal statements
        statements += sql.startswith("DELETE")
        if statements == 3:
            raise Crash
        return execute(sql, params, many, context)

    with connection.execute_wrapper(crash), pytest.raises(Crash):
        retention.sweep(now=NOW)
    assert left(workflow)[0] == 1
    retention.sweep(now=NOW)
    assert left(workflow) == (0, 0, 0, 0)


def test_no_transaction_holds_more_than_a_batch(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    ran(workflow, days=100, steps=30)
    held: list[int] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE"):
            assert connection.in_atomic_block
            held.append(len(params or ()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        retention.sweep(now=NOW)
    assert left(workflow) == (0, 0, 0, 0)
    assert max(held) <= 4
    assert len(held) >= 16


@pytest.mark.postgres
def test_rows_that_somebody_holds_are_left_for_the_next_time(workflow: Workflow) -> None:
    run = ran(workflow, days=100)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Execution.unscoped.select_for_update().get(pk=run.pk)
            holding.set()
            done.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    retention.sweep(now=NOW)
    assert left(workflow)[0] == 1
    done.set()
    thread.join(10)
    retention.sweep(now=NOW)
    assert left(workflow) == (0, 0, 0, 0)


def test_what_came_in_and_went_out_is_kept_as_long_as_receipts(actor: Actor, workflow: Workflow) -> None:
    run = ran(workflow, days=40)
    schedule = Schedule.unscoped.create(
        organization_id=actor.organization_id, workflow=workflow, node_id="clock", rule={}
    )
    mine = {"organization_id": actor.organization_id}
    for days in (31, 29):
        old = {**mine, "id": first_id_of(days_ago(days))}
        ScheduleFire(**old, schedule=schedule, fire_at=days_ago(days), execution=run).save(force_insert=True)
        WebhookReceipt(**old, workflow=workflow, node_id="hook", key=f"{days}", execution=run).save(force_insert=True)
        ReceivedEvent(**old, name="paid", key=f"{days}", data={}).save(force_insert=True)
        WebhookDelivery(**old, url="https://a.example", event="e", payload={}, status="delivered").save(
            force_insert=True
        )
        WebhookDelivery(
            **mine, id=type(run.pk)(int=old["id"].int + 1), url="https://a.example", event="e", payload={}
        ).save(force_insert=True)
    WebhookDelivery.unscoped.update(updated_at=days_ago(31))
    assert retention.sweep(now=NOW).counts == {
        "schedule fires": 1,
        "webhook receipts": 1,
        "received events": 1,
        "webhook deliveries": 1,
    }
    assert ReceivedEvent.unscoped.get().key == "29"
    assert (ScheduleFire.unscoped.count(), WebhookReceipt.unscoped.get().key) == (1, "29")
    assert sorted(WebhookDelivery.unscoped.values_list("status", flat=True)) == ["delivered", "pending", "pending"]


def test_uploads_are_kept_until_somebody_says_otherwise(actor: Actor, workflow: Workflow) -> None:
    about = {"organization_id": actor.organization_id, "media_type": "text/plain", "pieces": [b"1"]}
    for name in ("old", "new"):
        row = artefacts.store(name=name, purpose=Purpose.UPLOAD, **about)
        if name == "old":
            Artefact.objects.of(actor).filter(pk=row.pk).update(id=first_id_of(days_ago(11)))
    assert retention.sweep(now=NOW).counts == {}
    artefacts.set_retention(actor=actor, execution_days=90, receipt_days=30, upload_days=10)
    assert retention.sweep(now=NOW).counts == {"files": 1}
    assert [each.name for each in Artefact.objects.of(actor)] == ["new"]


def test_answers_and_logins_that_nobody_can_use_go(actor: Actor) -> None:
    now = timezone.now()
    for key, hours in (("old", 25), ("new", 23)):
        record = IdempotencyRecord(
            organization_id=actor.organization_id, endpoint="POST /x", key=key, request_hash="0", status=201
        )
        record.save(force_insert=True)
        IdempotencyRecord.objects.of(actor).filter(pk=record.pk).update(created_at=now - dt.timedelta(hours=hours))
    for days in (38, 36):  # Seven days a login can be renewed, then thirty more.
        moment = now - dt.timedelta(days=days)
        accounts.login(
            email="ann@example.com", password="correct horse 9", dialect="auterity", access_seconds=60, now=moment
        )
    assert retention.sweep(now=now).counts == {"idempotency records": 1, "logins": 1}
    assert [each.key for each in IdempotencyRecord.objects.of(actor)] == ["new"]
    assert Session.objects.count() == 1


def test_the_rules_are_checked_and_need_a_permission(actor: Actor) -> None:
    for wrong in ({"execution_days": 0}, {"receipt_days": 3651}, {"upload_days": 0}):
        with pytest.raises(InvalidInput):
            artefacts.set_retention(actor=actor, **{"execution_days": 1, "receipt_days": 1, **wrong})
    weak = Actor(actor.user_id, actor.organization_id, actor.role, frozenset())
    with pytest.raises(PermissionDenied):
        artefacts.set_retention(actor=weak, execution_days=1, receipt_days=1)
    found = artefacts.set_retention(actor=actor, execution_days=1, receipt_days=3650)
    assert (found.execution_days, found.receipt_days, found.upload_days) == (1, 3650, None)


def test_one_process_at_a_time_sweeps(workflow: Workflow) -> None:
    cache.delete("retention:turn")
    try:
        ran(workflow, days=4000)
        assert retention.tick() is False
        assert left(workflow)[0] == 0
        ran(workflow, days=4000)
        assert retention.tick() is False
        assert left(workflow)[0] == 1
    finally:
        cache.delete("retention:turn")


def test_a_tick_that_leaves_something_is_followed_at_once(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention.sweep, "__kwdefaults__", {"limit": 5, "now": None})
    cache.delete("retention:turn")
    try:
        ran(workflow, days=4000, steps=5)
        ticks = 0
        while retention.tick():
            ticks += 1
        assert ticks >= 2
        assert left(workflow) == (0, 0, 0, 0)
    finally:
        cache.delete("retention:turn")


def test_the_command_deletes_until_nothing_is_left(workflow: Workflow, capsys: Any) -> None:
    for _ in range(3):
        ran(workflow, days=4000)
    out = StringIO()
    call_command("sweep", "--once", "--limit", "4", stdout=out)
    assert left(workflow) == (0, 0, 0, 0)
    assert out.getvalue().endswith("Nothing more to delete.\n")


def test_two_apps_cannot_register_the_same_thing() -> None:
    with pytest.raises(ValueError, match="Two apps want to forget idempotency records"):
        retention.also_forget("idempotency records", lambda organization_id, now: IdempotencyRecord.objects.of(now))
