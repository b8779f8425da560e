"""A person, runners that stop with the test, throw-away node types, and a database that can be away for a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import structlog
from django.db.backends.signals import connection_created
from pytest_httpserver import HTTPServer

from auterity.kernel.access import Actor
from engine.node import Effect
from executions.hints import HINTS
from executions.runner import Runner
from tests.executions.retrying import Calls
from tests.executions.support import person, registered


@pytest.fixture
def actor(transactional_db: None) -> Actor:
    return person()


@pytest.fixture
def engine(settings: Any) -> Callable[..., None]:
    """Change what the engine promises."""

    def change(**values: Any) -> None:
        settings.ENGINE = {**settings.ENGINE, **values}

    return change


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    """What is logged, as data."""
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
def start_runner(transactional_db: None) -> Iterator[Callable[[], Runner]]:
    running: list[Runner] = []

    def start() -> Runner:
        runner = Runner()
        running.append(runner)
        HINTS.use(runner)
        runner.start()
        return runner

    yield start
    HINTS.use(None)
    for runner in running:
        runner.stop(grace=10)
    assert [thread.name for runner in running for thread in runner._threads if thread.is_alive()] == []


@pytest.fixture
def runner(start_runner: Callable[[], Runner]) -> Runner:
    return start_runner()


@pytest.fixture
def add_node() -> Iterator[Callable[..., None]]:
    """Register node types until the test ends."""
    with ExitStack() as stack:

        def add(name: str, run: Callable[..., Any], **about: Any) -> None:
            stack.enter_context(registered(name, run, **about))

        yield add


@pytest.fixture
def calls(add_node: Any) -> Calls:
    made = Calls()
    add_node("call", made, effect=Effect.KEYED)
    return made


class Faults:
    """Statements of one thread that fail before they reach the database."""

    def __init__(self) -> None:
        self._armed: list[tuple[str, str, Exception]] = []
        self.seen: list[tuple[str, str]] = []

    def arm(self, thread: str, beginning: str, error: Exception) -> None:
        """The next statement of this thread that begins so raises."""
        self._armed.append((thread, beginning, error))

    @property
    def waiting(self) -> int:
        return len(self._armed)

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        here = threading.current_thread().name
        self.seen.append((here, sql[:80].strip()))
        for fault in self._armed:
            if fault[0] == here and sql.strip().startswith(fault[1]):
                self._armed.remove(fault)
                raise fault[2]
        return execute(sql, params, many, context)


@pytest.fixture
def faults() -> Iterator[Faults]:
    """Ask for it before a runner, so that its threads' connections are seen."""
    made = Faults()

    def wrap(connection: Any, **_about: Any) -> None:
        connection.execute_wrappers.append(made)

    connection_created.connect(wrap)
    yield made
    connection_created.disconnect(wrap)


@pytest.fixture
def receiver(settings: Any) -> Iterator[HTTPServer]:
    """A server on loopback that outgoing calls may reach."""
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server
