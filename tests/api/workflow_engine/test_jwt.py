"""`/api/v1/auth`: logging in, refreshing, logging out, as clients of 003 do."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from accounts.models import Session, User
from tests.api.envelopes import data_of, refused
from tests.api.people import PASSWORD, Api, Person, founder

pytestmark = pytest.mark.django_db

LOGIN = "/api/v1/auth/jwt/login"
REFRESH = "/api/v1/auth/refresh"
LOGOUT = "/api/v1/auth/logout"
FORM = "application/x-www-form-urlencoded"


def credentials(person: Person, **more: object) -> dict[str, object]:
    return {"username": person.email, "password": PASSWORD, **more}


def test_a_login_answers_the_five_documented_keys_and_ours_without_an_envelope(ann: Person, anyone: Api) -> None:
    answer = anyone.post(LOGIN, credentials(ann))
    assert answer.status_code == 200
    body = answer.json()
    assert {"access_token", "token_type", "expires_in", "user_id", "role"} <= set(body)
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert body["user_id"] == str(ann.actor.user_id)
    assert body["role"] == "admin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert Session.objects.get(pk=body["session_id"]).dialect == "workflow_engine"


def test_a_form_logs_in_too(ann: Person, anyone: Api) -> None:
    answer = anyone.post(LOGIN, raw=urlencode(credentials(ann)).encode(), media=FORM)
    assert answer.status_code == 200
    assert Api(answer.json()["access_token"]).get("/api/auth/me").status_code == 200


def test_whoever_has_an_organization_to_themselves_is_shown_as_user(anyone: Api) -> None:
    alone = founder("alone@example.com", None)
    assert anyone.made(LOGIN, credentials(alone))["role"] == "user"


def test_a_token_of_one_dialect_opens_the_others(ann: Person, anyone: Api) -> None:
    token = anyone.made(LOGIN, credentials(ann))["access_token"]
    assert Api(token).get("/api/workflows").status_code == 200
    assert data_of(ann.api.post(LOGOUT, {}))["revoked_sessions"] == 1
    assert ann.api.get("/api/workflows").status_code == 401


@pytest.mark.parametrize("media", ["json", "form"])
def test_wrong_credentials_are_one_answer(ann: Person, anyone: Api, media: str) -> None:
    said = set()
    for name, password in ((ann.email, "wrong"), ("nobody@example.com", PASSWORD), ("nobody", "wrong")):
        given = {"username": name, "password": password}
        answer = (
            anyone.post(LOGIN, given)
            if media == "json"
            else anyone.post(LOGIN, raw=urlencode(given).encode(), media=FORM)
        )
        said.add(refused(answer, 401, "ERR_401_INVALID_CREDENTIALS")["message"])
    assert len(said) == 1
    assert not Session.objects.filter(dialect="workflow_engine").exists()


def test_an_inactive_account_is_told_so_after_the_right_password_only(ann: Person, anyone: Api) -> None:
    User.objects.update(is_active=False)
    refused(anyone.post(LOGIN, credentials(ann)), 403, "ERR_403_ACCOUNT_INACTIVE")
    refused(anyone.post(LOGIN, credentials(ann, password="wrong")), 401, "ERR_401_INVALID_CREDENTIALS")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": "a@b.example"}, "password"),
        ({"username": "ab", "password": "x"}, "username"),
        ({"username": "a@b.example", "password": ""}, "password"),
        ({"username": "a@b.example", "password": "x" * 257}, "password"),
        ({"username": ["a@b.example"], "password": "x"}, "username"),
    ],
)
def test_a_wrong_field_is_named_with_its_issue(anyone: Api, body: dict[str, object], field: str) -> None:
    error = refused(anyone.post(LOGIN, body), 400, "ERR_400_VALIDATION")
    assert error["details"]["field"] == field
    assert error["details"]["issue"].endswith(".")


@pytest.mark.parametrize("raw", [b"[]", b'{"a":', b"\xff", b"username=a%00b&password=x"])
def test_an_unreadable_body_is_refused(anyone: Api, raw: bytes) -> None:
    media = FORM if raw.startswith(b"user") else "application/json"
    refused(anyone.post(LOGIN, raw=raw, media=media), 400, "ERR_400_VALIDATION")


def test_a_refresh_rotates_and_a_second_use_ends_the_login(ann: Person, anyone: Api) -> None:
    first = anyone.made(LOGIN, credentials(ann))
    second = anyone.made(REFRESH, {"refresh_token": first["refresh_token"]})
    assert second["session_id"] == first["session_id"]
    assert second["refresh_token"] != first["refresh_token"]
    assert Api(second["access_token"]).get("/api/workflows").status_code == 200


def test_a_live_access_token_refreshes_where_no_refresh_token_is_known(ann: Person, anyone: Api) -> None:
    first = anyone.made(LOGIN, credentials(ann))
    again = Api(first["access_token"]).made(REFRESH)
    assert again["user_id"] == str(ann.actor.user_id)
    assert again["expires_in"] == 3600


@pytest.mark.parametrize("token", ["", "garbage"])
def test_without_a_good_token_there_is_no_refresh(anyone: Api, token: str) -> None:
    answer = anyone.post(REFRESH, {"refresh_token": token})
    refused(answer, 401, "ERR_401_REFRESH_INVALID")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_logout_kills_the_token_and_a_second_one_is_401(ann: Person, anyone: Api) -> None:
    client = Api(anyone.made(LOGIN, credentials(ann))["access_token"])
    assert data_of(client.post(LOGOUT, {}))["logged_out_at"].endswith("Z")
    refused(client.post(LOGOUT, {}), 401, "ERR_401_TOKEN_INVALID")
    assert ann.api.get("/api/auth/me").status_code == 200


def test_a_logout_everywhere_ends_every_login_of_the_person(ann: Person, otto: Person, anyone: Api) -> None:
    client = Api(anyone.made(LOGIN, credentials(ann))["access_token"])
    assert data_of(client.post(LOGOUT, {"all_sessions": True}))["revoked_sessions"] == 2
    assert ann.api.get("/api/auth/me").status_code == 401
    assert otto.api.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/native/nothing", "/public/nothing", "/api/v1"])
def test_unknown_addresses_are_said_in_the_shared_envelope(anyone: Api, path: str) -> None:
    refused(anyone.get(path), 404, "ERR_404_NOT_FOUND")


def test_a_wrong_method_names_the_right_one(anyone: Api) -> None:
    answer = anyone.get(LOGIN)
    refused(answer, 405, "ERR_405_METHOD")
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == {"POST", "OPTIONS"}


def test_a_trailing_slash_changes_nothing(ann: Person, anyone: Api) -> None:
    assert anyone.post(f"{LOGIN}/", credentials(ann)).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_refresh_token_that_comes_back_ends_the_whole_login(ann: Person, anyone: Api) -> None:
    first = anyone.made(LOGIN, credentials(ann))
    second = anyone.made(REFRESH, {"refresh_token": first["refresh_token"]})
    refused(anyone.post(REFRESH, {"refresh_token": first["refresh_token"]}), 401, "ERR_401_REFRESH_REUSED")
    refused(anyone.post(REFRESH, {"refresh_token": second["refresh_token"]}), 401, "ERR_401_SESSION_REVOKED")
    assert Api(second["access_token"]).get("/api/workflows").status_code == 401
