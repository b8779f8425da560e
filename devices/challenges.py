"""What a device signs: a nonce that is good once, for a minute. Made for any id, so that asking tells nothing."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Final
from uuid import UUID

from devices.errors import DeviceChallengeInvalid
from devices.keys import text
from devices.models import DeviceChallenge

NONCE_BYTES: Final = 32
LIFETIME: Final = dt.timedelta(seconds=60)


def issue(device_id: UUID, *, now: dt.datetime) -> DeviceChallenge:
    """Asks nothing about the device: a known id costs what an unknown one does."""
    return DeviceChallenge.objects.create(
        device_id=device_id, nonce=secrets.token_bytes(NONCE_BYTES), expires_at=now + LIFETIME
    )


def spend(challenge_id: UUID, device_id: UUID, *, now: dt.datetime) -> DeviceChallenge:
    """Use it up, whatever comes of it. Of many who do it at once one gets it. Raises `DeviceChallengeInvalid`."""
    rows = DeviceChallenge.objects.filter(pk=challenge_id, device_id=device_id)
    if not rows.filter(used_at=None, expires_at__gt=now).update(used_at=now):
        raise DeviceChallengeInvalid
    return rows.get()


def message(challenge: DeviceChallenge) -> bytes:
    """What is signed: nonce, device id and challenge id as the challenge was told, one after the other, in ASCII."""
    return f"{text(bytes(challenge.nonce))}{challenge.device_id}{challenge.pk}".encode()


def forget(*, before: dt.datetime, limit: int) -> int:
    """Delete those whose time was over before that moment. Returns how many."""
    chosen = DeviceChallenge.objects.filter(expires_at__lt=before).order_by("expires_at")
    return DeviceChallenge.objects.filter(pk__in=list(chosen.values_list("pk", flat=True)[:limit])).delete()[0]
