"""Logins of installed apps over HTTP: each is bound to its installation, and renewed by it alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.utils import timezone

from accounts import policy_changes, services
from accounts.models import GuessCount, LoginAttempt, RefreshToken, Session
from devices import installations
from devices.models import Installation
from tests.api.envelopes import data_of, refused
from tests.api.people import PASSWORD, Api, Person
from tests.devices.machines import APP, CLIENTS, EXCHANGE, LOGIN, App, app, machine, signature

pytestmark = pytest.mark.django_db


def test_a_login_is_bound_to_its_installation_for_thirty_days(ann: Person) -> None:
    installed = app()
    found = installed.logged_in(ann, device_name="Laptop")
    assert found["user"] == {
        "id": str(ann.actor.user_id),
        "email": "ann@example.com",
        "full_name": "Ann Ames",
        "role": "admin",
        "organization_id": str(ann.actor.organization_id),
    }
    assert 29 * 86400 < found["refresh_expires_in"] <= 30 * 86400
    assert (found["expires_in"], found["device_registered"], found["token_type"]) == (3600, False, "Bearer")
    session = Session.objects.get(pk=found["session_id"])
    assert (str(session.client_id), session.device_id, session.device_name) == (installed.id, None, "Laptop")
    assert "device_id" not in jwt.decode(found["access_token"], options={"verify_signature": False})
    made = machine(Api(found["access_token"]))
    assert installed.logged_in(ann, device_id=made.id)["device_registered"] is True
    assert installed.logged_in(ann, device_id=str(uuid4()))["device_registered"] is False


def test_an_installation_proves_itself_before_a_password_is_looked_at(ann: Person, anyone: Api) -> None:
    installed, before = app(), LoginAttempt.objects.count()
    refused(installed.log_in(ann, client_secret="wrong"), 401, "ERR_401_CLIENT_INVALID")
    refused(installed.log_in(ann, client_secret=""), 401, "ERR_401_CLIENT_INVALID")
    refused(installed.log_in(ann, client_id=str(uuid4())), 401, "ERR_401_CLIENT_INVALID")
    assert LoginAttempt.objects.count() == before
    data_of(app(platform="ios").log_in(ann))
    installations.switch_off(client_ids=[installed.id])
    refused(installed.log_in(ann), 401, "ERR_401_CLIENT_INVALID")


def test_wrong_credentials_are_one_answer_and_are_counted_once_wherever_they_come_from(ann: Person) -> None:
    installed = app()
    said = refused(installed.log_in(ann, password="wrong"), 401, "ERR_401_INVALID_CREDENTIALS")
    assert refused(installed.log_in(ann, username="nobody@example.com"), 401, "ERR_401_INVALID_CREDENTIALS") == said
    for number in range(9):
        answer = installed.api.post(
            LOGIN,
            {
                "client_id": installed.id,
                "client_secret": installed.about["client_secret"],
                "username": ann.email,
                "password": "wrong",
            },
            X_Forwarded_For=f"203.0.113.{number}",
        )
        refused(answer, 401, "ERR_401_INVALID_CREDENTIALS")
    refused(installed.log_in(ann), 403, "ERR_403_ACCOUNT_LOCKED")
    ordinary = Api().post("/api/v1/auth/jwt/login", {"username": ann.email, "password": PASSWORD})
    refused(ordinary, 403, "ERR_403_ACCOUNT_LOCKED")
    assert {len(each.tries) for each in GuessCount.objects.all()} == {10, 1}


def test_the_limit_of_logins_is_one_for_all_of_them(ann: Person, settings: Any) -> None:
    settings.RATE_LIMITS = True
    body = {"client_id": str(uuid4()), "username": ann.email, "password": "wrong"}
    seen = []
    for number in range(3):
        forwarded = {"X_Forwarded_For": f"203.0.113.{number}"}
        seen.append(Api().post(LOGIN, body, **forwarded).status_code)
        seen.append(Api().post(EXCHANGE, {"client_id": str(uuid4())}, **forwarded).status_code)
    assert seen == [401, 400, 401, 400, 401, 429]
    assert Api().post(CLIENTS, APP).status_code == 429


def test_a_second_factor_is_owed_here_too(ann: Person, anyone: Api) -> None:
    installed = app()
    policy_changes.change(actor=ann.actor, changes={"mfa_required_roles": ["admin"]}, address="127.0.0.1")
    error = refused(installed.log_in(ann), 401, "ERR_401_MFA_REQUIRED")
    assert set(error["details"]) == {"mfa_token", "methods", "expires_at"}
    assert not Session.objects.filter(client_id=installed.id).exists()


def test_a_refresh_token_works_once_and_only_with_its_installation(ann: Person) -> None:
    installed, other = app(), app()
    first = installed.logged_in(ann)
    refused(other.refresh(first["refresh_token"]), 401, "ERR_401_REFRESH_INVALID")
    refused(App({"client_id": str(uuid4())}).refresh(first["refresh_token"]), 401, "ERR_401_REFRESH_INVALID")
    refused(installed.refresh(first["access_token"]), 401, "ERR_401_REFRESH_INVALID")
    refused(installed.refresh("rubbish"), 401, "ERR_401_REFRESH_INVALID")
    second = data_of(installed.refresh(first["refresh_token"]))
    assert set(second) == {
        "access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "session_id", "server_time",
    }  # fmt: skip
    assert second["session_id"] == first["session_id"]
    assert Api(second["access_token"]).get("/api/auth/me").status_code == 200
    assert data_of(installed.refresh(second["refresh_token"]))["expires_in"] == 3600


def test_a_token_that_comes_twice_ends_every_login_of_the_installation(ann: Person, otto: Person) -> None:
    installed, other = app(), app()
    first, beside, elsewhere = installed.logged_in(ann), installed.logged_in(otto), other.logged_in(ann)
    data_of(installed.refresh(first["refresh_token"]))
    refused(other.refresh(first["refresh_token"]), 401, "ERR_401_REFRESH_INVALID")  # Nothing ends by that.
    assert Api(first["access_token"]).get("/api/auth/me").status_code == 200
    refused(installed.refresh(first["refresh_token"]), 401, "ERR_401_REFRESH_REUSED")
    for ended in (first, beside):
        assert Api(ended["access_token"]).get("/api/auth/me").status_code == 401
    for alive in (elsewhere["access_token"], ann.api.token):
        assert Api(alive).get("/api/auth/me").status_code == 200


DOORS: list[tuple[str, str]] = [
    ("/api/auth/refresh", "body"),
    ("/api/v1/auth/refresh", "body"),
    ("/v1/auth/refresh", "body"),
    ("/api/auth/refresh", "bearer"),
    ("/api/v1/auth/refresh", "bearer"),
]


@pytest.mark.parametrize(("path", "how"), DOORS)
def test_native_tokens_are_refused_at_every_other_door(ann: Person, path: str, how: str) -> None:
    installed = app()
    found = installed.logged_in(ann)
    for token in (found["refresh_token"], found["access_token"]):
        answer = Api(token if how == "bearer" else "").post(path, {"refresh_token": token} if how == "body" else {})
        assert answer.status_code == 401, answer.content
    assert not RefreshToken.objects.exclude(used_at=None).exists()
    data_of(installed.refresh(found["refresh_token"]))


def test_a_native_login_is_not_renewed_by_validating_it(ann: Person) -> None:
    found = app().logged_in(ann)
    answer = Api(found["access_token"]).post("/api/v1/enhanced-auth/session/validate", {"renew": True})
    refused(answer, 401, "ERR_401_REFRESH_INVALID")
    assert Api(found["access_token"]).get("/api/auth/me").status_code == 200


def test_ordinary_tokens_are_refused_here(ann: Person) -> None:
    assert ann.tokens.refresh_token is not None
    refused(app().refresh(ann.tokens.refresh_token), 401, "ERR_401_REFRESH_INVALID")
    assert services.refresh(token=ann.tokens.refresh_token, access_seconds=60).expires_in == 60


def test_a_devices_login_is_renewed_with_its_id(ann: Person) -> None:
    installed = app()
    made = machine(Api(installed.logged_in(ann)["access_token"]))
    found = made.signed_in()
    assert Session.objects.filter(device_id=made.id, client_id=installed.id).count() > 0
    token = found["refresh_token"]
    refused(installed.refresh(token), 401, "ERR_401_REFRESH_INVALID")
    refused(installed.refresh(token, device_id=str(uuid4())), 401, "ERR_401_REFRESH_INVALID")
    wrong = signature(made.key, "something else")
    refused(installed.refresh(token, device_id=made.id, signature=wrong), 401, "ERR_401_SIGNATURE_INVALID")
    right = signature(made.key, token)
    renewed = data_of(installed.refresh(token, device_id=made.id, signature=right))
    assert jwt.decode(renewed["access_token"], options={"verify_signature": False})["device_id"] == made.id
    assert data_of(installed.refresh(renewed["refresh_token"], device_id=made.id))["session_id"] == found["session_id"]


def test_a_device_of_no_installation_signs_again_instead(ann: Person) -> None:
    found = machine(ann).signed_in()
    assert found["refresh_token"] is None
    ends = Session.objects.get(pk=found["session_id"]).expires_at
    assert ends <= timezone.now() + timedelta(seconds=3600)
    assert Api(found["access_token"]).post("/api/auth/refresh", {}).status_code == 401


def test_an_installation_that_is_switched_off_ends_its_logins(ann: Person) -> None:
    installed = app()
    found = installed.logged_in(ann)
    made = machine(Api(found["access_token"]))
    installations.switch_off(client_ids=[installed.id])
    assert Api(found["access_token"]).get("/api/auth/me").status_code == 401
    refused(installed.refresh(found["refresh_token"]), 401, "ERR_401_REFRESH_INVALID")
    refused(made.answer(), 401, "ERR_401_CLIENT_INVALID")


def test_nobody_logs_in_with_what_was_never_used(ann: Person) -> None:
    used, unused = app(), app()
    used.logged_in(ann)
    Installation.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert installations.forget_unused(now=timezone.now(), limit=10) == 1
    refused(unused.log_in(ann), 401, "ERR_401_CLIENT_INVALID")
    data_of(used.log_in(ann))
