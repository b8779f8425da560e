"""The people of the API's tests."""

from tests.api.conftest import ann, anyone, api, ended, member, otto, viewer, worker

__all__ = ["ann", "anyone", "api", "ended", "member", "otto", "viewer", "worker"]
