"""Whether an authenticator's answer is good (W3C, WebAuthn 3, 7). The counts that authenticators keep are judged by the caller,
after the signature.

The library brings every format of attestation with its certificates; `identity.passkeys` loads this module with the first answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import webauthn
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_authenticator_data,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier

from identity.ceremonies import ALGORITHMS, origins, relying_party, text
from identity.errors import AssertionInvalid, AttestationInvalid

LONGEST: Final = 64 * 1024  # Characters of one part of an answer; real ones have a few thousand at most.
LONGEST_ID: Final = 1023  # Bytes (WebAuthn 3, 7.1).
SMALLEST_RSA: Final = 2048
TRANSPORTS: Final = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})


@dataclass(frozen=True, slots=True)
class Registered:
    """A new credential that verified."""

    credential_id: str
    public_key: bytes
    sign_count: int
    aaguid: UUID
    transports: list[str]
    user_verified: bool
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Asserted:
    """A signature that verified, with what the authenticator said of itself."""

    sign_count: int
    user_verified: bool
    backed_up: bool


def registered(credential: Mapping[str, Any], *, challenge: bytes, verified: bool) -> Registered:
    """Verify a new credential. `verified` demands user verification. Raises `AttestationInvalid`."""
    try:
        _check_client(credential)
        found = webauthn.verify_registration_response(
            credential=_as_browser_says(credential),
            expected_challenge=challenge,
            expected_rp_id=relying_party(),
            expected_origin=origins(),
            require_user_verification=verified,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(each) for each in ALGORITHMS],
        )
        _check_new(found.credential_id, found.credential_public_key, credential)
        parsed = parse_attestation_object(found.attestation_object)
        flags = parsed.auth_data.flags
        _check_backup(flags.be, flags.bs)
    except Exception as error:  # The parsers below raise whatever a hostile byte leads them to.
        raise AttestationInvalid from error
    said = credential.get("response", {}).get("transports") or []
    return Registered(
        credential_id=text(found.credential_id),
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        aaguid=UUID(found.aaguid),
        transports=sorted(TRANSPORTS.intersection(each for each in said if isinstance(each, str))),
        user_verified=found.user_verified,
        backup_eligible=flags.be,
        backed_up=flags.bs,
    )


def asserted(
    credential: Mapping[str, Any], *, challenge: bytes, public_key: bytes, verified: bool, backup_eligible: bool
) -> Asserted:
    """Verify a signature. Raises `AssertionInvalid`."""
    try:
        _check_client(credential)
        found = webauthn.verify_authentication_response(
            credential=_as_browser_says(credential),
            expected_challenge=challenge,
            expected_rp_id=relying_party(),
            expected_origin=origins(),
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=verified,
        )
        flags = parse_authenticator_data(base64url_to_bytes(credential["response"]["authenticatorData"])).flags
        _check_backup(flags.be, flags.bs)
        if flags.be != backup_eligible:
            raise ValueError("A credential never changes whether it may be copied.")
    except Exception as error:  # The parsers below raise whatever a hostile byte leads them to.
        raise AssertionInvalid from error
    return Asserted(found.new_sign_count, found.user_verified, flags.bs)


# -- inside ----------------------------------------------------------------------------------------------------------


def _as_browser_says(credential: Mapping[str, Any]) -> dict[str, Any]:
    """Without padding in its ids, which some clients write."""
    return {**credential, "id": str(credential["id"]).rstrip("="), "rawId": str(credential["rawId"]).rstrip("=")}


def _check_client(credential: Mapping[str, Any]) -> None:
    """What the library leaves to us: sizes, and that no other site had our page in a frame."""
    parts = [credential.get("id"), credential.get("rawId"), *credential["response"].values()]
    if any(isinstance(each, str) and len(each) > LONGEST for each in parts):
        raise ValueError("A part of the answer is too long.")
    client = parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    if client.cross_origin:
        raise ValueError("The ceremony took place inside another site's page.")


def _check_new(credential_id: bytes, public_key: bytes, credential: Mapping[str, Any]) -> None:
    """What the library leaves to us of a new credential: that it is the one that is named, and has a key that can verify."""
    if text(credential_id) != str(credential["id"]).rstrip("=") or not 16 <= len(credential_id) <= LONGEST_ID:
        raise ValueError("The credential is not the one that is named, or its id has a length that it cannot have.")
    key = decoded_public_key_to_cryptography(decode_credential_public_key(public_key))
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA:
        raise ValueError("The RSA key is too short.")


def _check_backup(eligible: bool, backed_up: bool) -> None:
    if backed_up and not eligible:
        raise ValueError("What cannot be copied says that it was.")
