"""`/v1/auth` as clients of 002 use it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Session, User
from tests.accounts.authenticator import App
from tests.api.envelopes import orchestrator_refusal
from tests.api.people import PASSWORD, Api, Person

pytestmark = pytest.mark.django_db

AUTH = "/v1/auth"


def login(api: Api, person: Person, **more: str) -> Any:
    return api.post(f"{AUTH}/login", {"email": person.email, "password": PASSWORD, **more})


def test_a_login_gives_tokens_for_a_day(ann: Person, anyone: Api) -> None:
    body = login(anyone, ann).json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 86_400)
    assert body["user"] == {
        "id": str(ann.actor.user_id),
        "email": ann.email,
        "organization_id": str(ann.actor.organization_id),
        "role": "admin",
    }
    session = Session.objects.get(dialect="orchestrator")
    assert 29 < (session.expires_at - timezone.now()).total_seconds() / 86_400 < 31
    assert Api(body["access_token"]).get("/api/v1/auth/me").status_code == 200


def test_a_refresh_rotates_and_a_second_use_ends_the_login(ann: Person, anyone: Api) -> None:
    first = login(anyone, ann).json()
    second = anyone.made(f"{AUTH}/refresh", {"refresh_token": first["refresh_token"]})
    assert set(second) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert second["refresh_token"] != first["refresh_token"]


@pytest.mark.parametrize("token", ["garbage", "", "access"])
def test_only_a_refresh_token_refreshes(ann: Person, anyone: Api, token: str) -> None:
    given = ann.tokens.access_token if token == "access" else token
    answer = anyone.post(f"{AUTH}/refresh", {"refresh_token": given})
    orchestrator_refusal(answer, 401, "AUTHENTICATION_REQUIRED")


def test_a_logout_says_so_and_kills_the_token(ann: Person, anyone: Api) -> None:
    client = Api(login(anyone, ann).json()["access_token"])
    assert client.made(f"{AUTH}/logout") == {"message": "Successfully logged out"}
    orchestrator_refusal(client.post(f"{AUTH}/logout"), 401, "AUTHENTICATION_REQUIRED")


def test_refusals_are_002s(ann: Person, anyone: Api) -> None:
    wrong = anyone.post(f"{AUTH}/login", {"email": ann.email, "password": "wrong"})
    assert orchestrator_refusal(wrong, 401, "AUTHENTICATION_REQUIRED")["details"] == []
    for bad in ({"email": ""}, {"email": "nobody"}, {"password": ""}):
        body = {"email": ann.email, "password": PASSWORD, **bad}
        error = orchestrator_refusal(anyone.post(f"{AUTH}/login", body), 422, "VALIDATION_ERROR")
        assert [each["field"] for each in error["details"]] == list(bad)
    missing = orchestrator_refusal(anyone.post(f"{AUTH}/login", {"email": ann.email}), 422, "VALIDATION_ERROR")
    assert missing["details"] == [{"field": "password", "message": "This field is required."}]
    orchestrator_refusal(anyone.post(f"{AUTH}/login", raw=b"{"), 400, "INVALID_REQUEST")
    orchestrator_refusal(anyone.get("/v1/nothing"), 404, "RESOURCE_NOT_FOUND")
    orchestrator_refusal(anyone.get(f"{AUTH}/login"), 405, "INVALID_REQUEST")
    User.objects.update(is_active=False)
    orchestrator_refusal(login(anyone, ann), 403, "INSUFFICIENT_PERMISSIONS")


def test_a_second_factor_is_off_until_its_first_code_and_asked_for_from_then_on(ann: Person, anyone: Api) -> None:
    enrolled = ann.api.post(f"{AUTH}/mfa/enroll")
    assert enrolled.status_code == 201
    assert set(enrolled.json()) == {"secret", "otpauth_uri", "recovery_codes"}
    app = App(enrolled.json()["secret"])
    recovery = enrolled.json()["recovery_codes"]
    assert len(set(recovery)) == 10
    assert "access_token" in login(anyone, ann).json()
    orchestrator_refusal(ann.api.post(f"{AUTH}/mfa/verify", {"otp_code": app.wrong()}), 401, "AUTHENTICATION_REQUIRED")
    assert ann.api.made(f"{AUTH}/mfa/verify", {"otp_code": app.code()}) == {"mfa_enabled": True}
    orchestrator_refusal(ann.api.post(f"{AUTH}/mfa/verify", {"otp_code": app.code()}), 409, "CONFLICT")
    orchestrator_refusal(ann.api.post(f"{AUTH}/mfa/enroll"), 409, "CONFLICT")
    assert login(anyone, ann).json()["mfa_required"] is True
    assert "access_token" in login(anyone, ann, otp_code=app.code(steps=1)).json()
    assert "access_token" in login(anyone, ann, otp_code=recovery[0]).json()
    orchestrator_refusal(login(anyone, ann, otp_code=recovery[0]), 401, "AUTHENTICATION_REQUIRED")
