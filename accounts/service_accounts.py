"""Service accounts: members of an organization that are programs. They act by API keys and cannot log in."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import inputs, keys, members, rights, tiers
from accounts.errors import ServiceAccountNotFound, TooManyServiceAccounts
from accounts.events import RightsChanged
from accounts.models import ApiKey, Membership, User
from audit.trail import record
from auterity.kernel.access import Actor, Permission, Role, require, require_person
from auterity.kernel.events import publish
from auterity.kernel.models import uuid7

MOST = 50  # of one organization
DOMAIN = "service.invalid"  # no mail ever reaches it (RFC 2606)


def listed(actor: Actor) -> QuerySet[Membership]:
    """Oldest first, with `user` and `custom_role`. Needs organization:read."""
    require(actor, Permission.ORGANIZATION_READ)
    rows = Membership.objects.filter(organization_id=actor.organization_id, user__is_service=True)
    return rows.select_related("user", "custom_role").order_by("id")


def get(actor: Actor, account_id: UUID) -> Membership:
    """By the account's id. Raises `ServiceAccountNotFound` or `PermissionDenied`."""
    found = listed(actor).filter(user_id=account_id).first()
    if found is None:
        raise ServiceAccountNotFound
    return found


def create(*, actor: Actor, name: str, role: Role = Role.MEMBER, custom_role_id: UUID | None = None) -> Membership:
    """Raises `PermissionDenied` (also for more than the actor holds), `FreshLoginRequired`, `TierTooLow`, `InvalidInput`,
    `RoleNotFound`, or `TooManyServiceAccounts`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    require_person(actor)
    tiers.require_action(actor, "manage_api_keys")
    rights.chosen(actor, role, custom_role_id)
    name = inputs.organization_name(name)[:150]
    unusable = make_password(None)
    with transaction.atomic():
        members.lock_organization(actor.organization_id)
        grant = rights.chosen(actor, role, custom_role_id)
        members.own_rights_under_lock(actor, Permission.ORGANIZATION_MANAGE, *grant.permissions)
        if listed(actor).count() >= MOST:
            raise TooManyServiceAccounts
        user_id = uuid7()
        user = User.objects.create(
            id=user_id, email=f"{user_id}@{DOMAIN}", first_name=name, last_name="", password=unusable, is_service=True
        )
        made = Membership.objects.create(
            user=user, organization_id=actor.organization_id, role=grant.role.value, custom_role=grant.custom
        )
        _note(actor, "created", user_id, name=name, role=grant.role.value, custom_role=str(grant.custom or ""))
    return get(actor, made.user_id)


def change(
    *,
    actor: Actor,
    account_id: UUID,
    role: Role | None = None,
    custom_role_id: UUID | None = None,
    is_active: bool | None = None,
) -> Membership:
    """Another role, or off or on; what its keys open follows at once. Raises as `members.member_update`, and
    `FreshLoginRequired` or `ServiceAccountNotFound`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    require_person(actor)
    tiers.require_action(actor, "manage_api_keys")
    get(actor, account_id)
    members.membership_update(
        actor=actor, user_id=account_id, role=role, custom_role_id=custom_role_id, is_active=is_active
    )
    return get(actor, account_id)


def remove(*, actor: Actor, account_id: UUID) -> None:
    """End the account and its keys for good; what it did stays under its name.

    Raises `ServiceAccountNotFound`, `FreshLoginRequired` or `TierTooLow`.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    require_person(actor)
    tiers.require_action(actor, "manage_api_keys")
    now = timezone.now()
    with transaction.atomic():
        members.own_rights_under_lock(actor, Permission.ORGANIZATION_MANAGE)
        found = get(actor, account_id)
        rights.within_reach(actor, rights.held_by(found))
        keys.end(ApiKey.objects.of(actor).filter(user_id=account_id), reason="service account removed", now=now)
        User.objects.filter(pk=account_id, is_service=True).update(is_active=False, updated_at=now)
        found.delete()
        _note(actor, "removed", account_id, name=found.user.first_name)
        publish(RightsChanged(user_id=account_id, organization_id=actor.organization_id))


def _note(actor: Actor, what: str, account_id: UUID, **details: str) -> None:
    record(
        f"service_account.{what}",
        what,
        organization_id=actor.organization_id,
        actor=actor,
        resource_type="service_account",
        resource_id=account_id,
        severity="medium",
        details=details,
    )
