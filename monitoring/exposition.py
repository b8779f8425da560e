"""The figures in Prometheus' text format, version 0.0.4 (001, Monitoring: "Prometheus Metrics").

Requests are those of the whole installation, as every process has added them up: they never go down, whichever process
answers. `process_…` is the one that answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from auterity.kernel.access import Actor, Permission, require
from executions.everywhere import effects_in_doubt, ended_in_all, engine_counts, oldest_due_seconds
from executions.presence import workers_lately
from monitoring import health, machine
from monitoring.models import RequestBucket
from monitoring.recording import BOUNDS, EVER
from monitoring.selectors import Requests, open_alerts

MEDIA = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[str, Mapping[str, str], float]  # what comes after the name, labels, value


def exposition(*, actor: Actor) -> str:
    """Needs metrics:read. Labels are routes, methods, classes of status and states: as many as the code has."""
    require(actor, Permission.METRICS_READ)
    return "".join(_text())


def _text() -> Iterator[str]:
    about = {"version": settings.VERSION, "environment": health.environment()}
    yield from _family("auterity_info", "gauge", "The running version.", [("", about, 1)])
    yield from _requests()
    yield from _engine()
    yield from _process()


def _requests() -> Iterator[str]:
    rows = RequestBucket.objects.filter(span=EVER).order_by("dialect", "route", "method", "status", "le")
    counted: dict[tuple[str, str, str, int], int] = defaultdict(int)
    timed: dict[str, Requests] = defaultdict(Requests)
    figures = rows.values_list("dialect", "route", "method", "status", "le", "count", "ms")
    for dialect, route, method, status, le, count, ms in figures:
        counted[dialect, route, method, status] += count
        timed[dialect].add(status, le, count, ms)
    yield from _family(
        "auterity_http_requests_total",
        "counter",
        "HTTP requests of the whole installation, by route and class of status.",
        (
            ("", {"dialect": dialect, "route": route, "method": method, "status": f"{status}xx"}, count)
            for (dialect, route, method, status), count in counted.items()
        ),
    )
    yield from _family(
        "auterity_http_request_duration_seconds",
        "histogram",
        "How long requests took, from the first middleware to the answer.",
        (each for dialect, found in timed.items() for each in _histogram({"dialect": dialect}, found)),
    )


def _histogram(labels: Mapping[str, str], found: Requests) -> Iterator[Sample]:
    seen = 0
    for bound in BOUNDS:
        seen += found.by_bound.get(bound, 0)
        yield "_bucket", {**labels, "le": f"{bound / 1000:g}"}, seen
    yield "_bucket", {**labels, "le": "+Inf"}, found.total
    yield "_sum", labels, found.ms / 1000
    yield "_count", labels, found.total


def _engine() -> Iterator[str]:
    counts = engine_counts()
    states = ("due", "leased", "waiting", "paused", "parked")
    yield from _family(
        "auterity_executions",
        "gauge",
        "Executions that have not ended: due for a worker, leased by one, waiting, paused, or in their workflow's line.",
        [("", {"state": state}, getattr(counts, state)) for state in states],
    )
    yield from _family(
        "auterity_executions_ended_total",
        "counter",
        "Executions that have ended, by how they ended.",
        [("", {"status": status}, count) for status, count in ended_in_all().items()],
    )
    alive, _ = workers_lately(timezone.now())
    alerts = dict(open_alerts().order_by().values_list("severity").annotate(Count("id")))
    for name, help_text, value in (
        (
            "auterity_oldest_due_seconds",
            "How long the longest-due execution has waited for a worker.",
            oldest_due_seconds(),
        ),
        ("auterity_workers", "Workers that looked for work lately.", alive),
        ("auterity_workflow_brakes", "Workflows whose automatic starts are stopped.", counts.brakes),
        (
            "auterity_effects_in_doubt",
            "Steps of which nobody knows whether they took effect.",
            effects_in_doubt().count(),
        ),
    ):
        yield from _family(name, "gauge", help_text, [("", {}, value)])
    severities = ("info", "warning", "critical")
    yield from _family(
        "auterity_alerts_open",
        "gauge",
        "Alerts that are open.",
        [("", {"severity": each}, alerts.get(each, 0)) for each in severities],
    )


def _process() -> Iterator[str]:
    found = machine.process()
    for name, kind, help_text, value in (
        ("process_cpu_seconds_total", "counter", "Processor time of the answering process.", found.cpu_seconds),
        ("process_resident_memory_bytes", "gauge", "Memory of the answering process.", found.resident_bytes),
        ("process_start_time_seconds", "gauge", "When the answering process began, since 1970.", found.started_at),
        ("process_open_fds", "gauge", "Open files of the answering process.", found.open_files),
        ("process_threads", "gauge", "Threads of the answering process.", found.threads),
    ):
        yield from _family(name, kind, help_text, [("", {}, value)])


def _family(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"
    for suffix, labels, value in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{suffix}{'{' + told + '}' if told else ''} {value:.15g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
