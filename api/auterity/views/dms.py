"""`/api/integrations/dms`: dealership management systems, their syncs, and what those stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import dms as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import PageQuery, cut
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from integrations.connection_types import MASK
from integrations.dms import services
from integrations.errors import DmsNotFound, DmsUnavailable, SyncNotFound, SyncRunning
from integrations.models import DmsCustomer, DmsIntegration, DmsSync, DmsVehicle

READING = (NotAuthenticated, PermissionDenied, DmsNotFound)


class DmsIntegrationsView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_READ,
        id="dms_integration_list",
        summary="List DMS integrations",
        answers={200: bodies.DmsRecords},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """The organization's, newest first. Credentials are masked."""
        found = [_record(each) for each in services.list_integrations(actor=call.actor)]
        return Answer(bodies.DmsRecords(integrations=found, total=len(found)))

    @operation(
        needs=Permission.INTEGRATION_MANAGE,
        id="dms_integration_create",
        summary="Add a DMS integration",
        body=bodies.DmsCreate,
        answers={201: bodies.DmsRecord},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
        creates=True,
    )
    def post(self, call: Call[bodies.DmsCreate]) -> Answer:
        """Stored at once and not tried; a sync tries it."""
        row = services.create_integration(
            actor=call.actor,
            provider=call.body.provider,
            configuration=call.body.configuration,
            authentication=call.body.authentication,
            endpoints=call.body.endpoints,
        )
        return Answer(_record(row), 201)


class DmsIntegrationView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_READ,
        id="dms_integration_get",
        summary="Read a DMS integration",
        answers={200: bodies.DmsRecord},
        raises=READING,
    )
    def get(self, call: Call[None], integration_id: UUID) -> Answer:
        """Credentials are masked."""
        return Answer(_record(services.get_integration(actor=call.actor, integration_id=integration_id)))

    @operation(
        needs=Permission.INTEGRATION_MANAGE,
        id="dms_integration_update",
        summary="Change a DMS integration",
        body=bodies.DmsUpdate,
        answers={200: bodies.DmsRecord},
        raises=[*READING, InvalidInput],
    )
    def put(self, call: Call[bodies.DmsUpdate], integration_id: UUID) -> Answer:
        """A credential sent as its mask stays as it is. With another address the credentials are given again."""
        row = services.update_integration(
            actor=call.actor,
            integration_id=integration_id,
            configuration=call.body.configuration,
            authentication=call.body.authentication,
            endpoints=call.body.endpoints,
        )
        return Answer(_record(row))

    @operation(
        needs=Permission.INTEGRATION_MANAGE,
        id="dms_integration_delete",
        summary="Delete a DMS integration",
        answers={204: None},
        raises=READING,
    )
    def delete(self, call: Call[None], integration_id: UUID) -> Answer:
        """With its credentials, and the customers and vehicles it stored."""
        services.delete_integration(actor=call.actor, integration_id=integration_id)
        return Answer(None, 204)


class DmsSyncsView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_SYNC,
        id="dms_sync",
        summary="Read the DMS",
        body=bodies.SyncRequest,
        answers={202: bodies.SyncAccepted},
        raises=[*READING, InvalidInput, SyncRunning, DmsUnavailable],
        creates=True,
    )
    def post(self, call: Call[bodies.SyncRequest], integration_id: UUID) -> Answer:
        """In the background, one at a time. Customers and vehicles are stored by id; an older one never replaces a newer."""
        sync = services.start_sync(
            actor=call.actor,
            integration_id=integration_id,
            since=call.body.since,
            entities=call.body.entities,
        )
        return Answer(bodies.SyncAccepted(**_accepted(sync)), 202)

    @operation(
        needs=Permission.INTEGRATION_READ,
        id="dms_sync_list",
        summary="List the syncs of a DMS",
        query=PageQuery,
        answers={200: bodies.SyncPage},
        raises=[*READING, InvalidInput],
    )
    def get(self, call: Call[None], integration_id: UUID) -> Answer:
        """Newest first."""
        rows = services.list_syncs(actor=call.actor, integration_id=integration_id)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.SyncPage(syncs=[_sync(each) for each in found], **page))


class DmsSyncView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_READ,
        id="dms_sync_get",
        summary="What became of a sync",
        answers={200: bodies.SyncBody},
        raises=[*READING, SyncNotFound],
    )
    def get(self, call: Call[None], integration_id: UUID, sync_id: UUID) -> Answer:
        """How far it came, and why it failed or waits."""
        return Answer(_sync(services.get_sync(actor=call.actor, integration_id=integration_id, sync_id=sync_id)))


class DmsCustomersView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_READ,
        id="dms_customer_list",
        summary="List the customers of a DMS",
        query=bodies.CustomerQuery,
        answers={200: bodies.CustomerPage},
        raises=[*READING, InvalidInput],
    )
    def get(self, call: Call[None], integration_id: UUID) -> Answer:
        """As the last syncs stored them, by name, with their vehicles."""
        rows = services.list_customers(actor=call.actor, integration_id=integration_id, search=call.query.search)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        owned = services.vehicles_of(actor=call.actor, customers=found)
        listed = [_customer(each, owned.get(each.dms_customer_id, ())) for each in found]
        return Answer(bodies.CustomerPage(customers=listed, **page), sparse=True)


class DmsVehiclesView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_READ,
        id="dms_vehicle_list",
        summary="List the vehicles of a DMS",
        query=bodies.VehicleQuery,
        answers={200: bodies.VehiclePage},
        raises=[*READING, InvalidInput],
    )
    def get(self, call: Call[None], integration_id: UUID) -> Answer:
        """As the last syncs stored them, by their id in the DMS."""
        rows = services.list_vehicles(
            actor=call.actor,
            integration_id=integration_id,
            search=call.query.search,
            dms_customer_id=call.query.dms_customer_id,
        )
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.VehiclePage(vehicles=[_vehicle(each) for each in found], **page), sparse=True)


def _record(row: DmsIntegration) -> bodies.DmsRecord:
    return bodies.DmsRecord(
        id=row.id,
        provider=row.provider,  # type: ignore[arg-type]
        configuration=row.configuration,
        authentication=bodies.AuthenticationBody(
            type=row.auth_type,
            credentials=dict.fromkeys(row.credential_names, MASK),
            refresh_configuration=row.refresh,
        ),
        endpoints=row.endpoints,
        last_synced_at=row.last_synced_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _accepted(sync: DmsSync) -> dict[str, Any]:
    return {
        "sync_id": sync.id,
        "integration_id": sync.integration_id,
        "status": sync.status,
        "created_at": sync.created_at,
    }


def _sync(sync: DmsSync) -> bodies.SyncBody:
    return bodies.SyncBody(
        **_accepted(sync),
        entities=sync.entities,
        since=sync.since,
        customers_synced=sync.customers_synced,
        vehicles_synced=sync.vehicles_synced,
        skipped=sync.skipped,
        error_message=sync.error_message,
        completed_at=sync.completed_at,
    )


def _customer(row: DmsCustomer, vehicles: Sequence[DmsVehicle]) -> bodies.CustomerBody:
    told = {
        "email": row.email or None,
        "phone": row.phone or None,
        "address": row.address,
        "preferences": row.preferences,
    }
    return bodies.CustomerBody(
        dms_customer_id=row.dms_customer_id,
        first_name=row.first_name,
        last_name=row.last_name,
        last_updated=row.last_updated,
        vehicles=[_vehicle(each) for each in vehicles],
        **{name: value for name, value in told.items() if value is not None},
    )


def _vehicle(row: DmsVehicle) -> bodies.VehicleBody:
    told: dict[str, Any] = {
        "trim": row.trim or None,
        "mileage": row.mileage,
        "purchase_date": row.purchase_date or None,
        "last_service_date": row.last_service_date or None,
        "dms_customer_id": row.dms_customer_id or None,
    }
    return bodies.VehicleBody(
        dms_vehicle_id=row.dms_vehicle_id,
        vin=row.vin,
        year=row.year or 0,
        make=row.make,
        model=row.model,
        **{name: value for name, value in told.items() if value is not None},
    )
