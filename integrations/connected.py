"""From a connection's id to the port behind it: for the steps of workflows, which act for an organization and not as a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.db.models import Q
from django.utils import timezone

from auterity.kernel.errors import DomainError, InvalidInput
from auterity.kernel.events import publish
from engine.ports import Rejected
from integrations.connection_types import CONNECTION_TYPES
from integrations.events import ConnectionBroken
from integrations.models import Connection
from integrations.sealed import open_credentials

USED_EVERY = timedelta(minutes=1)  # how exact `last_used_at` is; a busy connection is not written at every step
_MISSING = "There is no such connection. Choose one of this organization's connections."


@contextmanager
def looking_up() -> Iterator[None]:
    """Gives the thread's database connection back at the end: a step must not hold one while it waits on a network."""
    try:
        yield
    finally:
        if not database.in_atomic_block:
            database.close()


def type_of(*, organization_id: UUID, connection_id: object) -> str:
    """The type of a stored connection; empty where there is none, which `connected` refuses."""
    rows = Connection.objects.of(organization_id).filter(pk=connection_id)
    return str(rows.values_list("type", flat=True).first() or "")


def connected(*, organization_id: UUID, kind: str, connection_id: str) -> Any:
    """The port of a stored connection of this kind, its credentials in it.

    Raises Rejected for an id that is none of this organization's, whoever's it may be, and for one that is switched off,
    of another kind, or no longer readable.
    """
    with looking_up():
        row = _row(organization_id, connection_id)
        fitting = CONNECTION_TYPES.names(kind)
        if row.type not in fitting:
            raise Rejected(f"The connection '{row.name}' is of type {row.type}; this needs {' or '.join(fitting)}.")
        if row.disabled:
            raise Rejected(f"The connection '{row.name}' is switched off.")
        try:
            port = port_of(row)
        except Rejected as refusal:
            publish(ConnectionBroken(organization_id, row.id, row.name, refusal.message))
            raise
        _note_use(row)
    return port


def port_of(row: Connection) -> Any:
    """The port behind a row. Raises Rejected where its settings or credentials can no longer be read."""
    try:
        credentials = open_credentials(
            organization_id=row.organization_id, connection_id=row.id, sealed=bytes(row.sealed)
        )
        return CONNECTION_TYPES.get(row.type).create(row.config, credentials)
    except InvalidInput as error:
        fields = ", ".join(sorted({each.field for each in error.problems}))
        raise Rejected(f"The settings of the connection '{row.name}' no longer fit: {fields}.") from None
    except DomainError:
        raise Rejected(f"The credentials of the connection '{row.name}' cannot be read; give them again.") from None


def _row(organization_id: UUID, connection_id: str) -> Connection:
    try:
        wanted = UUID(str(connection_id).strip())
    except ValueError:
        raise Rejected(_MISSING) from None
    found = Connection.objects.of(organization_id).filter(id=wanted).first()
    if not isinstance(found, Connection):
        raise Rejected(_MISSING)
    return found


def _note_use(row: Connection) -> None:
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
    Connection.objects.of(row.organization_id).filter(stale, id=row.id).update(last_used_at=now)
