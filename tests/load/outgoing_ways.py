"""Addresses that are not settings themselves: what a sign-in provider says of itself, where an allowed host sends on, where an
alert is told. An allowed server on loopback says them, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.load.receivers import FINE, Receiver

Use = Callable[[Any, str], list[int]]
BACK = "https://app.example/callback"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint")


@contextmanager
def ways() -> Iterator[tuple[dict[str, Use], set[int]]]:
    """By slot, while their servers stand; and the ports of those, which alone are allowed."""
    from django.test import override_settings
    from pytest_httpserver import HTTPServer

    from tests.identity.provider import Provider

    server = HTTPServer(host="localhost", port=0)
    server.start()
    place: list[str] = []
    sender = Receiver(mood=lambda _number, _message: (302, {"Location": as_header(place[-1])}, 0.0) if place else FINE)
    try:
        with sender as address:
            ports = {int(server.port), urlsplit(address).port or 0}
            allowed = [f"localhost:{server.port}", f"127.0.0.1:{urlsplit(address).port}"]
            provider = Provider(server)
            found: dict[str, Use] = {f"sso {name}": _said(provider, name) for name in ENDPOINTS}
            found |= {"sso issuer": _issuer, "alert webhook": _alert, "picture": _picture}
            found["redirect of an allowed host"] = _redirect(address, place)
            with override_settings(EGRESS_ALLOW=allowed, OAUTH_REDIRECT_URIS=[BACK]):
                yield found, ports
    finally:
        server.stop()


def as_header(url: str) -> str:
    """Whatever is in it, as bytes on the wire."""
    return url.encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "")


def _configured(person: Any, issuer: str) -> Any:
    from tests.identity.provider import CLIENT, SECRET

    said = {
        "name": "Provider", "issuer": issuer, "client_id": CLIENT, "client_secret": SECRET,
        "allowed_domains": ["autodealer.example"],
    }  # fmt: skip
    return person.api.put("/api/organization/sso", said)


def _issuer(person: Any, url: str) -> list[int]:
    """Saved, looked at, and a sign-in begun."""
    saved = _configured(person, url)
    if saved.status_code not in (200, 201):
        return [saved.status_code]
    tested = person.api.post("/api/organization/sso/test")
    begun = person.api.get(f"/api/auth/sso/{saved.json()['id']}/authorize")
    return [saved.status_code, tested.status_code, _unavailable(begun.status_code)]


def _said(provider: Any, name: str) -> Use:
    """The provider's description names it; then somebody signs in there as far as that goes."""
    from identity import discovery
    from tests.api.people import Api

    kept: dict[str, str] = {}

    def use(person: Any, url: str) -> list[int]:
        if not kept.get(person.email):
            kept[person.email] = _configured(person, provider.issuer).json()["id"]
        elif _configured(person, provider.issuer).status_code not in (200, 201):
            return [500]
        provider.lies.described = {name: url}
        discovery.forget()
        tested = person.api.post("/api/organization/sso/test")
        browser = Api()
        begun = browser.get(f"/api/auth/sso/{kept[person.email]}/authorize")
        statuses = [tested.status_code, _unavailable(begun.status_code)]
        if begun.status_code == 200 and name != "authorization_endpoint":
            returned = provider.consent(begun.json()["authorization_url"])
            statuses.append(_unavailable(browser.post("/api/auth/sso/callback", returned).status_code))
        return statuses

    return use


def _alert(person: Any, url: str) -> list[int]:
    """A rule's channel; where that was taken, what the rule would tell is sent."""
    from integrations import webhooks
    from security import alerts

    rule = {
        "name": f"r{time.time_ns()}", "metric": "failed_logins",
        "condition": {"operator": "gte", "threshold": 20, "window_minutes": 15},
        "channels": [{"type": "webhook", "target": url}],
    }  # fmt: skip
    made = person.api.post("/api/v1/security-metrics/alerts/configure", rule)
    if made.status_code == 201:
        webhooks.owe(person.actor.organization_id, url, alerts.EVENT, {"name": rule["name"]})
        while webhooks.deliver_due():
            pass
        person.api.post("/api/v1/security-metrics/alerts/configure", {**rule, "delete": True})
    return [int(made.status_code)]


def _picture(person: Any, url: str) -> list[int]:
    """A step that fetches it."""
    node = {"id": "call", "type": "ai-image-analysis", "config": {"image": "{{ inputs.url }}", "prompt": "x"}}
    made = person.api.post("/api/workflows", {"name": "W", "definition": {"nodes": [node], "edges": []}})
    path = f"/api/workflows/{made.json().get('id')}/nodes/call/test"
    tried = person.api.post(path, {"perform": True, "inputs": {"url": url}})
    return [int(made.status_code), int(tried.status_code)]


def _redirect(address: str, place: list[str]) -> Use:
    """A step calls an allowed host, which sends it on; the step is told to follow."""

    def use(person: Any, url: str) -> list[int]:
        from tests.load.g20_outgoing import _api_call

        place[:] = [url]
        return [200 if each == 302 else each for each in _api_call(person, address)]

    return use


def _unavailable(status: int) -> int:
    """That a provider cannot be reached is an answer (502 and 503), not a crash."""
    return 200 if status in (502, 503) else int(status)
