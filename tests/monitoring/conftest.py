"""The people of the API's tests, a server, and figures that begin at nothing."""

from __future__ import annotations

import pytest

from monitoring import recording, watched
from tests.api.conftest import ann, anyone, api, ended, member, otto, running, server, viewer, worker

__all__ = ["ann", "anyone", "api", "ended", "member", "otto", "running", "server", "viewer", "worker"]


@pytest.fixture(autouse=True)
def _nothing_noted() -> None:
    """What other tests noted in this process is not this one's, and probes look anew."""
    for series in recording.EVERY:
        series._noted.clear()
        series._sums.clear()
    forget_readings()


def forget_readings() -> None:
    """Probes look anew."""
    for probe in (*watched.PROBES.values(), watched.AI):
        probe.forget()
