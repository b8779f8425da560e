"""Alerts open once, are told once, and are resolved when what was wrong no longer is."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from auterity.kernel.live import LIVE
from executions.hints import HINTS
from executions.models import BrakeReason, Execution, ExecutionStep, Worker, WorkflowBrake
from integrations.models import DeliveryStatus, WebhookDelivery
from monitoring import alerts, troubles, watched
from monitoring.models import SystemAlert
from monitoring.probes import Health, Probe, Reading
from monitoring.recording import REQUESTS
from notifications import selectors
from notifications.models import SystemAnnouncement
from tests.api.graphs import chain
from tests.api.people import Person
from tests.monitoring.conftest import forget_readings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_worker(transactional_db: None) -> None:
    Worker.objects.create(owner="a worker")
    watched.ask_ai_services()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What watchers of the topic would hear."""
    found: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(LIVE, "publish", lambda facts: found.extend(each for each in facts if each[0] == alerts.TOPIC))
    return found


def evaluated() -> list[tuple[str, str, bool]]:
    forget_readings()
    return [(each.rule, each.component, each.resolved_at is not None) for each in alerts.evaluate()]


def test_a_missing_worker_is_told_once_and_its_return_too(
    ann: Person, member: Person, published: list[tuple[str, dict[str, Any]]]
) -> None:
    User.objects.filter(id=ann.actor.user_id).update(is_staff=True)
    assert evaluated() == []
    Worker.objects.all().delete()
    assert evaluated() == [("worker_missing", "workers", False)]
    assert evaluated() == []
    ((topic, fact),) = published
    assert topic == "alerts"
    (row,) = SystemAlert.objects.all()
    assert fact == {
        "alert_id": str(row.id),
        "severity": "critical",
        "component": "workers",
        "message": row.message,
        "resolved": False,
    }
    (told,) = selectors.latest(ann.actor)
    assert (told.title, told.category, told.severity) == ("Alert: workers", "system", "error")
    assert selectors.latest(member.actor) == []  # Only operators.
    Worker.objects.create(owner="another")
    assert evaluated() == [("worker_missing", "workers", True)]
    assert [each["resolved"] for _, each in published] == [False, True]
    assert [each.severity for each in selectors.latest(ann.actor)] == ["success", "error"]
    Worker.objects.all().delete()
    assert evaluated() == [("worker_missing", "workers", False)]
    assert SystemAlert.objects.count() == 2


def test_two_processes_that_find_the_same_open_it_once(published: list[Any]) -> None:
    Worker.objects.all().delete()
    together = threading.Barrier(2)

    def find() -> None:
        together.wait(10)
        alerts._settle(["x"], {("x", "y"): ("warning", "Something is wrong.")})
        connection.close()

    threads = [threading.Thread(target=find) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert SystemAlert.objects.filter(rule="x").count() == 1
    assert len(published) == 1


def test_errors_of_ours_are_told_and_clients_mistakes_are_not() -> None:
    for _ in range(60):
        REQUESTS.note("auterity", "api/x", "GET", 4, 5, ms=1.0)
    assert evaluated() == []
    for _ in range(6):
        REQUESTS.note("auterity", "api/x", "GET", 5, 5, ms=1.0)
    assert evaluated() == [("error_rate", "api", False)]
    assert SystemAlert.objects.get().message.startswith(
        "6 of 66 requests of the last 5 minutes failed on our side (9.1 %)"
    )


def test_a_few_requests_are_no_error_rate() -> None:
    for _ in range(20):
        REQUESTS.note("auterity", "api/x", "GET", 5, 5, ms=1.0)
    assert evaluated() == []


@pytest.mark.parametrize(("rule", "probe"), [("queue_lag", "queue"), ("disk_low", "disk"), ("redis_away", "redis")])
def test_what_a_probe_finds_is_told(rule: str, probe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Probe(probe, lambda: Reading(Health.DEGRADED, "It is bad."), seconds=5)
    monkeypatch.setitem(watched.PROBES, probe, wrong)
    assert evaluated() == [(rule, probe, False)]


def test_a_late_execution_is_told(ann: Person, settings: Any) -> None:
    settings.MONITORING = {**settings.MONITORING, "lag_seconds": 0.0}
    workflow = ann.api.made("/api/workflows", chain("a", "b"))["id"]
    ann.api.made(f"/api/workflows/{workflow}/execute", {"inputs": {}})
    time.sleep(0.01)
    assert evaluated() == [("queue_lag", "queue", False)]


def test_a_full_disk_is_told(settings: Any) -> None:
    settings.MONITORING = {**settings.MONITORING, "disk_free_percent": 101.0}
    assert evaluated() == [("disk_low", "disk", False)]


def test_without_a_database_nothing_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Probe("database", lambda: Reading(Health.UNHEALTHY, "It is away."), seconds=5)
    monkeypatch.setitem(watched.PROBES, "database", gone)
    Worker.objects.all().delete()
    assert evaluated() == []


class IllRunner:
    owner = "host:1:abcd"
    ailment = ""


def test_a_worker_says_what_is_wrong_with_it(published: list[tuple[str, dict[str, Any]]]) -> None:
    runner = IllRunner()
    HINTS.use(runner)  # type: ignore[arg-type]
    try:
        assert alerts.note_ailment() == []
        runner.ailment = "17 steps hang."
        (opened,) = alerts.note_ailment()
        assert (opened.component, opened.message) == (runner.owner, "The worker host:1:abcd is ill: 17 steps hang.")
        assert alerts.note_ailment() == []
        assert evaluated() == []  # The platform's own rules leave it as it is.
        runner.ailment = ""
        (resolved,) = alerts.note_ailment()
        assert resolved.resolved_at is not None
    finally:
        HINTS.use(None)
    assert alerts.note_ailment() == []
    assert [each["resolved"] for _, each in published] == [False, True]


def test_a_worker_that_is_gone_is_ill_no_more() -> None:
    earlier = timezone.now() - dt.timedelta(minutes=5)
    gone = SystemAlert.objects.create(
        rule=alerts.AILING, component="gone", severity="critical", message="x", seen_at=earlier
    )
    SystemAlert.objects.create(
        rule=alerts.AILING, component="a worker", severity="critical", message="x", seen_at=earlier
    )
    assert evaluated() == [(alerts.AILING, "gone", True)]
    gone.refresh_from_db()
    assert gone.resolved_at is not None


# -- the operators' page ---------------------------------------------------------------------------------------------


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "pw"))
    return client


def test_the_operators_page_shows_what_is_wrong_and_where_it_is_mended(operator: Client, ann: Person) -> None:
    page = operator.get(reverse("admin:index")).content.decode()
    assert "All is well" in page
    workflow = ann.api.made("/api/workflows", chain("a", "b"))["id"]
    run = ann.api.made(f"/api/workflows/{workflow}/execute", {"inputs": {}})["execution_id"]
    now = timezone.now()
    brake = WorkflowBrake.unscoped.create(
        organization_id=ann.actor.organization_id,
        workflow_id=workflow,
        reason=BrakeReason.STORM,
        message="it started <itself>.",
        until=now + dt.timedelta(minutes=5),
    )
    ExecutionStep.objects.create(
        execution=Execution.unscoped.get(id=run), node_id="a", node_name="a", node_type="start", status="failed",
        started_at=now, effect="unknown",
    )  # fmt: skip
    WebhookDelivery.unscoped.create(
        organization_id=ann.actor.organization_id,
        url="https://a.example",
        event="x",
        payload={},
        status=DeliveryStatus.FAILED,
    )
    Worker.objects.all().delete()
    forget_readings()
    assert [each.severity for each in troubles.wrong_now()] == ["critical", "warning", "warning", "warning"]
    page = operator.get(reverse("admin:index")).content.decode()
    for address in (
        reverse("admin:executions_worker_changelist"),
        reverse("admin:executions_workflowbrake_change", args=[brake.pk]),
        reverse("admin:executions_executionstep_changelist") + "?effect=unknown",
        reverse("admin:integrations_webhookdelivery_changelist") + "?delivery=failed",
    ):
        assert f'href="{address}"' in page
        assert operator.get(address).status_code == 200
    assert "started &lt;itself&gt;" in page


def test_an_announcement_is_made_on_the_operators_site(operator: Client, ann: Person) -> None:
    add = reverse("admin:notifications_systemannouncement_add")
    given = {
        "severity": "warning", "title": "Maintenance", "message": "On Sunday.", "starts_at_0": "2026-01-02",
        "starts_at_1": "10:00:00", "ends_at_0": "2026-01-01", "ends_at_1": "10:00:00",
    }  # fmt: skip
    assert operator.post(add, given).status_code == 200  # The end comes before the beginning.
    assert SystemAnnouncement.objects.count() == 0
    assert operator.post(add, {**given, "ends_at_0": "", "ends_at_1": ""}).status_code == 302
    made = SystemAnnouncement.objects.get()
    assert (made.title, made.created_by.email) == ("Maintenance", "root@example.com")
    change = reverse("admin:notifications_systemannouncement_change", args=[made.pk])
    SystemAnnouncement.objects.update(told_to=made.pk)
    ended = {"ends_at_0": "2026-03-01", "ends_at_1": "10:00:00", "title": "Something else"}
    assert operator.post(change, ended).status_code == 302
    made.refresh_from_db()
    assert (made.title, made.ends_at.month) == ("Maintenance", 3)
    assert operator.post(reverse("admin:notifications_systemannouncement_delete", args=[made.pk])).status_code == 403
