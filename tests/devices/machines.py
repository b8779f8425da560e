"""Devices and installed apps, as their own code would speak to the API."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.envelopes import data_of
from tests.api.people import PASSWORD, Api, Person

REGISTER = "/native/auth/device/register"
AUTHENTICATE = "/native/auth/device/authenticate"
STATUS = "/native/auth/device/status"
CLIENTS = "/native/auth/register"
LOGIN = "/native/auth/login"
REFRESH = "/native/auth/refresh"
EXCHANGE = "/native/api/authenticate"
APP = {"client_name": "Auterity Desktop", "platform": "linux", "app_version": "1.4.2"}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def ed25519_key() -> Any:
    return Ed25519PrivateKey.generate()


def p256_key() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    found: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found.decode()


def jwk(key: Any) -> dict[str, str]:
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    numbers = public.public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32))}


def signature(key: Any, said: str, *, raw: bool = True) -> str:
    """`raw`: r and s of ECDSA as 64 bytes, else in DER."""
    if isinstance(key, Ed25519PrivateKey):
        return b64(key.sign(said.encode()))
    der = key.sign(said.encode(), ec.ECDSA(SHA256()))
    if not raw:
        return b64(der)
    r, s = decode_dss_signature(der)
    return b64(r.to_bytes(32) + s.to_bytes(32))


def answered(key: Any, device_id: str, challenge: dict[str, Any]) -> str:
    return signature(key, f"{challenge['nonce']}{device_id}{challenge['challenge_id']}")


@dataclass
class Machine:
    """A device that somebody registered, with its private key."""

    key: Any
    about: dict[str, Any]
    api: Api = field(default_factory=Api)

    @property
    def id(self) -> str:
        found: str = self.about["device_id"]
        return found

    def asked(self) -> dict[str, Any]:
        found: dict[str, Any] = data_of(self.api.post(AUTHENTICATE, {"device_id": self.id}))["challenge"]
        return found

    def answer(self, challenge: dict[str, Any] | None = None, **other: Any) -> Any:
        """Answers a challenge; `other` fields take the place of the true ones."""
        asked = challenge or self.asked()
        true = {
            "device_id": self.id,
            "challenge_id": asked["challenge_id"],
            "signature": answered(self.key, self.id, asked),
        }
        return self.api.post(AUTHENTICATE, true | other)

    def signed_in(self) -> dict[str, Any]:
        found: dict[str, Any] = data_of(self.answer())
        return found


def machine(person: Person | Api, key: Any = None, *, activated: bool = True, **about: Any) -> Machine:
    """A device that is active, unless it is not to be."""
    key = key or ed25519_key()
    api = person.api if isinstance(person, Person) else person
    sent = {"name": "Ann's laptop", "platform": "linux", "public_key": jwk(key)} | about
    made = Machine(key, data_of(api.post(REGISTER, sent), 201))
    if activated:
        data_of(made.answer(made.about["challenge"]))
    return made


@dataclass
class App:
    """An installed app."""

    about: dict[str, Any]
    api: Api = field(default_factory=Api)

    @property
    def id(self) -> str:
        found: str = self.about["client_id"]
        return found

    def log_in(self, person: Person, **more: Any) -> Any:
        said = {"client_id": self.id, "username": person.email, "password": PASSWORD}
        secret = {"client_secret": self.about["client_secret"]} if self.about["client_secret"] else {}
        return self.api.post(LOGIN, said | secret | more)

    def logged_in(self, person: Person, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = data_of(self.log_in(person, **more))
        return found

    def refresh(self, token: str, **more: Any) -> Any:
        return self.api.post(REFRESH, {"client_id": self.id, "refresh_token": token, **more})


def app(**about: Any) -> App:
    return App(data_of(Api().post(CLIENTS, APP | about), 201))
