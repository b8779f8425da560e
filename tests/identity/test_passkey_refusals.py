"""Ceremonies with one lie in each. None of them registers anything, opens a login, or can be tried a second time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.utils import timezone

from accounts.models import Session
from audit.models import AuditEvent
from identity.models import Ceremony, Passkey
from tests.api.people import Api, Person, logged_in
from tests.identity.authenticator import Authenticator, b64, unb64
from tests.identity.people import AUTHENTICATE, begun, code_of, completed, registered, signed_in

pytestmark = pytest.mark.django_db

NOBODYS = "018f0000-0000-7000-8000-000000000000"
RSA_1024 = {1: 3, 3: -257, -1: b"\x01" * 128, -2: b"\x01\x00\x01"}

REGISTRATIONS: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://evil.example"},
    "a port of ours that is not ours": {"origin": "http://localhost:8001"},
    "an origin that begins like ours": {"origin": "http://localhost:8000.evil.example"},
    "another domain": {"rp_id": "evil.example"},
    "another challenge": {"challenge": b64(os.urandom(32))},
    "an empty challenge": {"challenge": ""},
    "an assertion in its place": {"ceremony": "webauthn.get"},
    "nobody was there": {"flags": 0x44},
    "nobody was verified": {"flags": 0x41},
    "in another site's frame": {"cross_origin": True},
    "backed up and not to be": {"flags": 0x45 | 0x10},
    "no credential in it": {"flags": 0x05, "attested": b""},
    "an id that is another's": {"sent_id": b"x" * 32},
    "two ids": {"raw_id": b"y" * 32},
    "another kind of credential": {"kind": "password"},
    "an algorithm we did not ask for": {"cose": {1: 2, 3: -47, -1: 8, -2: b"\x01" * 32, -3: b"\x02" * 32}},
    "a point on no curve": {"cose": {1: 2, 3: -7, -1: 1, -2: b"\x01" * 32, -3: b"\x02" * 32}},
    "an RSA key that is too short": {"cose": RSA_1024},
    "an id that can be guessed": {"credential_id": b"short"},
    "a statement nobody signed": {"fmt": "packed", "statement": {"alg": -7, "sig": b"\x00" * 70}},
    "a statement where there is none": {"statement": {"sig": b"\x00"}},
    "a format nobody knows": {"fmt": "mystery"},
    "no CBOR": {"object": b"\xff\xff\xff"},
    "CBOR of something else": {"object": cbor2.dumps([1, 2, 3])},
    "cut short": {"attested": b"\x00" * 10},
    "an empty id": {"credential_id": b""},
    "an id of a kilobyte more than there may be": {"credential_id": b"z" * 2048},
}


@pytest.mark.parametrize("lie", REGISTRATIONS.values(), ids=REGISTRATIONS.keys())
def test_a_registration_with_a_lie_registers_nothing(ann: Person, lie: dict[str, Any]) -> None:
    asked, key = begun(ann.api, body={"user_verification": "required"}), Authenticator()
    refused = completed(ann.api, asked, key.register(asked["public_key"], **lie))
    assert code_of(refused, 400) == "ERR_400_ATTESTATION_INVALID"
    truth = completed(ann.api, asked, key.register(asked["public_key"]))
    assert code_of(truth, 400) == "ERR_400_CHALLENGE_INVALID"
    assert Passkey.objects.count() == 0


def _tampered(key: Authenticator, asked: dict[str, Any]) -> dict[str, Any]:
    sent = key.sign(asked)
    whole = bytearray(unb64(sent["response"]["signature"]))
    whole[-1] ^= 1
    sent["response"]["signature"] = b64(bytes(whole))
    return sent


def _data_changed_afterwards(key: Authenticator, asked: dict[str, Any]) -> dict[str, Any]:
    sent = key.sign(asked)
    whole = bytearray(unb64(sent["response"]["authenticator_data"]))
    whole[36] += 1
    sent["response"]["authenticator_data"] = b64(bytes(whole))
    return sent


def _client_changed_afterwards(key: Authenticator, asked: dict[str, Any]) -> dict[str, Any]:
    said = {"type": "webauthn.get", "challenge": asked["challenge"], "origin": "http://localhost:8000", "more": 1}
    return key.sign(asked, shown_client=json.dumps(said).encode())


def _another_keys(key: Authenticator, asked: dict[str, Any]) -> dict[str, Any]:
    other = ec.generate_private_key(ec.SECP256R1())
    return key.sign(asked, signature=other.sign(b"anything", ec.ECDSA(SHA256())))


def _lying(**lie: Any) -> Callable[[Authenticator, dict[str, Any]], dict[str, Any]]:
    return lambda key, asked: key.sign(asked, **lie)


ASSERTIONS = {
    "another origin": _lying(origin="https://evil.example"),
    "our origin without TLS or with": _lying(origin="https://localhost:8000"),
    "another domain": _lying(rp_id="evil.example"),
    "another challenge": _lying(challenge=b64(os.urandom(32))),
    "a registration in its place": _lying(ceremony="webauthn.create"),
    "nobody was there": _lying(flags=0x04),
    "nobody was verified": _lying(flags=0x01),
    "in another site's frame": _lying(cross_origin=True),
    "a tampered signature": _tampered,
    "an empty signature": _lying(signature=b""),
    "another key's signature": _another_keys,
    "data changed afterwards": _data_changed_afterwards,
    "client data changed afterwards": _client_changed_afterwards,
    "client data that is no JSON": _lying(shown_client=b"{"),
    "client data that is a list": _lying(shown_client=b"[]"),
    "data cut short": _lying(shown_data=b"\x00" * 20),
    "no person": _lying(handle=None),
    "another person": _lying(handle=os.urandom(16)),
    "an unknown passkey": _lying(sent_id=os.urandom(32)),
    "two ids": _lying(raw_id=os.urandom(32)),
    "another kind of credential": _lying(kind="password"),
    "backed up though it cannot be": _lying(flags=0x15),
    "may be copied all of a sudden": _lying(flags=0x0D),
}


@pytest.mark.parametrize("lie", ASSERTIONS.values(), ids=ASSERTIONS.keys())
def test_a_signature_with_a_lie_opens_no_login(
    ann: Person, anyone: Api, lie: Callable[[Authenticator, dict[str, Any]], dict[str, Any]]
) -> None:
    key = registered(ann)
    before = Session.objects.count()
    asked = begun(anyone, AUTHENTICATE)
    refused = completed(anyone, asked, lie(key, asked["public_key"]), AUTHENTICATE)
    assert code_of(refused, 401) == "ERR_401_ASSERTION_INVALID"
    truth = completed(anyone, asked, key.sign(asked["public_key"]), AUTHENTICATE)
    assert code_of(truth, 400) == "ERR_400_CHALLENGE_INVALID"
    assert Session.objects.count() == before
    assert Passkey.objects.get().sign_count == 0
    assert signed_in(anyone, key).status_code == 200


def test_a_challenge_works_once(ann: Person, anyone: Api) -> None:
    key = registered(ann)
    asked = begun(anyone, AUTHENTICATE)
    answer = key.sign(asked["public_key"])
    assert completed(anyone, asked, answer, AUTHENTICATE).status_code == 200
    assert code_of(completed(anyone, asked, answer, AUTHENTICATE), 400) == "ERR_400_CHALLENGE_INVALID"


def test_a_challenge_of_another_purpose_login_or_person_is_none(ann: Person, otto: Person, anyone: Api) -> None:
    key, new = registered(ann), Authenticator()
    to_register, to_sign = begun(ann.api), begun(ann.api, AUTHENTICATE)
    crossed = [
        completed(ann.api, to_sign, new.register({**to_register["public_key"], **to_sign["public_key"]})),
        completed(anyone, to_register, key.sign(to_register["public_key"]), AUTHENTICATE),
        completed(otto.api, begun(ann.api), new.register(to_register["public_key"])),
        completed(logged_in_again(ann).api, begun(ann.api), new.register(to_register["public_key"])),
        completed(otto.api, begun(ann.api, AUTHENTICATE), key.sign(to_sign["public_key"]), AUTHENTICATE),
        completed(anyone, begun(ann.api, AUTHENTICATE), key.sign(to_sign["public_key"]), AUTHENTICATE),
        completed(anyone, {"challenge_id": NOBODYS}, key.sign(to_sign["public_key"]), AUTHENTICATE),
    ]  # fmt: skip
    assert [code_of(each, 400) for each in crossed] == ["ERR_400_CHALLENGE_INVALID"] * len(crossed)
    assert Passkey.objects.count() == 1


def logged_in_again(person: Person) -> Person:
    """A second login of the same person, whose passkey is set aside for as long as it takes."""
    now = timezone.now()
    Passkey.objects.update(suspended_at=now)
    second = logged_in(person.email)
    Passkey.objects.update(suspended_at=None)
    return second


def test_a_challenge_that_is_too_old_is_none(ann: Person, anyone: Api) -> None:
    key = registered(ann)
    asked = begun(anyone, AUTHENTICATE)
    Ceremony.objects.filter(pk=asked["challenge_id"]).update(expires_at=timezone.now() - timedelta(seconds=1))
    late = completed(anyone, asked, key.sign(asked["public_key"]), AUTHENTICATE)
    assert code_of(late, 400) == "ERR_400_CHALLENGE_INVALID"


@pytest.mark.parametrize("count", [5, 4, 0])
def test_a_count_that_does_not_rise_suspends_the_passkey(ann: Person, anyone: Api, count: int) -> None:
    key = registered(ann)
    key.count = 4
    assert signed_in(anyone, key).status_code == 200
    asked = begun(anyone, AUTHENTICATE)
    copied = completed(anyone, asked, key.sign(asked["public_key"], count=count), AUTHENTICATE)
    assert code_of(copied, 401) == "ERR_401_CREDENTIAL_CLONED"
    key.count = 100
    assert code_of(signed_in(anyone, key), 401) == "ERR_401_ASSERTION_INVALID"
    assert Passkey.objects.get().suspended_at is not None
    told = AuditEvent.objects.of(ann.actor).get(event_type="passkey.cloned")
    assert (told.severity, told.outcome) == ("critical", "failure")


def test_a_bad_signature_with_an_old_count_suspends_nothing(ann: Person, anyone: Api) -> None:
    """Else whoever knows an id could shut its person out."""
    key = registered(ann)
    key.count = 4
    assert signed_in(anyone, key).status_code == 200
    asked = begun(anyone, AUTHENTICATE)
    forged = completed(anyone, asked, key.sign(asked["public_key"], count=1, signature=b"\x30\x00"), AUTHENTICATE)
    assert code_of(forged, 401) == "ERR_401_ASSERTION_INVALID"
    assert Passkey.objects.get().suspended_at is None


def test_an_authenticator_that_does_not_count_works_again_and_again(ann: Person, anyone: Api) -> None:
    key = registered(ann, Authenticator(counts=False))
    assert [signed_in(anyone, key).status_code for _ in range(3)] == [200, 200, 200]


def test_a_passkey_belongs_to_one_person(ann: Person, otto: Person) -> None:
    key = registered(ann)
    asked = begun(otto.api)
    taken = completed(otto.api, asked, key.register(asked["public_key"]))
    assert code_of(taken, 409) == "ERR_409_CREDENTIAL_EXISTS"
    assert Passkey.objects.get().user_id == ann.actor.user_id


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"challenge_id": "x", "credential": {}},
        {"challenge_id": "018f0000-0000-7000-8000-000000000000", "credential": "x"},
        {"challenge_id": "018f0000-0000-7000-8000-000000000000", "credential": {"id": "ä", "raw_id": "a", "type": "x"}},
    ],
)
def test_bodies_of_another_shape_are_refused(ann: Person, anyone: Api, body: dict[str, Any]) -> None:
    for api, path in ((ann.api, "/api/v1/webauthn/register/complete"), (anyone, f"{AUTHENTICATE}/complete")):
        assert code_of(api.post(path, body), 400) == "ERR_400_VALIDATION"


def test_nobody_registers_without_a_login(anyone: Api) -> None:
    for step in ("begin", "complete"):
        assert anyone.post(f"/api/v1/webauthn/register/{step}", {}).status_code == 401


@pytest.mark.parametrize("nickname", ["", " ", "  \t", "a\nb", "x" * 61])
def test_a_passkey_has_a_name_that_can_be_read(ann: Person, nickname: str) -> None:
    answer = ann.api.post("/api/v1/webauthn/register/begin", {"nickname": nickname})
    assert code_of(answer, 400) == "ERR_400_VALIDATION"
