"""Reading a DMS page by page, as due rows: a worker that dies leaves its sync due again, at the page it had come to.

Each page is one transaction that also notes how far it came, under a fence: a worker that lost its claim writes nothing.
No thread and no database connection waits for a rate limit longer than a second, nor for the next attempt.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from auterity.kernel.errors import DomainError
from engine.ports import PortFailure, Unavailable, Unknown
from integrations.dms.client import DmsClient
from integrations.dms.credentials import opened, sealed
from integrations.dms.records import CustomerRecord, Unreadable, VehicleRecord, read_customer, read_vehicle
from integrations.due import backoff, claim
from integrations.models import DmsCustomer, DmsIntegration, DmsSync, DmsVehicle, SyncStatus

log = structlog.get_logger(__name__)

STORING_SECONDS = 30.0  # what a page may take besides its requests
TURN_SECONDS = 10.0  # after which a sync is given back, so that others have their turn and a worker can stop
SHORT_WAIT = 1.0  # seconds a thread waits for the rate limit before it gives the sync back
FIRST_WAIT, LONGEST_WAIT = 2.0, 600.0  # seconds between attempts
LONGEST_RETRY_AFTER = 3600.0
MAX_PAGES = 50_000  # of one entity; a DMS that always has another page would never end
CRASHES = 5  # claims without a stored page, beyond the attempts that failed, before a sync is given up


class _Lost(Exception):
    """Another worker has taken the sync up, or it was deleted."""


def sync_due() -> bool:
    """Take up the sync that has been due longest, and read pages for a turn, until it ends or has to wait.

    Returns whether there was one.
    """

    def begin(row: DmsSync) -> float:
        row.status = SyncStatus.RUNNING
        row.fence += 1
        row.attempts += 1
        return _lease(row)

    sync = claim(DmsSync.unscoped.select_related("integration"), begin=begin)
    if sync is None:
        return False
    try:
        _work(sync)
    except _Lost:
        log.info("dms_sync_lost", sync=str(sync.id))
    except Exception as defect:
        log.exception("dms_sync_crashed", sync=str(sync.id))
        _fail(sync, f"The sync could not go on ({type(defect).__name__}). This is a defect of ours.")
    return True


def _work(sync: DmsSync) -> None:
    client: DmsClient | None = None
    until = time.monotonic() + TURN_SECONDS
    while True:
        before = sync.integration.updated_at
        wait = _take_token(sync)
        if sync.attempts > _retries(sync) + 1 + CRASHES:
            _fail(sync, "The workers that read the DMS never came back.")
            return
        if wait > SHORT_WAIT:
            _put_back(sync, wait, "")
            return
        try:
            if client is None or sync.integration.updated_at != before:
                client = _client(sync.integration)
            connection.close()  # Nothing of the database is held while the DMS takes its time.
            time.sleep(wait)
            if _next_page(sync, client):
                return
        except (Unavailable, Unknown) as failure:
            _try_later(sync, failure)
            return
        except PortFailure as failure:
            _fail(sync, failure.message)
            return
        except DomainError:
            _fail(sync, "The credentials of the DMS cannot be read; give them again.")
            return
        if time.monotonic() >= until:
            _put_back(sync, 0.0, "")
            return


def _lease(sync: DmsSync) -> float:
    """Seconds in which a page is surely read and stored, or its worker is gone: two tokens and two requests at most."""
    return STORING_SECONDS + 4 * float(sync.integration.configuration["timeout_ms"]) / 1000


def _retries(sync: DmsSync) -> int:
    return int(sync.integration.configuration["retry_attempts"])


def _client(integration: DmsIntegration) -> DmsClient:
    return DmsClient(
        configuration=integration.configuration,
        endpoints=integration.endpoints,
        auth_type=integration.auth_type,
        refresh=integration.refresh,
        credentials=opened(integration),
    )


# -- one page --------------------------------------------------------------------------------------------------------


def _next_page(sync: DmsSync, client: DmsClient) -> bool:
    """Read and store one page. Returns whether it was the last of all. Raises a `PortFailure` or `_Lost`."""
    cursor = dict(sync.cursor)
    entity = cursor.get("entity") or sync.entities[0]
    try:
        page = client.read(entity, cursor, _since(sync, entity))
    finally:
        if client.replaced:
            _keep_credentials(sync.integration, client)
    customers, vehicles, unread = _read(entity, page.records)
    records: list[CustomerRecord | VehicleRecord] = [*customers, *vehicles]
    high = max([cursor.get("high") or "", *(_text(each.last_updated) for each in records if each.last_updated)])
    pages = int(cursor.get("pages") or 0) + 1
    after: dict[str, Any] = {"entity": entity, "high": high, "pages": pages, **(page.after or {})}
    marks: dict[str, str] = dict(cursor.get("marks") or {})
    ended = False
    if page.after is None or pages >= MAX_PAGES:
        marks |= {entity: high} if high else {}
        left = sync.entities[sync.entities.index(entity) + 1 :]
        after, ended = ({"entity": left[0]}, False) if left else ({}, True)
    with transaction.atomic():
        integration = _hold(sync)
        stored = _store_customers(integration, customers)
        placed = _store_vehicles(sync, vehicles)
        sync.customers_synced += stored
        sync.vehicles_synced += placed
        sync.skipped += unread + len(customers) - stored + len(vehicles) - placed
        sync.cursor = {**after, "marks": marks}
        sync.attempts = 1  # The claim's own; what failed before this page is forgotten.
        sync.due_at = timezone.now() + dt.timedelta(seconds=_lease(sync))
        sync.error_message = None
        if ended:
            _complete(sync, integration, marks)
        sync.save()
    return ended


def _hold(sync: DmsSync) -> DmsIntegration:
    """The integration and then the sync, this transaction's alone. Raises `_Lost` where the claim is no longer ours."""
    integration: DmsIntegration | None = (
        DmsIntegration.unscoped.select_for_update(no_key=True).filter(pk=sync.integration_id).first()
    )
    mine = DmsSync.unscoped.select_for_update().filter(pk=sync.pk, fence=sync.fence, status=SyncStatus.RUNNING)
    if integration is None or mine.values_list("pk").first() is None:
        raise _Lost
    return integration


def _complete(sync: DmsSync, integration: DmsIntegration, marks: Mapping[str, str]) -> None:
    now = timezone.now()
    sync.status, sync.due_at, sync.completed_at = SyncStatus.COMPLETED, None, now
    # What an explicit `since` left out is still missing, so only a reading that joins on moves the mark.
    joined = {
        entity: mark
        for entity, mark in marks.items()
        if sync.since is None or _text(sync.since) <= integration.synced_to.get(entity, "")
    }
    kept = integration.synced_to
    integration.synced_to = {**kept, **{name: max(mark, kept.get(name, "")) for name, mark in joined.items()}}
    integration.last_synced_at = now
    integration.save(update_fields=["synced_to", "last_synced_at"])


def _since(sync: DmsSync, entity: str) -> str | None:
    """What the request said, else where the last reading came to; None reads everything."""
    if sync.since is not None:
        return _text(sync.since)
    mark: str | None = sync.integration.synced_to.get(entity)
    return mark


def _read(entity: str, records: Sequence[Any]) -> tuple[list[CustomerRecord], list[VehicleRecord], int]:
    """Customers, vehicles (with those of the customers), and how many records could not be read. Of two with one id the later."""
    customers: dict[str, CustomerRecord] = {}
    vehicles: dict[str, VehicleRecord] = {}
    unread = 0
    for raw in records:
        try:
            if entity == "vehicles":
                found = [read_vehicle(raw)]
            else:
                customer = read_customer(raw)
                found = list(customer.vehicles)
                known = customers.get(customer.key)
                if known is None or known.last_updated <= customer.last_updated:
                    customers[customer.key] = customer
        except Unreadable:
            unread += 1
            continue
        vehicles |= {each.key: each for each in found}
    return list(customers.values()), list(vehicles.values()), unread


def _store_customers(integration: DmsIntegration, records: Sequence[CustomerRecord]) -> int:
    """How many were new or not older than what is stored."""
    given = {each.key: (each.last_updated, each.columns) for each in records}
    return _upsert(integration, DmsCustomer, "dms_customer_id", given)


def _store_vehicles(sync: DmsSync, records: Sequence[VehicleRecord]) -> int:
    """A vehicle of which nobody says when it changed counts as changed when the sync began."""
    given = {each.key: (each.last_updated or sync.created_at, each.columns) for each in records}
    return _upsert(sync.integration, DmsVehicle, "dms_vehicle_id", given)


def _upsert(
    integration: DmsIntegration, model: Any, key: str, given: Mapping[str, tuple[dt.datetime, dict[str, Any]]]
) -> int:
    """Under the sync's lock, so that nobody else writes rows of this integration."""
    if not given:
        return 0
    rows = model.objects.of(integration.organization_id).filter(integration=integration, **{f"{key}__in": list(given)})
    stored = {getattr(each, key): each for each in rows}
    made = [
        model(
            organization_id=integration.organization_id,
            integration=integration,
            last_updated=changed,
            **{**columns, key: name},
        )
        for name, (changed, columns) in given.items()
        if name not in stored
    ]
    changed_rows = []
    now = timezone.now()
    for name, row in stored.items():
        changed, columns = given[name]
        if changed < row.last_updated:
            continue
        # A vehicle that came without its owner keeps the one that is known.
        for field, value in columns.items():
            if not (field == "dms_customer_id" and value == ""):
                setattr(row, field, value)
        row.last_updated, row.updated_at = changed, now
        changed_rows.append(row)
    model.unscoped.bulk_create(made, batch_size=200)
    if changed_rows:
        fields = [*next(iter(given.values()))[1], "last_updated", "updated_at"]
        model.unscoped.bulk_update(changed_rows, fields, batch_size=50)
    return len(made) + len(changed_rows)


# -- waiting and ending ----------------------------------------------------------------------------------------------


def _take_token(sync: DmsSync) -> float:
    """Seconds until one request may be made; it is taken already. The bucket is the row's, so all workers share it.

    Reads the integration anew, so that a change of its settings holds from the next page on. Raises `_Lost`.
    """
    now = timezone.now()
    with transaction.atomic():
        row = DmsIntegration.unscoped.select_for_update(no_key=True).filter(pk=sync.integration_id).first()
        if row is None:
            raise _Lost
        limit = row.configuration["rate_limit"]
        rate, burst = limit["requests_per_minute"] / 60, float(limit["burst_size"])
        left = burst
        if row.refilled_at is not None:
            left = min(burst, row.tokens + max(0.0, (now - row.refilled_at).total_seconds()) * rate)
        wait = max(0.0, (1 - left) / rate)
        if wait <= SHORT_WAIT:
            left -= 1
        row.tokens, row.refilled_at = left, now
        row.save(update_fields=["tokens", "refilled_at"])
    sync.integration = row
    return float(wait)


def _try_later(sync: DmsSync, failure: PortFailure) -> None:
    if sync.attempts > _retries(sync):
        _fail(sync, f"{failure.message} It was tried {sync.attempts} times.")
        return
    wait = backoff(sync.attempts, first=FIRST_WAIT, most=LONGEST_WAIT).total_seconds()
    with suppress(ValueError):  # It may be a date; our own time will do then.
        wait = max(wait, min(float(failure.details.get("retry_after") or 0), LONGEST_RETRY_AFTER))
    _put_back(sync, wait, failure.message)


def _put_back(sync: DmsSync, wait: float, why: str) -> None:
    """Due again after some seconds, for any worker. Waiting for the rate limit is no attempt."""
    mine = DmsSync.unscoped.filter(pk=sync.pk, fence=sync.fence, status=SyncStatus.RUNNING)
    mine.update(
        due_at=timezone.now() + dt.timedelta(seconds=wait),
        attempts=sync.attempts if why else sync.attempts - 1,
        error_message=why[:2000] or None,
        updated_at=timezone.now(),
    )


def _fail(sync: DmsSync, why: str) -> None:
    """What was stored stays, and the next sync begins where the last complete one came to."""
    now = timezone.now()
    mine = DmsSync.unscoped.filter(pk=sync.pk, fence=sync.fence, status=SyncStatus.RUNNING)
    mine.update(status=SyncStatus.FAILED, due_at=None, error_message=why[:2000], completed_at=now, updated_at=now)


def _keep_credentials(integration: DmsIntegration, client: DmsClient) -> None:
    """The token endpoint replaced the refresh token, and the old one may be worth nothing now.

    Credentials that somebody gave anew meanwhile stay.
    """
    with transaction.atomic():
        row = DmsIntegration.unscoped.select_for_update(no_key=True).filter(pk=integration.pk).first()
        if row is not None and opened(row) == {**client.credentials, "refresh_token": client.replaced}:
            row.sealed = sealed(row, client.credentials)
            row.save(update_fields=["sealed"])
    client.replaced = ""


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
