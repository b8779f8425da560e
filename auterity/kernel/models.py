"""What every table shares: a time-ordered id and its timestamps."""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import orjson
from django.db import models
from django.db.models.functions import Now


class _Uuid7:
    """Makes UUIDv7s that sort in the order in which this process made them (RFC 9562, section 6.2, method 1).

    48 bits of milliseconds since 1970, 12 bits that count within a millisecond, 62 random bits.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0  # milliseconds and counter, as one number

    def __call__(self) -> uuid.UUID:
        fresh = (time.time_ns() // 1_000_000) << 12 | secrets.randbits(8)
        with self._lock:
            self._last = max(fresh, self._last + 1)
            stamp = self._last
        head = stamp >> 12 << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64
        return uuid.UUID(int=head | 0b10 << 62 | secrets.randbits(62))


_make = _Uuid7()


def uuid7() -> uuid.UUID:
    """A new id. Ids sort by age."""
    return _make()


def first_id_of(moment: dt.datetime) -> uuid.UUID:
    """The smallest id a row made at this moment can have: what `created_at >= moment` costs with an index."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


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
