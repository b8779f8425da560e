"""Times as every document writes them: UTC, ISO 8601, ending in Z."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import PlainSerializer


def _write(value: dt.datetime) -> str:
    text = value.astimezone(dt.UTC).isoformat(timespec="milliseconds" if value.microsecond else "seconds")
    return text.replace("+00:00", "Z")


Moment = Annotated[dt.datetime, PlainSerializer(_write, return_type=str, when_used="json")]
