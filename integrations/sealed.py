"""Credentials at rest: sealed together with whose they are, so that a sealed text copied to another row opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from auterity.kernel.vault import SecretUnreadable, reveal, seal


def seal_credentials(*, organization_id: UUID, connection_id: UUID, credentials: Mapping[str, Any]) -> bytes:
    """What is stored of the credentials of one connection."""
    return seal(orjson.dumps([str(organization_id), str(connection_id), dict(credentials)]))


def open_credentials(*, organization_id: UUID, connection_id: UUID, sealed: bytes) -> dict[str, Any]:
    """The credentials. Raises `SecretUnreadable` for another row's sealed text, or a key this server has not."""
    organization, connection, credentials = orjson.loads(reveal(sealed))
    if (organization, connection) != (str(organization_id), str(connection_id)):
        raise SecretUnreadable("A stored secret does not belong to the connection it was found at.")
    found: dict[str, Any] = credentials
    return found
