"""The dashboard, incidents, threats and alert rules over HTTP: real failed logins appear, and nobody sees another's."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from audit.models import AuditEvent
from auterity.kernel.access import Role
from integrations.models import OutgoingMessage, WebhookDelivery
from notifications.models import UserNotification
from security import alerts, threats
from security.models import AlertRule, SecurityIncident, Threat
from tests.api.envelopes import data_of, refused
from tests.api.people import Api, Person, colleague
from tests.identity.people import registered, signed_in

pytestmark = pytest.mark.django_db

BASE = "/api/v1/security-metrics"
REPORT = {
    "title": "A strange mail",
    "description": "Three of us got a mail that asks for passwords.",
    "severity": "medium",
    "category": "phishing",
}
RULE = {
    "name": "Failed logins",
    "metric": "failed_logins",
    "condition": {"operator": "gte", "threshold": 3, "window_minutes": 15},
    "channels": [{"type": "in_app", "target": "admin"}],
    "cooldown_minutes": 30,
}


def fail(person: Person, times: int, address: str = "198.51.100.7") -> None:
    """Real logins with a wrong password, at the door of 003."""
    door = Api()
    door._client.defaults["REMOTE_ADDR"] = address
    for _ in range(times):
        answer = door.post("/api/v1/auth/jwt/login", {"username": person.email, "password": "not this one 9"})
        assert answer.status_code in (401, 403), answer.content


# -- the dashboard -------------------------------------------------------------------------------------------------------


def test_real_logins_appear_in_the_metrics(ann: Person, member: Person, otto: Person) -> None:
    fail(member, 3)
    fail(otto, 1)
    found = data_of(ann.api.get(f"{BASE}/dashboard?period=24h"))
    assert found["logins"]["failed"] == 3
    assert found["logins"]["success"] == 2
    assert found["logins"]["unique_users"] == 2
    assert found["sessions"]["active"] == 2
    assert found["mfa"] == {"users": 2, "with_totp": 0, "with_passkey": 0, "coverage_percent": 0.0}
    assert found["tiers"] == {"standard": 2, "elevated": 0, "maximum": 0}
    assert sum(each["login_failed"] for each in found["timeseries"]) == 3
    assert sum(each["login_success"] for each in found["timeseries"]) == 2
    assert len(found["timeseries"]) == 25
    assert found["trend"] == {"login_failed_percent": None, "incidents_percent": None}


@pytest.mark.parametrize(("period", "buckets"), [("24h", 25), ("7d", 169), ("30d", 31), ("90d", 91)])
def test_buckets_are_hours_up_to_a_week_and_days_beyond(ann: Person, period: str, buckets: int) -> None:
    found = data_of(ann.api.get(f"{BASE}/dashboard?period={period}"))
    assert len(found["timeseries"]) == buckets
    assert found["period"]["from"] < found["period"]["to"]


def test_only_admins_look(ann: Person, anyone: Api) -> None:
    for role in (Role.MANAGER, Role.MEMBER, Role.VIEWER):
        person = colleague(ann, f"{role}@example.com", role)
        for path in ("dashboard", "incidents", "threats"):
            refused(person.api.get(f"{BASE}/{path}"), 403, "ERR_403_ROLE")
        refused(person.api.post(f"{BASE}/alerts/configure", RULE), 403, "ERR_403_ROLE")
    assert anyone.get(f"{BASE}/dashboard").status_code == 401
    assert not AlertRule.objects.of(ann.actor).exists()


# -- incidents -----------------------------------------------------------------------------------------------------------


def test_a_member_reports_and_the_admins_are_told(ann: Person, member: Person) -> None:
    found = data_of(
        member.api.post(f"{BASE}/incidents", {**REPORT, "affected": {"user_ids": [str(ann.actor.user_id)]}}), 201
    )
    assert found["reference"] == "INC-000001"
    assert (found["status"], found["source"], found["assigned_to"]) == ("open", "user", None)
    assert found["reported_by"]["id"] == str(member.actor.user_id)
    assert found["evidence_event_ids"]  # Ann's login is attached.
    assert [each["action"] for each in found["timeline"]] == ["opened"]
    told = UserNotification.objects.of(ann.actor).filter(category="security", title__startswith="INC-000001")
    assert [each.user_id for each in told] == [ann.actor.user_id]
    refused(member.api.get(f"{BASE}/incidents"), 403, "ERR_403_ROLE")
    listed = data_of(ann.api.get(f"{BASE}/incidents"))
    assert [each["id"] for each in listed] == [found["id"]]
    assert AuditEvent.objects.of(ann.actor).filter(event_type="security.incidents.read").count() == 1


def test_a_second_report_of_the_same_names_the_first(ann: Person, member: Person) -> None:
    first = data_of(member.api.post(f"{BASE}/incidents", REPORT), 201)
    error = refused(member.api.post(f"{BASE}/incidents", REPORT), 409, "ERR_409_DUPLICATE")
    assert error["details"]["incident_id"] == first["id"]
    assert data_of(ann.api.post(f"{BASE}/incidents", REPORT), 201)["reference"] == "INC-000002"


def test_people_and_events_of_others_are_refused_without_a_word_about_them(ann: Person, otto: Person) -> None:
    theirs = AuditEvent.objects.of(otto.actor).first()
    assert theirs is not None
    for change in (
        {"affected": {"user_ids": [str(otto.actor.user_id)]}},
        {"evidence_event_ids": [str(theirs.pk)]},
        {"category": "cooking"},
        {"title": "x"},
        {"title": " " * 5},
        {"description": " " * 10},
        {"severity": "huge"},
        {"occurred_at": "2999-01-01T00:00:00Z"},
        {"status": "resolved"},
    ):
        refused(ann.api.post(f"{BASE}/incidents", {**REPORT, **change}), 400, "ERR_400_VALIDATION")
    assert not SecurityIncident.objects.of(ann.actor).exists()


def test_incidents_are_filtered_sorted_and_paged(ann: Person) -> None:
    for number, severity in enumerate(("low", "high", "critical")):
        data_of(ann.api.post(f"{BASE}/incidents", {**REPORT, "title": f"Report {number}", "severity": severity}), 201)
    titles = lambda query: [each["title"] for each in data_of(ann.api.get(f"{BASE}/incidents?{query}"))]  # noqa: E731
    assert titles("severity=high") == ["Report 1"]
    assert titles("search=INC-000003") == ["Report 2"]
    assert titles("sort=title") == ["Report 0", "Report 1", "Report 2"]
    assert titles("sort=-title&per_page=2&page=2") == ["Report 0"]
    assert titles("status=resolved") == []
    refused(ann.api.get(f"{BASE}/incidents?sort=password"), 400, "ERR_400_VALIDATION")


def test_an_incident_is_worked_on_until_it_is_resolved(ann: Person, member: Person, otto: Person) -> None:
    made = data_of(member.api.post(f"{BASE}/incidents", REPORT), 201)
    path = f"/api/security/incidents/{made['id']}"
    assert member.api.patch(path, {"status": "resolved"}).status_code == 403
    assert otto.api.patch(path, {"status": "resolved"}).status_code == 404
    assert ann.api.patch(path, {"assigned_to": str(otto.actor.user_id)}).status_code == 400
    assert ann.api.patch(path, {"assigned_to": str(member.actor.user_id), "status": "investigating"}).status_code == 200
    done = ann.api.patch(path, {"status": "resolved", "note": "It was a test."}).json()
    assert (done["status"], done["assigned_to"]) == ("resolved", str(member.actor.user_id))
    (found,) = data_of(ann.api.get(f"{BASE}/incidents"))
    assert [each["action"] for each in found["timeline"]] == ["opened", "investigating assigned", "resolved"]
    assert found["timeline"][-1]["note"] == "It was a test."
    assert found["resolved_at"]
    figures = data_of(ann.api.get(f"{BASE}/dashboard"))["incidents"]
    assert (figures["open"], figures["mean_hours_to_resolve"]) == (0, 0.0)


# -- threats -------------------------------------------------------------------------------------------------------------


def test_guessing_at_one_account_is_a_threat_once(ann: Person, member: Person, otto: Person) -> None:
    fail(member, 10)
    threats.detect()
    threats.detect()
    (found,) = data_of(ann.api.get(f"{BASE}/threats?type=brute_force"))
    assert (found["source"]["ip"], found["events"]) == ("198.51.100.7", 10)
    assert found["target"]["user_ids"] == [str(member.actor.user_id)]
    assert found["rule"] == {"name": "brute_force", "threshold": 10, "window_seconds": 600}
    assert len(found["evidence"]) == 10
    fail(member, 2)
    threats.detect()
    (again,) = data_of(ann.api.get(f"{BASE}/threats?type=brute_force"))
    assert (again["id"], again["events"]) == (found["id"], 12)
    assert again["mitigation"]["action"] == "account_locked"
    assert Threat.objects.of(ann.actor).count() == 1
    assert data_of(otto.api.get(f"{BASE}/threats")) == []
    meta = ann.api.get(f"{BASE}/threats").json()["meta"]["detectors"]
    assert len(meta) == 8


def test_one_address_at_many_accounts_is_stuffing(ann: Person) -> None:
    people = [colleague(ann, f"p{each}@example.com", Role.MEMBER) for each in range(6)]
    for person in people:
        fail(person, 2, "203.0.113.66")
    threats.detect()
    (found,) = data_of(ann.api.get(f"{BASE}/threats?type=credential_stuffing"))
    assert found["events"] == 12
    assert len(found["target"]["user_ids"]) == 6
    assert data_of(ann.api.get(f"{BASE}/threats?type=brute_force")) == []


def test_a_token_used_twice_is_a_threat_and_opens_an_incident(ann: Person, anyone: Api) -> None:
    body = {"refresh_token": ann.tokens.refresh_token}
    assert anyone.post("/api/v1/auth/refresh", body).status_code == 200
    assert anyone.post("/api/v1/auth/refresh", body).status_code == 401
    threats.detect()
    row = Threat.objects.of(ann.actor.organization_id).get(type="token_replay")
    assert (row.mitigation, row.status) == ("session_revoked", "mitigated")
    assert row.incident is not None
    assert row.incident.source == "detector"
    assert row.incident.category == "credential_clone"


def test_a_passkey_that_was_copied_is_suspended_and_opens_an_incident(ann: Person, anyone: Api) -> None:
    key = registered(ann)
    assert signed_in(anyone, key).status_code == 200
    key.count = 0
    assert signed_in(anyone, key).status_code == 401
    threats.detect()
    threats.detect()
    row = Threat.objects.of(ann.actor.organization_id).get(type="passkey_clone")
    assert (row.mitigation, row.status, row.user_id) == ("passkey_suspended", "mitigated", ann.actor.user_id)
    incident = SecurityIncident.objects.of(ann.actor.organization_id).get()
    assert (incident.source, incident.category, incident.severity) == ("detector", "credential_clone", "critical")
    (shown,) = data_of(ann.api.get(f"{BASE}/threats?type=passkey_clone"))
    assert (shown["mitigation"]["action"], shown["incident_id"]) == ("passkey_suspended", str(incident.pk))
    assert [each["summary"].split(" from ")[0] for each in shown["evidence"]] == ["A passkey's copy was used"]


# -- alerts --------------------------------------------------------------------------------------------------------------


def test_a_rule_is_made_replaced_and_deleted(ann: Person) -> None:
    made = data_of(ann.api.post(f"{BASE}/alerts/configure", RULE), 201)
    assert (made["created"], made["deleted"], made["last_fired_at"]) == (True, False, None)
    again = data_of(ann.api.post(f"{BASE}/alerts/configure", {**RULE, "cooldown_minutes": 5}))
    assert (again["id"], again["created"], again["cooldown_minutes"]) == (made["id"], False, 5)
    renamed = data_of(ann.api.post(f"{BASE}/alerts/configure", {**RULE, "id": made["id"], "name": "Renamed"}))
    assert renamed["name"] == "Renamed"
    gone = data_of(ann.api.post(f"{BASE}/alerts/configure", {**RULE, "id": made["id"], "delete": True}))
    assert gone["deleted"] is True
    assert not AlertRule.objects.of(ann.actor).exists()
    refused(ann.api.post(f"{BASE}/alerts/configure", {**RULE, "id": made["id"]}), 404, "ERR_404_NOT_FOUND")


def test_another_organizations_rule_is_not_there(ann: Person, otto: Person) -> None:
    made = data_of(ann.api.post(f"{BASE}/alerts/configure", RULE), 201)
    for more in ({}, {"delete": True}):
        refused(otto.api.post(f"{BASE}/alerts/configure", {**RULE, "id": made["id"], **more}), 404, "ERR_404_NOT_FOUND")
    assert AlertRule.objects.of(ann.actor).get().name == RULE["name"]


def test_a_dry_run_says_what_would_be_and_stores_nothing(ann: Person, member: Person) -> None:
    fail(member, 4)
    found = data_of(ann.api.post(f"{BASE}/alerts/configure", {**RULE, "dry_run": True}))
    assert found["preview"] == {"current_value": 4.0, "would_fire": True, "fires_last_7d": 1}
    assert found["id"] is None
    assert not AlertRule.objects.of(ann.actor).exists()


def test_an_alert_is_told_once_a_cooldown_by_every_channel(ann: Person, member: Person, monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "EGRESS_ALLOW", ["hooks.example:443"])
    channels = [
        {"type": "in_app", "target": "admin"},
        {"type": "email", "target": ann.email},
        {"type": "webhook", "target": "https://hooks.example/alerts"},
    ]
    data_of(ann.api.post(f"{BASE}/alerts/configure", {**RULE, "channels": channels}), 201)
    fail(member, 2)
    assert alerts.evaluate_all() == 0
    fail(member, 1)
    now = timezone.now()
    assert alerts.evaluate_all(now=now) == 1
    assert alerts.evaluate_all(now=now) == 0
    assert alerts.evaluate_all(now=now + dt.timedelta(minutes=10)) == 0
    assert UserNotification.objects.of(ann.actor).filter(title="Security alert: Failed logins").count() == 1
    mail = OutgoingMessage.objects.of(ann.actor).get()
    assert mail.recipients == [ann.email]
    hook = WebhookDelivery.objects.of(ann.actor).get()
    assert (hook.event, hook.payload["data"]["value"]) == ("security.alert", 3.0)
    found = data_of(ann.api.get(f"{BASE}/dashboard"))["alerts"]
    assert found == {"configured": 1, "fired": 1}
    assert alerts.evaluate_all(now=now + dt.timedelta(minutes=31)) == 0  # The failures are out of the window.


@pytest.mark.parametrize("target", ["", "admin", "user", "ann@example.com", "id"])
def test_whom_an_alert_in_the_app_may_name(ann: Person, member: Person, target: str) -> None:
    target = {"id": str(ann.actor.user_id), "ann@example.com": ann.email}.get(target, target)
    channel = {"type": "in_app", "target": target}
    data_of(ann.api.post(f"{BASE}/alerts/configure", {**RULE, "channels": [channel]}), 201)
    alerts._notify(AlertRule.objects.of(ann.actor).get(), target, "Said.", {"rule_id": "1"})
    told = UserNotification.objects.of(ann.actor).filter(title__startswith="Security alert")
    assert [each.user_id for each in told] == [member.actor.user_id if target == "user" else ann.actor.user_id]


@pytest.mark.parametrize(
    "channel",
    [
        {"type": "webhook", "target": "http://127.0.0.1/x"},
        {"type": "webhook", "target": "https://169.254.169.254/latest"},
        {"type": "webhook", "target": "https://[::1]/x"},
        {"type": "webhook", "target": "https://10.0.0.8/x"},
        {"type": "webhook", "target": "ftp://hooks.example/x"},
        {"type": "webhook", "target": "https://user:pw@hooks.example/x"},
        {"type": "webhook", "target": "http://localhost/x"},
        {"type": "webhook", "target": ""},
        {"type": "email", "target": "stranger@elsewhere.example"},
        {"type": "email", "target": "otto@other.example"},
        {"type": "in_app", "target": "otto@other.example"},
        {"type": "in_app", "target": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001"},
        {"type": "in_app", "target": "nobody in particular"},
    ],
)
def test_where_alerts_may_not_go(ann: Person, otto: Person, channel: dict[str, str]) -> None:
    refused(ann.api.post(f"{BASE}/alerts/configure", {**RULE, "channels": [channel]}), 400, "ERR_400_CHANNEL")
    assert not AlertRule.objects.of(ann.actor).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "weather"},
        {"condition": {"operator": "like", "threshold": 1, "window_minutes": 5}},
        {"condition": {"operator": "gt", "threshold": 1, "window_minutes": 0}},
        {"filter": {"password": "x"}},
        {"filter": {"user_id": "x"}},
        {"filter": {"event_type": ["a"]}},
        {"cooldown_minutes": -1},
        {"cooldown_minutes": True},
        {"condition": {"operator": "gt", "threshold": True, "window_minutes": 5}},
        {"name": " "},
        {"surprise": 1},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(ann: Person, change: dict[str, Any]) -> None:
    refused(ann.api.post(f"{BASE}/alerts/configure", {**RULE, **change}), 400, "ERR_400_VALIDATION")
    assert not AlertRule.objects.of(ann.actor).exists()
