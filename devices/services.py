"""Registering devices, and ending them: by their owner for good, by an operator or after wrong signatures for the time being."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts import homes, letters, logins, sessions, vouching
from accounts.models import LetterKind, Session, User
from audit import trail
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from auterity.kernel.events import publish
from devices import challenges, installations, keys
from devices.errors import DeviceLimit, DeviceNotFound, DeviceRevoked, KeyInUse, KeyInvalid
from devices.events import DeviceRegistered, DeviceSuspended
from devices.events import DeviceRevoked as Revoked
from devices.keys import DeviceKey
from devices.models import Device, DeviceChallenge, Status

LIMIT: Final = 10


@dataclass(frozen=True, slots=True)
class About:
    """What a device says of itself. `push` is the provider and its token, both empty where there is none."""

    name: str
    platform: str
    os_version: str = ""
    app_version: str = ""
    model: str = ""
    hardware_id_hash: str = ""
    push: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Registered:
    """`is_new` is False where the person had registered that key before. `count` is of devices that are not revoked."""

    device: Device
    challenge: DeviceChallenge
    count: int
    is_new: bool


def register(
    *,
    actor: Actor,
    about: About,
    public_key: str | Mapping[str, Any],
    client_id: UUID | None = None,
    proof: str = "",
    now: dt.datetime | None = None,
) -> Registered:
    """Keep the public key of a device of the actor's, pending until it signs the challenge in the answer.

    `proof` is the key's signature over `{key_id}.{session_id}`; where it is sent it must be right. The same key again brings what
    the device says of itself up to date. Raises `FreshLoginRequired`, `OwnLoginRequired`, `KeyInvalid`, `KeyInUse`,
    `DeviceRevoked` for a key that was ended, `DeviceLimit`, `ClientInvalid`, or `InvalidInput`.
    """
    now = now or timezone.now()
    logins.require_fresh(actor, now=now)
    vouching.require_own(actor)
    key = keys.parsed(public_key)
    if proof and not keys.verifies(key, keys.decoded(proof), f"{key.id}.{actor.session_id}".encode()):
        raise KeyInvalid(
            "The proof is not this key's signature over its thumbprint, a full stop, and the id of your login."
        )
    installation_id = client_id or logins.session_of(actor).client_id
    if installation_id is not None:
        installations.find(installation_id)
    with transaction.atomic():
        owner = User.objects.select_for_update().get(pk=actor.user_id)  # Of two at once one is the eleventh.
        device, is_new = _kept(owner, key, about, installation_id)
        if is_new:
            letters.owe_notice(LetterKind.DEVICE_ADDED, owner.email)
            publish(DeviceRegistered(device.pk, owner.pk, actor.organization_id, device.name))
            note("device.registered", "create", device, actor=actor)
        challenge = challenges.issue(device.pk, now=now)
    return Registered(device, challenge, _not_revoked(actor.user_id), is_new)


def revoke(*, actor: Actor, device_id: UUID, now: dt.datetime | None = None) -> int:
    """End a device of the actor's for good, and at once every login of theirs on it: by its key, and in its installation.

    Returns how many logins that were. Raises `DeviceNotFound`, also for one that is revoked already.
    """
    now = now or timezone.now()
    with transaction.atomic():
        rows = Device.objects.select_for_update().filter(pk=device_id, user_id=actor.user_id)
        device = rows.exclude(status=Status.REVOKED).first()
        if device is None:
            raise DeviceNotFound
        _ended(device, Status.REVOKED, now)
        own = Q(device_id=device.pk)
        if device.installation_id is not None:
            own |= Q(client_id=device.installation_id)
        ended = sessions.revoke(Session.objects.filter(own, user_id=actor.user_id), reason="device revoked", now=now)
        publish(Revoked(device.pk, device.user_id, device.name))
        note("device.revoked", "delete", device, actor=actor, severity="medium", sessions=ended)
    return ended


def suspend(*, device_ids: Collection[UUID], now: dt.datetime | None = None) -> int:
    """An operator suspends devices. Returns how many were live."""
    now = now or timezone.now()
    count = 0
    for device_id in device_ids:
        with transaction.atomic():
            rows = Device.objects.select_for_update().filter(pk=device_id, status__in=(Status.PENDING, Status.ACTIVE))
            if (device := rows.first()) is not None:
                suspend_locked(device, by_operator=True, now=now)
                count += 1
    return count


def allow(*, device_ids: Collection[UUID], now: dt.datetime | None = None) -> int:
    """An operator lets suspended devices sign in again. They are pending until they do. Returns how many."""
    rows = Device.objects.filter(pk__in=list(device_ids), status=Status.SUSPENDED)
    return rows.update(status=Status.PENDING, wrong_signatures=0, ended_at=None, updated_at=now or timezone.now())


def suspend_locked(device: Device, *, by_operator: bool, now: dt.datetime) -> None:
    """Suspend a device whose row the caller's transaction holds, and end the logins by its key.

    Logins by password in its installation go on: anybody who knows the device's id can sign wrongly.
    """
    _ended(device, Status.SUSPENDED, now)
    ended = sessions.revoke(Session.objects.filter(device_id=device.pk), reason="device suspended", now=now)
    publish(DeviceSuspended(device.pk, device.user_id, device.name, by_operator))
    note("device.suspended", "suspend", device, severity="high", by_operator=by_operator, sessions=ended)


def synced(*, actor: Actor, now: dt.datetime | None = None) -> None:
    """Note that the device whose login acts has synchronized its data."""
    at = now or timezone.now()
    login = Session.objects.filter(pk__in=[actor.session_id], device_id=OuterRef("pk"))
    Device.objects.filter(Exists(login), user_id=actor.user_id).update(last_sync_at=at, updated_at=at)


def note(
    event: str, action: str, device: Device, *, actor: Actor | None = None, severity: str = "low", **about: Any
) -> None:
    """Write to the trail: the actor's organization's, else those of every organization that lets the owner in."""
    said: dict[str, Any] = {
        "resource_type": "device",
        "resource_id": device.pk,
        "severity": severity,
        "details": {"name": device.name, "key_id": device.key_id, **about},
    }
    if actor is None:
        homes.record(event, action, user_id=device.user_id, **said)
    else:
        trail.record(event, action, organization_id=actor.organization_id, actor=actor, user_id=device.user_id, **said)


# -- inside ------------------------------------------------------------------------------------------------------------


def _kept(owner: User, key: DeviceKey, about: About, installation_id: UUID | None) -> tuple[Device, bool]:
    """The device of this key, and whether it is new; in the caller's transaction, which holds the owner."""
    found = Device.objects.select_for_update().filter(key_id=key.id).first()
    if found is not None:
        if found.user_id != owner.pk:
            raise KeyInUse
        if found.status in (Status.SUSPENDED, Status.REVOKED):
            raise DeviceRevoked
        return _brought_up_to_date(found, about, installation_id), False
    if _not_revoked(owner.pk) >= LIMIT:
        raise DeviceLimit(max_devices=LIMIT)
    made = Device(
        user=owner, algorithm=key.algorithm.value, public_key=key.raw, key_id=key.id, installation_id=installation_id
    )
    try:
        with transaction.atomic():
            _described(made, about).save(force_insert=True)
    except IntegrityError as error:  # Somebody else registered the key this very moment.
        raise KeyInUse from error
    return made, True


def _brought_up_to_date(device: Device, about: About, installation_id: UUID | None) -> Device:
    device.installation_id = installation_id or device.installation_id
    _described(device, about).save()
    return device


def _described(device: Device, about: About) -> Device:
    """Only words that a column and a log line can hold."""
    texts = {
        "name": about.name,
        "os_version": about.os_version,
        "app_version": about.app_version,
        "model": about.model,
    }
    bad = [name for name, said in texts.items() if not said.isprintable()]
    if bad:
        raise InvalidInput.of(bad[0], "Only printable characters are allowed.", "format")
    device.name, device.platform = about.name, about.platform
    device.os_version = about.os_version or device.os_version
    device.app_version = about.app_version or device.app_version
    device.model = about.model or device.model
    device.hardware_id_hash = about.hardware_id_hash or device.hardware_id_hash
    if about.push[0]:
        device.push_provider, device.push_secret = about.push
    return device


def _ended(device: Device, status: Status, now: dt.datetime) -> None:
    device.status, device.ended_at = status, now
    device.push_provider = device.push_secret = ""
    device.save(update_fields=["status", "ended_at", "push_provider", "push_secret", "updated_at"])


def _not_revoked(user_id: UUID) -> int:
    return Device.objects.filter(user_id=user_id).exclude(status=Status.REVOKED).count()
