"""How often the nodes of one person's runs may ask models: 20 times a minute (001, Rate Limits, "AI service calls").

A node that comes too early waits, and holds no worker while it does. Runs that nobody started, by a schedule or a webhook, are
bounded by the organization's quota alone.
"""

from __future__ import annotations

import random
from typing import Final
from uuid import UUID

from django.conf import settings

from auterity.kernel.buckets import Bucket, take

A_MINUTE: Final = 20
SPREAD: Final = 0.5  # of the wait, so that those who wait do not all come back for the same turn


def seconds_to_wait(user_id: UUID | None) -> float:
    """0 when one of this person's nodes may ask now, which counts; else in how many seconds to come again."""
    if user_id is None or not settings.RATE_LIMITS:
        return 0.0
    taken = take([Bucket(f"ai:{user_id}", A_MINUTE, A_MINUTE)])
    if taken.allowed:
        return 0.0
    return taken.tightest.wait * (1 + random.uniform(0, SPREAD))  # noqa: S311  Spreads turns; no secret.
