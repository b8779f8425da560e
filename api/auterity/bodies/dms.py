"""Shapes of `/api/integrations/dms` (000, "Dealership Management Systems")."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.auterity.moments import Instant, Moment
from api.auterity.pages import Page, PageQuery
from integrations.dms.settings import Authentication, Configuration, Endpoints, Entity, Provider

_EXAMPLE: dict[str, Any] = {
    "provider": "Custom",
    "configuration": {
        "base_url": "https://dms.example.com",
        "api_version": "v1",
        "timeout_ms": 5000,
        "retry_attempts": 2,
        "rate_limit": {"requests_per_minute": 60, "burst_size": 10},
    },
    "authentication": {"type": "api_key", "credentials": {"api_key": "example"}},
    "endpoints": {
        "customers": "customers",
        "vehicles": "vehicles",
        "service_appointments": "appointments",
        "sales_opportunities": "opportunities",
        "inventory": "inventory",
    },
}


class DmsCreate(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True, json_schema_extra={"example": _EXAMPLE})

    provider: Provider
    configuration: Configuration
    authentication: Authentication
    endpoints: Endpoints


class DmsUpdate(BaseModel):
    """Each part is given whole, or left out and kept."""

    model_config = ConfigDict(hide_input_in_errors=True)

    configuration: Configuration | None = None
    authentication: Authentication | None = None
    endpoints: Endpoints | None = None


class AuthenticationBody(BaseModel):
    type: str
    credentials: Annotated[dict[str, str], Field(description="Names with masked values.")]
    refresh_configuration: dict[str, str] | None = None


class DmsRecord(BaseModel):
    """000, DMSIntegration, as it is stored."""

    id: UUID
    provider: Provider
    configuration: dict[str, Any]
    authentication: AuthenticationBody
    endpoints: dict[str, str]
    last_synced_at: Moment | None
    created_at: Moment
    updated_at: Moment


class DmsRecords(BaseModel):
    integrations: list[DmsRecord]
    total: int


class SyncRequest(BaseModel):
    """Without `since`: what changed since the last complete sync; everything the first time."""

    model_config = ConfigDict(json_schema_extra={"example": {"since": "2024-01-01T00:00:00Z"}})

    since: Instant | None = None
    entities: Annotated[list[Entity] | None, Field(min_length=1)] = None


class SyncAccepted(BaseModel):
    sync_id: UUID
    integration_id: UUID
    status: Literal["pending", "running", "completed", "failed"]
    created_at: Moment


class SyncBody(SyncAccepted):
    entities: list[str]
    since: Moment | None
    customers_synced: int
    vehicles_synced: int
    skipped: Annotated[int, Field(description="Records that could not be read, or were older than the stored ones.")]
    error_message: Annotated[str | None, Field(description="Why it failed; while it runs, why it waits.")]
    completed_at: Moment | None


class SyncPage(Page):
    syncs: list[SyncBody]


class CustomerQuery(PageQuery):
    search: Annotated[str, Field(max_length=200, description="Looks in names, e-mail, telephone and id.")] = ""


class VehicleQuery(PageQuery):
    search: Annotated[str, Field(max_length=200, description="Looks in VIN, make, model and id.")] = ""
    dms_customer_id: Annotated[str, Field(max_length=200, description="Whose.")] = ""


class VehicleBody(BaseModel):
    """000, Vehicle. What the DMS does not say is left out."""

    dms_vehicle_id: str
    vin: str
    year: int
    make: str
    model: str
    trim: str | None = None
    mileage: float | None = None
    purchase_date: str | None = None
    last_service_date: str | None = None
    dms_customer_id: str | None = None


class CustomerBody(BaseModel):
    """000, CustomerData. What the DMS does not say is left out."""

    dms_customer_id: str
    first_name: str
    last_name: str
    last_updated: Moment
    email: str | None = None
    phone: str | None = None
    address: dict[str, Any] | None = None
    vehicles: list[VehicleBody] = []
    preferences: dict[str, Any] | None = None


class CustomerPage(Page):
    customers: list[CustomerBody]


class VehiclePage(Page):
    vehicles: list[VehicleBody]
