"""People to test with, threads that start together, and what was announced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from accounts import members, services, tokens
from accounts.events import RightsChanged, SessionRevoked
from accounts.models import Membership
from accounts.services import Registered, TokenPair
from auterity.kernel.access import Actor, Role
from auterity.kernel.events import listen

PASSWORD = "correct horse 9"
_announced: list[Any] = []


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """Every account event that was published and committed during the test."""
    listen(SessionRevoked, _announced.append)
    listen(RightsChanged, _announced.append)
    _announced.clear()
    yield _announced
    _announced.clear()


@pytest.fixture
def founder(db: None) -> Registered:
    return services.register(
        email="ann@example.com", password=PASSWORD, first_name="Ann", last_name="Ames", company="AutoDealer Inc."
    )


@pytest.fixture
def log_in() -> Callable[..., TokenPair]:
    def log_in(email: str = "ann@example.com", **more: Any) -> TokenPair:
        return services.login(
            **{"email": email, "password": PASSWORD, "dialect": "test", "access_seconds": 1800, **more}
        )

    return log_in


@pytest.fixture
def admin(founder: Registered, log_in: Callable[..., TokenPair]) -> Actor:
    return tokens.authenticate_access(log_in().access_token)


@pytest.fixture
def bob(admin: Actor) -> Membership:
    return members.members_add(
        actor=admin, email="bob@example.com", password=PASSWORD, first_name="Bob", last_name="Berg", role=Role.MEMBER
    )


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Run callables at the same moment, each in a thread with its own connection; results, or the errors raised."""

    def together(*calls: Callable[[], Any]) -> list[Any]:
        gate = threading.Barrier(len(calls))

        def one(call: Callable[[], Any]) -> Any:
            try:
                gate.wait()
                return call()
            except Exception as error:
                return error
            finally:
                connection.close()

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(one, calls))

    return together
