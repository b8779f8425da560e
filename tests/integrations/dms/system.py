"""A DMS on a real port, its records, and what a client of `/api/integrations/dms` does with it."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import orjson
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from integrations.dms.sync import sync_due
from integrations.models import DmsSync
from tests.api.people import Api

PATH = "/api/integrations/dms"
KEY = "dms-marker-551"
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
CUSTOMER = {
    "dms_customer_id": "string", "first_name": "string", "last_name": "string", "last_updated": "datetime",
    "vehicles": [{"dms_vehicle_id": "string", "vin": "string", "year": "integer", "make": "string", "model": "string"}],
}  # fmt: skip
RECORD = {
    "id": "uuid", "provider": "enum(CDK|Reynolds|DealerSocket|Custom)", "configuration": "object",
    "authentication": {"type": "string", "credentials": "object"}, "endpoints": "object",
    "last_synced_at": "datetime|null", "created_at": "datetime", "updated_at": "datetime",
}  # fmt: skip


def customer(number: int, day: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "dms_customer_id": f"C{number:04}", "first_name": "Ann", "last_name": f"Ames {number:04}",
        "email": f"ann{number}@example.com", "last_updated": f"2024-01-{day:02}T10:00:00Z", **more,
    }  # fmt: skip


def vehicle(number: int, **more: Any) -> dict[str, Any]:
    return {
        "dms_vehicle_id": f"V{number}",
        "vin": f"VIN{number}",
        "year": 2020,
        "make": "Ford",
        "model": "Focus",
        **more,
    }


class Dms:
    """A DMS with pages, a key, and moods: answers that come before the real ones."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.rows: dict[str, list[dict[str, Any]]] = {"customers": [], "vehicles": []}
        self.moods: list[Response | float] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.headers: dict[str, str] = {"X-API-Key": KEY}
        for entity in self.rows:
            server.expect_request(f"/v1/{entity}").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        entity = request.path.rpartition("/")[2]
        self.asked.append((entity, dict(request.args)))
        if self.moods:
            mood = self.moods.pop(0)
            if isinstance(mood, Response):
                return mood
            time.sleep(mood)
        if any(request.headers.get(name) != value for name, value in self.headers.items()):
            return Response("no", 401)
        since = request.args.get("updated_since", "")
        rows = [each for each in self.rows[entity] if each.get("last_updated", "9") >= since]
        page, size = int(request.args["page"]), int(request.args["page_size"])
        cut = rows[(page - 1) * size : page * size]
        return Response(
            orjson.dumps({entity: cut, "has_more": page * size < len(rows)}), content_type="application/json"
        )


def settings_of(dms: Dms | None = None, **configuration: Any) -> dict[str, Any]:
    """The contract's example, at the server's address."""
    base = dms.server.url_for("").rstrip("/") if dms else "https://dms.example.com"
    return {
        "provider": "Custom",
        "configuration": {
            "base_url": base, "api_version": "v1", "timeout_ms": 5000, "retry_attempts": 2,
            "rate_limit": {"requests_per_minute": 60_000, "burst_size": 1000}, **configuration,
        },
        "authentication": {"type": "api_key", "credentials": {"api_key": KEY}},
        "endpoints": {
            "customers": "customers", "vehicles": "vehicles", "service_appointments": "appointments",
            "sales_opportunities": "opportunities", "inventory": "inventory",
        },
    }  # fmt: skip


def at(made: dict[str, Any], rest: str = "") -> str:
    return f"{PATH}/{made['id']}{rest}"


def all_due() -> None:
    DmsSync.unscoped.filter(due_at__isnull=False).update(due_at=LONG_AGO)


def synced(api: Api, made: dict[str, Any], **body: Any) -> dict[str, Any]:
    """A sync once it has ended, its waits skipped."""
    accepted = api.post(at(made, "/sync"), body)
    assert accepted.status_code == 202, accepted.content
    for _ in range(200):
        all_due()
        if not sync_due():
            break
    found: dict[str, Any] = api.get(at(made, f"/sync/{accepted.json()['sync_id']}")).json()
    return found
