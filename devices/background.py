"""Narrow tokens for background work, in exchange for a login that there is (003, Native API Router; `accounts.narrow`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from accounts import narrow, native_logins, tokens
from accounts.clients import Client
from accounts.models import Session
from accounts.narrow import NarrowToken
from accounts.native_logins import NativeLogin
from auterity.kernel.access import Actor, Scope
from devices import installations, proofs
from devices.errors import ClientInvalid, NoDeviceLogin
from devices.models import Installation


@dataclass(frozen=True, slots=True)
class Signature:
    device_id: UUID
    challenge_id: UUID
    signature: str


def by_refresh_token(
    *, client_id: UUID, refresh_token: str, device_id: UUID | None, scopes: Collection[Scope]
) -> NarrowToken:
    """For the login that an unspent refresh token of the installation's would renew. The token stays good.

    Raises `ClientInvalid`, `TokenInvalid`, `TokenExpired` or `ScopeDenied`.
    """
    now = timezone.now()
    installation = installations.find(client_id)
    standing = native_logins.behind(refresh_token, NativeLogin(installation.pk, device_id), now=now)
    return _issued(installation, standing.actor, scopes, now)


def by_device(*, client_id: UUID, signed: Signature, client: Client, scopes: Collection[Scope]) -> NarrowToken:
    """For the newest open login by the device's key. Raises `ClientInvalid`, what `proofs.prove` does, `NoDeviceLogin`, or
    `ScopeDenied`."""
    now = timezone.now()
    installation = installations.find(client_id)
    device = proofs.prove(
        device_id=signed.device_id, challenge_id=signed.challenge_id, signature=signed.signature, client=client, now=now
    )
    if device.installation_id not in (None, installation.pk):
        raise ClientInvalid
    alive = Session.objects.filter(device_id=device.pk, user_id=device.user_id, revoked_at=None, expires_at__gt=now)
    session_id = alive.order_by("-id").values_list("pk", flat=True).first()
    if session_id is None:
        raise NoDeviceLogin
    return _issued(installation, tokens.authenticate_session(session_id, now=now), scopes, now)


def by_login(*, client_id: UUID, actor: Actor, scopes: Collection[Scope]) -> NarrowToken:
    """For the login at hand: one of this installation, or one that belongs to none, such as by a passkey in the system's browser.

    Raises `ClientInvalid`, `NotAuthenticated`, `TokenInvalid` or `ScopeDenied`.
    """
    now = timezone.now()
    installation = installations.find(client_id)
    others = Session.objects.filter(pk__in=[actor.session_id]).exclude(client_id=None)
    if others.exclude(client_id=installation.pk).exists():
        raise ClientInvalid
    return _issued(installation, actor, scopes, now)


def _issued(installation: Installation, actor: Actor, scopes: Collection[Scope], now: dt.datetime) -> NarrowToken:
    made = narrow.issue(actor=actor, scopes=scopes, now=now)
    installations.used(installation, now=now)
    return made
