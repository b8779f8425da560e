"""People of two organizations."""

from __future__ import annotations

from tests.api.conftest import ann, anyone, member, otto, running, server, viewer

__all__ = ["ann", "anyone", "member", "otto", "running", "server", "viewer"]
