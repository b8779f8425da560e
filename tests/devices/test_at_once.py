"""What works once works once, also for many who try in the same moment."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Session
from devices.models import Device, Installation
from tests.api.people import Api, Person
from tests.devices.machines import (
    APP,
    AUTHENTICATE,
    CLIENTS,
    REGISTER,
    answered,
    app,
    ed25519_key,
    jwk,
    machine,
    signature,
)
from tests.identity.test_at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 20


def statuses(answers: list[Any]) -> list[int]:
    return sorted(each.status_code for each in answers)


def test_twenty_answers_to_a_challenge_open_one_login(ann: Person) -> None:
    made = machine(ann)
    asked, before = made.asked(), Session.objects.count()
    body = {
        "device_id": made.id,
        "challenge_id": asked["challenge_id"],
        "signature": answered(made.key, made.id, asked),
    }
    found = at_once([lambda: Api().post(AUTHENTICATE, body)] * MANY)
    assert statuses(found) == [200] + [401] * (MANY - 1)
    assert Session.objects.count() == before + 1


def test_no_wrong_signature_goes_uncounted(ann: Person) -> None:
    made = machine(ann)
    wrong = signature(ed25519_key(), "x")
    bodies = [
        {"device_id": made.id, "challenge_id": made.asked()["challenge_id"], "signature": wrong} for _ in range(5)
    ]
    found = at_once([lambda body=body: Api().post(AUTHENTICATE, body) for body in bodies])
    assert statuses(found) == [401] * 5
    device = Device.objects.get()
    assert (device.wrong_signatures, device.status) == (5, "suspended")
    assert not Session.objects.filter(device_id=made.id, revoked_at=None).exists()


def test_a_revocation_among_logins_leaves_none_open(ann: Person) -> None:
    made = machine(ann)
    asked = [made.asked() for _ in range(8)]
    acts: list[Any] = [lambda each=each: made.answer(each) for each in asked]
    acts.insert(4, lambda: ann.api.delete(f"/native/auth/device/{made.id}"))
    found = at_once(acts)
    assert found[4].status_code == 200
    assert {each.status_code for each in found} <= {200, 403}
    assert not Session.objects.filter(device_id=made.id, revoked_at=None).exists()


def test_ten_devices_however_they_come(ann: Person) -> None:
    for _ in range(7):
        machine(ann, activated=False)
    bodies = [{"name": "x", "platform": "ios", "public_key": jwk(ed25519_key())} for _ in range(8)]
    found = at_once([lambda body=body: Api(ann.api.token).post(REGISTER, body) for body in bodies])
    assert statuses(found) == [201] * 3 + [409] * 5
    assert Device.objects.count() == 10


def test_a_key_is_one_persons(ann: Person, otto: Person) -> None:
    body = {"name": "x", "platform": "ios", "public_key": jwk(ed25519_key())}
    found = at_once([lambda who=who: Api(who.api.token).post(REGISTER, body) for who in (ann, otto)])
    assert statuses(found) == [201, 409]
    assert Device.objects.count() == 1


def test_an_installation_is_one_however_often_it_asks(db: None) -> None:
    body = APP | {"install_id": "018f3a52-7c1e-7d43-9b1a-2f6f0a7c5e99"}
    found = at_once([lambda: Api().post(CLIENTS, body)] * 8)
    assert statuses(found) == [200] * 7 + [201]
    told = [each.json()["data"] for each in found]
    assert len({each["client_id"] for each in told}) == 1
    assert len([each for each in told if each["client_secret"]]) == 1
    assert Installation.objects.count() == 1


def test_a_refresh_token_buys_once_and_then_ends_everything(ann: Person) -> None:
    installed = app()
    token, other = installed.logged_in(ann)["refresh_token"], installed.logged_in(ann)
    found = at_once([lambda: installed.refresh(token)] * 8)
    assert statuses(found)[0] in (200, 401)
    assert statuses(found).count(200) <= 1
    assert not Session.objects.filter(client_id=installed.id, revoked_at=None).exists()
    assert Api(other["access_token"]).get("/api/auth/me").status_code == 401
