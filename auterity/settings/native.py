"""What native apps are told and held to. See docs/howto/work-offline.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any


def native_apps(*, support_email: str) -> dict[str, Any]:
    """The setting `NATIVE`."""
    return {
        "tombstones": timedelta(days=30),  # how long deletions and changes that came are remembered
        "max_changes": 100,  # that a client may send at once
        "interval_seconds": 60,  # how often a client should synchronize
        "check_seconds": 6 * 3600,  # how often it should look for a newer version of itself
        "request_timeout_ms": 30_000,
        "max_upload_bytes": 25 * 1024 * 1024,
        "branding": {"name": "Auterity", "accent_color": "#9333EA", "support_email": support_email or None},
    }
