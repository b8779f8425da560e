"""Schedules follow their workflow: what is due, what keeps its moment, and what is never due."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from auterity.kernel.access import Actor
from tests.executions.support import flow, person
from workflows import services
from workflows.errors import DefinitionRefused
from workflows.models import Schedule, Workflow
from workflows.services import WorkflowChange

HOURLY = {"every_seconds": 3600}
DAILY = {"cron": "30 8 * * *", "timezone": "America/Chicago"}


@pytest.fixture
def actor(db: None) -> Actor:
    return person()


def scheduled(**configs: dict[str, Any]) -> dict[str, Any]:
    """A definition with one schedule a name."""
    return flow({name: ("schedule-trigger", config) for name, config in configs.items()})


def create(actor: Actor, *, is_active: bool = True, **configs: dict[str, Any]) -> Workflow:
    return services.create_workflow(actor=actor, name="Report", definition=scheduled(**configs), is_active=is_active)


def change(actor: Actor, workflow: Workflow, **what: Any) -> None:
    services.update_workflow(actor=actor, workflow_id=workflow.id, change=WorkflowChange(**what))


def row(workflow: Workflow, node_id: str = "clock") -> Schedule:
    return Schedule.unscoped.get(workflow=workflow, node_id=node_id)


def put_due(workflow: Workflow, moment: dt.datetime) -> dt.datetime:
    Schedule.unscoped.filter(workflow=workflow).update(due_at=moment)
    return moment


def in_an_hour(moment: dt.datetime | None) -> bool:
    return moment is not None and abs((moment - timezone.now()).total_seconds() - 3600) < 60


def test_a_new_workflow_is_due_at_its_next_moment(actor: Actor) -> None:
    workflow = create(actor, clock={**HOURLY, "inputs": {"region": "north"}}, daily=DAILY)
    made = row(workflow)
    assert in_an_hour(made.due_at)
    assert made.organization_id == actor.organization_id
    assert made.inputs == {"region": "north"}
    assert made.last_fired_at is None
    assert made.rule == {"every_seconds": 3600, "timezone": "UTC", "misfire": "skip", "max_catch_up": 100}
    due = row(workflow, "daily").due_at
    assert due is not None
    assert (due.hour, due.minute, due.second) in ((13, 30, 0), (14, 30, 0))
    assert Schedule.unscoped.count() == 2


def test_one_that_is_stored_switched_off_is_not_due(actor: Actor) -> None:
    workflow = create(actor, is_active=False, clock=HOURLY)
    assert row(workflow).due_at is None
    services.set_active(actor=actor, workflow_id=workflow.id, active=True)
    assert in_an_hour(row(workflow).due_at)


def test_a_workflow_without_a_schedule_has_none(actor: Actor) -> None:
    services.create_workflow(actor=actor, name="Plain", definition=flow({"begin": "start"}))
    assert not Schedule.unscoped.exists()


def test_an_unchanged_rule_keeps_its_moment(actor: Actor) -> None:
    workflow = create(actor, clock=HOURLY)
    due = put_due(workflow, timezone.now() - dt.timedelta(minutes=5))
    change(actor, workflow, name="Renamed")
    change(actor, workflow, definition=scheduled(clock=HOURLY))
    change(actor, workflow, definition=scheduled(clock={**HOURLY, "inputs": {"a": 1}}))
    change(actor, workflow, definition=scheduled(clock={**HOURLY, "inputs": {"a": 2}, "misfire": "all"}))
    change(actor, workflow, definition={**scheduled(clock=HOURLY | {"misfire": "all"}, other=DAILY)})
    services.set_active(actor=actor, workflow_id=workflow.id, active=True)
    kept = row(workflow)
    assert kept.due_at == due
    assert kept.inputs == {}
    assert kept.rule["misfire"] == "all"


@pytest.mark.parametrize(
    "rule", [{"every_seconds": 3601}, {"cron": "0 * * * *"}, {"cron": "0 * * * *", "timezone": "Asia/Kolkata"}]
)
def test_a_changed_rule_counts_from_now(actor: Actor, rule: dict[str, Any]) -> None:
    workflow = create(actor, clock=HOURLY)
    put_due(workflow, timezone.now() - dt.timedelta(days=400))
    before = timezone.now()
    change(actor, workflow, definition=scheduled(clock=rule))
    due = row(workflow).due_at
    assert due is not None
    assert before < due <= timezone.now() + dt.timedelta(seconds=3601)


def test_a_change_of_the_time_zone_alone_counts(actor: Actor) -> None:
    workflow = create(actor, clock=DAILY)
    before = row(workflow).due_at
    change(actor, workflow, definition=scheduled(clock={**DAILY, "timezone": "Asia/Tokyo"}))
    assert row(workflow).due_at != before


def test_switching_off_and_on_makes_nothing_up(actor: Actor) -> None:
    workflow = create(actor, clock={**HOURLY, "misfire": "all"})
    put_due(workflow, timezone.now() - dt.timedelta(days=3))
    services.set_active(actor=actor, workflow_id=workflow.id, active=False)
    assert row(workflow).due_at is None
    services.set_active(actor=actor, workflow_id=workflow.id, active=True)
    assert in_an_hour(row(workflow).due_at)


def test_a_change_while_it_is_off_leaves_it_off(actor: Actor) -> None:
    workflow = create(actor, is_active=False, clock=HOURLY)
    change(actor, workflow, definition=scheduled(clock=DAILY))
    assert row(workflow).due_at is None
    assert row(workflow).rule["cron"] == "30 8 * * *"


def test_a_deleted_workflow_is_never_due(actor: Actor) -> None:
    workflow = create(actor, clock=HOURLY)
    services.delete_workflow(actor=actor, workflow_id=workflow.id)
    assert row(workflow).due_at is None


def test_a_schedule_that_left_the_definition_is_not_due_and_counts_from_now_when_it_returns(actor: Actor) -> None:
    workflow = create(actor, clock=HOURLY, other=DAILY)
    identity = row(workflow).id
    put_due(workflow, timezone.now() - dt.timedelta(days=3))
    change(actor, workflow, definition=scheduled(other=DAILY))
    assert row(workflow).due_at is None
    assert row(workflow, "other").due_at is not None
    change(actor, workflow, definition=scheduled(clock=HOURLY))
    assert in_an_hour(row(workflow).due_at)
    assert row(workflow).id == identity


def test_a_node_that_became_something_else_is_not_due(actor: Actor) -> None:
    workflow = create(actor, clock=HOURLY)
    change(actor, workflow, definition=flow({"clock": "start"}))
    assert row(workflow).due_at is None


def test_an_old_version_brings_its_schedule_back(actor: Actor) -> None:
    workflow = create(actor, clock=HOURLY)
    change(actor, workflow, definition=scheduled(clock=DAILY))
    services.restore_version(actor=actor, workflow_id=workflow.id, number=1)
    assert in_an_hour(row(workflow).due_at)


@pytest.mark.parametrize("config", [{}, {"cron": "every day"}, {"every_seconds": "{{ inputs.often }}"}])
def test_an_active_workflow_with_a_rule_that_cannot_be_read_is_refused_whole(
    actor: Actor, config: dict[str, Any]
) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        create(actor, clock=config)
    assert [each.field.startswith("nodes.clock.config") for each in refused.value.problems] == [True]
    assert not Workflow.unscoped.exists()
    workflow = create(actor, clock=HOURLY)
    due = row(workflow).due_at
    with pytest.raises(DefinitionRefused):
        change(actor, workflow, definition=scheduled(clock=config))
    assert row(workflow).due_at == due
    assert Workflow.unscoped.get().version == 1


def test_a_draft_may_have_a_rule_that_cannot_be_read_yet(actor: Actor) -> None:
    workflow = create(actor, is_active=False, clock={"every_seconds": "{{ inputs.often }}"}, other=HOURLY)
    assert not Schedule.unscoped.filter(workflow=workflow, node_id="clock").exists()
    with pytest.raises(DefinitionRefused):
        services.set_active(actor=actor, workflow_id=workflow.id, active=True)
    assert row(workflow, "other").due_at is None


def test_numbers_written_as_text_are_read_as_the_node_reads_them(actor: Actor) -> None:
    assert row(create(actor, clock={"every_seconds": "3600"})).rule["every_seconds"] == 3600
