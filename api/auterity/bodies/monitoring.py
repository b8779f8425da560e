"""Shapes of health and figures (001, Monitoring API; contract README, decision 13)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from api.auterity.moments import Instant, Moment

HealthStatus = TypeAliasType("HealthStatus", Literal["healthy", "degraded", "unhealthy", "embedded", "unknown"])
WholeHealth = TypeAliasType("WholeHealth", Literal["healthy", "degraded", "unhealthy"])
EngineStatus = TypeAliasType("EngineStatus", Literal["ok", "degraded", "error"])
ReadyStatus = TypeAliasType("ReadyStatus", Literal["ready", "not_ready"])
LiveStatus = TypeAliasType("LiveStatus", Literal["alive"])
RedisConnection = TypeAliasType("RedisConnection", Literal["ok", "error", "embedded"])
DatabaseConnection = TypeAliasType("DatabaseConnection", Literal["ok", "error"])
HistoryStep = TypeAliasType("HistoryStep", Literal["minute", "hour", "day"])
Milliseconds = Annotated[float, Field(description="Milliseconds.")]


class ServiceHealth(BaseModel):
    status: HealthStatus
    response_time: Milliseconds
    problem: Annotated[str | None, Field(description="What is wrong, in a sentence.")] = None


class DatabaseConnections(BaseModel):
    active: int
    idle: int
    max: int


class DatabaseHealth(ServiceHealth):
    connections: Annotated[DatabaseConnections | None, Field(description="Null while the database does not answer.")]


class RedisHealth(ServiceHealth):
    memory_usage: Annotated[str | None, Field(description="Such as 45MB; null while Redis does not answer.")]


class QueueHealth(ServiceHealth):
    lag_seconds: Annotated[float | None, Field(description="How long the longest-due execution waits for a worker.")]
    pending: int | None
    running: int | None


class WorkersHealth(ServiceHealth):
    alive: Annotated[int | None, Field(description="Workers that looked for work lately.")]
    last_seen: Moment | None


class DiskHealth(ServiceHealth):
    free_bytes: int | None
    free_percent: float | None


class Services(BaseModel):
    database: DatabaseHealth
    redis: RedisHealth
    ai_services: dict[str, ServiceHealth]
    queue: QueueHealth
    workers: WorkersHealth
    disk: DiskHealth


class Health(BaseModel):
    """Without a token: `status`, `timestamp` and `version`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "healthy",
                "timestamp": "2025-08-08T12:00:00Z",
                "version": "1.0.0",
                "environment": "production",
                "services": {
                    "database": {
                        "status": "healthy",
                        "response_time": 12.5,
                        "connections": {"active": 8, "idle": 2, "max": 20},
                    },
                    "redis": {"status": "healthy", "response_time": 3.2, "memory_usage": "45MB"},
                    "ai_services": {"openai": {"status": "healthy", "response_time": 850.3}},
                },
            }
        }
    )

    status: WholeHealth
    timestamp: Moment
    version: str
    environment: str | None = None
    services: Services | None = None


class PlainHealth(BaseModel):
    """004's `/health`, with 003's two keys."""

    status: WholeHealth
    timestamp: Annotated[float, Field(description="Seconds since 1970.")]
    redis_connection: RedisConnection
    database_connection: DatabaseConnection


class EngineHealth(BaseModel):
    """003's `/api/health` and `/api/v1/health`."""

    status: EngineStatus
    redis_connection: RedisConnection
    database_connection: DatabaseConnection
    timestamp: Moment


class Liveness(BaseModel):
    status: LiveStatus = "alive"


class Readiness(BaseModel):
    status: ReadyStatus
    database_connection: DatabaseConnection


class SystemMetrics(BaseModel):
    uptime: Annotated[float, Field(description="Seconds since this server process began.")]
    cpu_usage: Annotated[float, Field(description="Percent of all processors.")]
    memory_usage: Annotated[float, Field(description="Percent.")]
    disk_usage: Annotated[float, Field(description="Percent of the disk with the product's data.")]


class ApplicationMetrics(BaseModel):
    """Requests to the API, of the whole installation."""

    total_requests: int
    successful_requests: int
    failed_requests: Annotated[int, Field(description="Answered with 4xx or 5xx.")]
    average_response_time: Milliseconds
    requests_per_minute: Annotated[float, Field(description="On average over the last five minutes.")]


class WorkflowMetrics(BaseModel):
    """Executions of the caller's organization."""

    total_executions: int
    successful_executions: int
    failed_executions: Annotated[int, Field(description="Those that timed out too.")]
    average_execution_time: Annotated[float, Field(description="Seconds.")]
    executions_last_hour: int


class AiMetrics(BaseModel):
    """AI calls of the caller's organization."""

    total_requests: int
    total_cost: Annotated[float, Field(description="US dollars.")]
    tokens_used: int
    average_cost_per_request: float


class Metrics(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "system": {"uptime": 86400, "cpu_usage": 45.2, "memory_usage": 67.8, "disk_usage": 23.1},
                "application": {
                    "total_requests": 15420,
                    "successful_requests": 14876,
                    "failed_requests": 544,
                    "average_response_time": 125.6,
                    "requests_per_minute": 45.2,
                },
                "workflows": {
                    "total_executions": 1284,
                    "successful_executions": 1201,
                    "failed_executions": 83,
                    "average_execution_time": 78.3,
                    "executions_last_hour": 12,
                },
                "ai_usage": {
                    "total_requests": 856,
                    "total_cost": 45.67,
                    "tokens_used": 125420,
                    "average_cost_per_request": 0.053,
                },
            }
        }
    )

    system: SystemMetrics
    application: ApplicationMetrics
    workflows: WorkflowMetrics
    ai_usage: AiMetrics


class HistoryQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    since: Instant | None = None
    until: Annotated[Instant | None, Field(description="Now by default.")] = None
    step: HistoryStep = "minute"


class HistoryPoint(BaseModel):
    at: Annotated[Moment, Field(description="When the span begins.")]
    requests: int
    failed_requests: int
    average_response_time: Milliseconds
    p50: Annotated[int | None, Field(description="Milliseconds, as a bucket's upper bound.")]
    p95: int | None
    p99: int | None
    executions: Annotated[dict[str, int], Field(description="Ended in it, of the caller's organization, by status.")]


class MetricsHistory(BaseModel):
    step: HistoryStep
    points: Annotated[list[HistoryPoint], Field(description="Oldest first, empty spans too.")]
