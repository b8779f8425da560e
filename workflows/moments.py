"""Moments as frames write them."""

from __future__ import annotations

import datetime as dt


def written(moment: dt.datetime) -> str:
    """UTC, ISO 8601, milliseconds, ending in Z."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
