"""Passkeys of a software authenticator, registered and used over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Session, User
from audit.models import AuditEvent
from identity import passkeys, services
from identity.errors import ChallengeInvalid
from identity.models import Ceremony, Passkey
from tests.api.people import PASSWORD, Api, Person
from tests.identity.authenticator import Authenticator, b64
from tests.identity.people import AUTHENTICATE, REGISTER, begun, code_of, completed, registered, signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["ES256", "EdDSA"])
def test_a_passkey_is_registered_and_opens_a_login_without_a_name(ann: Person, anyone: Api, kind: str) -> None:
    asked = begun(ann.api, body={"nickname": "Laptop"})
    key = Authenticator(kind)
    answer = completed(ann.api, asked, key.register(asked["public_key"]))
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert made["credential_id"] == b64(key.credential_id)
    assert (made["nickname"], made["sign_count"], made["total_credentials"]) == ("Laptop", 0, 1)
    assert made["transports"] == ["internal"]
    assert made["security_tier"] == "elevated"

    answer = signed_in(anyone, key, remember_me=True)
    assert answer.status_code == 200, answer.content
    data = answer.json()["data"]
    assert data["user_id"] == str(ann.actor.user_id)
    assert data["credential"]["nickname"] == "Laptop"
    assert data["refresh_expires_in"] > 29 * 86400
    assert Api(data["access_token"]).get("/api/auth/me").json()["email"] == ann.email
    session = Session.objects.get(pk=data["session_id"])
    assert session.factors == ["webauthn"]
    assert session.dialect == "workflow_engine"
    assert Passkey.objects.get().sign_count == 1
    assert answer.headers["Cache-Control"] == "no-store"


def test_options_are_what_a_browser_takes_and_exclude_what_is_there(ann: Person) -> None:
    key = registered(ann)
    asked = begun(ann.api, body={"authenticator_attachment": "platform", "user_verification": "required"})
    snake, camel = asked["public_key"], asked["publicKey"]
    assert snake["rp"] == {"id": "localhost", "name": "Auterity"}
    assert snake["user"]["name"] == ann.email
    assert [each["id"] for each in snake["exclude_credentials"]] == [b64(key.credential_id)]
    assert camel["excludeCredentials"] == snake["exclude_credentials"]
    assert camel["authenticatorSelection"]["authenticatorAttachment"] == "platform"
    assert camel["challenge"] == snake["challenge"]
    assert {each["alg"] for each in camel["pubKeyCredParams"]} == {-7, -8, -257}


def test_the_names_of_browsers_are_taken_too(ann: Person, anyone: Api) -> None:
    asked, key = begun(ann.api), Authenticator()
    sent = key.register(asked["public_key"])
    camel = {
        "id": sent["id"],
        "rawId": sent["raw_id"],
        "type": "public-key",
        "clientExtensionResults": {},
        "authenticatorAttachment": "platform",
        "response": {
            "clientDataJSON": sent["response"]["client_data_json"],
            "attestationObject": sent["response"]["attestation_object"],
            "transports": ["internal"],
            "publicKeyAlgorithm": -7,
        },
    }
    assert completed(ann.api, asked, camel).status_code == 201


def test_somebody_with_a_passkey_is_asked_for_it_after_the_password(ann: Person, anyone: Api) -> None:
    key = registered(ann)
    login = {"username": ann.email, "password": PASSWORD}
    refused = anyone.post("/api/v1/auth/jwt/login", login)
    assert code_of(refused, 401) == "ERR_401_MFA_REQUIRED"
    waits = refused.json()["error"]["details"]
    assert waits["methods"] == ["webauthn"]
    asked = begun(anyone, AUTHENTICATE, {"mfa_token": waits["mfa_token"]})
    assert [each["id"] for each in asked["public_key"]["allow_credentials"]] == [b64(key.credential_id)]
    # Without the token of the login that waits, the challenge is good for nothing.
    assert (
        code_of(completed(anyone, asked, key.sign(asked["public_key"]), AUTHENTICATE), 400)
        == "ERR_400_CHALLENGE_INVALID"
    )
    answer = completed(anyone, asked, key.sign(asked["public_key"]), AUTHENTICATE, mfa_token=waits["mfa_token"])
    assert answer.status_code == 200, answer.content
    session = Session.objects.get(pk=answer.json()["data"]["session_id"])
    assert sorted(session.factors) == ["password", "webauthn"]
    again = begun_or_refused(anyone, waits["mfa_token"])
    assert code_of(again, 401) == "ERR_401_MFA_TOKEN_INVALID"


def begun_or_refused(api: Api, mfa_token: str) -> Any:
    return api.post(f"{AUTHENTICATE}/begin", {"mfa_token": mfa_token})


def test_a_second_factor_need_not_verify_its_person_and_a_passkey_alone_must(ann: Person, anyone: Api) -> None:
    key = registered(ann)
    asked = begun(anyone, AUTHENTICATE, {"user_verification": "preferred"})
    alone = completed(anyone, asked, key.sign(asked["public_key"], flags=0x01), AUTHENTICATE)
    assert code_of(alone, 401) == "ERR_401_ASSERTION_INVALID"
    refused = anyone.post("/api/v1/auth/jwt/login", {"username": ann.email, "password": PASSWORD})
    token = refused.json()["error"]["details"]["mfa_token"]
    asked = begun(anyone, AUTHENTICATE, {"mfa_token": token})
    second = completed(anyone, asked, key.sign(asked["public_key"], flags=0x01), AUTHENTICATE, mfa_token=token)
    assert second.status_code == 200, second.content


def test_a_live_login_is_made_fresh_and_no_other_is_opened(ann: Person) -> None:
    key = registered(ann)
    Session.objects.update(fresh_at=timezone.now() - timedelta(hours=1))
    assert code_of(ann.api.post(f"{REGISTER}/begin", {}), 403) == "ERR_403_FRESH_LOGIN_REQUIRED"
    before = Session.objects.count()
    answer = signed_in(ann.api, key)
    assert answer.status_code == 200, answer.content
    data = answer.json()["data"]
    assert data["access_token"] == ann.tokens.access_token
    assert data["refresh_token"] is None
    assert data["fresh_until"] > timezone.now().isoformat()[:19]
    assert Session.objects.count() == before
    assert ann.api.post(f"{REGISTER}/begin", {}).status_code == 200


def test_a_step_up_by_somebody_elses_passkey_is_none(ann: Person, otto: Person) -> None:
    key = registered(otto)
    Session.objects.update(fresh_at=None)
    assert code_of(signed_in(ann.api, key), 401) == "ERR_401_ASSERTION_INVALID"
    assert Session.objects.get(pk=ann.actor.session_id).fresh_at is None


def test_a_name_nobody_has_looks_like_one_somebody_has(ann: Person, otto: Person, anyone: Api) -> None:
    registered(ann)
    lists = {}
    for name in (ann.email, otto.email, "nobody@example.com", "NOBODY@example.com "):
        asked = [begun(anyone, AUTHENTICATE, {"username": name})["public_key"] for _ in range(2)]
        assert asked[0]["allow_credentials"] == asked[1]["allow_credentials"]
        assert asked[0]["challenge"] != asked[1]["challenge"]
        lists[name] = asked[0]["allow_credentials"]
    assert [len(each) for each in lists.values()] == [1, 1, 1, 1]
    assert lists["nobody@example.com"] == lists["NOBODY@example.com "] != lists[otto.email]
    shapes = [{name: type(value) for name, value in each[0].items()} for each in lists.values()]
    assert shapes == shapes[:1] * 4
    assert {len(each[0]["id"]) for each in lists.values()} == {43}


def test_nobodys_challenge_is_no_way_in(ann: Person, anyone: Api) -> None:
    key = registered(ann)
    asked = begun(anyone, AUTHENTICATE, {"username": "nobody@example.com"})
    refused = completed(anyone, asked, key.sign(asked["public_key"]), AUTHENTICATE)
    assert code_of(refused, 401) == "ERR_401_ASSERTION_INVALID"


def test_ten_passkeys_and_no_more(ann: Person) -> None:
    for _ in range(9):
        registered(ann)
    waiting = [begun(ann.api) for _ in range(2)]
    assert completed(ann.api, waiting[0], Authenticator().register(waiting[0]["public_key"])).status_code == 201
    late = completed(ann.api, waiting[1], Authenticator().register(waiting[1]["public_key"]))
    assert code_of(late, 409) == "ERR_409_CREDENTIAL_LIMIT"
    assert code_of(ann.api.post(f"{REGISTER}/begin", {}), 409) == "ERR_409_CREDENTIAL_LIMIT"
    assert Passkey.objects.count() == 10


def test_somebody_switched_off_does_not_come_in(ann: Person, member: Person, anyone: Api) -> None:
    key = registered(member)
    User.objects.filter(pk=member.actor.user_id).update(is_active=False)
    assert code_of(signed_in(anyone, key), 403) == "ERR_403_ACCOUNT_INACTIVE"


def test_what_is_registered_is_in_the_trail(ann: Person) -> None:
    registered(ann)
    events = AuditEvent.objects.of(ann.actor).filter(event_type="passkey.registered")
    assert [each.user_id for each in events] == [ann.actor.user_id]


def test_what_was_begun_long_ago_is_forgotten(ann: Person, anyone: Api) -> None:
    begun(ann.api)
    begun(anyone, AUTHENTICATE)
    now = timezone.now()
    assert services.forget_unfinished(before=now, limit=10) == 0
    assert services.forget_unfinished(before=now + timedelta(hours=1), limit=1) == 1
    assert Ceremony.objects.count() == 1


def test_a_challenge_is_good_for_five_minutes(ann: Person) -> None:
    now = timezone.now()
    asked = passkeys.begin_registration(actor=ann.actor, now=now)
    answer = Authenticator().register(asked.options)
    browser = {
        "id": answer["id"],
        "rawId": answer["raw_id"],
        "type": "public-key",
        "response": {
            "clientDataJSON": answer["response"]["client_data_json"],
            "attestationObject": answer["response"]["attestation_object"],
        },
    }
    late = now + timedelta(minutes=5, seconds=1)
    with pytest.raises(ChallengeInvalid):
        passkeys.finish_registration(actor=ann.actor, ceremony_id=asked.id, credential=browser, now=late)
    assert Passkey.objects.count() == 0
