"""People of two organizations, and their authenticators."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from identity import discovery
from tests.api.conftest import ann, anyone, member, otto, running, server, viewer

__all__ = ["ann", "anyone", "member", "otto", "running", "server", "viewer"]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Providers of earlier tests had the same addresses."""
    discovery.forget()
    yield
    discovery.forget()
