"""Who is told of what, by the product's own events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from accounts import members, services
from accounts.events import QuotaNearlyUsed
from auterity.kernel.access import Role
from auterity.kernel.events import publish
from executions.events import WorkflowBraked, WorkflowBrakeReleased
from integrations.models import WebhookDelivery
from integrations.webhooks import _record
from notifications import selectors
from notifications.models import UserNotification
from tests.api.graphs import chain
from tests.api.people import PASSWORD, Person, colleague
from tests.executions.support import flow, until

pytestmark = pytest.mark.django_db(transaction=True)

FAILS = {"bad": ("data-transformation", {"set": {"x": "{{ 1 / inputs.zero }}"}})}


def told(person: Person) -> list[UserNotification]:
    return selectors.latest(person.actor)


def made(person: Person, definition: dict[str, Any], name: str = "Totals") -> str:
    found: str = person.api.made("/api/workflows", {"name": name, **definition})["id"]
    return found


def test_a_storm_of_failing_runs_is_one_notification_for_whoever_started_them(
    ann: Person, member: Person, otto: Person, worker: None
) -> None:
    workflow = made(ann, flow(FAILS))
    for _ in range(12):
        member.api.made(f"/api/workflows/{workflow}/execute", {"inputs": {"zero": 0}})
    until(lambda: [each.count for each in told(member)] == [12], what="twelve failures counted")
    (one,) = told(member)
    assert (one.title, one.category, one.severity) == ("12 runs failed", "execution", "error")
    assert one.message.startswith("Totals: 'bad' failed: ")
    assert one.data["workflow_id"] == workflow
    assert one.link == f"/executions/{one.data['execution_id']}"
    assert told(ann) == told(otto) == []


def test_a_run_that_succeeds_is_no_news(ann: Person, worker: None, ended: Callable[..., Any]) -> None:
    workflow = ann.api.made("/api/workflows", chain("a", "b"))
    run = ann.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {}})
    assert ended(ann.api, run["execution_id"])["status"] == "completed"
    assert told(ann) == []


def test_those_who_are_asked_are_told_and_not_who_started_the_run(
    ann: Person, member: Person, viewer: Person, worker: None
) -> None:
    manager = colleague(ann, "manager@example.com", Role.MANAGER)
    asks = {"ask": ("approval", {"title": "May it go out?", "assignees": [viewer.email, "manager", "x@else.example"]})}
    workflow = made(ann, flow(asks))
    ann.api.made(f"/api/workflows/{workflow}/execute", {"inputs": {}})
    until(lambda: told(viewer) and told(manager), what="both are told")
    for person in (viewer, manager):
        (one,) = told(person)
        assert (one.title, one.message) == ("Your decision is needed", "May it go out?")
        question = person.api.get(f"/api/questions/{one.data['question_id']}").json()
        assert question["title"] == "May it go out?"
        assert one.link == f"/questions/{question['id']}"
    assert told(member) == []
    assert told(ann) == []  # An admin holds the role too, but may not decide on a run of their own.


def test_a_brake_is_told_to_the_owner_and_the_admins(ann: Person, member: Person, viewer: Person) -> None:
    workflow = UUID(made(member, flow(FAILS), "Loop"))
    about = (ann.actor.organization_id, workflow)
    publish(WorkflowBraked(*about, "storm", "it started itself.", timezone.now()))
    publish(WorkflowBrakeReleased(*about, ""))
    for person in (ann, member):
        released, braked = told(person)
        assert braked.message.startswith("'Loop' is not started automatically until ")
        assert released.message == "'Loop' is started automatically again. The time was over."
    assert told(viewer) == []


def test_a_webhook_that_is_given_up_is_told_to_those_who_manage_integrations(
    ann: Person, member: Person, otto: Person
) -> None:
    for number in range(3):
        row = WebhookDelivery.unscoped.create(
            organization_id=ann.actor.organization_id,
            url=f"https://dead.example/{number}?secret=1",
            event="x",
            payload={},
        )
        _record(row, 410, "The receiver answered 410.")
    (one,) = told(ann)
    assert (one.title, one.count) == ("3 webhooks were given up", 3)
    assert "secret" not in f"{one.message} {one.data}"
    assert told(member) == told(otto) == []


def test_a_login_from_elsewhere_is_told_to_the_person(ann: Person, member: Person) -> None:
    again = {"email": ann.email, "password": PASSWORD, "dialect": "auterity", "access_seconds": 60}
    services.login(**again)
    assert told(ann) == []
    services.login(**again, address="203.0.113.9", user_agent="curl/8")
    services.login(**again, address="203.0.113.9", user_agent="curl/8")
    (one,) = told(ann)
    assert (one.category, one.title, one.data["address"]) == ("security", "New login", "203.0.113.9")
    assert told(member) == []


def test_a_token_that_is_used_twice_is_told_to_its_person(ann: Person) -> None:
    token = ann.tokens.refresh_token
    assert ann.api.post("/api/auth/refresh", {"refresh_token": token}).status_code == 200
    assert ann.api.post("/api/auth/refresh", {"refresh_token": token}).status_code == 401
    (one,) = told(ann)
    assert (one.category, one.severity, one.title) == ("security", "error", "A login was ended for safety")


def test_another_role_is_told_to_its_person(ann: Person, member: Person) -> None:
    members.member_update(actor=ann.actor, user_id=member.actor.user_id, role=Role.MANAGER)
    (one,) = told(member)
    assert one.message == "You are manager of AutoDealer Inc. now."
    assert told(ann) == []


def test_a_limit_that_is_nearly_used_is_told_to_the_admins(ann: Person, member: Person, otto: Person) -> None:
    resets_at = timezone.now()
    for percent, used in ((80, 800), (100, 1000)):
        publish(QuotaNearlyUsed(ann.actor.organization_id, "ai_tokens", "monthly", percent, used, 1000, resets_at))
    full, nearly = told(ann)
    assert (nearly.category, nearly.severity, nearly.title) == ("quota", "warning", "A limit is nearly used up")
    assert full.message == "100 % of the monthly limit of ai tokens are used: 1,000 of 1,000."
    assert told(member) == told(otto) == []
