"""API keys: made once and shown once, scoped to permissions their maker holds, ended at once. See `accounts.key_proofs`."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import members, rights, tiers
from accounts.errors import (
    ApiKeyNotFound,
    ApiKeysForbidden,
    ServiceAccountNotFound,
    TooManyApiKeys,
)
from accounts.events import ApiKeyEnded, ApiKeyMade
from accounts.grants import KEY_NAME_LENGTH, ApiKey
from accounts.inputs import storable
from accounts.key_proofs import PREFIX, digest_of
from accounts.models import Membership, Organization
from audit.trail import record
from auterity.kernel.access import Actor, Permission, require, require_person
from auterity.kernel.errors import FieldProblem, InvalidInput
from auterity.kernel.events import publish

log = structlog.get_logger(__name__)

MOST: Final = 200  # living keys of one organization
MOST_NETWORKS: Final = 20
LONGEST_DAYS: Final = 3650


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
    the login that made it. Raises `PermissionDenied` (also for a caller who came by a key), `FreshLoginRequired`, `TierTooLow`,
    `InvalidInput`, `ApiKeysForbidden`, `ServiceAccountNotFound` or `TooManyApiKeys`.
    """
    require_person(actor)
    if service_account_id is not None:
        require(actor, Permission.ORGANIZATION_MANAGE)
    tiers.require_action(actor, "manage_api_keys")
    name, scopes, networks = _checked(actor, content)
    secret = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        members.own_rights_under_lock(actor, *scopes)
        policy = policy_of(actor.organization_id)
        _note(actor, "policy.changed", "", allowed=policy.allowed, longest_days=policy.longest_days)
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
        _note(actor, "created", made.pk, name=name, user_id=str(made.user_id), scopes=made.scopes, networks=networks)
        publish(ApiKeyMade(made.pk, made.user_id, actor.user_id, actor.organization_id))
    return MadeKey(get(actor, made.pk), secret)


def revoke(*, actor: Actor, key_id: UUID) -> None:
    """End a key at once, everywhere; one that is revoked already stays so.

    Raises `ApiKeyNotFound`, `FreshLoginRequired` or `TierTooLow`.
    """
    require_person(actor)
    tiers.require_action(actor, "manage_api_keys")
    with transaction.atomic():
        found = get(actor, key_id)
        if end(ApiKey.objects.of(actor).filter(pk=found.pk), reason="revoked", now=timezone.now()):
            _note(actor, "revoked", found.pk, name=found.name, user_id=str(found.user_id))


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
    it again once they are allowed. Raises `PermissionDenied`, `FreshLoginRequired`, `TierTooLow` or `InvalidInput`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    require_person(actor)
    tiers.require_action(actor, "manage_api_keys")
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


def _note(actor: Actor, what: str, key_id: UUID | str, **details: Any) -> None:
    record(
        f"api_key.{what}",
        what,
        organization_id=actor.organization_id,
        actor=actor,
        resource_type="api_key",
        resource_id=key_id,
        severity="medium",
        details=details,
    )


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
