"""Who the actor is, and who else belongs to the organization."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from accounts.errors import MemberNotFound
from accounts.inputs import storable
from accounts.models import Membership, Organization, Session, User
from auterity.kernel.access import Actor, Permission, Role, require, shown_roles


@dataclass(frozen=True, slots=True)
class Profile:
    """001, "Get Current User". `company` is None for a personal organization; `permissions` are sorted."""

    user: User
    organization: Organization
    role: Role
    roles: list[str]
    permissions: list[str]
    role_name: str = ""  # of a custom role

    @property
    def company(self) -> str | None:
        return None if self.organization.is_personal else self.organization.name


def profile(actor: Actor) -> Profile:
    """The actor, as stored now. Raises `MemberNotFound` when it is nobody of the organization. One query."""
    member = _of(actor, actor.user_id)
    role = Role(member.role)
    custom = "" if member.custom_role is None else member.custom_role.name
    roles = [custom] if custom else shown_roles(role)
    return Profile(member.user, member.organization, role, roles, sorted(actor.permissions), custom)


def address_of(name: str) -> str:
    """The address of the account that logs in with this name; the name itself where it is none, for a login to refuse."""
    if "@" in name or not storable(name):
        return name
    found = (
        User.objects.alias(low=Lower("username"))
        .filter(low=name.strip().lower())
        .values_list("email", flat=True)
        .first()
    )
    return name if found is None else found


def login_dialect(session_id: UUID) -> str:
    """The dialect that a login was begun in; empty for one that is not known."""
    return Session.objects.filter(pk=session_id).values_list("dialect", flat=True).first() or ""


def organization(actor: Actor) -> Organization:
    """The actor's organization; everybody in it may see its name."""
    return Organization.objects.get(pk=actor.organization_id)


def memberships(actor: Actor) -> QuerySet[Membership]:
    """The actor's own, in every organization that lets them in, oldest first; lazily, with `organization`."""
    return (
        Membership.objects.filter(user_id=actor.user_id, is_active=True, organization__is_active=True)
        .select_related("organization", "custom_role")
        .order_by("id")
    )


def members(actor: Actor, *, search: str = "", role: Role | None = None) -> QuerySet[Membership]:
    """Everybody of the organization, inactive ones too, oldest first; lazily, with `user`. Needs organization:read.

    `search` is looked for in names and addresses, whatever the case.
    """
    require(actor, Permission.ORGANIZATION_READ)
    rows = Membership.objects.filter(organization_id=actor.organization_id)
    rows = rows.select_related("user", "custom_role").order_by("id")
    for word in search.split()[:10]:
        within = Q(user__email__icontains=word) | Q(user__first_name__icontains=word)
        rows = rows.filter(within | Q(user__last_name__icontains=word))
    return rows if role is None else rows.filter(role=role.value, custom_role=None)


def member(actor: Actor, user_id: UUID) -> Membership:
    """One of them. Raises `MemberNotFound`, also for a person of another organization."""
    require(actor, Permission.ORGANIZATION_READ)
    return _of(actor, user_id)


def _of(actor: Actor, user_id: UUID) -> Membership:
    rows = Membership.objects.filter(organization_id=actor.organization_id, user_id=user_id)
    found = rows.select_related("user", "organization", "custom_role").first()
    if found is None:
        raise MemberNotFound
    return found
