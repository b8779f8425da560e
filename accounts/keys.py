"""API keys: made once and shown once, scoped to permissions their maker holds, ended at once.

What a key may do is read with each request, in one query: its scopes, and what the one it acts for may do today, both.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import re
import secrets
import threading
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts import logins, members, rights
from accounts.errors import (
    ApiKeyNotFound,
    ApiKeyNotFromHere,
    ApiKeysForbidden,
    ServiceAccountNotFound,
    TokenInvalid,
    TooManyApiKeys,
)
from accounts.events import ApiKeyEnded, ApiKeyMade
from accounts.grants import KEY_NAME_LENGTH, ApiKey
from accounts.inputs import storable
from accounts.models import Membership, Organization
from accounts.networks import check_stored
from auterity.kernel import sql
from auterity.kernel.access import Actor, Permission, Role, require, require_person
from auterity.kernel.errors import FieldProblem, InvalidInput
from auterity.kernel.events import publish

log = structlog.get_logger(__name__)

PREFIX: Final = "aut_"
MOST: Final = 200  # living keys of one organization
MOST_NETWORKS: Final = 20
LONGEST_DAYS: Final = 3650
USE_NOTED_EVERY: Final = dt.timedelta(minutes=1)
_FORM = re.compile(r"aut_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class KeyContent:
    """What a client says of a key. `expires_in_days` None: it lasts until it is revoked."""

    name: str
    scopes: Sequence[str]
    networks: Sequence[str] = ()
    expires_in_days: int | None = 90


@dataclass(frozen=True, slots=True)
class MadeKey:
    """`secret` is the key itself. It is kept nowhere."""

    key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """`longest_days` is the longest that a new key may last; None: as long as one likes."""

    allowed: bool
    longest_days: int | None


# -- proving -----------------------------------------------------------------------------------------------------------


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


# -- keeping -----------------------------------------------------------------------------------------------------------


def listed(actor: Actor, *, everybodys: bool = False) -> QuerySet[ApiKey]:
    """The actor's own keys, or with organization:manage everybody's; newest first, revoked ones too, with `user`."""
    if everybodys:
        require(actor, Permission.ORGANIZATION_MANAGE)
    rows: QuerySet[ApiKey] = ApiKey.objects.of(actor).select_related("user").order_by("-id")
    return rows if everybodys else rows.filter(user_id=actor.user_id)


def get(actor: Actor, key_id: UUID) -> ApiKey:
    """One's own, or with organization:manage anybody's. Raises `ApiKeyNotFound`."""
    found = listed(actor, everybodys=actor.may(Permission.ORGANIZATION_MANAGE)).filter(pk=key_id).first()
    if found is None:
        raise ApiKeyNotFound
    return found


def make(*, actor: Actor, content: KeyContent, service_account_id: UUID | None = None) -> MadeKey:
    """A key in the actor's own name, or with organization:manage in that of a service account.

    Its scopes are permissions that the actor holds, and the actor proved themselves in the last ten minutes: a key outlives
    the login that made it. Raises `PermissionDenied` (also for a caller who came by a key), `FreshLoginRequired`,
    `InvalidInput`, `ApiKeysForbidden`, `ServiceAccountNotFound` or `TooManyApiKeys`.
    """
    require_person(actor)
    if service_account_id is not None:
        require(actor, Permission.ORGANIZATION_MANAGE)
    logins.require_fresh(actor)
    name, scopes, networks = _checked(actor, content)
    secret = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        members.own_rights_under_lock(actor, *scopes)
        policy = policy_of(actor.organization_id)
        if not policy.allowed:
            raise ApiKeysForbidden
        days = content.expires_in_days
        if policy.longest_days is not None and (days is None or days > policy.longest_days):
            raise InvalidInput.of(
                "expires_in_days", f"A key of this organization lasts {policy.longest_days} days at most."
            )
        if service_account_id is not None and not _service_accounts(actor).filter(user_id=service_account_id).exists():
            raise ServiceAccountNotFound
        alive = ApiKey.objects.of(actor).filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
        if alive.count() >= MOST:
            raise TooManyApiKeys
        made = ApiKey(
            organization_id=actor.organization_id,
            user_id=service_account_id or actor.user_id,
            made_by_id=actor.user_id,
            name=name,
            digest=digest_of(secret),
            last_four=secret[-4:],
            scopes=[each.value for each in scopes],
            networks=networks,
            expires_at=None if days is None else now + dt.timedelta(days=days),
        )
        made.save(force_insert=True)
        publish(ApiKeyMade(made.pk, made.user_id, actor.user_id, actor.organization_id))
    return MadeKey(get(actor, made.pk), secret)


def revoke(*, actor: Actor, key_id: UUID) -> None:
    """End a key at once, everywhere; one that is revoked already stays so. Raises `ApiKeyNotFound`."""
    require_person(actor)
    with transaction.atomic():
        end(ApiKey.objects.of(actor).filter(pk=get(actor, key_id).pk), reason="revoked", now=timezone.now())


def end(keys: QuerySet[ApiKey], *, reason: str, now: dt.datetime) -> int:
    """Revoke those that are not yet, in the caller's transaction, and tell it on commit. Returns how many."""
    rows = list(keys.filter(revoked_at=None).select_for_update(of=("self",)).order_by("id"))
    for each in rows:
        each.revoked_at, each.revoke_reason, each.updated_at = now, reason[:64], now
        publish(ApiKeyEnded(each.pk, each.user_id, each.organization_id))
    ApiKey.unscoped.bulk_update(rows, ["revoked_at", "revoke_reason", "updated_at"])
    return len(rows)


def policy_of(organization_id: UUID) -> KeyPolicy:
    row = Organization.objects.only("api_keys_allowed", "api_key_days").get(pk=organization_id)
    return KeyPolicy(row.api_keys_allowed, row.api_key_days)


def policy(actor: Actor) -> KeyPolicy:
    """Needs organization:read."""
    require(actor, Permission.ORGANIZATION_READ)
    return policy_of(actor.organization_id)


def set_policy(*, actor: Actor, policy: KeyPolicy) -> KeyPolicy:
    """Forbid API keys, or allow them, and say how long new ones may last. Forbidden keys open nothing from now on; they open
    it again once they are allowed. Raises `PermissionDenied` or `InvalidInput`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    require_person(actor)
    if policy.longest_days is not None and not 1 <= policy.longest_days <= LONGEST_DAYS:
        raise InvalidInput.of("longest_days", f"From 1 to {LONGEST_DAYS}.")
    with transaction.atomic():
        members.own_rights_under_lock(actor, Permission.ORGANIZATION_MANAGE)
        Organization.objects.filter(pk=actor.organization_id).update(
            api_keys_allowed=policy.allowed, api_key_days=policy.longest_days, updated_at=timezone.now()
        )
        if not policy.allowed:
            for key_id, user_id in ApiKey.objects.of(actor).filter(revoked_at=None).values_list("id", "user_id"):
                publish(ApiKeyEnded(key_id, user_id, actor.organization_id))
    return policy


# -- inside ------------------------------------------------------------------------------------------------------------


def _service_accounts(actor: Actor) -> QuerySet[Membership]:
    return Membership.objects.filter(organization_id=actor.organization_id, is_active=True, user__is_service=True)


def _checked(actor: Actor, content: KeyContent) -> tuple[str, list[Permission], list[str]]:
    """Name, scopes and networks, in their one spelling."""
    name = unicodedata.normalize("NFKC", content.name).strip()
    problems: list[FieldProblem] = []
    if not name:
        problems.append(FieldProblem("name", "This field must not be blank.", "required"))
    elif len(name) > KEY_NAME_LENGTH:
        problems.append(FieldProblem("name", f"At most {KEY_NAME_LENGTH} characters are allowed."))
    elif not name.isprintable() or not storable(name):
        problems.append(FieldProblem("name", "Control characters are not allowed.", "format"))
    scopes = rights.known(content.scopes)
    unknown = sorted(set(content.scopes) - set(scopes))
    if unknown:
        problems.append(FieldProblem("scopes", f"Unknown permission {unknown[0][:60]!r}."))
    elif not scopes:
        problems.append(FieldProblem("scopes", "Name at least one permission.", "required"))
    days = content.expires_in_days
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        problems.append(FieldProblem("expires_in_days", f"From 1 to {LONGEST_DAYS}, or null for no end."))
    networks: list[str] = []
    if len(content.networks) > MOST_NETWORKS:
        problems.append(FieldProblem("networks", f"At most {MOST_NETWORKS} are allowed."))
    else:
        for at, each in enumerate(content.networks):
            try:
                networks.append(str(ipaddress.ip_network(each.strip(), strict=False)))
            except ValueError:
                problems.append(
                    FieldProblem(f"networks.{at}", "An address or a network, such as 203.0.113.0/24.", "format")
                )
    if problems:
        raise InvalidInput(problems)
    rights.within_reach(actor, scopes)
    return name, sorted(scopes), networks


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
