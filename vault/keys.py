"""Sealing and opening under an organization's data keys.

A sealed text is one byte of format, the data key's number in four, and what AES-256-GCM makes of it. Organization, place and
number are bound to it: a text copied to another row, column or organization opens nothing.
"""

from __future__ import annotations

import secrets
import threading
import time
from uuid import UUID

from django.db import IntegrityError, transaction

from auterity.kernel import vault
from auterity.kernel.vault import SecretUnreadable
from vault import selectors
from vault.models import DataKey

_FORMAT = b"\x01"
_HEAD = 5
_KEPT_SECONDS = 30.0  # how long a process may open with a key that was destroyed
_KEPT = 1000


class _Opened:
    """Data keys in the clear, for a little while: reading one costs a query."""

    def __init__(self) -> None:
        self._keys: dict[tuple[UUID, int], tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    def get(self, organization_id: UUID, number: int) -> bytes | None:
        with self._lock:
            key, until = self._keys.get((organization_id, number), (None, 0.0))
        return key if time.monotonic() < until else None

    def put(self, organization_id: UUID, number: int, key: bytes) -> None:
        with self._lock:
            if len(self._keys) >= _KEPT:
                self._keys.clear()
            self._keys[organization_id, number] = (key, time.monotonic() + _KEPT_SECONDS)

    def forget(self) -> None:
        with self._lock:
            self._keys.clear()


_OPENED = _Opened()


def seal(*, organization_id: UUID, place: str, plain: bytes) -> bytes:
    """What is stored at `place` (see `vault.registry.place`). The organization's first text makes its first key."""
    row = selectors.newest(organization_id) or make(organization_id, 1)
    sealed = vault.encrypt(_unwrapped(row), plain, bound_to(organization_id, place, row.number))
    return _FORMAT + row.number.to_bytes(_HEAD - 1, "big") + sealed


def reveal(*, organization_id: UUID, place: str, sealed: bytes) -> bytes:
    """Raises `SecretUnreadable` for a text of another place, or one whose key was destroyed."""
    if sealed.startswith(vault.OLD):
        return vault.reveal_old(sealed)
    number = number_of(sealed)
    about = bound_to(organization_id, place, number)
    if (key := _OPENED.get(organization_id, number)) is not None:
        try:
            return vault.decrypt(key, sealed[_HEAD:], about)
        except SecretUnreadable:
            _OPENED.forget()  # Its keys may have been destroyed and begun anew.
    row = DataKey.objects.of(organization_id).filter(number=number).first()
    if row is None:
        raise SecretUnreadable("The key of a stored secret was destroyed; give the secret anew.")
    key = opened = _unwrapped(row)
    # Kept only once the row is sure to stay: a key that was rolled back must not be found under its successor's number.
    transaction.on_commit(lambda: _OPENED.put(organization_id, number, opened))
    return vault.decrypt(key, sealed[_HEAD:], about)


def number_of(sealed: bytes) -> int:
    """The number of the data key of a sealed text; 0 for one that is older than data keys. Raises `SecretUnreadable`."""
    if sealed.startswith(vault.OLD):
        return 0
    if sealed[:1] != _FORMAT or len(sealed) <= _HEAD:
        raise SecretUnreadable
    return int.from_bytes(sealed[1:_HEAD], "big")


def bound_to(organization_id: UUID, place: str, number: int) -> str:
    return f"{organization_id}|{place}|{number}"


def make(organization_id: UUID, number: int) -> DataKey:
    """The data key of this number; whoever comes second takes what the first one made."""
    key = secrets.token_bytes(vault.KEY_BYTES)
    wrapped = vault.wrap(key, bound_to(organization_id, "data_key", number))
    row = DataKey(
        organization_id=organization_id, number=number, wrapped=wrapped, server_key=vault.server_key_of(wrapped)
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return DataKey.objects.of(organization_id).get(number=number)
    return row


def forget() -> None:
    """Open with nothing that this process has kept."""
    _OPENED.forget()


def _unwrapped(row: DataKey) -> bytes:
    return vault.unwrap(bytes(row.wrapped), bound_to(row.organization_id, "data_key", row.number))
