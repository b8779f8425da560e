"""Credentials at rest: sealed under the organization's data key for the row they stand in; anywhere else they open nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from auterity.kernel.vault import SecretUnreadable
from vault import keys
from vault.registry import place

CONNECTIONS = "connections"


def seal_credentials(
    *, organization_id: UUID, connection_id: UUID, credentials: Mapping[str, Any], table: str = CONNECTIONS
) -> bytes:
    """What is stored in `sealed` of a row of this table."""
    plain = orjson.dumps([str(organization_id), str(connection_id), dict(credentials)])
    return keys.seal(organization_id=organization_id, place=place(table, connection_id, "sealed"), plain=plain)


def open_credentials(
    *, organization_id: UUID, connection_id: UUID, sealed: bytes, table: str = CONNECTIONS
) -> dict[str, Any]:
    """The credentials. Raises `SecretUnreadable` for another row's sealed text, or a key that is no longer there."""
    where = place(table, connection_id, "sealed")
    plain = keys.reveal(organization_id=organization_id, place=where, sealed=sealed)
    # Said inside too, for what was sealed before there were data keys.
    organization, connection, credentials = orjson.loads(plain)
    if (organization, connection) != (str(organization_id), str(connection_id)):
        raise SecretUnreadable("A stored secret does not belong to the connection it was found at.")
    found: dict[str, Any] = credentials
    return found
