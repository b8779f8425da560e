"""Public keys of devices: which are taken, what they are called, and whether a signature is theirs. Touches no table."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from devices import ed25519
from devices.errors import KeyInvalid
from devices.models import Algorithm

LONGEST: Final = 2000  # Characters; a P-256 key has 178 as PEM.
_PEM: Final = re.compile(r"\s*-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*")
_B64URL: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}")
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_JWK_NAMES: Final = {
    Algorithm.ED25519: ("OKP", "Ed25519", ("EdDSA", "Ed25519")),
    Algorithm.P256: ("EC", "P-256", ("ES256",)),
}
_SIDE: Final = 32  # bytes of a coordinate, of either curve


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """`raw` is the 32 bytes of Ed25519, or the uncompressed point of P-256."""

    algorithm: Algorithm
    raw: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """The SHA-256 thumbprint of the key as JWK (RFC 7638), base64url without padding."""
        kind, curve, _ = _JWK_NAMES[self.algorithm]
        if self.algorithm is Algorithm.ED25519:
            members = {"crv": curve, "kty": kind, "x": text(self.raw)}
        else:
            members = {"crv": curve, "kty": kind, "x": text(self.raw[1 : 1 + _SIDE]), "y": text(self.raw[1 + _SIDE :])}
        return text(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


# What a device that there is not seems to have, so that a look at its signature takes as long.
DECOY: Final = DeviceKey(
    Algorithm.ED25519, bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
)


def parsed(given: str | Mapping[str, Any]) -> DeviceKey:
    """A public key as PEM (SubjectPublicKeyInfo) or JWK. Raises `KeyInvalid`, whatever is wrong with it."""
    try:
        if isinstance(given, str):
            if len(given) > LONGEST:
                raise ValueError("too long")
            return _of_pem(given) if not given.lstrip().startswith("{") else _of_jwk(_object(given))
        return _of_jwk(given)
    except KeyInvalid:
        raise
    except Exception as error:  # The parsers raise whatever a hostile byte leads them to.
        raise KeyInvalid from error


def verifies(key: DeviceKey, signature: bytes, message: bytes) -> bool:
    """Whether the key made the signature: 64 bytes of Ed25519; of ECDSA with SHA-256 r and s, as 64 bytes or in DER."""
    try:
        if key.algorithm is Algorithm.ED25519:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
            return True
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.raw)
        public.verify(_in_der(signature), message, ec.ECDSA(SHA256()))
        return True
    except (InvalidSignature, ValueError):
        return False


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(given: str) -> bytes:
    """The bytes behind base64url, padded or not; nothing for what is none."""
    if not _B64URL.fullmatch(given):
        return b""
    bare = given.rstrip("=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        return b""


# -- inside ------------------------------------------------------------------------------------------------------------


def _of_pem(given: str) -> DeviceKey:
    if not _PEM.fullmatch(given):
        raise KeyInvalid
    found = load_pem_public_key(given.encode())
    if isinstance(found, Ed25519PublicKey):
        return _ed25519(found.public_bytes(Encoding.Raw, PublicFormat.Raw))
    if isinstance(found, ec.EllipticCurvePublicKey) and isinstance(found.curve, ec.SECP256R1):
        return _p256(found)
    raise KeyInvalid


def _of_jwk(given: Mapping[str, Any]) -> DeviceKey:
    if _PRIVATE.intersection(given):
        raise KeyInvalid(
            "This JWK has the private part of a key. Nobody but the device may know it: make a new key pair."
        )
    named = (given.get("kty"), given.get("crv"))
    algorithm = next((each for each, (kind, curve, _) in _JWK_NAMES.items() if named == (kind, curve)), None)
    if algorithm is None or given.get("use", "sig") != "sig" or given.get("key_ops", ["verify"]) != ["verify"]:
        raise KeyInvalid
    if given.get("alg", _JWK_NAMES[algorithm][2][0]) not in _JWK_NAMES[algorithm][2]:
        raise KeyInvalid
    if algorithm is Algorithm.ED25519:
        return _ed25519(_coordinate(given["x"]))
    x, y = (int.from_bytes(_coordinate(given[each])) for each in ("x", "y"))
    return _p256(ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())  # Refuses what is not on the curve.


def _ed25519(raw: bytes) -> DeviceKey:
    if not ed25519.is_key(raw):
        raise KeyInvalid
    return DeviceKey(Algorithm.ED25519, raw)


def _p256(public: ec.EllipticCurvePublicKey) -> DeviceKey:
    return DeviceKey(Algorithm.P256, public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _coordinate(given: Any) -> bytes:
    found = decoded(given) if isinstance(given, str) else b""
    if len(found) != _SIDE or text(found) != given.rstrip("="):
        raise KeyInvalid
    return found


def _object(given: str) -> dict[str, Any]:
    """A JSON object without a name that comes twice: readers would not agree on which counts."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise KeyInvalid
        return dict(pairs)

    found = json.loads(given, object_pairs_hook=once)
    if not isinstance(found, dict):
        raise KeyInvalid
    return found


def _in_der(signature: bytes) -> bytes:
    if len(signature) != 2 * _SIDE:
        return signature
    return encode_dss_signature(int.from_bytes(signature[:_SIDE]), int.from_bytes(signature[_SIDE:]))
