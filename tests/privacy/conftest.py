"""The people of the API's tests, and an organization with something in most of its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import ann, anyone, otto
from tests.api.people import Person
from tests.privacy.rooms import Room, furnished

__all__ = ["ann", "anyone", "otto"]


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "folder": tmp_path}


@pytest.fixture
def room(ann: Person, otto: Person) -> Room:
    return furnished(ann, otto)
