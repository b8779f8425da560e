"""Signing in by a device's key. It is one factor, of possession: where a policy or the person wants two, another is asked for.

Whether there is such a device, and how it stands, is told only to whoever signs with its key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import attempts, logins
from accounts.clients import Client, line
from accounts.credentials import LoginOutcome
from accounts.factors import Factor
from accounts.models import Membership
from accounts.pairs import TokenPair
from devices import challenges, installations, keys, services
from devices.errors import DeviceChallengeInvalid, DeviceRevoked, SignatureInvalid
from devices.keys import DECOY, DeviceKey
from devices.models import Algorithm, Device, Status

WRONG_IN_A_ROW: Final = 5
NOBODY: Final = UUID(int=0)
LIVE: Final = (Status.PENDING, Status.ACTIVE)
REFUSALS: Final = (DeviceChallengeInvalid, SignatureInvalid, DeviceRevoked)  # of a key's signature over a challenge


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A login by a device's key. `pair` has a refresh token only where the device belongs to an installation."""

    device: Device
    pair: TokenPair


def authenticate(
    *,
    device_id: UUID,
    challenge_id: UUID,
    signature: str,
    client: Client,
    app_version: str = "",
    now: dt.datetime | None = None,
) -> Authenticated:
    """Open a login by a signature over a challenge, and turn a pending device active.

    Without an installation there is nobody to renew the login: it ends with its access token. Raises `DeviceChallengeInvalid`,
    `SignatureInvalid`, `DeviceRevoked`, `ClientInvalid` where its installation was switched off, and what `logins.open_login`
    does.
    """
    now = now or timezone.now()
    device = prove(
        device_id=device_id,
        challenge_id=challenge_id,
        signature=signature,
        client=client,
        app_version=app_version,
        now=now,
    )
    bound = device.installation_id is not None
    client = replace(
        client, client_id=device.installation_id, device_id=device.pk, device_name=device.name, remember=bound
    )
    until = None if bound else now + dt.timedelta(seconds=client.access_seconds)
    pair = logins.open_login(device.user, client=client, factors={Factor.DEVICE}, until=until, now=now)
    return Authenticated(device, pair if bound else replace(pair, refresh_token=None))


def prove(
    *,
    device_id: UUID,
    challenge_id: UUID,
    signature: str,
    client: Client,
    app_version: str = "",
    now: dt.datetime,
) -> Device:
    """The device that signed, with its `user`. Raises `REFUSALS`."""
    challenge = challenges.spend(challenge_id, device_id, now=now)
    device = Device.objects.select_related("user").filter(pk=device_id).first()
    good = keys.verifies(_key_of(device), keys.decoded(signature), challenges.message(challenge))
    if device is None or not good:
        _signed_wrongly(device_id, client, now)
        raise SignatureInvalid
    return _signed(device, client, app_version, now)


def prove_text(device: Device, signature: str, said: str, *, client: Client, now: dt.datetime) -> None:
    """That the device signed a text that is good once anyhow, such as a refresh token. Raises `SignatureInvalid`."""
    if not keys.verifies(_key_of(device), keys.decoded(signature), said.encode()):
        _signed_wrongly(device.pk, client, now)
        raise SignatureInvalid


def check_client(membership: Membership, _factors: Collection[Factor], client: Client) -> None:
    """Whether a login may begin on this installation and device, both held (`accounts.vouching.ask_last`).

    Raises `DeviceRevoked` or `ClientInvalid`.
    """
    if client.device_id is not None:
        held = Device.objects.select_for_update().filter(pk=client.device_id, user_id=membership.user_id).first()
        if held is None or held.status != Status.ACTIVE:
            raise DeviceRevoked
    if client.client_id is not None:
        installations.hold(client.client_id)


# -- inside ------------------------------------------------------------------------------------------------------------


def _key_of(device: Device | None) -> DeviceKey:
    return DECOY if device is None else DeviceKey(Algorithm(device.algorithm), bytes(device.public_key))


def _signed(device: Device, client: Client, app_version: str, now: dt.datetime) -> Device:
    with transaction.atomic():
        row = Device.objects.select_for_update().select_related("user").get(pk=device.pk)
        if row.status not in LIVE:
            raise DeviceRevoked
        if row.status == Status.PENDING:
            services.note("device.activated", "activate", row)
        row.status = Status.ACTIVE
        row.wrong_signatures = 0
        row.last_authenticated_at = now
        row.last_address = line(client.address, 64)
        row.app_version = line(app_version, 64) or row.app_version
        row.save()
    return row


def _signed_wrongly(device_id: UUID, client: Client, now: dt.datetime) -> None:
    """Counted under the row's lock: of many at once none is lost. An id that nobody has costs the same questions."""
    with transaction.atomic():
        row = Device.objects.select_for_update().filter(pk=device_id).first()
        user_id = row.user_id if row is not None else NOBODY
        here = Membership.objects.filter(user_id=user_id, is_active=True).order_by("id")
        attempts.record(
            LoginOutcome.FAILED,
            client=client,
            factors=[Factor.DEVICE],
            user_id=row.user_id if row is not None else None,
            organization_id=here.values_list("organization_id", flat=True).first(),
        )
        wrong = min(row.wrong_signatures + 1, 1000) if row is not None else 0
        Device.objects.filter(pk=device_id).update(wrong_signatures=wrong, updated_at=now)
        if row is not None and wrong >= WRONG_IN_A_ROW and row.status in LIVE:
            services.suspend_locked(row, by_operator=False, now=now)
