"""`/api/auth` with the bodies of 000 and 001."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from accounts.models import Membership, Organization, Session, User
from audit.models import AuditEvent
from tests.api.graphs import CROSS_SYSTEM, LOGIN, REGISTRATION
from tests.api.people import PASSWORD, Api, Person, refusal
from tests.api.shapes import USER, wrong

pytestmark = pytest.mark.django_db


@pytest.fixture
def john(anyone: Api) -> dict[str, Any]:
    return anyone.made("/api/auth/register", REGISTRATION)


@pytest.fixture
def tokens(anyone: Api, john: dict[str, Any]) -> dict[str, Any]:
    return anyone.made("/api/auth/login", LOGIN)


def test_the_registration_of_001_answers_every_documented_key(anyone: Api) -> None:
    answer = anyone.post("/api/auth/register", REGISTRATION)
    assert answer.status_code == 201
    body = answer.json()
    assert wrong(body, USER) == []
    assert {name: body[name] for name in ("email", "first_name", "last_name", "company", "is_active")} == {
        "email": "user@example.com",
        "first_name": "John",
        "last_name": "Doe",
        "company": "AutoDealer Inc.",
        "is_active": True,
    }
    assert "user" in body["roles"]
    assert "password" not in answer.content.decode()


def test_organization_name_of_000_is_the_company(anyone: Api) -> None:
    given = {name: REGISTRATION[name] for name in REGISTRATION if name != "company"}
    body = anyone.made("/api/auth/register", {**given, "organization_name": "Dealer of 000"})
    assert body["company"] == body["organization_name"] == "Dealer of 000"


def test_company_wins_when_both_names_are_given(anyone: Api) -> None:
    body = anyone.made("/api/auth/register", {**REGISTRATION, "organization_name": "Another"})
    assert body["company"] == "AutoDealer Inc."


def test_without_a_company_the_organization_is_a_personal_one(anyone: Api) -> None:
    given = {name: REGISTRATION[name] for name in REGISTRATION if name != "company"}
    assert anyone.made("/api/auth/register", given)["company"] is None


def test_a_taken_email_is_400_in_every_edition_and_stores_nothing(anyone: Api, john: dict[str, Any]) -> None:
    for edition in ("2024-01-15", "2025-08-08", "2023-12-01"):
        answer = anyone.post("/api/auth/register", {**REGISTRATION, "company": "B"}, API_Version=edition)
        assert answer.status_code == 400
    refusal(anyone.post("/api/auth/register", {**REGISTRATION, "email": " USER@Example.com"}), 400, "VAL_001")
    assert (User.objects.count(), Organization.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"email": "not an address"}, "VAL_003", "email"),
        ({"email": None}, "VAL_001", "email"),
        ({"password": "short1"}, "VAL_001", "password"),
        ({"password": "password"}, "VAL_001", "password"),
        ({"first_name": "  "}, "VAL_002", "first_name"),
        ({"last_name": 7}, "VAL_001", "last_name"),
        ({"company": "x" * 201}, "VAL_001", "company"),
    ],
)
def test_a_wrong_field_is_named(anyone: Api, changed: dict[str, Any], code: str, field: str) -> None:
    error = refusal(anyone.post("/api/auth/register", REGISTRATION | changed), 400, code)
    assert error["details"]["field"] == field
    assert error["details"]["reason"]
    assert User.objects.count() == 0


def test_a_missing_field_is_val_002(anyone: Api) -> None:
    error = refusal(anyone.post("/api/auth/register", {"email": "user@example.com"}), 400, "VAL_002")
    assert {each["field"] for each in error["details"]["problems"]} == {"password", "first_name", "last_name"}


def test_the_login_of_001_gives_both_documents_tokens(anyone: Api, john: dict[str, Any]) -> None:
    answer = anyone.post("/api/auth/login", LOGIN)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 1800)
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert set(claims) >= {"sub", "email", "org_id", "role", "permissions", "iat", "exp", "jti"}
    assert (claims["sub"], claims["email"], claims["exp"] - claims["iat"]) == (john["id"], "user@example.com", 1800)
    refresh = jwt.decode(body["refresh_token"], options={"verify_signature": False})
    assert refresh["exp"] - refresh["iat"] == 7 * 24 * 3600


def test_every_wrong_credential_gets_one_answer(anyone: Api, john: dict[str, Any]) -> None:
    messages = {
        refusal(anyone.post("/api/auth/login", LOGIN | wrong_part), 401, "AUTH_001")["message"]
        for wrong_part in ({"password": "another"}, {"email": "nobody@example.com"})
    }
    assert len(messages) == 1
    assert anyone.post("/api/auth/login", LOGIN | {"password": "x"}).headers["WWW-Authenticate"] == "Bearer"
    assert Session.objects.count() == 0


@pytest.mark.parametrize(
    ("part", "code"),
    [({"email": "not an address"}, "VAL_003"), ({"email": ""}, "VAL_002"), ({"password": ""}, "VAL_001")],
)
def test_what_can_be_nobodys_credential_is_invalid_input(
    anyone: Api, john: dict[str, Any], part: dict[str, str], code: str
) -> None:
    error = refusal(anyone.post("/api/auth/login", LOGIN | part), 400, code)
    assert error["details"]["field"] == next(iter(part))


def test_an_inactive_account_is_told_after_the_right_password_only(anyone: Api, john: dict[str, Any]) -> None:
    Membership.objects.update(is_active=False)
    refusal(anyone.post("/api/auth/login", LOGIN), 400, "AUTH_004")
    refusal(anyone.post("/api/auth/login", LOGIN | {"password": "another"}), 401, "AUTH_001")


def test_login_ignores_a_bad_token_in_the_header(anyone: Api, john: dict[str, Any]) -> None:
    anyone.token = "garbage"
    assert anyone.post("/api/auth/login", LOGIN).status_code == 200


def test_me_says_who_and_what_they_may(ann: Person) -> None:
    answer = ann.api.get("/api/auth/me")
    body = answer.json()
    assert wrong(body, {**USER, "permissions": ["string"]}) == []
    assert body["roles"] == ["user", "admin"]
    assert {"workflow:read", "workflow:create", "ai:route", "metrics:read"} <= set(body["permissions"])
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_viewer_has_fewer_permissions(viewer: Person) -> None:
    assert "workflow:create" not in viewer.api.get("/api/auth/me").json()["permissions"]


def test_refresh_with_the_access_token_as_bearer_as_001_writes_it(anyone: Api, tokens: dict[str, Any]) -> None:
    anyone.token = tokens["access_token"]
    body = anyone.made("/api/auth/refresh")
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert body["access_token"] != tokens["access_token"]
    assert Api(body["access_token"]).get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("as_bearer", [True, False])
def test_refresh_with_the_refresh_token_rotates_it(anyone: Api, tokens: dict[str, Any], as_bearer: bool) -> None:
    if as_bearer:
        body = Api(tokens["refresh_token"]).made("/api/auth/refresh")
    else:
        body = anyone.made("/api/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert body["refresh_token"] not in ("", tokens["refresh_token"])
    again = anyone.post("/api/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    refusal(again, 401, "AUTH_001")
    assert Api(body["access_token"]).get("/api/auth/me").status_code == 401  # Reuse ends the whole login.


def test_refresh_without_any_token_is_401(anyone: Api) -> None:
    refusal(anyone.post("/api/auth/refresh"), 401, "AUTH_001")
    refusal(anyone.post("/api/auth/refresh", {}), 401, "AUTH_001")


def test_logout_bites_at_once_and_ends_the_refresh_token(anyone: Api, tokens: dict[str, Any]) -> None:
    mine = Api(tokens["access_token"])
    answer = mine.post("/api/auth/logout", {"refresh_token": tokens["refresh_token"]})
    assert (answer.status_code, answer.content) == (204, b"")
    refusal(mine.get("/api/auth/me"), 401, "AUTH_001")
    refusal(anyone.post("/api/auth/refresh", {"refresh_token": tokens["refresh_token"]}), 401, "AUTH_001")
    refusal(mine.post("/api/auth/logout"), 401, "AUTH_001")


def test_logout_takes_no_body_too(ann: Person) -> None:
    assert ann.api.post("/api/auth/logout").status_code == 204


def test_the_cross_system_token_of_001(ann: Person) -> None:
    body = ann.api.made("/api/auth/cross-system-token", CROSS_SYSTEM)
    assert wrong(body, {"token": "string", "expires_at": "datetime", "permissions": ["string"]}) == []
    assert body["permissions"] == ["ai:route", "metrics:read"]
    refusal(Api(body["token"]).get("/api/auth/me"), 401, "AUTH_001")
    refusal(Api(body["token"]).post("/api/auth/refresh"), 401, "AUTH_001")
    told = AuditEvent.objects.of(ann.actor).get(event_type="auth.cross_system_token.issued")
    assert (told.user_id, told.resource_id) == (ann.actor.user_id, "relaycore")
    assert told.details["permissions"] == ["ai:route", "metrics:read"]
    assert body["token"] not in str(vars(told))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**CROSS_SYSTEM, "target_system": "elsewhere"}, 400, "VAL_001"),
        ({**CROSS_SYSTEM, "permissions": []}, 400, "VAL_002"),
        ({**CROSS_SYSTEM, "permissions": ["root:everything"]}, 403, "AUTH_003"),
        ({"permissions": ["ai:route"]}, 400, "VAL_002"),
    ],
)
def test_a_cross_system_token_is_refused(ann: Person, body: dict[str, Any], status: int, code: str) -> None:
    refusal(ann.api.post("/api/auth/cross-system-token", body), status, code)


def test_nobody_passes_on_a_permission_they_lack(viewer: Person) -> None:
    refusal(viewer.api.post("/api/auth/cross-system-token", CROSS_SYSTEM), 403, "AUTH_003")


def test_a_person_of_two_logins_keeps_the_other_one(anyone: Api, ann: Person) -> None:
    other = anyone.made("/api/auth/login", {"email": ann.email, "password": PASSWORD})
    ann.api.post("/api/auth/logout")
    assert Api(other["access_token"]).get("/api/auth/me").status_code == 200
