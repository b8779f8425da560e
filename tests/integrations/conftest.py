"""People of two organizations, and the types of connections there are."""

from __future__ import annotations

import pytest

from integrations.registry import discover
from tests.api.conftest import ann, anyone, ended, member, messages, otto, viewer, worker

__all__ = ["ann", "anyone", "ended", "member", "messages", "otto", "viewer", "worker"]


@pytest.fixture(autouse=True)
def found() -> None:
    discover()
