"""A DMS's records as 000 has them (CustomerData, Vehicle), read leniently: what a system leaves out or misspells is left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

MAX_JSON = 20_000  # bytes of an address or of preferences


class Unreadable(Exception):
    """A record without an id, or a customer without a moment of its last change."""


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """`vehicles` are those that came with it. The rest are the columns of `DmsCustomer`."""

    key: str
    last_updated: dt.datetime
    columns: dict[str, Any]
    vehicles: tuple[VehicleRecord, ...]


@dataclass(frozen=True, slots=True)
class VehicleRecord:
    """`last_updated` is its own, its customer's, or None where nobody says."""

    key: str
    last_updated: dt.datetime | None
    columns: dict[str, Any]


def read_customer(raw: Any) -> CustomerRecord:
    """Raises `Unreadable`. A vehicle of the customer that has no id is left out."""
    if not isinstance(raw, Mapping):
        raise Unreadable
    key = _key(raw, "dms_customer_id", "customer_id", "id")
    changed = _moment(raw.get("last_updated"))
    if changed is None:
        raise Unreadable
    columns = {
        "first_name": _text(raw.get("first_name"), 200),
        "last_name": _text(raw.get("last_name"), 200),
        "email": _text(raw.get("email"), 320),
        "phone": _text(raw.get("phone"), 50),
        "address": _object(raw.get("address")),
        "preferences": _object(raw.get("preferences")),
    }
    listed = raw.get("vehicles")
    vehicles = []
    for each in listed if isinstance(listed, list) else []:
        try:
            vehicles.append(read_vehicle(each, owner=key, changed=changed))
        except Unreadable:
            continue
    return CustomerRecord(key, changed, columns, tuple(vehicles))


def read_vehicle(raw: Any, *, owner: str = "", changed: dt.datetime | None = None) -> VehicleRecord:
    """Raises `Unreadable`."""
    if not isinstance(raw, Mapping):
        raise Unreadable
    columns = {
        "dms_customer_id": owner or _text(raw.get("dms_customer_id", raw.get("customer_id")), 200),
        "vin": _text(raw.get("vin"), 50),
        "year": _year(raw.get("year")),
        "make": _text(raw.get("make"), 100),
        "model": _text(raw.get("model"), 100),
        "trim": _text(raw.get("trim"), 100),
        "mileage": _number(raw.get("mileage")),
        "purchase_date": _text(raw.get("purchase_date"), 40),
        "last_service_date": _text(raw.get("last_service_date"), 40),
    }
    return VehicleRecord(
        _key(raw, "dms_vehicle_id", "vehicle_id", "id"), _moment(raw.get("last_updated")) or changed, columns
    )


def _key(raw: Mapping[str, Any], *names: str) -> str:
    found = next((raw[name] for name in names if raw.get(name) not in (None, "")), None)
    key = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    if not key.strip() or len(key) > 200 or "\x00" in key:
        raise Unreadable
    return key


def _text(value: Any, most: int) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode()[:most]


def _object(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        return None
    return value if len(encoded) <= MAX_JSON and b"\\u0000" not in encoded else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if not isinstance(value, bool) and 0 <= number < 1e12 else None


def _year(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 1800 <= number <= 3000 else None


def _moment(value: Any) -> dt.datetime | None:
    """ISO 8601, a date too; without an offset it is UTC."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
