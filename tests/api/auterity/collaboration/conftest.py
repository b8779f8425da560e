"""A workflow of two steps, and a table at which people edit it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from tests.api.auterity.collaboration.table import Table
from tests.api.people import Person
from tests.api.serving import Server


@pytest.fixture
def workflow(ann: Person) -> dict[str, Any]:
    graph = {
        "nodes": [
            {"id": "hook", "type": "webhook-trigger", "config": {"secret": "s3cret", "authentication": "token"}},
            {
                "id": "mail",
                "type": "email",
                "title": "Mail",
                "config": {"to": "a@example.com", "subject": "Hi", "text": "Hello"},
            },
        ],
        "edges": [{"id": "e1", "source": "hook", "target": "mail"}],
    }
    return ann.api.made("/api/workflows", {"name": "W", "definition": graph, "is_active": False, "draft": True})


@pytest.fixture
def at(workflow: dict[str, Any]) -> str:
    return f"/api/workflows/{workflow['id']}"


@pytest.fixture
def path(workflow: dict[str, Any]) -> str:
    return f"/ws/workflows/{workflow['id']}/collaboration"


@pytest.fixture
def table(server: Server, path: str) -> Any:
    with ExitStack() as stack:
        yield Table(server, path, stack)
