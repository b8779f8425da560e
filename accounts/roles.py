"""Roles that an organization makes itself: a name and some of the permissions there are, never more than their maker holds."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet

from accounts import members, rights, tiers
from accounts.errors import RoleInUse, RoleNotFound, RoleTaken, TooManyRoles
from accounts.events import RightsChanged
from accounts.grants import ROLE_NAME_LENGTH, CustomRole
from accounts.inputs import storable
from accounts.models import Invitation, Membership
from audit.trail import record
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from auterity.kernel.events import publish

MOST = 50  # custom roles of one organization
_BUILT_IN = {"user", *(each.value for each in Role)}


@dataclass(frozen=True, slots=True)
class RoleContent:
    """What a client says of a role."""

    name: str
    permissions: Sequence[str]
    description: str = ""


def listed(actor: Actor) -> QuerySet[CustomRole]:
    """The organization's own, by name; each with `member_count`. Needs organization:read."""
    require(actor, Permission.ORGANIZATION_READ)
    counted = Count("memberships", distinct=True)
    rows: QuerySet[CustomRole] = CustomRole.objects.of(actor).annotate(member_count=counted).order_by("name", "id")
    return rows


def get(actor: Actor, role_id: UUID) -> CustomRole:
    """One of them, with `member_count`. Raises `RoleNotFound` or `PermissionDenied`."""
    found = listed(actor).filter(pk=role_id).first()
    if found is None:
        raise RoleNotFound
    return found


def create(*, actor: Actor, content: RoleContent) -> CustomRole:
    """Raises `PermissionDenied` (also for a permission the actor lacks), `InvalidInput`, `RoleTaken` or `TooManyRoles`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    checked = _checked(actor, content)
    with transaction.atomic():
        members.own_rights_under_lock(actor, Permission.ORGANIZATION_MANAGE, *rights.known(checked.permissions))
        if CustomRole.objects.of(actor).count() >= MOST:
            raise TooManyRoles
        made = CustomRole(
            organization_id=actor.organization_id,
            name=checked.name,
            description=checked.description,
            permissions=list(checked.permissions),
            made_by_id=actor.user_id,
        )
        _save(made)
        _note(actor, "created", made, permissions=made.permissions)
    return get(actor, made.pk)


def update(*, actor: Actor, role_id: UUID, content: RoleContent) -> CustomRole:
    """Whoever has the role has the new permissions with their next request; their open sockets look again at once.

    The actor must hold what the role grants now as well as what it is to grant. Raises as `create`, `TierTooLow` and
    `RoleNotFound`.
    """
    tiers.require_action(actor, "manage_users")
    checked = _checked(actor, content)
    with transaction.atomic():
        found = _locked(actor, role_id, checked.permissions)
        found.name, found.description = checked.name, checked.description
        before, found.permissions = found.permissions, list(checked.permissions)
        _save(found)
        _note(actor, "updated", found, before=before, permissions=found.permissions)
        if before != found.permissions:
            _spread(found)
    return get(actor, role_id)


def delete(*, actor: Actor, role_id: UUID) -> None:
    """Raises `PermissionDenied`, `RoleNotFound`, or `RoleInUse` while somebody has it or is invited with it."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    with transaction.atomic():
        found = _locked(actor, role_id, ())
        held = Membership.objects.filter(custom_role=found).count()
        undecided = Q(accepted_at=None, revoked_at=None)
        invited = Invitation.objects.of(actor).filter(undecided, custom_role=found).count()
        if held or invited:
            raise RoleInUse(members=held, invitations=invited)
        _note(actor, "deleted", found, permissions=found.permissions)
        found.delete()


# -- inside ----------------------------------------------------------------------------------------------------------


def _checked(actor: Actor, content: RoleContent) -> RoleContent:
    name = unicodedata.normalize("NFKC", content.name).strip()
    problems: list[FieldProblem] = []
    for field, text, longest in (("name", name, ROLE_NAME_LENGTH), ("description", content.description, 200)):
        if len(text) > longest:
            problems.append(FieldProblem(field, f"At most {longest} characters are allowed."))
        elif not text.isprintable() or not storable(text):
            problems.append(FieldProblem(field, "Control characters are not allowed.", "format"))
    if not name:
        problems.append(FieldProblem("name", "This field must not be blank.", "required"))
    elif name.casefold() in _BUILT_IN:
        problems.append(FieldProblem("name", "This is the name of a built-in role."))
    wanted = rights.known(content.permissions)
    unknown = sorted(set(content.permissions) - set(wanted))
    if unknown:
        problems.append(FieldProblem("permissions", f"Unknown permission {unknown[0][:60]!r}."))
    elif not wanted:
        problems.append(FieldProblem("permissions", "Name at least one permission.", "required"))
    if problems:
        raise InvalidInput(problems)
    rights.within_reach(actor, wanted)
    return RoleContent(name, sorted(each.value for each in wanted), content.description.strip())


def _locked(actor: Actor, role_id: UUID, adding: Sequence[str]) -> CustomRole:
    """The role, with the organization locked and the actor's own rights read anew. Raises `RoleNotFound`, `PermissionDenied`."""
    members.lock_organization(actor.organization_id)
    found: CustomRole | None = CustomRole.objects.of(actor).filter(pk=role_id).first()
    if found is None:
        raise RoleNotFound
    granted = rights.known(found.permissions) | rights.known(adding)
    members.own_rights_under_lock(actor, Permission.ORGANIZATION_MANAGE, *granted)
    return found


def _save(role: CustomRole) -> None:
    try:
        with transaction.atomic():
            role.save()
    except IntegrityError:
        raise RoleTaken from None


def _spread(role: CustomRole) -> None:
    holders = Membership.objects.filter(custom_role=role)
    rank = rights.rank_of(rights.known(role.permissions)).value
    holders.update(role=rank)
    Invitation.objects.of(role.organization_id).filter(custom_role=role).update(role=rank)
    for user_id in holders.values_list("user_id", flat=True):
        publish(RightsChanged(user_id=user_id, organization_id=role.organization_id))


def _note(actor: Actor, what: str, role: CustomRole, **details: list[str]) -> None:
    record(
        f"role.{what}",
        what,
        organization_id=actor.organization_id,
        actor=actor,
        resource_type="role",
        resource_id=role.pk,
        severity="medium",
        details={"name": role.name, **details},
    )
