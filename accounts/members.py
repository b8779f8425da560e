"""Changes to an organization and to who belongs to it: the writing half of contract `organization.yaml`."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts import inputs, services, sessions
from accounts.errors import LastAdmin, MemberNotFound
from accounts.events import RightsChanged
from accounts.models import Membership, Organization
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.errors import PermissionDenied
from auterity.kernel.events import publish


def organization_update(*, actor: Actor, name: str) -> Organization:
    """Rename the actor's organization. Raises `PermissionDenied` or `InvalidInput`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    name = inputs.organization_name(name)
    with transaction.atomic():
        organization = _locked_organization(actor)
        organization.name = name
        organization.is_personal = False
        organization.save(update_fields=["name", "is_personal", "updated_at"])
    return organization


def members_add(
    *, actor: Actor, email: str, password: str, first_name: str, last_name: str, role: Role = Role.MEMBER
) -> Membership:
    """Create an account inside the actor's organization; the membership has its `user`.

    Raises `PermissionDenied` (also for a role above the actor's own), `InvalidInput` or `EmailTaken`.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    _within_reach(actor, role)
    person = inputs.person(email=email, password=password, first_name=first_name, last_name=last_name)
    hashed = make_password(person.password)
    with transaction.atomic():
        user = services.new_user(person, hashed)
        return Membership.objects.create(user=user, organization_id=actor.organization_id, role=role.value)


def member_update(
    *, actor: Actor, user_id: UUID, role: Role | None = None, is_active: bool | None = None
) -> Membership:
    """Give a member of the actor's organization another role, or switch the membership off or on; None leaves as it is.

    A change ends every login of the member: the new rights count from the next login, and nothing of the old is left.
    Raises `PermissionDenied`, `MemberNotFound` or `LastAdmin`.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    if role is not None:
        _within_reach(actor, role)
    with transaction.atomic():
        # One at a time: two admins who remove each other in the same moment must not both succeed.
        _locked_organization(actor)
        members = Membership.objects.filter(organization_id=actor.organization_id)
        member = members.select_related("user").filter(user_id=user_id).first()
        if member is None:
            raise MemberNotFound
        before = (member.role, member.is_active)
        member.role = member.role if role is None else role.value
        member.is_active = member.is_active if is_active is None else is_active
        if before == (member.role, member.is_active):
            return member
        stays_admin = member.is_active and member.role == Role.ADMIN.value
        others = members.filter(role=Role.ADMIN.value, is_active=True, user__is_active=True).exclude(user_id=user_id)
        if not stays_admin and not others.exists():
            raise LastAdmin
        member.save(update_fields=["role", "is_active", "updated_at"])
        sessions.revoke_all([user_id], reason="role or membership changed", now=timezone.now())
        publish(RightsChanged(user_id=user_id, organization_id=actor.organization_id))
        return member


def _locked_organization(actor: Actor) -> Organization:
    return Organization.objects.select_for_update().get(pk=actor.organization_id)


def _within_reach(actor: Actor, role: Role) -> None:
    ranks = list(Role)
    if ranks.index(role) > ranks.index(actor.role):
        raise PermissionDenied("You cannot give a role above your own.")
