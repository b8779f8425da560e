"""The people of the API's tests, and files in a folder of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import ann, anyone, api, ended, member, otto, running, server, viewer, worker

__all__ = ["ann", "anyone", "api", "ended", "member", "otto", "running", "server", "viewer", "worker"]


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "folder": tmp_path / "files"}


@pytest.fixture(autouse=True)
def unlimited(settings: Any) -> None:
    """Limits have tests of their own."""
    settings.RATE_LIMITS = False
