"""Who is told of what, by the product's own events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts import members, services
from accounts.events import MemberJoined, QuotaNearlyUsed
from auterity.kernel.access import Role
from auterity.kernel.events import publish
from executions.events import WorkflowBraked, WorkflowBrakeReleased
from identity.events import IdentityLinked, PasskeyRemoved
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


def test_who_is_named_in_a_comment_is_told_where(ann: Person, member: Person, viewer: Person) -> None:
    workflow = made(ann, flow({"a": "start"}), "Leads")
    body = {
        "body": "Is this right, Bob?",
        "node_id": "a",
        "mentions": [str(member.actor.user_id), str(ann.actor.user_id)],
    }
    comment = ann.api.made(f"/api/workflows/{workflow}/comments", body)
    (one,) = told(member)
    assert (one.title, one.category, one.link) == ("You were mentioned", "mention", f"/workflows/{workflow}")
    assert one.message.endswith("in 'Leads': Is this right, Bob?")
    assert (one.data["comment_id"], one.data["node_id"]) == (comment["id"], "a")
    assert told(ann) == told(viewer) == []


def test_what_opens_doors_is_told_to_whom_it_belongs(ann: Person, member: Person) -> None:
    other = colleague(ann, "two@example.com", Role.ADMIN)
    ann.api.made("/api/organization/api-keys", {"name": "Reports", "scopes": ["workflow:read"]})
    (one,) = told(ann)
    assert (one.title, one.category) == ("An API key was made", "security")
    assert "'Reports'" in one.message
    assert (
        ann.api.call("PUT", "/api/organizations/current/policies", {"policies": {"session_hours": 8}}).status_code
        == 200
    )
    (one,) = told(other)
    assert (one.title, one.data["policies"]) == ("Policies changed", ["session_hours"])
    assert [each.title for each in told(ann)] == ["An API key was made"]
    assert told(member) == []


def test_somebody_who_joins_is_told_to_the_admins(ann: Person, member: Person) -> None:
    joined = colleague(ann, "new@example.com", Role.MEMBER)
    publish(MemberJoined(joined.actor.user_id, joined.actor.organization_id))
    (one,) = told(ann)
    assert (one.title, one.message) == ("Somebody joined", "new@example.com belongs to your organization now.")
    assert told(member) == told(joined) == []


def test_an_account_elsewhere_that_signs_in_from_now_on_and_a_passkey_that_does_not_are_told(ann: Person) -> None:
    publish(IdentityLinked(uuid4(), ann.actor.user_id, "https://accounts.example"))
    publish(PasskeyRemoved(uuid4(), ann.actor.user_id, ann.actor.organization_id, "My phone"))
    assert [each.title for each in told(ann)] == ["A passkey was removed", "An account was linked"]
    assert "https://accounts.example" in told(ann)[1].message
