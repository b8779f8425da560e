"""The figures are what was just done, over real HTTP, by several processes, in the caller's organization."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from statistics import mean
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from ai.models import AiUsage
from ai.services import record_usage
from engine.ports import Usage
from executions.models import WorkflowFigures
from monitoring import recording, selectors, services
from monitoring.models import AiFigures, OrganizationRequestBucket, RequestBucket, RunBucket
from monitoring.recording import BOUNDS, EVER, HOUR, MINUTE, ORGANIZATION_REQUESTS, REQUESTS, RUNS, Series, bound_of
from tests.api.graphs import chain
from tests.api.people import Person, refusal
from tests.api.serving import Server
from tests.executions.support import flow, until
from tests.monitoring.servers import asked, same_database, serving

pytestmark = pytest.mark.django_db(transaction=True)

FAILS = flow({"bad": ("data-transformation", {"set": {"x": "{{ 1 / inputs.zero }}"}})})


def metrics(person: Person) -> Any:
    answer = person.api.get("/api/monitoring/metrics")
    assert answer.status_code == 200, answer.content
    return answer.json()


def ask(server: Server, path: str, token: str = "") -> int:
    """One request over a real connection."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_the_numbers_are_the_requests_that_were_made(server: Server, ann: Person) -> None:
    good, bad = 7, 4
    for _ in range(good):
        assert ask(server, "/api/workflows", ann.tokens.access_token) == 200
    for number in range(bad):
        assert ask(server, ("/api/workflows", f"/api/nowhere/{number}")[number % 2]) in (401, 404)
    ask(server, "/admin/login/")
    found = metrics(ann)["application"]
    assert (found["total_requests"], found["successful_requests"], found["failed_requests"]) == (11, good, bad)
    assert found["requests_per_minute"] == round(11 / 5, 2)
    assert found["average_response_time"] > 0
    assert metrics(ann)["application"]["total_requests"] == 12  # The question itself, once answered.
    recording.flush()
    assert metrics(ann)["application"]["total_requests"] == 13
    routes = RequestBucket.objects.filter(span=EVER).values_list("route", "method", "status", "dialect").distinct()
    assert set(routes) == {
        ("api/workflows", "GET", 2, "auterity"),
        ("api/workflows", "GET", 4, "auterity"),
        ("(none)", "GET", 4, "auterity"),
        ("api/monitoring/metrics", "GET", 2, "auterity"),
        ("site", "GET", 2, "site"),
    }
    own = OrganizationRequestBucket.objects.of(ann.actor).filter(span=HOUR)
    assert sum(own.values_list("count", flat=True)) == good + 2  # Who brought no token is nobody's.


def test_the_shape_is_001s(ann: Person) -> None:
    found = metrics(ann)
    assert {name: set(part) for name, part in found.items()} == {
        "system": {"uptime", "cpu_usage", "memory_usage", "disk_usage"},
        "application": {
            "total_requests",
            "successful_requests",
            "failed_requests",
            "average_response_time",
            "requests_per_minute",
        },
        "workflows": {
            "total_executions",
            "successful_executions",
            "failed_executions",
            "average_execution_time",
            "executions_last_hour",
        },
        "ai_usage": {"total_requests", "total_cost", "tokens_used", "average_cost_per_request"},
    }
    system = found["system"]
    assert system["uptime"] > 0
    assert all(0 <= system[name] <= 100 for name in ("cpu_usage", "memory_usage", "disk_usage"))
    assert system["memory_usage"] > 0
    assert found["ai_usage"] == {
        "total_requests": 0,
        "total_cost": 0.0,
        "tokens_used": 0,
        "average_cost_per_request": 0.0,
    }


def test_executions_are_counted_for_their_own_organization(
    ann: Person, otto: Person, worker: None, ended: Callable[..., Any]
) -> None:
    good = ann.api.made("/api/workflows", chain("a", "b"))["id"]
    bad = ann.api.made("/api/workflows", {"name": "Bad", **FAILS})["id"]
    runs = [ann.api.made(f"/api/workflows/{good}/execute", {"inputs": {}})["execution_id"] for _ in range(3)]
    runs += [ann.api.made(f"/api/workflows/{bad}/execute", {"inputs": {"zero": 0}})["execution_id"] for _ in range(2)]
    seen = [ended(ann.api, run) for run in runs]
    assert [each["status"] for each in seen] == ["completed"] * 3 + ["failed"] * 2
    found = metrics(ann)["workflows"]
    assert (found["total_executions"], found["successful_executions"], found["failed_executions"]) == (5, 3, 2)
    assert found["executions_last_hour"] == 5
    # What each run says it took, and nothing of the time it takes to write that down.
    assert found["average_execution_time"] == pytest.approx(mean(each["duration"] for each in seen), abs=0.001)
    stats = ann.api.get(f"/api/workflows/{bad}").json()["execution_stats"]
    assert stats["average_duration"] == pytest.approx(mean(each["duration"] for each in seen[3:]), abs=0.001)
    assert metrics(otto)["workflows"] == {
        "total_executions": 0,
        "successful_executions": 0,
        "failed_executions": 0,
        "average_execution_time": 0.0,
        "executions_last_hour": 0,
    }
    assert metrics(otto)["application"]["total_requests"] > 0  # The API is one for all.
    # The figures follow the end of a run; they do not come with it.
    until(
        lambda: [each["executions"] for each in history(ann) if each["executions"]] == [{"completed": 3, "failed": 2}]
    )
    assert [each for each in history(otto) if each["executions"]] == []


def history(person: Person, query: str = "?step=hour") -> Any:
    answer = person.api.get(f"/api/monitoring/metrics/history{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()["points"]


def used(person: Person, calls: int, cost: float = 0.01) -> None:
    usage = Usage("openai", "gpt-4o-mini", 100, 20, cost, 5.0)
    record_usage(organization_id=person.actor.organization_id, usages=[(None, "", usage)] * calls)


def test_ai_calls_are_added_up_and_nothing_is_counted_twice(ann: Person, otto: Person) -> None:
    used(ann, 4)
    used(otto, 1, 1.0)
    expected = {"total_requests": 4, "total_cost": 0.04, "tokens_used": 480, "average_cost_per_request": 0.01}
    assert metrics(ann)["ai_usage"] == expected
    assert services.add_up_ai_calls() == 0  # Too young: a transaction might still add an older one.
    AiUsage.unscoped.update(created_at=timezone.now() - dt.timedelta(hours=1))
    assert services.add_up_ai_calls() == 5
    assert services.add_up_ai_calls() == 0
    assert metrics(ann)["ai_usage"] == expected
    assert AiFigures.objects.of(ann.actor).get().cost_usd == Decimal("0.04")
    used(ann, 1)
    assert metrics(ann)["ai_usage"]["total_requests"] == 5
    AiUsage.unscoped.all().delete()  # What was added up is read from the figures alone.
    assert metrics(ann)["ai_usage"] == expected
    assert metrics(otto)["ai_usage"]["total_cost"] == 1.0


def test_a_million_runs_are_read_from_the_figures(
    ann: Person, django_assert_max_num_queries: Any, ended: Callable[..., Any]
) -> None:
    workflow = ann.api.made("/api/workflows", chain("a", "b"))["id"]
    WorkflowFigures.objects.create(
        workflow_id=workflow, completed=900_000, failed=99_000, timeout=1_000, seconds=2_000_000
    )
    with django_assert_max_num_queries(9):
        found = metrics(ann)["workflows"]
    assert (found["total_executions"], found["failed_executions"]) == (1_000_000, 100_000)
    assert found["average_execution_time"] == 2.0


def test_several_processes_and_restarts_add_up(ann: Person) -> None:
    """A process of its own notes and flushes, as another server would; then it is gone."""
    program = """
import django; django.setup()
from monitoring.recording import REQUESTS, flush
for _ in range(40):
    REQUESTS.note("auterity", "api/workflows", "GET", 2, 50, ms=40.0)
REQUESTS.note("auterity", "api/workflows", "GET", 5, 0, ms=60000.0)
flush()
"""
    environment = os.environ | same_database()
    running = [subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(2)]
    assert [each.wait(60) for each in running] == [0, 0]
    REQUESTS.note("auterity", "api/workflows", "GET", 2, 50, ms=40.0)
    found = selectors.requests_ever()
    assert (found.total, found.failed, found.crashed) == (83, 2, 2)
    assert found.ms == 81 * 40.0 + 2 * 60000.0
    assert (found.percentile(0.5), found.percentile(0.99)) == (50, 20000)
    recording.flush()
    assert selectors.requests_ever().total == 83


def test_a_process_adds_what_it_noted_before_it_stops(ann: Person) -> None:
    """Two servers of their own on one database, each asked and then stopped as a deploy stops them."""
    with serving(**same_database()) as one, serving(**same_database()) as other:
        for number in range(6):
            assert asked(f"{(one, other)[number % 2]}/api/workflows", ann.tokens.access_token)[0] == 200
        assert asked(f"{one}/api/workflows")[0] == 401
    rows = RequestBucket.objects.filter(span=EVER, route="api/workflows")
    assert sorted(rows.values_list("status").annotate(Sum("count"))) == [(2, 6), (4, 1)]
    own = OrganizationRequestBucket.objects.of(ann.actor).filter(span=MINUTE)
    assert sum(own.values_list("count", flat=True)) == 6


def test_many_threads_note_and_flush_at_once_and_nothing_is_lost(db: None) -> None:
    def work() -> None:
        for number in range(500):
            REQUESTS.note("auterity", "api/x", "GET", 2, 5, ms=1.0)
            if number % 100 == 0:
                recording.flush()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    recording.flush()
    rows = RequestBucket.objects.filter(route="api/x")
    assert {span: sum(rows.filter(span=span).values_list("count", flat=True)) for span in (MINUTE, HOUR, EVER)} == {
        MINUTE: 2000,
        HOUR: 2000,
        EVER: 2000,
    }
    assert rows.filter(span=EVER).count() == 1


def test_what_could_not_be_flushed_is_kept(monkeypatch: pytest.MonkeyPatch, ann: Person) -> None:
    REQUESTS.note("auterity", "api/x", "GET", 2, 5, ms=1.0)
    with monkeypatch.context() as patch:
        patch.setattr(Series, "_upsert", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            recording.flush()
    assert selectors.requests_ever().total == 1
    recording.flush()
    recording.flush()
    assert sum(RequestBucket.objects.filter(span=EVER).values_list("count", flat=True)) == 1


def test_notes_that_nobody_flushes_take_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_NOTED", 100)
    monkeypatch.setattr(recording, "MOST_KEYS", 10)
    for number in range(1000):
        REQUESTS.note("auterity", f"route {number % 20}", "GET", 2, 5, ms=1.0)
    assert len(REQUESTS._noted) <= 100
    assert len(REQUESTS._sums) == 10


@pytest.mark.parametrize(("ms", "bound"), [(0.2, 5), (5, 5), (5.1, 10), (9999, 10000), (10001, 0)])
def test_each_duration_has_its_bucket(ms: float, bound: int) -> None:
    assert bound_of(ms) == bound
    assert list(BOUNDS) == sorted(BOUNDS)


def test_history_has_a_point_for_each_span(ann: Person) -> None:
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    for back, status, count in ((3, 2, 10), (3, 5, 2), (1, 4, 5)):
        at = hour - dt.timedelta(hours=back)
        about = {"dialect": "auterity", "route": "api/x", "method": "GET", "le": 100}
        RequestBucket.objects.create(span=HOUR, at=at, status=status, count=count, ms=80.0 * count, **about)
        RunBucket.unscoped.create(
            organization_id=ann.actor.organization_id, span=HOUR, at=at, status="completed", count=count
        ) if status != 5 else None
    since = (hour - dt.timedelta(hours=4)).isoformat().replace("+00:00", "Z")
    until = hour.isoformat().replace("+00:00", "Z")
    points = history(ann, f"?step=hour&since={since}&until={until}")
    assert [each["requests"] for each in points] == [0, 12, 0, 5]
    assert [each["failed_requests"] for each in points] == [0, 2, 0, 5]
    assert [each["executions"] for each in points] == [{}, {"completed": 10}, {}, {"completed": 5}]
    assert (points[1]["average_response_time"], points[1]["p95"], points[0]["p95"]) == (80.0, 100, None)
    assert points[0]["at"] == since
    days = history(ann, "?step=day")
    assert (len(days), sum(each["requests"] for each in days)) == (60, 17 + 1)  # One request has been noted since.


@pytest.mark.parametrize(
    "query",
    [
        "?step=second",
        "?since=yesterday",
        "?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "?step=minute&since=2020-01-01T00:00:00Z",
    ],
)
def test_a_history_that_cannot_be_is_refused(ann: Person, query: str) -> None:
    assert ann.api.get(f"/api/monitoring/metrics/history{query}").status_code == 400


@pytest.mark.parametrize("path", ["metrics", "metrics/history", "prometheus"])
def test_figures_need_the_permission(member: Person, path: str) -> None:
    refusal(member.api.get(f"/api/monitoring/{path}"), 403, "AUTH_003")


def test_old_figures_are_forgotten(ann: Person) -> None:
    REQUESTS.note("auterity", "api/x", "GET", 2, 5, ms=1.0)
    ORGANIZATION_REQUESTS.note(ann.actor.organization_id, "auterity", 2, 5, ms=1.0)
    RUNS.note(ann.actor.organization_id, "completed")
    recording.flush()
    old = timezone.now() - dt.timedelta(days=4)
    for rows in (RequestBucket.objects, OrganizationRequestBucket.unscoped, RunBucket.unscoped):
        rows.exclude(span=EVER).update(at=old)
    assert services.forget_figures() == 1
    assert set(RequestBucket.objects.values_list("span", flat=True)) == {HOUR, EVER}
    for doomed in (selectors.forgotten_requests, selectors.forgotten_runs):
        assert doomed(ann.actor.organization_id, timezone.now()).count() == 1


def samples(text: str) -> dict[str, float]:
    """The lines of an exposition, each checked to be of a family that was announced with HELP and TYPE."""
    found: dict[str, float] = {}
    announced = ""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            announced = line.split()[2]
        elif not line.startswith("# HELP "):
            name, _, value = line.rpartition(" ")
            assert name.partition("{")[0] in {announced, *(f"{announced}_{end}" for end in ("bucket", "sum", "count"))}
            assert name not in found
            found[name] = float(value)
    return found


def test_prometheus_reads_the_same_figures(ann: Person, anyone: Any) -> None:
    ann.api.get("/api/workflows")
    ann.api.get("/api/workflows")
    anyone.get("/api/workflows")
    recording.flush()
    answer = ann.api.get("/api/monitoring/prometheus", Accept="application/openmetrics-text;q=0.5,text/plain;q=0.3")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = samples(answer.content.decode())
    counted = 'auterity_http_requests_total{dialect="auterity",route="api/workflows",method="GET",status="%s"}'
    assert (found[counted % "2xx"], found[counted % "4xx"]) == (2, 1)
    timed = "auterity_http_request_duration_seconds"
    assert found[timed + '_bucket{dialect="auterity",le="+Inf"}'] == found[timed + '_count{dialect="auterity"}'] == 3
    bounds = [value for name, value in found.items() if name.startswith(f"{timed}_bucket")]
    assert bounds == sorted(bounds)
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert found['auterity_executions{state="due"}'] == 0
    workflow = ann.api.made("/api/workflows", chain("a", "b"))["id"]
    ann.api.made(f"/api/workflows/{workflow}/execute", {"inputs": {}})
    again = samples(ann.api.get("/api/monitoring/prometheus").content.decode())
    assert again['auterity_executions{state="due"}'] == 1
    assert again["auterity_oldest_due_seconds"] > 0
    assert again["auterity_workers"] == 0


def test_a_signed_in_operators_page_is_counted_without_asking_who_it_is(
    anyone: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        anyone.get("/docs")
    ((key, (count, _ms)),) = _noted().items()
    assert (key[1:5], count) == (("auterity", "docs", "GET", 2), 1)


def _noted() -> dict[Any, Any]:
    with REQUESTS.unflushed() as found:
        return found


def test_an_unusual_method_is_one_label(anyone: Any) -> None:
    for method in ("BREW", "WHEN"):
        anyone.call(method, "/api/workflows")
    assert {key[3] for key in _noted()} == {"OTHER"}
    assert {key[2] for key in _noted()} == {"api/workflows"}
