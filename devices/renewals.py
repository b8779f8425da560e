"""Renewing a login of an installation: by its refresh token, its `client_id`, and the device's id where the login has one."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.utils import timezone

from accounts import native_logins, services, tokens
from accounts.clients import Client
from accounts.errors import TokenInvalid
from accounts.native_logins import NativeLogin
from accounts.pairs import TokenPair
from accounts.tokens import TokenKind
from devices import installations, proofs
from devices.errors import ClientInvalid
from devices.models import Device


def refresh(
    *,
    client_id: UUID,
    refresh_token: str,
    client: Client,
    device_id: UUID | None = None,
    signature: str = "",
    now: dt.datetime | None = None,
) -> TokenPair:
    """New tokens for a token that is good once; a second time ends every login of the installation.

    A device may sign the refresh token besides; where it does the signature must be right. Raises `RefreshReused`,
    `SignatureInvalid`, `TokenExpired`, or `TokenInvalid` for any other reason, an unknown installation too.
    """
    now = now or timezone.now()
    try:
        installation = installations.find(client_id)
    except ClientInvalid as error:
        raise TokenInvalid from error
    native = NativeLogin(installation.pk, device_id)
    if signature:
        _check_signature(refresh_token, native, signature, client, now)
    pair = services.refresh(
        token=refresh_token, access_seconds=client.access_seconds, refresh_only=True, native=native, now=now
    )
    installations.used(installation, now=now)
    return pair


def _check_signature(refresh_token: str, native: NativeLogin, signature: str, client: Client, now: dt.datetime) -> None:
    standing = tokens.standing(tokens.read(refresh_token, TokenKind.REFRESH, now=now), now=now)
    native_logins.check(standing, native)
    for device in Device.objects.filter(pk__in=[standing.device_id], user_id=standing.actor.user_id):
        proofs.prove_text(device, signature, refresh_token, client=client, now=now)
