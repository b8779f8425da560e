"""Keys that are none, and answers with one lie in each. None of them opens a login, or can be tried a second time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.utils import timezone

from accounts.models import Session
from devices import ed25519, keys
from devices.models import Device, DeviceChallenge
from tests.api.envelopes import data_of, refused
from tests.api.people import Person
from tests.devices.machines import (
    REGISTER,
    Machine,
    answered,
    b64,
    ed25519_key,
    jwk,
    machine,
    p256_key,
    pem,
    signature,
)

pytestmark = pytest.mark.django_db

P, ORDER = ed25519.P, ed25519.ORDER
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def okp(raw: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}


def private_pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "ascii")


def small_order_points() -> list[bytes]:
    """The eight points that a multiplication by eight makes neutral, found by multiplying any point by the order."""
    found: set[bytes] = set()
    seed = 0
    while len(found) < 8:
        seed += 1
        point = ed25519._decoded(seed.to_bytes(32, "little"))
        if point is not None:
            x, y, z, _ = ed25519._times(ORDER, point)
            inverse = pow(z, -1, P)
            x, y = x * inverse % P, y * inverse % P
            found.add((y | (x & 1) << 255).to_bytes(32, "little"))
    return sorted(found)


def mixed_order_point() -> bytes:
    """A good key with a point of small order added to it."""
    good = ed25519._decoded(b"\x58" + b"\x66" * 31)
    low = ed25519._decoded(small_order_points()[3])
    assert good is not None
    assert low is not None
    x, y, z, _ = ed25519._added(good, low)
    inverse = pow(z, -1, P)
    return ((y * inverse % P) | (x * inverse % P & 1) << 255).to_bytes(32, "little")


def off_the_curve() -> bytes:
    return next(raw for raw in (n.to_bytes(32, "little") for n in range(2, 50)) if ed25519._decoded(raw) is None)


EC = p256_key()
NO_KEYS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: "   ",
    "words": lambda: "a public key",
    "an RSA key": lambda: pem(rsa.generate_private_key(65537, 2048)),
    "an RSA key as JWK": lambda: {"kty": "RSA", "n": b64(b"\xff" * 256), "e": "AQAB"},
    "another curve": lambda: pem(ec.generate_private_key(ec.SECP384R1())),
    "the curve of coins": lambda: pem(ec.generate_private_key(ec.SECP256K1())),
    "Ed448": lambda: pem(ed448.Ed448PrivateKey.generate()),
    "a key that cannot sign": lambda: pem(x25519.X25519PrivateKey.generate()),
    "the private half as PEM": lambda: private_pem(ed25519_key()),
    "both halves": lambda: private_pem(ed25519_key()) + pem(ed25519_key()),
    "two keys": lambda: pem(ed25519_key()) + pem(ed25519_key()),
    "the private half as JWK": lambda: jwk(EC) | {"d": b64(b"\x01" * 32)},
    "a secret as JWK": lambda: {"kty": "oct", "k": b64(b"\x01" * 32)},
    "a point on no curve": lambda: jwk(EC) | {"y": b64(b"\x02" * 32)},
    "the point zero": lambda: jwk(EC) | {"x": b64(b"\x00" * 32), "y": b64(b"\x00" * 32)},
    "a short coordinate": lambda: jwk(EC) | {"x": b64(b"\x01" * 31)},
    "a long coordinate": lambda: jwk(EC) | {"x": b64(b"\x00" + b"\x01" * 32)},
    "a coordinate beyond the field": lambda: jwk(EC) | {"x": b64(b"\xff" * 32)},
    "no coordinate": lambda: {"kty": "EC", "crv": "P-256", "x": b64(b"\x01" * 32)},
    "a number for a coordinate": lambda: jwk(EC) | {"x": 7},
    "a curve of another kind": lambda: jwk(EC) | {"kty": "OKP"},
    "for encryption": lambda: jwk(EC) | {"use": "enc"},
    "for signing by us": lambda: jwk(EC) | {"key_ops": ["sign"]},
    "another algorithm": lambda: jwk(EC) | {"alg": "ES384"},
    "no algorithm at all": lambda: jwk(EC) | {"alg": "none"},
    "a name twice": lambda: json.dumps(jwk(EC))[:-1] + ', "kty": "OKP"}',
    "a list": lambda: "{" + "[" * 1000,
    "the neutral point": lambda: okp((1).to_bytes(32, "little")),
    "a point of order two": lambda: okp((P - 1).to_bytes(32, "little")),
    "a point of order four": lambda: okp(bytes(32)),
    "a point of order eight": lambda: okp(small_order_points()[3]),
    "a point of a mixed order": lambda: okp(mixed_order_point()),
    "off the curve": lambda: okp(off_the_curve()),
    "not canonical": lambda: okp((P + 3).to_bytes(32, "little")),
    "31 bytes": lambda: okp(b"\x01" * 31),
    "not base64url": lambda: {"kty": "OKP", "crv": "Ed25519", "x": "+" * 43},
    "bits left over": lambda: {"kty": "OKP", "crv": "Ed25519", "x": jwk(ed25519_key())["x"][:-1] + "_"},
}


@pytest.mark.parametrize("given", NO_KEYS.values(), ids=NO_KEYS.keys())
def test_what_is_no_key_is_refused(ann: Person, given: Callable[[], Any]) -> None:
    sent = {"name": "x", "platform": "linux", "public_key": given()}
    refused(ann.api.post(REGISTER, sent), 400, "ERR_400_KEY_INVALID")
    assert not Device.objects.exists()


def test_every_point_of_small_order_is_refused_and_every_real_key_taken() -> None:
    assert len(small_order_points()) == 8
    assert not any(ed25519.is_key(each) for each in small_order_points())
    for _ in range(20):
        made = keys.parsed(jwk(ed25519_key()))
        assert ed25519.is_key(made.raw)


@pytest.mark.parametrize(
    "about",
    [
        {"public_key": "x" * 2001},
        {"public_key": 7},
        {"platform": "amiga"},
        {"name": " "},
        {"name": "a\x00b"},
        {"name": "x" * 81},
        {"hardware_id_hash": "abc"},
        {"push": {"provider": "pigeon", "token": "x"}},
        {"client_id": "x"},
        {"proof": "x" * 201},
    ],
)
def test_what_is_no_registration_is_refused(ann: Person, about: dict[str, Any]) -> None:
    sent = {"name": "x", "platform": "linux", "public_key": jwk(ed25519_key())} | about
    refused(ann.api.post(REGISTER, sent), 400, "ERR_400_VALIDATION")
    assert not Device.objects.exists()


def test_a_huge_body_is_not_read(ann: Person) -> None:
    sent = {"name": "x", "platform": "linux", "public_key": {"kty": "RSA", "n": "A" * 12_000_000}}
    assert ann.api.post(REGISTER, sent).status_code in (400, 413)
    assert not Device.objects.exists()


def test_an_unknown_installation_is_none(ann: Person) -> None:
    sent = {"name": "x", "platform": "linux", "public_key": jwk(ed25519_key()), "client_id": str(uuid4())}
    refused(ann.api.post(REGISTER, sent), 401, "ERR_401_CLIENT_INVALID")
    assert not Device.objects.exists()


def _bits_changed(made: Machine, asked: dict[str, Any]) -> str:
    whole = bytearray(keys.decoded(answered(made.key, made.id, asked)))
    whole[0] ^= 1
    return b64(bytes(whole))


def _same_order_other_s(made: Machine, asked: dict[str, Any]) -> str:
    """S plus the order verifies where nobody asks that S is canonical."""
    whole = keys.decoded(answered(made.key, made.id, asked))
    if len(whole) == 64 and isinstance(made.key, type(ed25519_key())):
        beyond = int.from_bytes(whole[32:], "little") + ORDER
        return b64(whole[:32] + beyond.to_bytes(32, "little"))
    return b64(whole[:32] + bytes(32))


LIES: dict[str, Callable[[Machine, dict[str, Any]], str]] = {
    "another key": lambda made, asked: answered(ed25519_key(), made.id, asked),
    "another key of the other kind": lambda made, asked: answered(p256_key(), made.id, asked),
    "another device's id": lambda made, asked: answered(made.key, str(uuid4()), asked),
    "an altered nonce": lambda made, asked: answered(made.key, made.id, asked | {"nonce": b64(b"\x00" * 32)}),
    "another challenge's id": lambda made, asked: answered(made.key, made.id, asked | {"challenge_id": str(uuid4())}),
    "the nonce alone": lambda made, asked: signature(made.key, asked["nonce"]),
    "another order": lambda made, asked: signature(made.key, f"{made.id}{asked['nonce']}{asked['challenge_id']}"),
    "nothing signed": lambda made, asked: signature(made.key, ""),
    "no signature": lambda made, asked: "",
    "no base64url": lambda made, asked: "!!!!",
    "zeros": lambda made, asked: b64(bytes(64)),
    "half of it": lambda made, asked: b64(keys.decoded(answered(made.key, made.id, asked))[:32]),
    "more than it": lambda made, asked: b64(keys.decoded(answered(made.key, made.id, asked)) + b"\x00"),
    "a changed bit": _bits_changed,
    "S that is not canonical": _same_order_other_s,
    "the order of the curve": lambda made, asked: b64(P256_ORDER.to_bytes(32) * 2),
}


@pytest.mark.parametrize("make", [ed25519_key, p256_key])
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_signature_with_a_lie_opens_no_login(ann: Person, make: Any, lie: Any) -> None:
    made = machine(ann, make(), activated=False)
    before, asked = Session.objects.count(), made.asked()
    refused(made.answer(asked, signature=lie(made, asked)), 401, "ERR_401_SIGNATURE_INVALID")
    refused(made.answer(asked), 401, "ERR_401_CHALLENGE_INVALID")  # The truth comes too late.
    assert Session.objects.count() == before
    assert Device.objects.get().status == "pending"
    assert made.signed_in()["device_status"] == "active"


def test_a_challenge_works_once(ann: Person) -> None:
    made = machine(ann)
    asked = made.asked()
    data_of(made.answer(asked))
    refused(made.answer(asked), 401, "ERR_401_CHALLENGE_INVALID")
    refused(made.answer(made.about["challenge"]), 401, "ERR_401_CHALLENGE_INVALID")


def test_a_challenge_is_good_for_a_minute(ann: Person) -> None:
    made = machine(ann)
    asked = made.asked()
    challenge = DeviceChallenge.objects.get(pk=asked["challenge_id"])
    assert timedelta(seconds=59) < challenge.expires_at - challenge.created_at < timedelta(seconds=61)
    DeviceChallenge.objects.update(expires_at=timezone.now())
    refused(made.answer(asked), 401, "ERR_401_CHALLENGE_INVALID")


def test_another_devices_challenge_is_none(ann: Person, otto: Person) -> None:
    mine, his = machine(ann), machine(otto)
    asked = his.asked()
    refused(mine.answer(asked), 401, "ERR_401_CHALLENGE_INVALID")
    data_of(his.answer(asked))  # It was not used up by that.
    refused(mine.answer(his.asked(), device_id=his.id), 401, "ERR_401_SIGNATURE_INVALID")
    refused(mine.answer({"challenge_id": str(uuid4()), "nonce": "x"}), 401, "ERR_401_CHALLENGE_INVALID")


def test_a_wrong_challenge_counts_against_nobody(ann: Person) -> None:
    made = machine(ann)
    for _ in range(6):
        refused(made.answer(made.about["challenge"]), 401, "ERR_401_CHALLENGE_INVALID")
    assert Device.objects.get().wrong_signatures == 0
    data_of(made.answer())
