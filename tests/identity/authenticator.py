"""A software authenticator: what a security key does, written from the specification, and able to lie in every part of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN = "http://localhost:8000"
RP_ID = "localhost"
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """`kind` is ES256 or EdDSA. `count` is raised with each signature, unless it `counts` nothing."""

    kind: str = "ES256"
    counts: bool = True
    count: int = 0
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    user_handle: bytes = b""

    def __post_init__(self) -> None:
        self._es = ec.generate_private_key(ec.SECP256R1())
        self._ed = ed25519.Ed25519PrivateKey.generate()

    def register(self, options: dict[str, Any], **lies: Any) -> dict[str, Any]:
        """The answer to creation options, as 003 names its parts."""
        self.user_handle = unb64(options["user"]["id"])
        client = self._client("webauthn.create", options["challenge"], lies)
        key = lies.get("cose", self._cose())
        credential_id = lies.get("credential_id", self.credential_id)
        attested = bytes(16) + len(credential_id).to_bytes(2, "big") + credential_id + cbor2.dumps(key)
        data = self._data(lies, AT | UP | UV, lies.get("attested", attested))
        statement = {"fmt": lies.get("fmt", "none"), "attStmt": lies.get("statement", {}), "authData": data}
        sent_id = lies.get("sent_id", credential_id)
        return {
            "id": b64(sent_id),
            "raw_id": b64(lies.get("raw_id", sent_id)),
            "type": lies.get("kind", "public-key"),
            "response": {
                "client_data_json": b64(client),
                "attestation_object": b64(lies.get("object", cbor2.dumps(statement))),
                "transports": ["internal", "telepathy"],
            },
        }

    def sign(self, options: dict[str, Any], **lies: Any) -> dict[str, Any]:
        """The answer to request options, as 003 names its parts."""
        if self.counts:
            self.count += 1
        client = self._client("webauthn.get", options["challenge"], lies)
        data = self._data(lies, UP | UV)
        signed = data + hashlib.sha256(client).digest()
        signature = lies.get("signature", self._signature(signed))
        handle = lies.get("handle", self.user_handle)
        sent_id = lies.get("sent_id", self.credential_id)
        return {
            "id": b64(sent_id),
            "raw_id": b64(lies.get("raw_id", sent_id)),
            "type": lies.get("kind", "public-key"),
            "response": {
                "client_data_json": b64(lies.get("shown_client", client)),
                "authenticator_data": b64(lies.get("shown_data", data)),
                "signature": b64(signature),
                "user_handle": b64(handle) if handle is not None else None,
            },
        }

    def _client(self, kind: str, challenge: str, lies: dict[str, Any]) -> bytes:
        said = {
            "type": lies.get("ceremony", kind),
            "challenge": lies.get("challenge", challenge),
            "origin": lies.get("origin", ORIGIN),
            "crossOrigin": lies.get("cross_origin", False),
        }
        return json.dumps(said).encode()

    def _data(self, lies: dict[str, Any], flags: int, attested: bytes = b"") -> bytes:
        rp = hashlib.sha256(lies.get("rp_id", RP_ID).encode()).digest()
        count = lies.get("count", self.count)
        return rp + bytes([lies.get("flags", flags)]) + count.to_bytes(4, "big") + attested

    def _cose(self) -> dict[int, Any]:
        if self.kind == "EdDSA":
            return {1: 1, 3: -8, -1: 6, -2: self._ed.public_key().public_bytes_raw()}
        numbers = self._es.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}

    def _signature(self, signed: bytes) -> bytes:
        return self._ed.sign(signed) if self.kind == "EdDSA" else self._es.sign(signed, ec.ECDSA(SHA256()))
