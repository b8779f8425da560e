"""The proof of an API key: whose it is, what it opens today, and from where. `accounts.keys` makes and ends them.

What a key may do is read with each request, in one query: its scopes, and what the one it acts for may do today, both.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import re
import threading
from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts import rights
from accounts.errors import ApiKeyNotFromHere, TokenInvalid
from accounts.grants import ApiKey
from accounts.networks import check_stored
from auterity.kernel import sql
from auterity.kernel.access import Actor, Role

log = structlog.get_logger(__name__)

PREFIX: Final = "aut_"
USE_NOTED_EVERY: Final = dt.timedelta(minutes=1)
_FORM = re.compile(r"aut_[A-Za-z0-9_-]{43}")


def is_key(secret: str) -> bool:
    """Whether it looks like one of ours, and so is no token."""
    return secret.startswith(PREFIX)


def digest_of(secret: str) -> str:
    """A key has 256 random bits: a plain SHA-256 of it can be neither guessed nor reversed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def authenticate(secret: str, *, address: str, now: dt.datetime | None = None) -> tuple[Actor, dt.datetime | None]:
    """Whose key it is, with today's rights, and when it ends. One query, and once a minute a note that it was used.

    Raises `TokenInvalid`; for a good key at the wrong address `ApiKeyNotFromHere`, or `AddressNotAllowed` where that is the
    organization's policy.
    """
    now = now or timezone.now()
    if not _FORM.fullmatch(secret):
        raise TokenInvalid
    with connection.cursor() as cursor:
        cursor.execute(_LIVING, [digest_of(secret), sql.value(now)])
        found = cursor.fetchone()
    if found is None:
        raise TokenInvalid
    (
        key_id,
        owner,
        organization_id,
        email,
        role_name,
        custom,
        custom_name,
        scopes,
        networks,
        expires_at,
        used_at,
        policies,
    ) = found
    if not _inside(networks, address):
        raise ApiKeyNotFromHere
    check_stored(policies, address)
    role = Role(role_name)
    held = rights.granted(role, custom) & rights.granted(role, scopes)
    _note_use(sql.uuid(key_id), None if used_at is None else sql.moment(used_at), now)
    actor = Actor(
        sql.uuid(owner), sql.uuid(organization_id), role, held, email, None, custom_name or "", sql.uuid(key_id)
    )
    return actor, None if expires_at is None else sql.moment(expires_at)


def living(key_ids: Collection[UUID], *, now: dt.datetime | None = None) -> dict[UUID, Actor]:
    """Of these keys the ones that still open something, each with today's rights. One query, however many ask."""
    now = now or timezone.now()
    rows = (
        ApiKey.unscoped.filter(
            Q(expires_at=None) | Q(expires_at__gt=now),
            id__in=key_ids,
            revoked_at=None,
            user__is_active=True,
            organization__is_active=True,
            organization__api_keys_allowed=True,
            user__memberships__organization_id=F("organization_id"),
            user__memberships__is_active=True,
        )
        .annotate(
            held_role=F("user__memberships__role"),
            held=F("user__memberships__custom_role__permissions"),
            held_name=F("user__memberships__custom_role__name"),
        )
        .select_related("user")
    )
    found: dict[UUID, Actor] = {}
    for each in rows:
        role = Role(each.held_role)
        may = rights.granted(role, each.held) & rights.known(each.scopes)
        found[each.pk] = Actor(
            each.user_id, each.organization_id, role, may, each.user.email, None, each.held_name or "", each.pk
        )
    return found


# -- inside ------------------------------------------------------------------------------------------------------------


def _inside(networks: str, address: str) -> bool:
    listed_ones = _parsed(networks)
    if not listed_ones:
        return True
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in each for each in listed_ones)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Any, ...]:
    return tuple(ipaddress.ip_network(each) for each in orjson.loads(text))


class _Uses:
    """When this process last noted a key's use, so that a busy key is one small UPDATE a minute and no hot row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[UUID, dt.datetime] = {}

    def due(self, key_id: UUID, stored: dt.datetime | None, now: dt.datetime) -> bool:
        """Whether to note it now; of several threads that ask at once, one is told to."""
        with self._lock:
            known = [each for each in (stored, self._noted.get(key_id)) if each is not None]
            if known and now - max(known) < USE_NOTED_EVERY:
                return False
            if len(self._noted) > 10_000:
                self._noted.clear()
            self._noted[key_id] = now
            return True


_USES = _Uses()


def _note_use(key_id: UUID, stored: dt.datetime | None, now: dt.datetime) -> None:
    if not _USES.due(key_id, stored, now):
        return
    minute = now.replace(second=0, microsecond=0)
    try:
        with transaction.atomic():
            older = Q(last_used_at=None) | Q(last_used_at__lt=minute)
            # Whoever finds the row held by another process leaves it: that one notes the same minute.
            rows = ApiKey.unscoped.filter(older, pk=key_id)
            if rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked).exists():
                rows.update(last_used_at=minute)
    except DatabaseError as error:
        log.warning("api_key_use_not_noted", key_id=str(key_id), error=type(error).__name__)


# Keys nobody ended, of people, memberships and organizations that are switched on, where keys are allowed.
_LIVING = """
    SELECT k.id, k.user_id, k.organization_id, u.email, m.role, r.permissions, r.name, k.scopes, k.networks,
           k.expires_at, k.last_used_at, p.chosen
      FROM api_keys k
      JOIN users u ON u.id = k.user_id AND u.is_active
      JOIN organizations o ON o.id = k.organization_id AND o.is_active AND o.api_keys_allowed
      JOIN user_roles m ON m.user_id = k.user_id AND m.organization_id = k.organization_id AND m.is_active
      LEFT JOIN custom_roles r ON r.id = m.custom_role_id
      LEFT JOIN organization_policies p ON p.organization_id = k.organization_id
     WHERE k.digest = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %s)"""
