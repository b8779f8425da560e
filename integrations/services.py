"""Writing: connections, the built-in message templates, and a second chance for deliveries that were given up."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.trail import record
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput
from auterity.kernel.events import publish
from engine.ports import PortFailure
from integrations import selectors
from integrations.builtin_templates import BUILTIN
from integrations.connected import port_of
from integrations.connection_types import CONNECTION_TYPES, MASK, plain
from integrations.errors import ConnectionNameTaken
from integrations.events import ConnectionBroken
from integrations.models import Connection, DeliveryStatus, MessageTemplate, WebhookDelivery
from integrations.sealed import open_credentials, seal_credentials

BROKEN = ("rejected", "not_configured")  # what asking again does not mend


@dataclass(frozen=True, slots=True)
class ConnectionChange:
    """What an update says. None means "leave as it is"; `config` and `credentials` are given whole."""

    name: str | None = None
    config: Mapping[str, Any] | None = None
    credentials: Mapping[str, Any] | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """`code` is ok, or why not: rejected, unavailable, timeout, unknown_outcome, not_configured."""

    code: str
    message: str
    elapsed_ms: float


def ensure_builtin_templates() -> int:
    """Store the built-in templates that are missing; one that an operator changed stays. Returns how many it made."""
    with transaction.atomic():
        stored = set(MessageTemplate.unscoped.filter(organization=None).values_list("name", flat=True))
        missing = [
            MessageTemplate(name=each.name, subject=each.subject, text=each.text, html=each.html)
            for each in BUILTIN
            if each.name not in stored
        ]
        # Two servers may start at once; whoever comes second finds the unique name taken and leaves it.
        MessageTemplate.unscoped.bulk_create(missing, ignore_conflicts=True)
    return len(missing)


def deliver_again(*, delivery_ids: Iterable[UUID]) -> int:
    """Make deliveries that were given up due now, with all their attempts anew. Returns how many it made due.

    For the operators' site, whatever the organization; one that is still owed or was delivered stays as it is.
    """
    given_up = WebhookDelivery.unscoped.filter(pk__in=list(delivery_ids), status=DeliveryStatus.FAILED)
    return given_up.update(status=DeliveryStatus.PENDING, due_at=timezone.now(), attempts=0, updated_at=timezone.now())


def create_connection(
    *, actor: Actor, name: str, type: str, config: Mapping[str, Any], credentials: Mapping[str, Any]
) -> Connection:
    """Store a connection, its credentials sealed. Raises `InvalidInput` or `ConnectionNameTaken`; nothing is called."""
    require(actor, Permission.INTEGRATION_MANAGE)
    kind = CONNECTION_TYPES.get(type)
    row = Connection(organization_id=actor.organization_id, name=_name(name), type=kind.name)
    row.config = kind.read_config(config).model_dump(mode="json", by_alias=True, exclude_none=True)
    if MASK in credentials.values():
        raise InvalidInput.of("credentials", "Give the credentials themselves; a mask stands for what is stored.")
    _seal(row, plain(kind.read_credentials(credentials)))
    with transaction.atomic():
        _save(row)
        _note(actor, "created", row, credentials=row.credential_names)
    return row


def update_connection(*, actor: Actor, connection_id: UUID, change: ConnectionChange) -> Connection:
    """Apply a change. Raises `ConnectionNotFound`, `InvalidInput` or `ConnectionNameTaken`.

    A credential given as its mask stays as it is stored. Stored credentials never follow a changed address: whoever
    changes where they are sent has to give them again, and so must know them.
    """
    require(actor, Permission.INTEGRATION_MANAGE)
    with transaction.atomic():
        row = selectors.get_connection(actor=actor, connection_id=connection_id, lock=True)
        kind = CONNECTION_TYPES.get(row.type)
        config = row.config
        if change.config is not None:
            config = kind.read_config(change.config).model_dump(mode="json", by_alias=True, exclude_none=True)
        moved = [name for name in kind.bound if config.get(name) != row.config.get(name)]
        _give_credentials(row, change.credentials, moved)
        row.config = config
        row.name = row.name if change.name is None else _name(change.name)
        row.disabled = row.disabled if change.disabled is None else change.disabled
        _save(row)
        given = {name: getattr(change, name) is not None for name in ("name", "config", "credentials", "disabled")}
        _note(actor, "changed", row, given=[name for name, it in given.items() if it], disabled=row.disabled)
    return row


def delete_connection(*, actor: Actor, connection_id: UUID) -> None:
    """Forget a connection and its credentials. Steps that name it fail from now on, and say so."""
    require(actor, Permission.INTEGRATION_MANAGE)
    row = selectors.get_connection(actor=actor, connection_id=connection_id)
    with transaction.atomic():
        _note(actor, "deleted", row)
        row.delete()


def check_connection(*, actor: Actor, connection_id: UUID, timeout: float = 15.0) -> ConnectionCheck:
    """Ask the other side whether the connection works. Changes and costs nothing there; never raises for its answer."""
    require(actor, Permission.INTEGRATION_MANAGE)
    row = selectors.get_connection(actor=actor, connection_id=connection_id)
    started = time.monotonic()
    try:
        code, message = "ok", port_of(row).check(timeout=timeout)
    except PortFailure as failure:
        code, message = failure.code, failure.message
        if code in BROKEN:
            publish(ConnectionBroken(row.organization_id, row.id, row.name, message))
    return ConnectionCheck(code, message, round((time.monotonic() - started) * 1000, 1))


def _note(actor: Actor, what: str, row: Connection, **about: Any) -> None:
    record(
        f"connection.{what}",
        what,
        organization_id=row.organization_id,
        actor=actor,
        severity="medium",
        resource_type="connection",
        resource_id=row.id,
        details={"name": row.name, "type": row.type, **about},
    )


def _name(given: str) -> str:
    if not 1 <= len(given.strip()) <= 100:
        raise InvalidInput.of("name", "A name has 1 to 100 characters.")
    return given.strip()


def _give_credentials(row: Connection, given: Mapping[str, Any] | None, moved: Sequence[str]) -> None:
    keeping = given is None or MASK in given.values()
    if moved and keeping and row.credential_names:
        raise InvalidInput.of(
            "credentials",
            f"Give the credentials again: with another {' and '.join(moved)} they would be sent to another place.",
            "required",
        )
    if given is None:
        return
    stored = open_credentials(organization_id=row.organization_id, connection_id=row.id, sealed=bytes(row.sealed))
    told = {name: stored.get(name) if value == MASK else value for name, value in given.items()}
    _seal(row, plain(CONNECTION_TYPES.get(row.type).read_credentials(told)))


def _seal(row: Connection, credentials: Mapping[str, Any]) -> None:
    row.credential_names = sorted(credentials)
    row.sealed = seal_credentials(
        organization_id=row.organization_id, connection_id=row.id, credentials=dict(credentials)
    )


def _save(row: Connection) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise ConnectionNameTaken from None
