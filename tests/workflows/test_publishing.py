"""What runs begin on: drafts change nothing, publishing does, and whoever is late is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts import members
from accounts.models import User
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Role
from auterity.kernel.errors import PermissionDenied, RevisionConflict
from executions import services as executions
from executions.incoming import door_of
from executions.models import Execution
from executions.trials import publishing
from executions.trials.cases import run_cases
from tests.executions.support import flow, person
from workflows import cases, selectors, services
from workflows import publishing as rules
from workflows.cases import CaseContent
from workflows.errors import (
    DefinitionRefused,
    NothingPublished,
    PublishRefused,
    VersionNotFound,
    WorkflowInactive,
    WorkflowNotFound,
)
from workflows.models import Schedule, Workflow, WorkflowTestCase, WorkflowVersion
from workflows.services import WorkflowChange

TESTED = {"settings": {"tests_before_publish": True}}


@pytest.fixture
def actor(db: None) -> Actor:
    return person()


def says(text: str, **more: Any) -> dict[str, Any]:
    return flow({"start": "start", "say": ("data-transformation", {"set": {"said": text}})}, "start > say", **more)


def create(actor: Actor, definition: dict[str, Any], **more: Any) -> Workflow:
    return services.create_workflow(actor=actor, name="Speech", definition=definition, **more)


def save(actor: Actor, workflow: Workflow, definition: dict[str, Any], **more: Any) -> Workflow:
    change = WorkflowChange(definition=definition, **more)
    return services.update_workflow(actor=actor, workflow_id=workflow.id, change=change)


def standing(workflow: Workflow) -> tuple[int, int | None, bool]:
    fresh = Workflow.unscoped.get(id=workflow.id)
    return fresh.version, fresh.published_version, fresh.has_draft


def begins_on(actor: Actor, workflow: Workflow) -> int:
    return executions.start(actor=actor, workflow_id=workflow.id, inputs={}).version.number


def claim(actor: Actor, workflow: Workflow, expression: str, name: str = "It speaks") -> WorkflowTestCase:
    content = CaseContent(name=name, assertions=[expression])
    return cases.add_case(actor=actor, workflow_id=workflow.id, content=content)


def test_a_plain_save_publishes_as_ever(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    assert standing(workflow) == (1, 1, False)
    save(actor, workflow, says("two"))
    assert standing(workflow) == (2, 2, False)
    assert begins_on(actor, workflow) == 2
    rows = WorkflowVersion.unscoped.filter(workflow=workflow).order_by("number")
    assert [(each.number, each.published_by_id, each.published_at is None) for each in rows] == [
        (1, actor.user_id, False),
        (2, actor.user_id, False),
    ]


def test_a_draft_changes_nothing_that_runs(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    first = executions.start(actor=actor, workflow_id=workflow.id, inputs={})
    save(actor, workflow, says("two"), draft=True, note="  Louder  ")
    assert standing(workflow) == (2, 1, True)
    assert begins_on(actor, workflow) == 1
    draft = WorkflowVersion.unscoped.get(workflow=workflow, number=2)
    assert (draft.note, draft.published_at, draft.published_by) == ("Louder", None, None)
    publishing.publish(actor=actor, workflow_id=workflow.id)
    assert standing(workflow) == (2, 2, False)
    assert begins_on(actor, workflow) == 2
    first.refresh_from_db()
    assert first.version.number == 1  # A run stays on the version it began on.


def test_an_older_version_can_be_published_while_a_draft_waits(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    save(actor, workflow, says("two"))
    save(actor, workflow, says("three"), draft=True)
    publishing.publish(actor=actor, workflow_id=workflow.id, number=1)
    assert standing(workflow) == (3, 1, True)
    assert begins_on(actor, workflow) == 1


def test_sending_a_draft_plainly_publishes_it(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    save(actor, workflow, says("two"), draft=True)
    save(actor, workflow, says("two"))
    assert standing(workflow) == (2, 2, False)


def test_a_new_name_leaves_a_draft_a_draft(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    save(actor, workflow, says("two"), draft=True)
    services.update_workflow(actor=actor, workflow_id=workflow.id, change=WorkflowChange(name="Talk"))
    assert standing(workflow) == (2, 1, True)


def test_with_drafts_only_nothing_runs_and_nothing_is_switched_on(actor: Actor) -> None:
    workflow = create(actor, says("one"), draft=True)
    assert standing(workflow) == (1, None, True)
    with pytest.raises(NothingPublished):
        begins_on(actor, workflow)
    services.set_active(actor=actor, workflow_id=workflow.id, active=False)
    with pytest.raises(NothingPublished):
        services.set_active(actor=actor, workflow_id=workflow.id, active=True)
    assert not Execution.unscoped.exists()
    assert Workflow.unscoped.get().is_active is False
    publishing.publish(actor=actor, workflow_id=workflow.id)
    with pytest.raises(WorkflowInactive):
        begins_on(actor, workflow)
    services.set_active(actor=actor, workflow_id=workflow.id, active=True)
    assert begins_on(actor, workflow) == 1


def test_a_draft_need_not_run_and_is_then_not_published(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    broken = flow({"start": "start", "mail": ("email-sender", {})}, "start > mail")
    save(actor, workflow, broken, draft=True)
    with pytest.raises(DefinitionRefused) as refused:
        publishing.publish(actor=actor, workflow_id=workflow.id)
    assert "nodes.mail.config.to" in [each.field for each in refused.value.problems]
    assert standing(workflow) == (2, 1, True)
    with pytest.raises(DefinitionRefused):
        save(actor, workflow, broken)
    assert standing(workflow) == (2, 1, True)


def test_an_empty_workflow_is_not_published(actor: Actor) -> None:
    workflow = create(actor, flow({}), draft=True)
    with pytest.raises(DefinitionRefused):
        publishing.publish(actor=actor, workflow_id=workflow.id)


def test_schedules_and_doors_follow_what_is_published(actor: Actor) -> None:
    clock = flow({"clock": ("schedule-trigger", {"every_seconds": 3600})})
    hook = flow({"hook": "webhook-trigger"})
    workflow = create(actor, clock, draft=True)
    assert not Schedule.unscoped.exists()
    publishing.publish(actor=actor, workflow_id=workflow.id)
    due = Schedule.unscoped.get().due_at
    assert due is not None
    assert due > timezone.now()
    save(actor, workflow, hook, draft=True)
    assert Schedule.unscoped.get().due_at == due
    with pytest.raises(WorkflowNotFound):
        door_of(workflow_id=workflow.id, node_id="hook")
    publishing.publish(actor=actor, workflow_id=workflow.id)
    assert Schedule.unscoped.get().due_at is None
    assert door_of(workflow_id=workflow.id, node_id="hook").workflow == workflow
    publishing.roll_back(actor=actor, workflow_id=workflow.id, number=1)
    assert Schedule.unscoped.get().due_at is not None
    with pytest.raises(WorkflowNotFound):
        door_of(workflow_id=workflow.id, node_id="hook")


def test_an_unpublished_workflow_has_no_door(actor: Actor) -> None:
    workflow = create(actor, flow({"hook": "webhook-trigger"}), draft=True)
    with pytest.raises(WorkflowNotFound):
        door_of(workflow_id=workflow.id, node_id="hook")


def test_rolling_back_adds_a_version_and_publishes_it(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    save(actor, workflow, says("two"))
    save(actor, workflow, says("three"), draft=True)
    publishing.roll_back(actor=actor, workflow_id=workflow.id, number=1)
    assert standing(workflow) == (4, 4, False)
    newest = selectors.get_version(actor=actor, workflow=Workflow.unscoped.get())
    assert (newest.definition, newest.note) == (says("one"), "Back to version 1")
    with pytest.raises(VersionNotFound):
        publishing.roll_back(actor=actor, workflow_id=workflow.id, number=9)


# Who is late


def test_publishing_after_somebody_else_did_shows_both(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    save(actor, workflow, says("two"), draft=True)
    save(actor, workflow, says("three"), draft=True)
    publishing.publish(actor=actor, workflow_id=workflow.id, number=2, seen_published=1)
    with pytest.raises(RevisionConflict) as refused:
        publishing.publish(actor=actor, workflow_id=workflow.id, number=3, seen_published=1)
    assert refused.value.details == {"given": 1, "current": 2}
    assert standing(workflow) == (3, 2, True)
    with pytest.raises(RevisionConflict):
        publishing.roll_back(actor=actor, workflow_id=workflow.id, number=1, seen_published=1)
    with pytest.raises(RevisionConflict):
        publishing.publish(actor=actor, workflow_id=workflow.id, number=3, seen_published=None)
    publishing.publish(actor=actor, workflow_id=workflow.id, number=2, seen_published=1)  # It is published already.
    assert standing(workflow) == (3, 2, True)


def test_the_newest_is_not_published_when_a_newer_one_came_meanwhile(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    save(actor, workflow, says("two"), draft=True)
    save(actor, workflow, says("three"), draft=True)
    with pytest.raises(RevisionConflict) as refused:
        rules.publish_version(actor=actor, workflow_id=workflow.id, number=2, seen_published=1, newest=True)
    assert refused.value.details == {"given": 2, "current": 3}
    assert standing(workflow) == (3, 1, True)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_publish_at_once_one_wins_and_the_other_is_told() -> None:
    actor = person()
    workflow = create(actor, says("one"))
    for text in ("two", "three"):
        save(actor, workflow, says(text), draft=True)
    together = threading.Barrier(2, timeout=20)
    ended: dict[int, Any] = {}

    def publish(number: int) -> None:
        try:
            together.wait()
            publishing.publish(actor=actor, workflow_id=workflow.id, number=number, seen_published=1)
            ended[number] = "published"
        except RevisionConflict as error:
            ended[number] = error.details
        finally:
            connection.close()

    threads = [threading.Thread(target=publish, args=(number,)) for number in (2, 3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    winner = next(number for number, how in ended.items() if how == "published")
    assert ended == {winner: "published", 5 - winner: {"given": 1, "current": winner}}
    assert standing(workflow) == (3, winner, winner == 2)


# Tests before publishing


def test_with_the_setting_a_save_waits_for_its_tests(actor: Actor) -> None:
    workflow = create(actor, says("hello", **TESTED))
    assert standing(workflow) == (1, 1, False)  # There is no test case yet.
    case = claim(actor, workflow, "output.said == 'hello'")
    save(actor, workflow, says("goodbye", **TESTED))
    assert standing(workflow) == (2, 1, True)
    with pytest.raises(PublishRefused) as refused:
        publishing.publish(actor=actor, workflow_id=workflow.id)
    (failed,) = refused.value.details["failed"]
    assert (failed["id"], failed["name"], failed["status"]) == (str(case.id), "It speaks", "completed")
    assert failed["message"] == "output.said == 'hello' (it is goodbye)."
    assert failed["assertions"] == [
        {"expression": "output.said == 'hello'", "passed": False, "actual": "goodbye", "problem": ""}
    ]
    assert standing(workflow) == (2, 1, True)
    assert begins_on(actor, workflow) == 1
    save(actor, workflow, says("hello", **TESTED) | {"variables": [{"name": "x"}]})
    publishing.publish(actor=actor, workflow_id=workflow.id)
    assert standing(workflow) == (3, 3, False)


def test_nobody_gets_around_the_tests(actor: Actor) -> None:
    workflow = create(actor, says("hello", **TESTED))
    claim(actor, workflow, "output.said == 'hello'")
    save(actor, workflow, says("goodbye"))  # It switches the setting off, and still waits.
    assert standing(workflow) == (2, 1, True)
    with pytest.raises(PublishRefused):
        rules.publish_version(actor=actor, workflow_id=workflow.id, number=2, seen_published=1)
    with pytest.raises(PublishRefused):
        publishing.publish(actor=actor, workflow_id=workflow.id, number=2)
    with pytest.raises(PublishRefused):
        publishing.roll_back(actor=actor, workflow_id=workflow.id, number=2)
    services.restore_version(actor=actor, workflow_id=workflow.id, number=2)
    assert standing(workflow) == (2, 1, True)


def test_going_back_to_what_was_published_needs_no_tests(actor: Actor) -> None:
    workflow = create(actor, says("hello"))
    save(actor, workflow, says("hi", **TESTED))
    claim(actor, workflow, "output.said == 'hi'")
    publishing.roll_back(actor=actor, workflow_id=workflow.id, number=1)
    assert standing(workflow) == (3, 3, False)


def test_tests_run_when_asked_without_the_setting(actor: Actor) -> None:
    workflow = create(actor, says("hello"))
    claim(actor, workflow, "output.said == 'hello'")
    save(actor, workflow, says("goodbye"), draft=True)
    with pytest.raises(PublishRefused):
        publishing.publish(actor=actor, workflow_id=workflow.id, run_tests=True)
    publishing.publish(actor=actor, workflow_id=workflow.id)
    assert standing(workflow) == (2, 2, False)


def test_a_viewer_publishes_nothing(actor: Actor) -> None:
    workflow = create(actor, says("one"))
    save(actor, workflow, says("two"), draft=True)
    members.members_add(
        actor=actor, email="v@example.com", password="correct horse 9", first_name="V", last_name="V", role=Role.VIEWER
    )
    viewer = Actor(
        User.objects.get(email="v@example.com").id, actor.organization_id, Role.VIEWER, ROLE_PERMISSIONS[Role.VIEWER]
    )
    for act in (publishing.publish, lambda **ids: publishing.roll_back(number=1, **ids), run_cases):
        with pytest.raises(PermissionDenied):
            act(actor=viewer, workflow_id=workflow.id)
    assert standing(workflow) == (2, 1, True)
