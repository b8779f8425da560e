"""What every table shares: a time-ordered id and its timestamps."""

from __future__ import annotations

import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any

import orjson
from django.db import models
from django.db.models.functions import Now


def uuid7() -> uuid.UUID:
    """A UUID whose first 48 bits are milliseconds since 1970, so that ids sort by age (RFC 9562, section 5.7)."""
    stamp = time.time_ns() // 1_000_000
    noise = secrets.randbits(74)
    value = (stamp & (1 << 48) - 1) << 80 | 0x7 << 76 | (noise >> 62) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    return uuid.UUID(int=value)


class Identified(models.Model):
    """A row with a UUIDv7 and the moment it was made, by the database's clock."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class Timestamped(Identified):
    """An identified row that also knows when it last changed."""

    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


if TYPE_CHECKING:
    _Text = models.TextField[Any, Any]
else:
    _Text = models.TextField  # Only the stubs can be subscripted.


class JsonText(_Text):
    """A JSON value kept as text. The database never parses it: payloads are opaque, keep their key order, and cost less.

    Values are what `json` knows; a value that is not (a lone surrogate, an integer over 64 bits) raises `TypeError`
    before anything is written.
    """

    if TYPE_CHECKING:
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> Any:
        return None if value is None else orjson.loads(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""
