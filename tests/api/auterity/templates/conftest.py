"""A template of Ann's, and one that everybody sees."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.auterity.templates.example import NEW, PATH
from tests.api.people import Api


@pytest.fixture
def made(api: Api) -> dict[str, Any]:
    return api.made(PATH, NEW)


@pytest.fixture
def public(api: Api) -> dict[str, Any]:
    return api.made(PATH, {**NEW, "is_public": True})
