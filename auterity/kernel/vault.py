"""Encryption at rest, the lowest part: AES-256-GCM, and the server's own keys (`AUTERITY_VAULT_KEYS`), which wrap data keys.

A server key never encrypts data: each organization has data keys of its own (`vault/`), kept wrapped under the newest server
key. Whoever gets the database without the server's keys reads nothing; whoever changes a server key rewraps a few hundred bytes.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from auterity.kernel.errors import DomainError, Kind

KEY_BYTES = 32
_NONCE = 12
_ID = 4


class SecretUnreadable(DomainError):
    """A stored secret was encrypted under a key that is no longer there, or stands where it was not put."""

    kind = Kind.UNAVAILABLE
    slug = "secret_unreadable"
    sentence = "A stored secret cannot be decrypted with the keys this server has."


def encrypt(key: bytes, plain: bytes, about: str) -> bytes:
    """A fresh nonce and the sealed text. `about` is bound to it: only who names the same can open it."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, about.encode())


def decrypt(key: bytes, sealed: bytes, about: str) -> bytes:
    """Raises `SecretUnreadable` for another key, another `about`, or a byte that changed."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
    except (InvalidTag, ValueError) as error:
        raise SecretUnreadable from error


def wrap(data_key: bytes, about: str) -> bytes:
    """A data key under the newest server key, whose id comes first."""
    newest, key = next(iter(_server_keys(tuple(settings.VAULT_KEYS)).items()))
    return newest + encrypt(key, data_key, about)


def unwrap(wrapped: bytes, about: str) -> bytes:
    """Raises `SecretUnreadable` when the server key it is under is not in the ring."""
    key = _server_keys(tuple(settings.VAULT_KEYS)).get(wrapped[:_ID])
    if key is None:
        raise SecretUnreadable(
            f"The server key {wrapped[:_ID].hex()} is missing. Put it back into AUTERITY_VAULT_KEYS, behind the newest."
        )
    return decrypt(key, wrapped[_ID:], about)


def server_key_of(wrapped: bytes) -> str:
    """The id of the server key that a data key is under: eight hexadecimal digits."""
    return wrapped[:_ID].hex()


def newest_server_key() -> str:
    return next(iter(_server_keys(tuple(settings.VAULT_KEYS)))).hex()


@lru_cache(maxsize=4)
def _server_keys(ring: tuple[str, ...]) -> dict[bytes, bytes]:
    """By id, newest first. The id is a fingerprint, so that a ring may be reordered and extended at will."""
    keys = [HKDF(SHA256(), KEY_BYTES, None, b"auterity vault").derive(each.encode()) for each in ring]
    return {hashlib.sha256(key).digest()[:_ID]: key for key in keys}


# -- as it was before data keys ------------------------------------------------------------------------------------------

OLD = b"gAAAA"  # how every Fernet token begins


def reveal_old(sealed: bytes) -> bytes:
    """What was sealed directly under the server's keys. Raises `SecretUnreadable`."""
    keys = [Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in settings.VAULT_KEYS]
    try:
        return MultiFernet(keys).decrypt(sealed)
    except InvalidToken as error:
        raise SecretUnreadable from error
