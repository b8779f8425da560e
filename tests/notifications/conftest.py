"""The people of the API's tests, and a server."""

from tests.api.conftest import ann, anyone, api, ended, member, otto, running, server, viewer, worker

__all__ = ["ann", "anyone", "api", "ended", "member", "otto", "running", "server", "viewer", "worker"]
