"""Writing and reading DMS integrations, their syncs, and what those stored (000, "Dealership Management Systems")."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput
from engine.ports import PortFailure
from integrations import egress
from integrations.connection_types import MASK
from integrations.dms.credentials import opened, sealed
from integrations.dms.settings import ENTITIES, Authentication, Configuration, Endpoints, Entity, Provider
from integrations.errors import DmsNotFound, DmsUnavailable, SyncNotFound, SyncRunning
from integrations.models import DmsCustomer, DmsIntegration, DmsSync, DmsVehicle

MAX_INTEGRATIONS = 50
REACHED_WITHIN = 3.0  # seconds; a DMS that does not even take a connection is told at once


@transaction.atomic
def create_integration(
    *,
    actor: Actor,
    provider: Provider,
    configuration: Configuration,
    authentication: Authentication,
    endpoints: Endpoints,
) -> DmsIntegration:
    """Store an integration, its credentials sealed. Nothing is called. Raises `InvalidInput`."""
    require(actor, Permission.INTEGRATION_MANAGE)
    if DmsIntegration.objects.of(actor).count() >= MAX_INTEGRATIONS:
        raise InvalidInput.of("provider", f"An organization has at most {MAX_INTEGRATIONS} DMS integrations.")
    if MASK in authentication.credentials.values():
        raise InvalidInput.of("authentication.credentials", "Give the credentials; a mask stands for what is stored.")
    row = DmsIntegration(organization_id=actor.organization_id, provider=provider)
    row.configuration = configuration.model_dump(mode="json")
    row.endpoints = endpoints.model_dump(mode="json")
    _seal(row, authentication, authentication.credentials)
    row.save(force_insert=True)
    return row


@transaction.atomic
def update_integration(
    *,
    actor: Actor,
    integration_id: UUID,
    configuration: Configuration | None = None,
    authentication: Authentication | None = None,
    endpoints: Endpoints | None = None,
) -> DmsIntegration:
    """Put what is given in the place of what is stored. A sync that runs goes on with it at its next page.

    Stored credentials never follow a changed address: whoever changes where they are sent gives them again. Raises
    `DmsNotFound` or `InvalidInput`.
    """
    require(actor, Permission.INTEGRATION_MANAGE)
    row = get_integration(actor=actor, integration_id=integration_id, lock=True)
    before = (row.configuration["base_url"], (row.refresh or {}).get("token_url"))
    if configuration is not None:
        row.configuration = configuration.model_dump(mode="json")
    if endpoints is not None:
        row.endpoints = endpoints.model_dump(mode="json")
    told = authentication.credentials if authentication is not None else {}
    keeping = authentication is None or MASK in told.values()
    stored = opened(row) if keeping else {}
    if authentication is not None:
        given = {name: stored.get(name, "") if value == MASK else value for name, value in told.items()}
        if authentication.type != row.auth_type and keeping:
            raise InvalidInput.of("authentication.credentials", "Give the credentials of the other type.", "required")
        _seal(row, authentication, given)
    after = (row.configuration["base_url"], (row.refresh or {}).get("token_url"))
    if keeping and after != before:
        raise InvalidInput.of(
            "authentication.credentials",
            "Give the credentials again: with another address they would be sent to another place.",
            "required",
        )
    row.save()
    return row


@transaction.atomic
def delete_integration(*, actor: Actor, integration_id: UUID) -> None:
    """Forget an integration, its credentials, and everything it stored. A sync that runs ends. Raises `DmsNotFound`."""
    require(actor, Permission.INTEGRATION_MANAGE)
    get_integration(actor=actor, integration_id=integration_id, lock=True).delete()


def start_sync(
    *,
    actor: Actor,
    integration_id: UUID,
    since: dt.datetime | None = None,
    entities: Sequence[Entity] | None = None,
) -> DmsSync:
    """Store a sync that is due; a worker reads the DMS. Without `since` it reads what changed since the last complete one.

    Raises `DmsNotFound`, `SyncRunning`, `InvalidInput`, or `DmsUnavailable` where the DMS takes no connection now.
    """
    require(actor, Permission.INTEGRATION_SYNC)
    integration = get_integration(actor=actor, integration_id=integration_id)
    wanted = [each for each in ENTITIES if entities is None or each in entities]
    if not wanted:
        raise InvalidInput.of("entities", f"Name at least one of {', '.join(ENTITIES)}.")
    if integration.syncs.filter(status__in=["pending", "running"]).exists():
        raise SyncRunning
    _reach(integration)
    sync = DmsSync(
        organization_id=actor.organization_id,
        integration=integration,
        entities=wanted,
        since=since,
        due_at=timezone.now(),
        created_by_id=actor.user_id,
    )
    try:
        with transaction.atomic():
            sync.save(force_insert=True)
    except IntegrityError:
        raise SyncRunning from None
    return sync


# -- reading ---------------------------------------------------------------------------------------------------------


def list_integrations(*, actor: Actor) -> QuerySet[DmsIntegration]:
    """The organization's, newest first."""
    require(actor, Permission.INTEGRATION_READ)
    return DmsIntegration.objects.of(actor).order_by("-id")


def get_integration(*, actor: Actor, integration_id: UUID, lock: bool = False) -> DmsIntegration:
    """Raises `DmsNotFound`."""
    require(actor, Permission.INTEGRATION_READ)
    rows = DmsIntegration.objects.of(actor)
    found = (rows.select_for_update(no_key=True) if lock else rows).filter(id=integration_id).first()
    if not isinstance(found, DmsIntegration):
        raise DmsNotFound
    return found


def list_syncs(*, actor: Actor, integration_id: UUID) -> QuerySet[DmsSync]:
    """Newest first. Raises `DmsNotFound`."""
    integration = get_integration(actor=actor, integration_id=integration_id)
    return DmsSync.objects.of(actor).filter(integration=integration).order_by("-id")


def get_sync(*, actor: Actor, integration_id: UUID, sync_id: UUID) -> DmsSync:
    """Raises `DmsNotFound` or `SyncNotFound`."""
    found = list_syncs(actor=actor, integration_id=integration_id).filter(id=sync_id).first()
    if found is None:
        raise SyncNotFound
    return found


def list_customers(*, actor: Actor, integration_id: UUID, search: str = "") -> QuerySet[DmsCustomer]:
    """By name. `search` looks in names, e-mail, telephone and id, ignoring case. Raises `DmsNotFound`."""
    integration = get_integration(actor=actor, integration_id=integration_id)
    rows = DmsCustomer.objects.of(actor).filter(integration=integration).order_by("last_name", "first_name", "id")
    for word in search.split()[:5]:
        rows = rows.filter(_any(("first_name", "last_name", "email", "phone", "dms_customer_id"), word))
    return rows


def list_vehicles(
    *, actor: Actor, integration_id: UUID, search: str = "", dms_customer_id: str = ""
) -> QuerySet[DmsVehicle]:
    """By id of the DMS. `search` looks in VIN, make, model and id. Raises `DmsNotFound`."""
    integration = get_integration(actor=actor, integration_id=integration_id)
    rows = DmsVehicle.objects.of(actor).filter(integration=integration).order_by("dms_vehicle_id", "id")
    if dms_customer_id:
        rows = rows.filter(dms_customer_id=dms_customer_id)
    for word in search.split()[:5]:
        rows = rows.filter(_any(("vin", "make", "model", "dms_vehicle_id"), word))
    return rows


def vehicles_of(*, actor: Actor, customers: Sequence[DmsCustomer]) -> dict[str, list[DmsVehicle]]:
    """The vehicles of some customers of one integration, by the customer's id in the DMS; one query."""
    rows = DmsVehicle.objects.of(actor).filter(
        integration_id__in={each.integration_id for each in customers},
        dms_customer_id__in=[each.dms_customer_id for each in customers],
    )
    found: dict[str, list[DmsVehicle]] = {}
    for each in rows.order_by("dms_vehicle_id"):
        found.setdefault(each.dms_customer_id, []).append(each)
    return found


# -- inside ----------------------------------------------------------------------------------------------------------


def _any(fields: Sequence[str], word: str) -> Q:
    wanted = Q()
    for name in fields:
        wanted |= Q(**{f"{name}__icontains": word})
    return wanted


def _seal(row: DmsIntegration, authentication: Authentication, credentials: dict[str, str]) -> None:
    refresh = authentication.refresh_configuration
    row.auth_type = authentication.type
    row.refresh = refresh.model_dump(mode="json") if refresh is not None else None
    row.credential_names = sorted(credentials)
    row.sealed = sealed(row, credentials)


def _reach(integration: DmsIntegration) -> None:
    """A connection through the guard, closed at once. Raises `DmsUnavailable`."""
    try:
        url = egress.checked_url(integration.configuration["base_url"])
        port = url.port or (443 if url.scheme == "https" else 80)
        egress.connect(url.host, port, egress.Deadline(REACHED_WITHIN)).close()
    except PortFailure as failure:
        raise DmsUnavailable(f"The DMS cannot be reached. {failure.message}", provider=integration.provider) from None
