"""People of two organizations, and their authenticators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from identity import discovery
from tests.api.conftest import ann, anyone, member, otto, running, server, viewer
from tests.identity.provider import CLIENT, SECRET, Provider

__all__ = ["ann", "anyone", "member", "otto", "running", "server", "viewer"]

WEB_APP = "https://app.example/callback"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Providers of earlier tests had the same addresses."""
    discovery.forget()
    yield
    discovery.forget()


@pytest.fixture
def provider(httpserver: HTTPServer, settings: Any) -> Provider:
    """A provider on loopback, which the operator permits, in Google's place."""
    made = Provider(httpserver)
    settings.EGRESS_ALLOW = [f"localhost:{httpserver.port}"]
    settings.GOOGLE = {"client_id": CLIENT, "client_secret": SECRET, "issuer": made.issuer, "registration": True}
    settings.OAUTH_REDIRECT_URIS = [WEB_APP]
    return made
