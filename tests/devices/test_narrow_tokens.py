"""Tokens with narrow scopes, for the background work of installed apps: what buys one, and what it may do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts import services, tokens
from accounts.models import Session
from auterity.kernel.access import Role, Scope
from devices import services as device_services
from tests.api.envelopes import data_of, refused
from tests.api.people import Api, Person, colleague
from tests.devices.machines import EXCHANGE, REFRESH, STATUS, App, answered, app, machine, signature

pytestmark = pytest.mark.django_db


def exchanged(installed: App, api: Api | None = None, **more: Any) -> Any:
    return (api or Api()).post(EXCHANGE, {"client_id": installed.id, **more})


def test_a_refresh_token_buys_a_narrow_one_and_stays_good(ann: Person) -> None:
    installed = app()
    login = installed.logged_in(ann)
    found = data_of(exchanged(installed, refresh_token=login["refresh_token"], scopes=["data.read"]))
    assert (found["scopes"], found["expires_in"], found["session_id"]) == (["data.read"], 900, login["session_id"])
    assert (found["client_id"], found["user_id"], found["device_id"]) == (installed.id, str(ann.actor.user_id), None)
    narrow = Api(found["api_token"])
    for path in ("/api/auth/me", "/api/workflows", STATUS, "/api/auth/sessions"):
        assert narrow.get(path).status_code == 403, path
    refused(narrow.get(STATUS), 403, "ERR_403_SCOPE")
    refused(exchanged(installed, narrow, grant_type="session"), 401, "ERR_401_TOKEN_INVALID")
    refused(exchanged(installed, refresh_token=found["api_token"]), 401, "ERR_401_REFRESH_INVALID")
    renewed = data_of(installed.refresh(login["refresh_token"]))
    refused(exchanged(installed, refresh_token=login["refresh_token"]), 401, "ERR_401_REFRESH_INVALID")
    assert Api(renewed["access_token"]).get("/api/auth/me").status_code == 200  # Nothing ended by that.
    services.logout(actor=tokens.authenticate_access(renewed["access_token"]))
    refused(narrow.get(STATUS), 401, "ERR_401_TOKEN_INVALID")


def test_a_bearer_of_the_installation_or_of_none_buys_one(ann: Person) -> None:
    installed, other = app(), app()
    login = installed.logged_in(ann)
    found = data_of(exchanged(installed, Api(login["access_token"]), grant_type="session"))
    assert (found["scopes"], found["session_id"]) == (sorted(Scope), login["session_id"])
    refused(exchanged(other, Api(login["access_token"]), grant_type="session"), 401, "ERR_401_CLIENT_INVALID")
    assert data_of(exchanged(installed, ann.api))["session_id"] == str(ann.actor.session_id)


def test_a_devices_signature_buys_one_for_its_open_login(ann: Person) -> None:
    installed = app()
    made = machine(Api(installed.logged_in(ann)["access_token"]))

    def signed() -> dict[str, Any]:
        asked = made.asked()
        proof = answered(made.key, made.id, asked)
        return {"device_id": made.id, "challenge_id": asked["challenge_id"], "signature": proof}

    found = data_of(exchanged(installed, grant_type="device", **signed()))
    assert found["device_id"] == made.id
    refused(exchanged(app(), grant_type="device", **signed()), 401, "ERR_401_CLIENT_INVALID")
    for written in (signature(made.key, "x"), ""):
        lie = signed() | {"signature": written}
        refused(exchanged(installed, grant_type="device", **lie), 401, "ERR_401_SIGNATURE_INVALID")
    Session.objects.filter(device_id=made.id).update(revoked_at=timezone.now())
    refused(exchanged(installed, grant_type="device", **signed()), 401, "ERR_401_TOKEN_INVALID")
    device_services.suspend(device_ids=[made.id])
    refused(exchanged(installed, grant_type="device", **signed()), 403, "ERR_403_DEVICE_REVOKED")


@pytest.mark.parametrize(
    ("sent", "missing"),
    [
        ({"grant_type": "refresh_token"}, ["refresh_token"]),
        ({"grant_type": "device"}, ["device_id", "challenge_id", "signature"]),
        ({"signature": "AAAA"}, ["device_id", "challenge_id"]),
        ({"grant_type": "session"}, ["Authorization"]),
        ({}, ["Authorization"]),
    ],
)
def test_a_grant_that_lacks_something_says_what(db: None, sent: dict[str, Any], missing: list[str]) -> None:
    assert refused(exchanged(app(), **sent), 400, "ERR_400_GRANT")["details"]["missing"] == missing


def test_no_scope_beyond_ones_role(ann: Person) -> None:
    viewer, installed = colleague(ann, "viewer@example.com", Role.VIEWER), app()
    for scopes in (["data.write"], ["data.read", "upload"]):
        refused(exchanged(installed, viewer.api, scopes=scopes), 403, "ERR_403_SCOPE")
    assert data_of(exchanged(installed, viewer.api))["scopes"] == ["data.read"]
    refused(exchanged(installed, viewer.api, scopes=["everything"]), 400, "ERR_400_VALIDATION")
    refused(Api(viewer.api.token).post(EXCHANGE, {"client_id": str(uuid4())}), 401, "ERR_401_CLIENT_INVALID")


def test_a_refresh_token_of_another_installation_buys_nothing(ann: Person) -> None:
    login = app().logged_in(ann)
    refused(exchanged(app(), refresh_token=login["refresh_token"]), 401, "ERR_401_REFRESH_INVALID")
    refused(Api().post(REFRESH, {"refresh_token": "x"}), 400, "ERR_400_VALIDATION")
