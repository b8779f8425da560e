"""Installed apps: registering one, and logins that are bound to it (003, Native Auth Router; RFC 8252)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import logins, newcomers, sessions
from accounts.clients import Client
from accounts.models import Session, User
from accounts.newcomers import Newcomer
from accounts.pairs import TokenPair
from auterity.kernel.errors import InvalidInput
from auterity.kernel.models import uuid7
from auterity.kernel.versions import given_version
from devices import versions
from devices.errors import ClientInvalid, DeviceRevoked, RedirectUriInvalid, UpgradeRequired
from devices.models import DESKTOP, Device, Installation, Status

UNUSED: Final = dt.timedelta(days=7)  # after which an installation that nobody logged in with is forgotten
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_OWN_SCHEME: Final = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+")
_VISIBLE: Final = re.compile(r"[!-~]{1,500}")


@dataclass(frozen=True, slots=True)
class Installed:
    """`secret` is told this once, to a desktop app. `mailed`: the newcomer's address gets a mail, whether or not it was known."""

    installation: Installation
    secret: str | None = field(repr=False)
    is_new: bool
    mailed: bool
    minimum_app_version: str


def register(
    *,
    client_name: str,
    platform: str,
    app_version: str,
    install_id: UUID | None = None,
    redirect_uri: str = "",
    locale: str = "",
    invite_code: str = "",
    newcomer: Newcomer | None = None,
) -> Installed:
    """Keep an installation, once for each `install_id`: who asks again gets the same one, as it was, and no secret.

    Raises `UpgradeRequired`, `RedirectUriInvalid`, `RegistrationClosed` or `InvalidInput`; then nothing was kept.
    """
    minimum = versions.minimum(platform)
    if given_version(app_version) < given_version(minimum):
        raise UpgradeRequired(minimum_app_version=minimum)
    if not client_name.strip() or not client_name.isprintable():
        raise InvalidInput.of("client_name", "Give a name of printable characters.", "format")
    if redirect_uri:
        check_redirect(redirect_uri)
    if newcomer is not None:
        newcomers.welcome(newcomer, invite_code=invite_code)
    secret = secrets.token_urlsafe(32) if platform in DESKTOP else ""
    found, is_new = Installation.objects.get_or_create(
        install_id=install_id or uuid7(),
        defaults={
            "client_name": client_name.strip(),
            "platform": platform,
            "app_version": app_version,
            "secret_hash": _hash(secret) if secret else "",
            "redirect_uris": [redirect_uri] if redirect_uri else [],
            "locale": locale,
        },
    )
    mailed = newcomer is not None and not invite_code
    return Installed(found, secret if is_new and secret else None, is_new, mailed, minimum)


def find(client_id: UUID, secret: str | None = None) -> Installation:
    """An installation that is switched on. With a `secret`, an empty one too, it must be right. Raises `ClientInvalid`."""
    found = Installation.objects.filter(pk=client_id, is_active=True).first()
    if found is None:
        raise ClientInvalid
    if secret is not None and found.secret_hash and not hmac.compare_digest(found.secret_hash, _hash(secret)):
        raise ClientInvalid
    return found


def hold(client_id: UUID) -> None:
    """Keep an installation as it is until the caller's transaction ends. Raises `ClientInvalid`."""
    if not Installation.objects.select_for_update().filter(pk=client_id, is_active=True).exists():
        raise ClientInvalid


def login(
    *,
    client_id: UUID,
    client_secret: str,
    email: str,
    password: str,
    client: Client,
    totp_code: str = "",
    backup_code: str = "",
    device_id: UUID | None = None,
    now: dt.datetime | None = None,
) -> TokenPair:
    """Log in by password in an installation, for 30 days. Raises `ClientInvalid`, `DeviceRevoked` after the right password, and
    what `logins.by_password` does."""
    now = now or timezone.now()
    installation = find(client_id, client_secret)

    def refuse_revoked(user: User) -> None:
        ended = Device.objects.filter(user_id=user.pk, status=Status.REVOKED)
        if device_id is not None and ended.filter(pk=device_id).exists():
            raise DeviceRevoked

    pair = logins.by_password(
        email=email,
        password=password,
        totp_code=totp_code,
        backup_code=backup_code,
        client=replace(client, client_id=installation.pk, remember=True),
        once_known=refuse_revoked,
        now=now,
    )
    used(installation, now=now)
    return pair


def check_redirect(uri: str) -> None:
    """A loopback address of plain HTTP, or a scheme with a dot in it, as a reversed domain has (RFC 8252, 7.1 and 7.3).

    Raises `RedirectUriInvalid`.
    """
    if not _VISIBLE.fullmatch(uri) or "\\" in uri or "#" in uri or "*" in uri:
        raise RedirectUriInvalid
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise RedirectUriInvalid from None
    if parts.username is not None or parts.password is not None:
        raise RedirectUriInvalid
    if parts.scheme == "http":
        if host not in _LOOPBACK or port == 0:
            raise RedirectUriInvalid
    elif not _OWN_SCHEME.fullmatch(parts.scheme) or not (parts.path or parts.netloc):
        raise RedirectUriInvalid


def switch_off(*, client_ids: Collection[UUID], now: dt.datetime | None = None) -> int:
    """An operator ends installations: nobody logs in with them, and their logins are over. Returns how many logins that were."""
    now = now or timezone.now()
    with transaction.atomic():
        Installation.objects.filter(pk__in=list(client_ids)).update(is_active=False, updated_at=now)
        rows = Session.objects.filter(client_id__in=list(client_ids))
        return sessions.revoke(rows, reason="installation switched off", now=now)


def used(installation: Installation, *, now: dt.datetime) -> None:
    Installation.objects.filter(pk=installation.pk).update(last_used_at=now, updated_at=now)


def forget_unused(*, now: dt.datetime, limit: int) -> int:
    """Delete installations that nobody ever logged in with, after a week. Returns how many."""
    rows = Installation.objects.filter(last_used_at=None, devices=None, created_at__lt=now - UNUSED).order_by("pk")
    return Installation.objects.filter(pk__in=list(rows.values_list("pk", flat=True)[:limit])).delete()[0]


# -- inside ------------------------------------------------------------------------------------------------------------


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
