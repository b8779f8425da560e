"""Health and figures: `/api/monitoring/*` (001, Monitoring API), and the short health addresses of 003 and 004."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from accounts import tokens
from accounts.errors import NotAuthenticated
from accounts.tokens import TokenKind, authenticate_access
from api.auterity.bodies import monitoring as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from api.needs import OPEN
from api.uploads import WhateverIsAccepted
from auterity.kernel.access import Permission
from auterity.kernel.errors import DomainError, InvalidInput, PermissionDenied
from monitoring import exposition, health, selectors
from monitoring.probes import Health, Reading

NO_STORE = {"Cache-Control": "no-store"}


class MonitoringHealthView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="monitoring_health",
        summary="How the product is",
        answers={200: bodies.Health, 503: bodies.Health},
    )
    def get(self, call: Call[None]) -> Answer:
        """In full with a token; without one, status and version. Every part is looked at within a second, side by side; the AI
        services' answers are at most a minute or two old. 503, with the same body, when the database does not answer."""
        report = health.report()
        if not _is_somebody(call.request, report):
            return _health(report, _brief(report))
        services = bodies.Services(
            database=bodies.DatabaseHealth(**_service(report.services["database"], "connections")),
            redis=bodies.RedisHealth(**_service(report.services["redis"], "memory_usage")),
            ai_services={name: bodies.ServiceHealth(**_service(each)) for name, each in report.ai_services.items()},
            queue=bodies.QueueHealth(**_service(report.services["queue"], "lag_seconds", "pending", "running")),
            workers=bodies.WorkersHealth(**_service(report.services["workers"], "alive", "last_seen")),
            disk=bodies.DiskHealth(**_service(report.services["disk"], "free_bytes", "free_percent")),
        )
        return _health(report, {**_brief(report), "environment": health.environment(), "services": services})


class MetricsView(AuterityView):
    @operation(
        needs=Permission.METRICS_READ,
        id="monitoring_metrics",
        summary="What the product has done",
        answers={200: bodies.Metrics},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """`system` is this machine, `application` the whole installation, `workflows` and `ai_usage` are the caller's
        organization."""
        return Answer(metrics_body(selectors.metrics(actor=call.actor)), headers=NO_STORE)


class MetricsHistoryView(AuterityView):
    @operation(
        needs=Permission.METRICS_READ,
        id="monitoring_metrics_history",
        summary="What the product has done, over time",
        query=bodies.HistoryQuery,
        answers={200: bodies.MetricsHistory},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Points of a minute, an hour or a day; the last sixty by default, at most 1,500. Minutes are kept three days, hours a
        year. Requests are those of the whole installation, executions those of the caller's organization."""
        query = call.query
        points = selectors.history(actor=call.actor, step=query.step, since=query.since, until=query.until)
        return Answer(bodies.MetricsHistory(step=query.step, points=[_point(each) for each in points]))


class PrometheusView(AuterityView):
    content_negotiation_class = WhateverIsAccepted

    @operation(
        needs=Permission.METRICS_READ,
        id="monitoring_prometheus",
        summary="The figures for Prometheus",
        answers={200: str},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """Text format 0.0.4. Requests and executions are those of the whole installation, `process_…` is the process that
        answers."""
        text = exposition.exposition(actor=call.actor)
        return Answer(HttpResponse(text, content_type=exposition.MEDIA))


class HealthView(AuterityView):
    """`/health`, as 004 has it. `X-API-Contract: engine` asks for 003's body."""

    public = True

    @operation(
        needs=OPEN,
        id="health",
        summary="Whether the server works",
        answers={200: bodies.PlainHealth, 503: bodies.PlainHealth},
    )
    def get(self, call: Call[None]) -> Answer:
        """The database and Redis. 503 when the database does not answer."""
        report = health.essentials()
        if call.request.headers.get("X-API-Contract", "").lower() == "engine":
            return _health(report, _engine_health(report))
        body = bodies.PlainHealth(
            status=cast("Any", str(report.health)), timestamp=report.at.timestamp(), **_connections(report)
        )
        return _health(report, body)


class EngineHealthView(AuterityView):
    """`/api/health`, as 003 has it."""

    public = True

    @operation(
        needs=OPEN,
        id="engine_health",
        summary="Whether the server works",
        answers={200: bodies.EngineHealth, 503: bodies.EngineHealth},
    )
    def get(self, call: Call[None]) -> Answer:
        """The database and Redis. 503 when the database does not answer."""
        report = health.essentials()
        return _health(report, _engine_health(report))


class EngineHealthV1View(AuterityView):
    """`/api/v1/health`, as 003 has it."""

    public = True

    @operation(
        needs=OPEN,
        id="engine_health_versioned",
        summary="Whether the server works",
        answers={200: bodies.EngineHealth, 503: bodies.EngineHealth},
    )
    def get(self, call: Call[None]) -> Answer:
        """The same as `/api/health`."""
        report = health.essentials()
        return _health(report, _engine_health(report))


class LiveView(AuterityView):
    public = True

    @operation(needs=OPEN, id="health_live", summary="Whether the process answers", answers={200: bodies.Liveness})
    def get(self, call: Call[None]) -> Answer:
        """Asks nothing else: a process that does not answer this should be started anew."""
        return Answer(bodies.Liveness(), headers=NO_STORE)


class ReadyView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="health_ready",
        summary="Whether requests may be sent here",
        answers={200: bodies.Readiness, 503: bodies.Readiness},
    )
    def get(self, call: Call[None]) -> Answer:
        """503 while the database does not answer: then another process should be asked."""
        report = health.essentials()
        told = _connections(report)["database_connection"]
        return _health(
            report, bodies.Readiness(status="ready" if report.serving else "not_ready", database_connection=told)
        )


def metrics_body(found: selectors.Metrics) -> bodies.Metrics:
    """001's shape, which `/ws/{client_id}` sends too."""
    requests, runs, ai = found.requests, found.runs, found.ai
    return bodies.Metrics(
        system=bodies.SystemMetrics(
            uptime=found.system.uptime,
            cpu_usage=found.system.cpu,
            memory_usage=found.system.memory,
            disk_usage=found.system.disk,
        ),
        application=bodies.ApplicationMetrics(
            total_requests=requests.total,
            successful_requests=requests.total - requests.failed,
            failed_requests=requests.failed,
            average_response_time=requests.average_ms,
            requests_per_minute=found.requests_per_minute,
        ),
        workflows=bodies.WorkflowMetrics(
            total_executions=runs.total,
            successful_executions=runs.successful,
            failed_executions=runs.failed,
            average_execution_time=runs.average_seconds,
            executions_last_hour=runs.last_hour,
        ),
        ai_usage=bodies.AiMetrics(
            total_requests=ai.calls,
            total_cost=float(ai.cost_usd),
            tokens_used=ai.tokens,
            average_cost_per_request=ai.average_cost,
        ),
    )


# -- inside ----------------------------------------------------------------------------------------------------------


def _is_somebody(request: Request, report: health.Report) -> bool:
    """Whether the caller brings a good token. Without a database, one that we signed and whose time is not over."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return False
    try:
        if report.serving:
            authenticate_access(token.strip())
        else:
            tokens.read(token.strip(), TokenKind.ACCESS, now=timezone.now())
    except DomainError:
        return False
    return True


def _health(report: health.Report, body: Any) -> Answer:
    found = bodies.Health(**body) if isinstance(body, Mapping) else body
    return Answer(found, 200 if report.serving else 503, headers=NO_STORE, sparse=True)


def _brief(report: health.Report) -> dict[str, Any]:
    return {"status": str(report.health), "timestamp": report.at, "version": settings.VERSION}


def _service(reading: Reading, *figures: str) -> dict[str, Any]:
    """A service's body: its figures are null while it does not answer."""
    told: dict[str, Any] = {"status": str(reading.health), "response_time": reading.ms}
    told |= {"problem": reading.problem} if reading.problem else {}
    return told | {name: reading.details.get(name) for name in figures}


def _connections(report: health.Report) -> dict[str, Any]:
    redis = report.services["redis"].health
    return {
        "redis_connection": "embedded" if redis is Health.EMBEDDED else "ok" if redis is Health.HEALTHY else "error",
        "database_connection": "ok" if report.serving else "error",
    }


def _engine_health(report: health.Report) -> bodies.EngineHealth:
    words = {Health.HEALTHY: "ok", Health.DEGRADED: "degraded"}
    status = cast("Any", words.get(report.health, "error"))
    return bodies.EngineHealth(status=status, timestamp=report.at, **_connections(report))


def _point(point: selectors.Point) -> bodies.HistoryPoint:
    return bodies.HistoryPoint(
        at=point.at,
        requests=point.requests.total,
        failed_requests=point.requests.failed,
        average_response_time=point.requests.average_ms,
        p50=point.requests.percentile(0.5),
        p95=point.requests.percentile(0.95),
        p99=point.requests.percentile(0.99),
        executions=dict(point.runs),
    )
