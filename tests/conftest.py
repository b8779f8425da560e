"""What every test needs: the folder that WhiteNoise looks for, and services only where there are some."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # At once: other conftests import the served application.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not settings.EMBEDDED and settings.REDIS_URL:
        return
    absent = pytest.mark.skip(reason="needs PostgreSQL and Redis: set DATABASE_URL and REDIS_URL")
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(absent)
