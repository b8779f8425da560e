"""`/api/v1/auth` as clients of 004 use it: registering, logging in by form or JSON, and who one is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from accounts.models import Session, User
from tests.api.envelopes import refused
from tests.api.people import PASSWORD, Api, Person
from tests.api.workflow_engine.browsers import Browser

pytestmark = pytest.mark.django_db

REGISTER = "/api/v1/auth/register"
LOGIN = "/api/v1/auth/login"
ME = "/api/v1/auth/me"
REFRESH = "/api/v1/auth/refresh"
FORM = "application/x-www-form-urlencoded"
JOHN = {"email": "John@Example.com", "username": "JohnD", "password": PASSWORD, "full_name": "John Ronald Doe"}


@pytest.fixture
def john(anyone: Api) -> dict[str, Any]:
    return anyone.made(REGISTER, JOHN)


def form(api: Api, media: str = FORM, **fields: str) -> Any:
    return api.post(LOGIN, raw=urlencode(fields).encode(), media=media)


def test_somebody_registers_and_is_shown_as_004_shows_people(anyone: Api, john: dict[str, Any]) -> None:
    assert set(john) == {"id", "email", "username", "full_name", "role", "is_verified"}
    assert john | {"id": ""} == {
        "id": "",
        "email": "john@example.com",
        "username": "JohnD",
        "full_name": "John Ronald Doe",
        "role": "user",
        "is_verified": False,
    }
    token = form(anyone, username="john@example.com", password=PASSWORD).json()["access_token"]
    assert Api(token).get(ME).json() == john


@pytest.mark.parametrize("name", ["john@example.com", "JOHN@example.com ", "JohnD", "johnd"])
@pytest.mark.parametrize("media", [FORM, "application/json", f"application/json, {FORM}"])
def test_a_login_takes_either_name_in_any_case_by_form_or_json(
    anyone: Api, john: dict[str, Any], name: str, media: str
) -> None:
    given = {"username": name, "password": PASSWORD}
    answer = anyone.post(LOGIN, given) if media == "application/json" else form(anyone, media, **given)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 1800)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_multipart_form_logs_in_too(anyone: Api, john: dict[str, Any]) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\nJohnD\r\n'
    body += b'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n' + PASSWORD.encode() + b"\r\n--x--\r\n"
    assert anyone.post(LOGIN, raw=body, media="multipart/form-data; boundary=x").status_code == 200


def test_the_name_of_003s_login_is_either_one_too(anyone: Api, john: dict[str, Any]) -> None:
    body = anyone.made("/api/v1/auth/jwt/login", {"username": "johnd", "password": PASSWORD})
    assert body["user_id"] == john["id"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": "jo"}, "username"),
        ({"username": "john doe"}, "username"),
        ({"username": "else@example.com"}, "username"),
        ({"full_name": ""}, "full_name"),
        ({"full_name": "a\x07b"}, "full_name"),
        ({"full_name": "x" * 256}, "full_name"),
        ({"email": "nobody"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": None}, "password"),
    ],
)
def test_a_wrong_field_is_422_with_its_name(anyone: Api, change: dict[str, Any], field: str) -> None:
    answer = anyone.post(REGISTER, JOHN | change)
    refused(answer, 422, "ERR_422_VALIDATION")
    body = answer.json()
    assert isinstance(body["detail"], str)
    assert field in {each["field"] for each in body["errors"]}
    assert not User.objects.exists()


@pytest.mark.parametrize("raw", [b"[]", b"{", b""])
def test_what_is_no_json_object_is_400_or_names_what_is_missing(anyone: Api, raw: bytes) -> None:
    assert anyone.post(REGISTER, raw=raw).status_code == (422 if raw == b"" else 400)


@pytest.mark.parametrize("change", [{"username": "other"}, {"email": "other@example.com", "username": "JOHND"}])
def test_a_taken_address_or_name_is_400(anyone: Api, john: dict[str, Any], change: dict[str, str]) -> None:
    refused(anyone.post(REGISTER, JOHN | change), 400, "ERR_400_TAKEN")
    assert User.objects.count() == 1


def test_a_name_may_be_ones_own_address_and_one_name_is_enough(anyone: Api) -> None:
    made = anyone.made(REGISTER, JOHN | {"username": "john@example.com", "full_name": "Cher"})
    assert (made["username"], made["full_name"]) == ("john@example.com", "Cher")


def test_whoever_registered_elsewhere_is_named_by_their_address(ann: Person) -> None:
    found = ann.api.get(ME).json()
    assert (found["username"], found["role"]) == (ann.email, "admin")


def test_wrong_credentials_are_one_answer(anyone: Api, john: dict[str, Any]) -> None:
    told = [
        refused(form(anyone, username=name, password=password), 401, "ERR_401_INVALID_CREDENTIALS")["message"]
        for name, password in (("JohnD", "wrong"), ("nobody", PASSWORD), ("no@example.com", "x"), ("a\udcffb", "x"))
        if name.isprintable()
    ]
    assert len(set(told)) == 1
    assert not Session.objects.exists()


@pytest.mark.parametrize("fields", [{}, {"username": "JohnD"}, {"password": "x"}, {"username": "", "password": "x"}])
def test_a_missing_field_is_422(anyone: Api, fields: dict[str, str]) -> None:
    refused(form(anyone, **fields), 422, "ERR_422_VALIDATION")


def test_a_disabled_account_is_told_so_after_the_right_password_only(anyone: Api, john: dict[str, Any]) -> None:
    User.objects.update(is_active=False)
    refused(form(anyone, username="JohnD", password=PASSWORD), 403, "ERR_403_ACCOUNT_INACTIVE")
    refused(form(anyone, username="JohnD", password="wrong"), 401, "ERR_401_INVALID_CREDENTIALS")


def test_a_refresh_with_the_bearer_alone_keeps_to_004s_half_hour(anyone: Api, john: dict[str, Any]) -> None:
    first = form(anyone, username="JohnD", password=PASSWORD).json()
    again = Api(first["access_token"]).made(REFRESH)
    assert (again["token_type"], again["expires_in"]) == ("bearer", 1800)
    assert Api(again["access_token"]).get(ME).status_code == 200


def test_a_browser_may_have_the_login_in_cookies(john: dict[str, Any]) -> None:
    browser = Browser()
    answer = browser.call("POST", LOGIN, {"username": "JohnD", "password": PASSWORD}, X_Session_Cookies="on")
    assert set(answer.json()) == {"token_type", "expires_in", "csrf_token"}
    assert browser.call("GET", ME).json() == john


def test_me_is_closed(anyone: Api) -> None:
    answer = anyone.get(ME)
    refused(answer, 401, "ERR_401_TOKEN_INVALID")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
