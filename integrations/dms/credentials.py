"""A DMS's credentials at rest: sealed for the row they stand in."""

from __future__ import annotations

from collections.abc import Mapping

from integrations.models import DmsIntegration
from integrations.sealed import open_credentials, seal_credentials

_TABLE = DmsIntegration._meta.db_table


def sealed(row: DmsIntegration, credentials: Mapping[str, str]) -> bytes:
    """What is stored in the row's `sealed`."""
    return seal_credentials(
        organization_id=row.organization_id, connection_id=row.id, credentials=credentials, table=_TABLE
    )


def opened(row: DmsIntegration) -> dict[str, str]:
    """The credentials in the clear. Raises `SecretUnreadable`."""
    return open_credentials(
        organization_id=row.organization_id, connection_id=row.id, sealed=bytes(row.sealed), table=_TABLE
    )
