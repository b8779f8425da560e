"""The people of the API's tests."""

from tests.api.conftest import ann, anyone, api, member, otto, viewer

__all__ = ["ann", "anyone", "api", "member", "otto", "viewer"]
