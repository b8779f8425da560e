"""Codes of an authenticator app (RFC 6238): six digits, thirty seconds, SHA-1, as every app knows them.

The secret is itself a key, so it is wrapped under the server's key as data keys are, bound to its row: it belongs to a person,
who may be in several organizations, and not to one of those.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from django.db import transaction

from accounts.errors import MfaAlreadyEnabled, NoPendingSetup
from accounts.models import Totp, User
from auterity.kernel import vault
from auterity.kernel.models import uuid7

DIGITS: Final = 6
STEP_SECONDS: Final = 30
WINDOW: Final = 1  # steps either way
MOST_DRIFT: Final = 4  # steps that an app's clock may be off, learned one by one
SECRET_BYTES: Final = 20
SETUP_LIFETIME: Final = timedelta(minutes=10)
ISSUER: Final = "Auterity"


@dataclass(frozen=True, slots=True)
class Setup:
    """What is shown once, for the app to read."""

    id: UUID
    secret: str = field(repr=False)
    uri: str = field(repr=False)
    qr_svg: str = field(repr=False)
    expires_at: datetime


def is_enabled(user_id: UUID) -> bool:
    return Totp.objects.filter(user_id=user_id, confirmed_at__isnull=False).exists()


def of(user_id: UUID) -> Totp | None:
    """The person's authenticator that counts, if any."""
    return Totp.objects.filter(user_id=user_id, confirmed_at__isnull=False).first()


def begin(user: User, *, label: str = "", now: datetime) -> Setup:
    """A new secret that counts once a code of it was given, within ten minutes. Replaces one that waits for that.

    Raises `MfaAlreadyEnabled`.
    """
    secret, row_id = secrets.token_bytes(SECRET_BYTES), uuid7()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if is_enabled(user.pk):
            raise MfaAlreadyEnabled
        Totp.objects.filter(user=user).delete()
        row = Totp.objects.create(
            id=row_id,
            user=user,
            secret=vault.wrap(secret, _about(row_id, user.pk)),
            label=label,
            expires_at=now + SETUP_LIFETIME,
        )
    encoded = b32encode(secret).decode()
    name = quote(f"{ISSUER}:{label or user.email}", safe="")
    query = urlencode(
        {"secret": encoded, "issuer": ISSUER, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_SECONDS}
    )
    uri = f"otpauth://totp/{name}?{query}"
    import segno  # Few ask for it, and it takes a while to load.

    svg = segno.make(uri, error="m").svg_inline(scale=4, border=4, light="#fff", title="Authenticator setup")
    return Setup(row.pk, encoded, uri, svg, row.expires_at)


def waiting(user_id: UUID, *, now: datetime, setup_id: UUID | None = None) -> Totp:
    """The secret that waits for its first code. Raises `NoPendingSetup`."""
    rows = Totp.objects.filter(user_id=user_id, confirmed_at=None, expires_at__gt=now)
    found = rows.filter(pk=setup_id).first() if setup_id is not None else rows.first()
    if found is None:
        raise NoPendingSetup
    return found


def accept(row: Totp, code: str, *, now: datetime, confirming: bool = False) -> bool:
    """Whether the code is right and new; it is used up then. Of two who send the same code at once, one gets True.

    A clock that is a step off is remembered, so that it may drift further.
    """
    step = step_of(row, code, now=now)
    if step is None:
        return False
    drift = max(-MOST_DRIFT, min(MOST_DRIFT, step - _step_at(now)))
    unused = Totp.objects.filter(pk=row.pk, last_step__lt=step, confirmed_at__isnull=confirming)
    changes = {"confirmed_at": now} if confirming else {}
    return unused.update(last_step=step, drift=drift, **changes) == 1


def step_of(row: Totp, code: str, *, now: datetime) -> int | None:
    """The step whose code this is, in the window around the app's clock; None where it is none of them. Uses nothing up."""
    secret = vault.unwrap(bytes(row.secret), _about(row.pk, row.user_id))
    middle = _step_at(now) + row.drift
    found = None
    for step in range(middle - WINDOW, middle + WINDOW + 1):
        if (
            hmac.compare_digest(code_of(secret, step).encode(), code.encode("utf-8", "replace"))
            and step > row.last_step
        ):
            found = step
    return found


def code_of(secret: bytes, step: int) -> str:
    """RFC 4226 over the step's number."""
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode()  # noqa: S303  What RFC 6238 and the apps use.


def rewrap() -> int:
    """Put every secret under the newest server key. Returns how many were under an older one."""
    newest, count = vault.newest_server_key(), 0
    for row in Totp.objects.order_by("pk").iterator(chunk_size=200):
        old = bytes(row.secret)
        if vault.server_key_of(old) != newest:
            about = _about(row.pk, row.user_id)
            same = Totp.objects.filter(pk=row.pk, secret=old)
            count += same.update(secret=vault.wrap(vault.unwrap(old, about), about))
    return count


def _step_at(now: datetime) -> int:
    return int(now.timestamp()) // STEP_SECONDS


def _about(row_id: UUID, user_id: UUID) -> str:
    return f"{user_id}|totp_secrets/{row_id}/secret"
