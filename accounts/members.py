"""Changes to an organization and to who belongs to it: the writing half of contract `organization.yaml`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import inputs, quotas, rights, services, sessions, tiers
from accounts.errors import LastAdmin, MemberNotFound
from accounts.events import RightsChanged
from accounts.limits import Counter
from accounts.models import Invitation, Membership, Organization
from audit.trail import record
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.errors import PermissionDenied
from auterity.kernel.events import publish


def organization_update(*, actor: Actor, name: str) -> Organization:
    """Rename the actor's organization. Raises `PermissionDenied` or `InvalidInput`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    name = inputs.organization_name(name)
    with transaction.atomic():
        organization = lock_organization(actor.organization_id)
        before = organization.name
        organization.name = name
        organization.is_personal = False
        organization.save(update_fields=["name", "is_personal", "updated_at"])
        record(
            "organization.renamed",
            "rename",
            organization_id=actor.organization_id,
            actor=actor,
            severity="low",
            resource_type="organization",
            resource_id=actor.organization_id,
            details={"before": before, "after": name},
        )
    return organization


def members_add(
    *,
    actor: Actor,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    role: Role = Role.MEMBER,
    custom_role_id: UUID | None = None,
) -> Membership:
    """Create an account inside the actor's organization; the membership has its `user`. A custom role replaces `role`.

    Raises `PermissionDenied` (also for more than the actor holds), `InvalidInput`, `EmailTaken`, `RoleNotFound` or
    `QuotaExceeded`.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    rights.chosen(actor, role, custom_role_id)
    here = Organization.objects.get(pk=actor.organization_id)
    person = inputs.person(email=email, password=password, first_name=first_name, last_name=last_name, joins=here)
    hashed = make_password(person.password)
    with transaction.atomic():
        lock_organization(actor.organization_id)
        grant = rights.chosen(actor, role, custom_role_id)
        own_rights_under_lock(actor, Permission.ORGANIZATION_MANAGE, *grant.permissions)
        check_collaborators(actor.organization_id, adding=1)
        user = services.new_user(person, hashed)
        _note(actor, "added", user.pk, role=grant.role.value, custom_role=str(grant.custom or ""))
        return Membership.objects.create(
            user=user, organization_id=actor.organization_id, role=grant.role.value, custom_role=grant.custom
        )


def member_update(
    *,
    actor: Actor,
    user_id: UUID,
    role: Role | None = None,
    custom_role_id: UUID | None = None,
    is_active: bool | None = None,
) -> Membership:
    """Give a member of the actor's organization another role, or switch the membership off or on; None leaves as it is.

    A change ends every login that the member has in this organization, at once: the new rights count from the next one.
    Raises `PermissionDenied` (also for more than the actor holds, and about a member who holds more), `TierTooLow`,
    `MemberNotFound`, `RoleNotFound`, `LastAdmin` or `QuotaExceeded`.
    """
    tiers.require_action(actor, "manage_users")
    return membership_update(
        actor=actor, user_id=user_id, role=role, custom_role_id=custom_role_id, is_active=is_active
    )


def membership_update(
    *, actor: Actor, user_id: UUID, role: Role | None, custom_role_id: UUID | None, is_active: bool | None
) -> Membership:
    """The same without asking for a tier: a service account is a member, and no user."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    with transaction.atomic():
        member = _member_under_lock(actor, user_id)
        before = (member.role, member.custom_role_id, member.is_active)
        if role is not None or custom_role_id is not None:
            grant = rights.chosen(actor, role or Role.VIEWER, custom_role_id)
            member.role, member.custom_role = grant.role.value, grant.custom
        member.is_active = member.is_active if is_active is None else is_active
        if before == (member.role, member.custom_role_id, member.is_active):
            return member
        if not (member.is_active and member.role == Role.ADMIN.value):
            _keep_an_admin(actor, user_id)
        if member.is_active and not before[2] and not member.user.is_service:
            check_collaborators(actor.organization_id, adding=1)
        member.save(update_fields=["role", "custom_role", "is_active", "updated_at"])
        _note(
            actor,
            "changed",
            user_id,
            before=[str(each) for each in before],
            after=[member.role, str(member.custom_role_id), str(member.is_active)],
        )
        _rights_changed(actor, user_id, "role or membership changed")
        return member


def member_remove(*, actor: Actor, user_id: UUID) -> None:
    """Take somebody out of the actor's organization; the account itself stays, with whatever else it belongs to.

    Ends the person's logins in this organization at once. Raises `PermissionDenied`, `TierTooLow`, `MemberNotFound` or
    `LastAdmin`.
    """
    tiers.require_action(actor, "manage_users")
    with transaction.atomic():
        member = _member_under_lock(actor, user_id)
        _keep_an_admin(actor, user_id)
        _note(actor, "removed", user_id, role=member.role)
        member.delete()
        _rights_changed(actor, user_id, "removed from the organization")


def lock_organization(organization_id: UUID) -> Organization:
    """Let nobody else change who belongs to it until the transaction ends; rows that refer to it may still be stored."""
    return Organization.objects.select_for_update(no_key=True).get(pk=organization_id)


def own_rights_under_lock(actor: Actor, *needed: Permission) -> None:
    """Whoever waited for the lock may have lost their own rights meanwhile. Locks the organization. Raises `PermissionDenied`."""
    lock_organization(actor.organization_id)
    own = _rows(actor).filter(user_id=actor.user_id, is_active=True).first()
    if own is None or not rights.held_by(own).issuperset(needed):
        raise PermissionDenied("Your own rights have just been changed.")


def collaborators(organization_id: UUID) -> int:
    """Active members and open invitations (000, UsageQuota)."""
    open_now = Invitation.objects.of(organization_id).filter(
        accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
    )
    return _active(organization_id).count() + open_now.count()


def check_collaborators(organization_id: UUID, *, adding: int) -> None:
    """Raises `QuotaExceeded` where so many more are too many. Call it with the organization locked."""
    limit = quotas.limits_of(organization_id).collaborators
    if limit is not None:
        now = collaborators(organization_id)
        quotas.check_level(level=Counter.COLLABORATORS, before=now, after=now + adding, limit=limit)
        quotas.note_level(
            organization_id=organization_id, level=Counter.COLLABORATORS, before=now, after=now + adding, limit=limit
        )


# -- inside ----------------------------------------------------------------------------------------------------------


def _active(organization_id: UUID) -> QuerySet[Membership]:
    """People: service accounts are neither collaborators nor the admin that an organization keeps."""
    return Membership.objects.filter(
        organization_id=organization_id, is_active=True, user__is_active=True, user__is_service=False
    )


def _rows(actor: Actor) -> QuerySet[Membership]:
    return Membership.objects.filter(organization_id=actor.organization_id).select_related(
        "user", "organization", "custom_role"
    )


def _member_under_lock(actor: Actor, user_id: UUID) -> Membership:
    """One change at a time: of two admins who remove each other in the same moment, one does.

    Raises `PermissionDenied`, also about a member who holds more than the actor, or `MemberNotFound`.
    """
    own_rights_under_lock(actor, Permission.ORGANIZATION_MANAGE)
    found = _rows(actor).filter(user_id=user_id).first()
    if found is None:
        raise MemberNotFound
    rights.within_reach(actor, rights.held_by(found))
    return found


def _keep_an_admin(actor: Actor, leaving: UUID) -> None:
    if not _active(actor.organization_id).filter(role=Role.ADMIN.value).exclude(user_id=leaving).exists():
        raise LastAdmin


def _note(actor: Actor, what: str, user_id: UUID, **about: Any) -> None:
    record(
        f"member.{what}",
        what,
        organization_id=actor.organization_id,
        actor=actor,
        severity="medium",
        resource_type="user",
        resource_id=user_id,
        details=about,
    )


def _rights_changed(actor: Actor, user_id: UUID, reason: str) -> None:
    sessions.revoke_in(actor.organization_id, [user_id], reason=reason, now=timezone.now())
    publish(RightsChanged(user_id=user_id, organization_id=actor.organization_id))
