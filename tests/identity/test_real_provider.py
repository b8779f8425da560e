"""The whole way with a provider that somebody else wrote, its consent page included."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from accounts.models import User
from tests.api.people import Api, Person
from tests.identity.test_google import AUTHORIZE, CALLBACK, STATUS

with warnings.catch_warnings():  # Of what it is made of.
    warnings.simplefilter("ignore")
    oidc_provider_mock = pytest.importorskip("oidc_provider_mock", reason="needs the package oidc-provider-mock")
pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def issuer(settings: Any) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with oidc_provider_mock.run_server_in_thread() as server:
            address = f"http://localhost:{server.server_port}"
            settings.EGRESS_ALLOW = [f"localhost:{server.server_port}"]
            settings.GOOGLE = {"client_id": "ours", "client_secret": "s", "issuer": address, "registration": True}
            claims = {"email": "ann@autodealer.example", "email_verified": True, "given_name": "Ann"}
            httpx2.put(f"{address}/users/ann", json=claims)
            yield address


def consented(url: str) -> dict[str, str]:
    """What a browser brings back whose person signs in as ann and agrees."""
    assert "Ann" not in url
    assert httpx2.get(url).status_code == 200
    answer = httpx2.post(url, data={"sub": "ann"})
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def test_sign_in_register_link_and_verify(issuer: str, anyone: Api) -> None:
    way = anyone.get(AUTHORIZE).json()["data"]
    returned = consented(way["authorization_url"])
    came = anyone.post(CALLBACK, returned)
    assert came.status_code == 200, came.content
    data = came.json()["data"]
    assert (data["action"], data["connection"]["external_account"]) == ("registered", "ann@autodealer.example")
    person = Api(data["tokens"]["access_token"])
    shown = person.get(f"{STATUS}?verify=true").json()["data"]["providers"][0]
    assert (shown["health"], shown["connected"]) == ("ok", True)
    httpx2.post(f"{issuer}/users/ann/revoke-tokens")
    assert person.get(f"{STATUS}?verify=true").json()["data"]["providers"][0]["health"] in ("ok", "revoked")
    again = anyone.post(CALLBACK, consented(anyone.get(AUTHORIZE).json()["data"]["authorization_url"]))
    assert again.json()["data"]["action"] == "login"
    assert User.objects.count() == 1


def test_an_organization_signs_in_by_it(issuer: str, ann: Person, anyone: Api) -> None:
    made = ann.api.put(
        "/api/organization/sso",
        {
            "name": "Ours",
            "issuer": issuer,
            "client_id": "ours",
            "client_secret": "s",
            "allowed_domains": ["autodealer.example"],
        },
    ).json()
    way = anyone.get(f"/api/auth/sso/{made['id']}/authorize").json()
    came = anyone.post("/api/auth/sso/callback", consented(way["authorization_url"])).json()
    assert came["action"] == "registered"
    me = Api(came["access_token"]).get("/api/auth/me").json()
    assert me["organization_id"] == str(ann.actor.organization_id)
