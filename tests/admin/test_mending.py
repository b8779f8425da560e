"""What the first page says is wrong, the page it leads to, and the action there that mends it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import guesses, letters
from accounts.credentials import LoginOutcome
from accounts.models import Letter, LoginAttempt, Organization, User
from audit import trail
from audit.models import AuditEvent
from auterity.kernel.models import first_id_of
from executions.models import ExecutionStep
from integrations.models import Channel, DmsIntegration, DmsSync, MessageStatus, OutgoingMessage, SyncStatus
from monitoring import troubles
from monitoring.troubles import Trouble
from security import services as security
from security.models import IncidentEntry, IncidentSource, SecurityIncident
from security.services import Affected, Report

STEPS = "admin:executions_executionstep_changelist"
INCIDENTS = "admin:security_securityincident_changelist"
ATTEMPTS = "admin:accounts_loginattempt_changelist"


def said(answer) -> list[str]:
    return [str(each) for each in answer.context["messages"]]


def wrong(page: str) -> list[Trouble]:
    return [each for each in troubles.wrong_now() if each.page == page]


@pytest.fixture
def doubtful(in_state) -> ExecutionStep:
    """An effect that nobody knows, of a run that has failed over it."""
    run = in_state("failed")
    return ExecutionStep.objects.create(
        execution=run, node_id="ask", node_name="Ask", node_type="api-integration", status="failed",
        started_at=timezone.now(), error_code="unknown_outcome", effect="unknown",
    )  # fmt: skip


@pytest.fixture
def incident(organization: Organization, root: User) -> SecurityIncident:
    report = Report("Strange logins", "From everywhere.", "high", affected=Affected([root.pk], "workflow", ["a <b>"]))
    return security.open_incident(organization.pk, report, source=IncidentSource.DETECTOR)


# -- effects -----------------------------------------------------------------------------------------------------------


def test_the_list_of_steps_shows_how_each_stands(operator, doubtful) -> None:
    body = operator.get(reverse(STEPS)).content.decode()
    assert 'op-danger">failed</span>' in body
    assert 'op-danger">unknown</span>' in body


def test_the_trail_names_who_it_was(operator, incident, root) -> None:
    trail.record("custom.door.opened", "open", organization_id=incident.organization_id, user_id=root.pk)
    body = operator.get(reverse("admin:audit_auditevent_changelist"), {"q": str(root.pk)}).content.decode()
    assert "root@example.com" in body


@pytest.mark.parametrize(
    ("action", "state", "word"), [("happened", "settled_done", "it"), ("did_not_happen", "settled_not", "did not")]
)
def test_an_effect_in_doubt_is_found_and_settled(operator, doubtful, in_state, action, state, word) -> None:
    ExecutionStep.objects.create(
        execution=in_state("failed"), node_id="b", node_name="b", node_type="start", status="failed",
        started_at=timezone.now(), effect="confirmed",
    )  # fmt: skip
    (trouble,) = wrong("executions_executionstep_changelist")
    listing = operator.get(reverse(STEPS), trouble.filters)
    assert [each.pk for each in listing.context["cl"].result_list] == [doubtful.pk]
    run = operator.get(reverse("admin:executions_execution_change", args=[doubtful.execution_id])).content.decode()
    assert f"{reverse(STEPS)}?effect=unknown&amp;q={doubtful.execution_id}" in run
    sent = {"action": action, "_selected_action": [str(doubtful.pk)]}
    asked = operator.post(reverse(STEPS), sent)
    assert "after a look at the other side" in asked.content.decode()
    doubtful.refresh_from_db()
    assert doubtful.effect == "unknown"
    answer = operator.post(reverse(STEPS), {**sent, "confirmed": "yes", "note": "Order 5 is there."}, follow=True)
    assert word in said(answer)[0]
    doubtful.refresh_from_db()
    assert doubtful.effect == state
    event = AuditEvent.unscoped.get(event_type="effect.settled")
    assert (event.details["note"], event.organization_id) == (
        "Order 5 is there.",
        doubtful.execution.organization_id,
    )
    assert wrong("executions_executionstep_changelist") == []
    again = operator.post(reverse(STEPS), {**sent, "confirmed": "yes"}, follow=True)
    assert said(again)[0].endswith("It is already known what became of this effect.")
    assert AuditEvent.unscoped.filter(event_type="effect.settled").count() == 1


# -- incidents ---------------------------------------------------------------------------------------------------------


def test_an_incident_is_taken_up_and_resolved_with_a_note(operator, incident, root) -> None:
    (trouble,) = wrong("security_securityincident_changelist")
    assert trouble.severity == "critical"
    assert [each.pk for each in operator.get(reverse(INCIDENTS), trouble.filters).context["cl"].result_list] == [
        incident.pk
    ]
    sent = {"_selected_action": [str(incident.pk)]}
    operator.post(reverse(INCIDENTS), {**sent, "action": "investigate"})
    incident.refresh_from_db()
    assert (incident.status, wrong("security_securityincident_changelist")) == ("investigating", [])
    asked = operator.post(reverse(INCIDENTS), {**sent, "action": "resolve"})
    assert "INC-000001 Strange logins" in asked.content.decode()
    incident.refresh_from_db()
    assert incident.status == "investigating"
    done = {**sent, "action": "resolve", "confirmed": "yes", "note": "Keys were changed."}
    assert said(operator.post(reverse(INCIDENTS), done, follow=True)) == ["INC-000001 Strange logins: resolved."]
    incident.refresh_from_db()
    assert (incident.status, incident.resolved_at is None) == ("resolved", False)
    last = IncidentEntry.unscoped.order_by("at").last()
    assert (last.user_id, last.action, last.note) == (root.pk, "resolved", "Keys were changed.")
    assert operator.get(reverse(INCIDENTS), {"standing": "unsettled"}).context["cl"].result_count == 0
    assert LogEntry.objects.count() == 2


def test_an_incident_is_told_in_words(operator, incident, root) -> None:
    body = operator.get(reverse("admin:security_securityincident_change", args=[incident.pk])).content.decode()
    assert reverse("admin:accounts_user_change", args=[root.pk]) in body
    assert "workflow a &lt;b&gt;" in body
    assert "Reported as high." in body


def test_a_false_alarm_is_dismissed(operator, incident) -> None:
    sent = {"_selected_action": [str(incident.pk)], "action": "dismiss", "confirmed": "yes"}
    operator.post(reverse(INCIDENTS), sent)
    incident.refresh_from_db()
    assert incident.status == "false_positive"


# -- lockouts ----------------------------------------------------------------------------------------------------------


def test_who_is_locked_out_is_shown_and_let_in(operator, db) -> None:
    ann = User.objects.create_user("ann@example.com", "pw", first_name="Ann", last_name="Ash")
    now = timezone.now()
    for _ in range(guesses.PASSWORD.tries):
        guesses.failed(guesses.hold(guesses.PASSWORD, ann.email, now=now))
    for who in (ann, ann, None):
        LoginAttempt.objects.create(user=who, outcome=LoginOutcome.LOCKED)
    LoginAttempt.objects.create(user=ann, outcome=LoginOutcome.SUCCESS)
    (trouble,) = wrong("accounts_loginattempt_changelist")
    assert trouble.what.startswith("1 person is locked out")
    shown = operator.get(reverse(ATTEMPTS), trouble.filters).context["cl"].result_list
    assert {each.outcome for each in shown} == {"locked"}
    sent = {"action": "unlock", "_selected_action": [str(each.pk) for each in shown]}
    assert said(operator.post(reverse(ATTEMPTS), sent, follow=True)) == ["ann@example.com may try again."]
    assert guesses.locked_until(guesses.PASSWORD, ann.email, now=now) is None
    assert wrong("accounts_loginattempt_changelist") == []


# -- what was not delivered --------------------------------------------------------------------------------------------


def test_mails_that_were_given_up_are_found_and_sent_again(operator, db) -> None:
    lost, pointless, owed = (
        Letter.objects.create(kind="password_reset", recipient=f"{name}@example.com", due_at=timezone.now(), attempts=1)
        for name in ("lost", "pointless", "owed")
    )
    letters.not_sent(lost, "The server said no.", final=True)
    letters.pointless(pointless)
    (trouble,) = wrong("accounts_letter_changelist")
    assert trouble.what.endswith("not mailed: 1.")
    listing = reverse("admin:accounts_letter_changelist")
    assert [each.pk for each in operator.get(listing, trouble.filters).context["cl"].result_list] == [lost.pk]
    assert [each.pk for each in operator.get(listing, {"state": "owed"}).context["cl"].result_list] == [owed.pk]
    operator.post(listing, {"action": "try_now", "_selected_action": [str(lost.pk)]})
    assert wrong("accounts_letter_changelist") == []


def test_messages_and_readings_that_failed_are_told_of_for_a_day(operator, organization) -> None:
    message = {
        "channel": Channel.EMAIL,
        "provider": "smtp",
        "recipients": ["a@example.com"],
        "status": MessageStatus.FAILED,
    }
    old = first_id_of(timezone.now() - dt.timedelta(days=2))
    for more in ({}, {"id": old}):
        OutgoingMessage(organization=organization, content={}, **message, **more).save(force_insert=True)
    dms = DmsIntegration(organization=organization, provider="cdk", configuration={}, auth_type="api_key")
    dms.save(force_insert=True)
    DmsSync(organization=organization, integration=dms, entities=[], status=SyncStatus.FAILED).save(force_insert=True)
    for page in ("integrations_outgoingmessage_changelist", "integrations_dmssync_changelist"):
        (trouble,) = wrong(page)
        assert trouble.what.endswith(": 1.")
        assert operator.get(reverse(f"admin:{page}"), trouble.filters).status_code == 200


def test_the_first_page_leads_to_all_of_it(operator, incident, doubtful) -> None:
    body = operator.get(reverse("admin:index")).content.decode()
    assert "Nobody has taken up the security incident INC-000001" in body
    assert "settle them" in body


def test_who_may_only_look_mends_nothing(db, incident) -> None:
    viewer = User.objects.create_user("view@example.com", "pw", first_name="V", last_name="W", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_securityincident"))
    client = Client()
    client.force_login(viewer)
    sent = {"action": "resolve", "_selected_action": [str(incident.pk)], "confirmed": "yes"}
    client.post(reverse(INCIDENTS), sent, follow=True)
    incident.refresh_from_db()
    assert incident.status == "open"
