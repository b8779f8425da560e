"""The probes there are: the database, Redis, the queue, the workers, the disk, the AI services."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from ai.health import AiService, ask_services
from executions.everywhere import live_counts, oldest_due_seconds
from executions.presence import workers_lately
from monitoring import machine
from monitoring.probes import Health, Probe, Reading, look_at

SECONDS = 1.0  # that a probe may take
AI_SECONDS = 10.0  # that an AI service may take to answer
AI_KEPT_SECONDS = 300  # how long its answer is shown
AI_EVERY_SECONDS = 60.0
_AI_KEY = "monitoring:ai"
FILES_A_CONNECTION = 3  # that SQLite opens: the database, its log and the log's index


@contextmanager
def _own_connection() -> Iterator[Any]:
    """A cursor on a connection of the probe's own, which is closed behind it."""
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def look_at_database() -> Reading:
    """A connection, one question, and how many connections there are. `ms` is all of it but the counting."""
    began = time.perf_counter()
    with _own_connection() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
        ms = round((time.perf_counter() - began) * 1000, 1)
        figures = _postgres_connections(cursor) if connection.vendor == "postgresql" else _sqlite_connections()
    return Reading(Health.HEALTHY, details={"connections": figures, "engine": connection.vendor}, ms=ms)


def _postgres_connections(cursor: Any) -> dict[str, int]:
    """Of everybody to this database; `active` are those that are working right now."""
    cursor.execute(
        "SELECT COUNT(*) FILTER (WHERE state IS DISTINCT FROM 'idle'), COUNT(*) FILTER (WHERE state = 'idle'), "
        "current_setting('max_connections')::int FROM pg_stat_activity WHERE datname = current_database()"
    )
    active, idle, most = cursor.fetchone()
    return {"active": active, "idle": idle, "max": most}


def _sqlite_connections() -> dict[str, int]:
    """Of this process; SQLite does not tell which of them rest. What bounds them is how many files a process may open."""
    handles = machine.open_handles(str(connection.settings_dict["NAME"]))
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {"active": handles, "idle": 0, "max": soft // FILES_A_CONNECTION}


def look_at_redis() -> Reading:
    if not settings.REDIS_URL:
        return Reading(Health.EMBEDDED, details={"memory_usage": "0MB"})
    import redis

    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) as client:
        began = time.perf_counter()
        client.ping()
        ms = round((time.perf_counter() - began) * 1000, 1)
        used = client.info("memory")["used_memory"]
    return Reading(Health.HEALTHY, details={"memory_usage": f"{used / 1024 / 1024:.4g}MB"}, ms=ms)


def look_at_queue() -> Reading:
    """How long the longest-due execution has waited for a worker, and how many wait and run."""
    with _own_connection():
        lag, live = oldest_due_seconds(), live_counts()
    late = lag > settings.MONITORING["lag_seconds"]
    problem = f"The longest-due execution has waited {lag:.0f} s for a worker." if late else ""
    details = {"lag_seconds": round(lag, 1), "pending": live["pending"], "running": live["running"]}
    return Reading(Health.DEGRADED if late else Health.HEALTHY, problem, details)


def look_at_workers() -> Reading:
    """How many workers have looked for work lately."""
    with _own_connection():
        alive, looked_at = workers_lately(timezone.now())
    details = {"alive": alive, "last_seen": looked_at}
    if alive:
        return Reading(Health.HEALTHY, details=details)
    return Reading(Health.DEGRADED, "No worker has looked for work lately: nothing is carried out.", details)


def look_at_disk() -> Reading:
    found = machine.disk_of_data()
    low = found.free_percent < settings.MONITORING["disk_free_percent"]
    problem = f"The disk has {found.free_percent} % free ({found.free / 1024**3:.1f} GiB)." if low else ""
    details = {"free_bytes": found.free, "total_bytes": found.total, "free_percent": found.free_percent}
    return Reading(Health.DEGRADED if low else Health.HEALTHY, problem, details)


def ask_ai_services() -> None:
    """Ask now, and keep the answer for everybody. Called now and then, never by a request."""
    found = [(each.name, each.ms, each.problem) for each in ask_services(timeout=AI_SECONDS)]
    cache.set(_AI_KEY, found, AI_KEPT_SECONDS)


def read_ai_answers() -> Reading:
    """What was kept of the AI services' answers."""
    return Reading(Health.HEALTHY, details={"answers": cache.get(_AI_KEY)})


def ai_services_of(reading: Reading) -> dict[str, Reading]:
    """Each AI service as it last answered; `unknown` before the first answer, or when the cache is away."""
    kept = reading.details.get("answers")
    if kept is None:
        return {name: Reading(Health.UNKNOWN) for name in _configured()}
    services = [AiService(*each) for each in kept]
    return {
        each.name: Reading(Health.UNHEALTHY if each.problem else Health.HEALTHY, each.problem, ms=each.ms)
        for each in services
    }


def _configured() -> list[str]:
    if not (settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL):
        return ["offline"]
    return ["openai-compatible" if settings.OPENAI_BASE_URL else "openai"]


DATABASE = Probe("database", look_at_database, seconds=SECONDS)
REDIS = Probe("redis", look_at_redis, seconds=SECONDS)
# A second look within moments asks nobody: these addresses are open to everybody.
ESSENTIAL = {"database": DATABASE, "redis": REDIS}
PROBES = {
    **ESSENTIAL,
    "queue": Probe("queue", look_at_queue, seconds=SECONDS),
    "workers": Probe("workers", look_at_workers, seconds=SECONDS),
    "disk": Probe("disk", look_at_disk, seconds=SECONDS),
}
AI = Probe("ai", read_ai_answers, seconds=SECONDS)


def look_at_all() -> tuple[dict[str, Reading], dict[str, Reading]]:
    """The readings of `PROBES`, and those of the AI services."""
    readings = look_at({**PROBES, AI.name: AI})
    return readings, ai_services_of(readings.pop(AI.name))
