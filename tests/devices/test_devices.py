"""Devices over HTTP: registered, activated, signed in, listed, revoked, suspended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.utils import timezone

from accounts import links, members, policy_changes, proofs, tokens
from accounts.models import Letter, Session
from audit.models import AuditEvent
from devices import challenges, services
from devices.models import Device, DeviceChallenge
from notifications.models import UserNotification
from tests.api.envelopes import data_of, refused
from tests.api.people import Api, Person
from tests.devices.machines import (
    AUTHENTICATE,
    REGISTER,
    STATUS,
    answered,
    app,
    ed25519_key,
    jwk,
    machine,
    p256_key,
    pem,
    signature,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("make", [ed25519_key, p256_key])
@pytest.mark.parametrize("write", [pem, jwk])
def test_a_device_is_pending_until_its_key_signs(ann: Person, make: Any, write: Any) -> None:
    made = machine(ann, key := make(), activated=False, public_key=write(key))
    assert made.about["status"] == "pending"
    assert made.about["key_algorithm"] == ("Ed25519" if make is ed25519_key else "P-256")
    assert (made.about["max_devices"], made.about["registered_devices"]) == (10, 1)
    found = data_of(made.answer(made.about["challenge"]))
    assert (found["step"], found["device_status"], found["user_id"]) == (
        "authenticated",
        "active",
        str(ann.actor.user_id),
    )
    claims = jwt.decode(found["access_token"], options={"verify_signature": False})
    assert (claims["device_id"], claims["sid"]) == (made.id, found["session_id"])
    assert Session.objects.get(pk=found["session_id"]).factors == ["device"]
    assert Api(found["access_token"]).get("/api/auth/me").status_code == 200


def test_a_p256_signature_may_be_in_der(ann: Person) -> None:
    made = machine(ann, p256_key())
    asked = made.asked()
    der = signature(made.key, f"{asked['nonce']}{made.id}{asked['challenge_id']}", raw=False)
    assert data_of(made.answer(asked, signature=der))["step"] == "authenticated"


def test_the_key_id_is_the_thumbprint_of_the_standard(ann: Person) -> None:
    """RFC 8037, A.3."""
    known = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    sent = {"name": "x", "platform": "ios", "public_key": known}
    found = data_of(ann.api.post(REGISTER, sent), 201)
    assert found["key_id"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_same_key_again_is_the_same_device(ann: Person, otto: Person) -> None:
    made = machine(ann)
    again = {"name": "Renamed", "platform": "linux", "public_key": pem(made.key)}
    found = data_of(ann.api.post(REGISTER, again), 200)
    assert (found["device_id"], found["status"], found["registered_devices"]) == (made.id, "active", 1)
    assert Device.objects.get().name == "Renamed"
    refused(otto.api.post(REGISTER, again), 409, "ERR_409_KEY_IN_USE")
    assert Letter.objects.filter(kind="device_added").count() == 1


def test_registering_needs_a_fresh_login_of_a_person(ann: Person) -> None:
    sent = {"name": "x", "platform": "ios", "public_key": jwk(ed25519_key())}
    Session.objects.update(fresh_at=timezone.now() - timedelta(minutes=11))
    refused(ann.api.post(REGISTER, sent), 403, "ERR_403_FRESH_LOGIN_REQUIRED")
    refused(Api().post(REGISTER, sent), 401, "ERR_401_TOKEN_INVALID")
    assert not Device.objects.exists()


def test_ten_devices_and_no_more(ann: Person) -> None:
    first = machine(ann)
    for _ in range(9):
        machine(ann, activated=False)
    sent = {"name": "x", "platform": "ios", "public_key": jwk(ed25519_key())}
    assert refused(ann.api.post(REGISTER, sent), 409, "ERR_409_DEVICE_LIMIT")["details"] == {"max_devices": 10}
    ann.api.delete(f"/native/auth/device/{first.id}")
    data_of(ann.api.post(REGISTER, sent), 201)


def test_a_proof_must_be_right_where_there_is_one(ann: Person) -> None:
    key, session = ed25519_key(), ann.actor.session_id
    sent = {"name": "x", "platform": "ios", "public_key": jwk(key)}
    wrong = signature(key, f"someone.{session}")
    refused(ann.api.post(REGISTER, sent | {"proof": wrong}), 400, "ERR_400_KEY_INVALID")
    assert not Device.objects.exists()
    key_id = data_of(ann.api.post(REGISTER, sent), 201)["key_id"]
    right = signature(key, f"{key_id}.{session}")
    assert data_of(ann.api.post(REGISTER, sent | {"proof": right}), 200)["key_id"] == key_id


def test_an_unknown_device_is_asked_as_a_known_one(ann: Person, anyone: Api) -> None:
    made, nobody = machine(ann), str(uuid4())
    known, unknown = (data_of(anyone.post(AUTHENTICATE, {"device_id": each})) for each in (made.id, nobody))
    assert {name: type(value) for name, value in known.items()} == {
        name: type(value) for name, value in unknown.items()
    }
    assert known["device_status"] == unknown["device_status"] == "unknown"
    said = [
        refused(
            anyone.post(
                AUTHENTICATE,
                {"device_id": each, "challenge_id": asked["challenge"]["challenge_id"], "signature": "AAAA"},
            ),
            401,
            "ERR_401_SIGNATURE_INVALID",
        )
        for each, asked in ((made.id, known), (nobody, unknown))
    ]
    assert said[0] == said[1]


def test_how_a_device_stands_is_told_to_its_key_alone(ann: Person) -> None:
    made = machine(ann)
    services.suspend(device_ids=[made.id])
    assert data_of(made.api.post(AUTHENTICATE, {"device_id": made.id}))["device_status"] == "unknown"
    refused(made.answer(signature=signature(ed25519_key(), "x")), 401, "ERR_401_SIGNATURE_INVALID")
    refused(made.answer(), 403, "ERR_403_DEVICE_REVOKED")
    services.allow(device_ids=[made.id])
    assert made.signed_in()["device_status"] == "active"


def test_half_an_answer_is_none(ann: Person, anyone: Api) -> None:
    made = machine(ann)
    for half in ({"signature": "AAAA"}, {"challenge_id": str(uuid4())}):
        refused(anyone.post(AUTHENTICATE, {"device_id": made.id, **half}), 400, "ERR_400_VALIDATION")


def test_five_wrong_signatures_in_a_row_suspend_it_and_end_its_logins(ann: Person) -> None:
    made = machine(ann)
    token = made.signed_in()["access_token"]
    wrong = signature(ed25519_key(), "x")
    for _ in range(4):
        refused(made.answer(signature=wrong), 401, "ERR_401_SIGNATURE_INVALID")
    assert Device.objects.get().wrong_signatures == 4
    data_of(made.answer())  # A right one begins the count anew.
    for _ in range(5):
        assert Device.objects.get().status == "active"
        refused(made.answer(signature=wrong), 401, "ERR_401_SIGNATURE_INVALID")
    refused(made.answer(), 403, "ERR_403_DEVICE_REVOKED")
    assert Api(token).get("/api/auth/me").status_code == 401
    assert ann.api.get("/api/auth/me").status_code == 200
    assert AuditEvent.unscoped.filter(event_type="device.suspended").count() == 1
    sent = {"name": "x", "platform": "ios", "public_key": jwk(made.key)}
    refused(ann.api.post(REGISTER, sent), 403, "ERR_403_DEVICE_REVOKED")


def test_a_revoked_device_ends_at_once_with_all_its_logins(ann: Person, otto: Person) -> None:
    installed = app()
    by_password = installed.logged_in(ann)
    made = machine(Api(by_password["access_token"]))
    by_key = made.signed_in()
    bystander = installed.logged_in(otto)
    path = f"/native/auth/device/{made.id}"
    refused(otto.api.delete(path), 404, "ERR_404_NOT_FOUND")
    assert data_of(ann.api.delete(path)) == {"device_id": made.id, "status": "revoked", "revoked_sessions": 3}
    for ended in (by_password, by_key):
        assert Api(ended["access_token"]).get("/api/auth/me").status_code == 401
        refused(installed.refresh(ended["refresh_token"], device_id=made.id), 401, "ERR_401_REFRESH_INVALID")
    assert Api(bystander["access_token"]).get("/api/auth/me").status_code == 200
    refused(made.answer(), 403, "ERR_403_DEVICE_REVOKED")
    refused(installed.log_in(ann, device_id=made.id), 403, "ERR_403_DEVICE_REVOKED")
    refused(ann.api.delete(path), 404, "ERR_404_NOT_FOUND")
    sent = {"name": "x", "platform": "ios", "public_key": jwk(made.key)}
    refused(ann.api.post(REGISTER, sent), 403, "ERR_403_DEVICE_REVOKED")
    wanted = ["device.registered", "device.activated", "device.revoked"]
    found = AuditEvent.unscoped.filter(event_type__startswith="device.").order_by("id")
    assert [each.event_type for each in found] == wanted
    assert {each.organization_id for each in found} == {ann.actor.organization_id}


def test_devices_are_listed_to_their_owner(ann: Person, otto: Person) -> None:
    one, two = machine(ann, app_version="0.9.0", os_version="6.12"), machine(ann, activated=False, name="Phone")
    token = one.signed_in()["access_token"]
    here = data_of(Api(token).get(STATUS))
    assert here["current_device_id"] == one.id
    (shown,) = here["devices"]
    assert (shown["name"], shown["status"], shown["active_sessions"]) == ("Ann's laptop", "active", 2)
    assert (shown["os_version"], shown["app_version"], shown["last_ip"]) == ("6.12", "0.9.0", "127.0.0.1")
    assert (shown["push_enabled"], shown["update_required"], shown["last_sync_at"]) == (False, False, None)
    assert data_of(ann.api.get(STATUS)) == {"current_device_id": None, "devices": []}
    every = data_of(ann.api.get(f"{STATUS}?all=true"))["devices"]
    assert [(each["device_id"], each["status"]) for each in every] == [(one.id, "active"), (two.id, "pending")]
    chosen = data_of(ann.api.get(f"{STATUS}?device_id={two.id}"))["devices"]
    assert [each["name"] for each in chosen] == ["Phone"]
    refused(otto.api.get(f"{STATUS}?device_id={two.id}"), 404, "ERR_404_NOT_FOUND")
    refused(ann.api.get(f"{STATUS}?device_id={uuid4()}"), 404, "ERR_404_NOT_FOUND")


def test_an_old_app_is_told_so(ann: Person, settings: Any) -> None:
    settings.NATIVE_MINIMUM_VERSION = "1.0.0"
    machine(ann, app_version="0.9.0", push={"provider": "apns", "token": "abc"})
    (shown,) = data_of(ann.api.get(f"{STATUS}?all=true"))["devices"]
    assert (shown["update_required"], shown["push_enabled"]) == (True, True)


def test_its_login_is_among_the_persons_own_by_its_name(ann: Person) -> None:
    made = machine(ann)
    session = made.signed_in()["session_id"]
    shown = {each["id"]: each for each in ann.api.get("/api/auth/sessions").json()["sessions"]}
    assert (shown[session]["device_name"], shown[session]["device_id"]) == ("Ann's laptop", made.id)
    assert shown[str(ann.actor.session_id)]["device_id"] is None
    ann.api.delete(f"/api/auth/sessions/{session}")
    assert data_of(ann.api.get(f"{STATUS}?all=true"))["devices"][0]["active_sessions"] == 1


def test_a_login_that_leads_to_another_stays_the_devices(ann: Person) -> None:
    """A new password ends every login, and opens one in place of the one at hand."""
    made = machine(ann)
    token = made.signed_in()["access_token"]
    Session.objects.update(fresh_at=timezone.now())
    body = {"current_password": "correct horse 9", "new_password": "another horse 10"}
    changed = Api(token).post("/api/v1/auth/change-password", body)
    assert changed.status_code == 200, changed.content
    living = Session.objects.filter(revoked_at=None, user_id=ann.actor.user_id)
    assert [str(each.device_id) for each in living] == [made.id]
    services.suspend(device_ids=[made.id])
    assert not living.all().exists()


def test_the_key_is_one_factor(ann: Person, anyone: Api) -> None:
    made = machine(ann)
    policy_changes.change(
        actor=ann.actor, changes={"mfa_required_roles": ["viewer", "member", "manager", "admin"]}, address="127.0.0.1"
    )
    error = refused(made.answer(), 401, "ERR_401_MFA_REQUIRED")
    assert error["details"]["methods"] == ["email_code"]
    assert Session.objects.filter(device_id=made.id, revoked_at=None).count() == 0
    body = {"mfa_token": error["details"]["mfa_token"], "method": "email_code"}
    assert anyone.post("/api/auth/mfa/send-code", {"mfa_token": body["mfa_token"]}).status_code == 202
    letter = Letter.objects.get(kind="email_code")
    proofs.make(letter)
    finished = anyone.post("/api/auth/mfa", body | {"code": links.mail_code(letter.pk)})
    assert finished.status_code == 200, finished.content
    session = Session.objects.get(device_id=made.id, revoked_at=None)
    assert (session.factors, session.device_name) == (["device", "email_code"], "Ann's laptop")


def test_a_device_that_was_suspended_meanwhile_finishes_no_login(ann: Person, anyone: Api) -> None:
    made = machine(ann)
    policy_changes.change(actor=ann.actor, changes={"mfa_required_roles": ["admin"]}, address="127.0.0.1")
    token = refused(made.answer(), 401, "ERR_401_MFA_REQUIRED")["details"]["mfa_token"]
    anyone.post("/api/auth/mfa/send-code", {"mfa_token": token})
    services.suspend(device_ids=[made.id])
    letter = Letter.objects.get(kind="email_code")
    proofs.make(letter)
    before = Session.objects.count()
    body = {"mfa_token": token, "method": "email_code", "code": links.mail_code(letter.pk)}
    assert anyone.post("/api/auth/mfa", body).status_code == 403
    assert Session.objects.count() == before


def test_somebody_switched_off_signs_in_by_no_device(ann: Person, member: Person) -> None:
    made = machine(member)
    members.member_update(actor=ann.actor, user_id=member.actor.user_id, is_active=False)
    refused(made.answer(), 403, "ERR_403_ACCOUNT_INACTIVE")


def test_logins_by_an_organizations_provider_register_no_device(ann: Person) -> None:
    Session.objects.update(factors=["sso"])
    sent = {"name": "x", "platform": "ios", "public_key": jwk(ed25519_key())}
    refused(ann.api.post(REGISTER, sent), 403, "ERR_403_OWN_LOGIN_REQUIRED")


def test_a_sync_is_noted_for_the_device_at_hand(ann: Person) -> None:
    made = machine(ann)
    services.synced(actor=ann.actor)
    assert Device.objects.get().last_sync_at is None
    services.synced(actor=tokens.authenticate_access(made.signed_in()["access_token"]))
    assert Device.objects.get().last_sync_at is not None


def test_what_is_over_is_forgotten(ann: Person) -> None:
    machine(ann)
    now = timezone.now()
    assert challenges.forget(before=now, limit=10) == 0
    assert challenges.forget(before=now + timedelta(hours=1), limit=10) == 1
    assert not DeviceChallenge.objects.exists()


def test_a_lost_answer_can_be_asked_for_again(ann: Person) -> None:
    key = ed25519_key()
    sent = {"name": "x", "platform": "ios", "public_key": jwk(key)}
    one, two = (ann.api.post(REGISTER, sent, Idempotency_Key="k1") for _ in range(2))
    assert (one.status_code, two.status_code, one.content) == (201, 201, two.content)
    found = data_of(one, 201)
    answer = {"device_id": found["device_id"], "challenge_id": found["challenge"]["challenge_id"]}
    answer["signature"] = answered(key, found["device_id"], found["challenge"])
    data_of(Api().post(AUTHENTICATE, answer))


@pytest.mark.django_db(transaction=True)
def test_its_owner_is_told_of_each_step(ann: Person) -> None:
    revoked, suspended = machine(ann), machine(ann)
    ann.api.delete(f"/native/auth/device/{revoked.id}")
    services.suspend(device_ids=[suspended.id])
    titles = UserNotification.unscoped.filter(user_id=ann.actor.user_id).values_list("title", flat=True)
    assert set(titles) >= {"A device was registered", "A device was revoked", "A device was suspended"}
