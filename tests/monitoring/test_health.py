"""Health answers in the documents' shapes, quickly, and also when what it asks does not answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from pytest_httpserver import HTTPServer

from executions.models import Worker
from monitoring import probes, watched
from monitoring.probes import Health, Probe, Reading, look_at
from tests.api.people import Api, Person
from tests.api.serving import free_port
from tests.monitoring.conftest import forget_readings
from tests.monitoring.servers import asked, same_database, serving

pytestmark = pytest.mark.django_db(transaction=True)

EMBEDDED_REDIS = "ok" if settings.REDIS_URL else "embedded"


@pytest.fixture(autouse=True)
def _all_is_well(transactional_db: None) -> None:
    Worker.objects.create(owner="a worker")
    cache.clear()
    watched.ask_ai_services()


def test_without_a_token_it_tells_status_and_version(anyone: Api) -> None:
    for token in ("", "garbage"):
        anyone.token = token
        answer = anyone.get("/api/monitoring/health")
        assert answer.status_code == 200
        assert set(answer.json()) == {"status", "timestamp", "version"}
        assert (answer.json()["status"], answer.json()["version"]) == ("healthy", "1.0.0")


def test_with_a_token_it_tells_everything_that_001_does(member: Person) -> None:
    found = member.api.get("/api/monitoring/health").json()
    assert set(found) == {"status", "timestamp", "version", "environment", "services"}
    assert (found["status"], found["environment"]) == ("healthy", "embedded" if settings.EMBEDDED else "production")
    services = found["services"]
    database = services["database"]
    assert database["status"] == "healthy"
    assert database["response_time"] > 0
    assert set(database["connections"]) == {"active", "idle", "max"}
    assert database["connections"]["active"] >= 1
    assert database["connections"]["max"] > 0
    assert set(services["redis"]) >= {"status", "response_time", "memory_usage"}
    assert services["redis"]["status"] == ("healthy" if settings.REDIS_URL else "embedded")
    assert services["redis"]["memory_usage"].endswith("MB")
    assert services["ai_services"] == {"offline": {"status": "healthy", "response_time": 0.0}}
    assert (services["workers"]["status"], services["workers"]["alive"]) == ("healthy", 1)
    assert services["queue"]["lag_seconds"] == 0
    assert services["disk"]["free_bytes"] > 0


def test_what_is_wrong_beside_the_database_is_degraded_and_says_what(ann: Person) -> None:
    Worker.objects.all().delete()
    answer = ann.api.get("/api/monitoring/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    workers = answer.json()["services"]["workers"]
    assert (workers["status"], workers["alive"], workers["last_seen"]) == ("degraded", 0, None)
    assert "No worker has looked" in workers["problem"]


def test_the_short_addresses_have_their_documents_bodies(anyone: Api) -> None:
    plain = anyone.get("/health").json()
    assert set(plain) == {"status", "timestamp", "redis_connection", "database_connection"}
    assert abs(plain.pop("timestamp") - time.time()) < 60
    assert plain == {"status": "healthy", "redis_connection": EMBEDDED_REDIS, "database_connection": "ok"}
    for path in ("/api/health", "/api/v1/health", "/api/v1/health/"):
        engine = anyone.get(path).json()
        assert engine.pop("timestamp").endswith("Z")
        assert engine == {"status": "ok", "redis_connection": EMBEDDED_REDIS, "database_connection": "ok"}
    assert anyone.get("/health", X_API_Contract="engine").json()["status"] == "ok"
    assert anyone.get("/health/live").json() == {"status": "alive"}
    assert anyone.get("/health/ready").json() == {"status": "ready", "database_connection": "ok"}


def test_a_probe_that_hangs_holds_up_nobody_and_is_begun_once() -> None:
    release, begun = threading.Event(), []

    def hang() -> Reading:
        begun.append(1)
        release.wait(20)
        return Reading(Health.HEALTHY)

    slow = Probe("slow", hang, seconds=0.1)
    fast = Probe("fast", lambda: Reading(Health.HEALTHY), seconds=5)
    for _ in range(3):
        found = look_at({"slow": slow, "fast": fast})
        assert (found["slow"].health, found["fast"].health) == (Health.UNHEALTHY, Health.HEALTHY)
        assert found["slow"].problem == "It did not answer within 0.1 s."
    assert len(begun) == 1
    release.set()
    slow.begin().done.wait(10)
    assert slow.read(slow.begin()).health is Health.HEALTHY


def test_a_probe_that_raises_is_unhealthy() -> None:
    assert (
        look_at({"x": Probe("x", lambda: 1 / 0, seconds=5)})["x"].problem == "It cannot be reached (ZeroDivisionError)."
    )


def test_many_who_ask_at_once_are_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    probe = Probe("x", lambda: looked.append(1) or Reading(Health.HEALTHY), seconds=5, fresh_seconds=60)
    assert {look_at({"x": probe})["x"].health for _ in range(50)} == {Health.HEALTHY}
    assert len(looked) == 1


def test_ai_services_are_asked_now_and_then_and_never_by_a_request(
    ann: Person, settings: Any, httpserver: HTTPServer
) -> None:
    settings.OPENAI_BASE_URL = httpserver.url_for("/v1")
    settings.OPENAI_API_KEY = "sk-test"
    settings.EGRESS_ALLOW = ["127.0.0.1", "localhost"]
    httpserver.expect_request("/v1/models", headers={"Authorization": "Bearer sk-test"}).respond_with_json({"data": []})
    cache.clear()

    def shown() -> Any:
        forget_readings()
        return ann.api.get("/api/monitoring/health").json()

    assert shown()["services"]["ai_services"]["openai-compatible"]["status"] == "unknown"
    watched.ask_ai_services()
    for _ in range(3):
        service = shown()["services"]["ai_services"]["openai-compatible"]
    assert service["status"] == "healthy"
    assert service["response_time"] > 0
    assert len(httpserver.log) == 1
    httpserver.clear()
    httpserver.expect_request("/v1/models").respond_with_data("no", status=401)
    watched.ask_ai_services()
    found = shown()
    assert (found["status"], found["services"]["ai_services"]["openai-compatible"]["status"]) == (
        "degraded",
        "unhealthy",
    )
    assert "sk-test" not in str(found)


# -- with the database gone ------------------------------------------------------------------------------------------


@contextmanager
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says anything: the worst way to be away."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield listening.getsockname()[1]


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "never answers"])
def test_it_answers_with_the_database_gone(ann: Person, silent: bool) -> None:
    """Within a few seconds (the client waits eight), in full to whoever has a token that we signed."""
    with silent_port() as port:
        address = port if silent else free_port()
        environment = {
            "DJANGO_SETTINGS_MODULE": "auterity.settings.dev",
            "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{address}/nothing",
            "AUTERITY_SECRET_KEY": settings.SECRET_KEY,
            "REDIS_URL": "",
            "AUTERITY_BROKER_URL": "memory://",
        }
        with serving(**environment) as base:
            status, body = asked(f"{base}/health")
            assert (status, body["status"], body["database_connection"]) == (503, "unhealthy", "error")
            status, body = asked(f"{base}/api/v1/health")
            assert (status, body["status"], body["redis_connection"]) == (503, "error", "embedded")
            assert asked(f"{base}/health/live") == (200, {"status": "alive"})
            assert asked(f"{base}/health/ready")[1]["status"] == "not_ready"
            status, body = asked(f"{base}/api/monitoring/health")
            assert (status, set(body), body["status"]) == (503, {"status", "timestamp", "version"}, "unhealthy")
            status, body = asked(f"{base}/api/monitoring/health", ann.tokens.access_token)
            assert (status, body["services"]["database"]["status"]) == (503, "unhealthy")
            assert body["services"]["database"]["connections"] is None
            assert body["services"]["disk"]["status"] == "healthy"
            assert asked(f"{base}/api/monitoring/health", ann.tokens.access_token[:-2])[1].get("services") is None


def test_it_answers_when_redis_never_does(ann: Person) -> None:
    with silent_port() as port, serving(**same_database() | {"REDIS_URL": f"redis://127.0.0.1:{port}"}) as base:
        status, body = asked(f"{base}/health")
        assert (status, body["status"]) == (200, "degraded")
        assert (body["redis_connection"], body["database_connection"]) == ("error", "ok")
        status, body = asked(f"{base}/api/monitoring/health", ann.tokens.access_token)
        assert (status, body["status"], body["services"]["redis"]["status"]) == (200, "degraded", "unhealthy")
        assert body["services"]["redis"]["memory_usage"] is None
        assert body["services"]["ai_services"] == {"offline": {"status": "unknown", "response_time": 0.0}}


def test_the_bound_of_a_probe_is_short() -> None:
    assert watched.SECONDS <= 1.0
    assert {probe._seconds for probe in watched.PROBES.values()} == {watched.SECONDS}
    assert probes.GOOD == (Health.HEALTHY, Health.EMBEDDED)
