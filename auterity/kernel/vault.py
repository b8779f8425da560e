"""Secrets at rest. One key ring from the settings; the newest key encrypts, all of them decrypt."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from auterity.kernel.errors import DomainError, Kind


class SecretUnreadable(DomainError):
    """A stored secret was encrypted under a key that is no longer in the ring."""

    kind = Kind.UNAVAILABLE
    slug = "secret_unreadable"
    sentence = "A stored secret cannot be decrypted with the keys this server has."


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


def seal(plain: bytes) -> bytes:
    """Encrypt with the newest key."""
    return _ring(tuple(settings.VAULT_KEYS)).encrypt(plain)


def reveal(sealed: bytes) -> bytes:
    """Decrypt with whichever key fits. Raises `SecretUnreadable` when none does."""
    try:
        return _ring(tuple(settings.VAULT_KEYS)).decrypt(sealed)
    except InvalidToken as error:
        raise SecretUnreadable from error
