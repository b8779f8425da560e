"""Two organizations with people of every role, and a worker for the tests that let executions run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auterity.embedded import start_runner, stop_runner
from auterity.kernel.access import Role
from integrations.builtin_templates import BUILTIN
from integrations.models import MessageTemplate
from tests.api.graphs import chain
from tests.api.limiting import Clock, full_buckets
from tests.api.people import Api, Person, colleague, founder
from tests.api.serving import Server

ENDED = ("completed", "failed", "cancelled", "timeout")


@pytest.fixture
def anyone(db: None) -> Api:
    """A caller without a token."""
    return Api()


@pytest.fixture
def ann(db: None) -> Person:
    """The admin of AutoDealer Inc."""
    return founder("ann@example.com", "AutoDealer Inc.")


@pytest.fixture
def otto(db: None) -> Person:
    """The admin of another organization."""
    return founder("otto@other.example", "Other Motors")


@pytest.fixture
def clock(settings: Any) -> Iterator[Clock]:
    """Rate limits that are on, behind one proxy, with every bucket full; time passes when it is told to."""
    settings.TRUSTED_PROXIES = 1
    settings.RATE_LIMITS = True
    with full_buckets(settings.REDIS_URL) as clock:
        yield clock


@pytest.fixture
def member(ann: Person) -> Person:
    return colleague(ann, "member@example.com", Role.MEMBER)


@pytest.fixture
def viewer(ann: Person) -> Person:
    return colleague(ann, "viewer@example.com", Role.VIEWER)


@pytest.fixture
def api(ann: Person) -> Api:
    return ann.api


@pytest.fixture
def messages(db: None) -> None:
    """The messages that a migration stores, and that a test which empties the tables takes from those after it."""
    for each in BUILTIN:
        about = {"subject": each.subject, "text": each.text, "html": each.html}
        MessageTemplate.unscoped.get_or_create(organization=None, name=each.name, defaults=about)


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """A runner in this process, as the embedded mode has one."""
    runner = start_runner()
    yield
    stop_runner(runner)


@pytest.fixture
def ended() -> Callable[..., dict[str, Any]]:
    """An execution once it has ended, asked for again and again as a client would."""

    def ended(api: Api, execution_id: str, seconds: float = 20.0) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = api.get(f"/api/workflows/executions/{execution_id}").json()
            if found["status"] in ENDED:
                return found
            assert time.monotonic() < until, f"still {found['status']} after {seconds} s"
            time.sleep(0.02)

    return ended


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    yield running
    running.settle()


@pytest.fixture
def run(ann: Person) -> str:
    """An execution that nobody has taken up yet."""
    workflow = ann.api.made("/api/workflows", chain("a", "b", "c"))
    accepted: str = ann.api.made(f"/api/workflows/{workflow['id']}/execute", {"inputs": {"a": 1}})["execution_id"]
    return accepted


@pytest.fixture
def path(run: str) -> str:
    return f"/ws/executions/{run}"


@pytest.fixture
def token(ann: Person) -> str:
    return ann.tokens.access_token
