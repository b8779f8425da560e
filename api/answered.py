"""The first answer to an Idempotency-Key at rest. It may hold what is shown once, such as a new key, so it is sealed."""

from __future__ import annotations

from typing import Any

import orjson

from api.models import IdempotencyRecord
from vault import keys
from vault.registry import place


def seal_answer(record: IdempotencyRecord, body: Any) -> bytes:
    """What is stored in `sealed` of a record."""
    plain = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    return keys.seal(organization_id=record.organization_id, place=_place(record), plain=plain)


def open_answer(record: IdempotencyRecord) -> Any:
    """The body that was answered. Raises `SecretUnreadable` where the organization's keys were destroyed."""
    sealed = bytes(record.sealed)
    plain = keys.reveal(organization_id=record.organization_id, place=_place(record), sealed=sealed)
    return orjson.loads(plain)


def _place(record: IdempotencyRecord) -> str:
    return place(record._meta.db_table, record.id, "sealed")
