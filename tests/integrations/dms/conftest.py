"""A DMS, and an integration that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from integrations.dms import sync
from tests.api.people import Person
from tests.integrations.dms.system import PATH, Dms, settings_of


@pytest.fixture(autouse=True)
def _one_turn_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr(sync, "TURN_SECONDS", 600.0)


@pytest.fixture
def dms(settings: Any) -> Iterator[Dms]:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with HTTPServer(host="127.0.0.1", threaded=True) as running:
        yield Dms(running)


@pytest.fixture
def made(ann: Person, dms: Dms) -> dict[str, Any]:
    return ann.api.made(PATH, settings_of(dms))
