"""`/api/organization/roles`: built-in roles, and those that the organization makes itself."""

from __future__ import annotations

from uuid import UUID

from accounts import roles
from accounts.errors import NotAuthenticated, RoleInUse, RoleNotFound, RoleTaken, TierTooLow, TooManyRoles
from accounts.grants import CustomRole
from api.auterity.bodies import roles as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from auterity.kernel.access import ROLE_PERMISSIONS, Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied

READING = (NotAuthenticated, PermissionDenied)


class RolesView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        id="organization_role_list",
        summary="List the roles",
        answers={200: bodies.RoleList},
        raises=READING,
    )
    def get(self, call: Call[None]) -> Answer:
        """All of them: the built-in ones, then the organization's own by name."""
        found = [
            bodies.RoleBody(
                id=None,
                name=role.value,
                description="",
                permissions=sorted(permissions),
                built_in=True,
                member_count=None,
                created_at=None,
                updated_at=None,
            )
            for role, permissions in ROLE_PERMISSIONS.items()
        ]
        found += [_body(each) for each in roles.listed(call.actor)]
        return Answer(bodies.RoleList(roles=found, total=len(found), permissions=sorted(Permission)))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="organization_role_create",
        summary="Make a role",
        body=bodies.RoleWish,
        answers={201: bodies.RoleBody},
        raises=[*READING, InvalidInput, RoleTaken, TooManyRoles],
        creates=True,
    )
    def post(self, call: Call[bodies.RoleWish]) -> Answer:
        """A name and some of the permissions there are, none that you do not hold."""
        return Answer(_body(roles.create(actor=call.actor, content=_content(call.body))), 201)


class RoleView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        id="organization_role_get",
        summary="Read a role",
        answers={200: bodies.RoleBody},
        raises=[*READING, RoleNotFound],
    )
    def get(self, call: Call[None], role_id: UUID) -> Answer:
        """One of the organization's own."""
        return Answer(_body(roles.get(call.actor, role_id)))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="organization_role_update",
        summary="Change a role",
        body=bodies.RoleWish,
        answers={200: bodies.RoleBody},
        raises=[*READING, TierTooLow, InvalidInput, RoleNotFound, RoleTaken],
    )
    def put(self, call: Call[bodies.RoleWish], role_id: UUID) -> Answer:
        """Whoever has it has the new permissions at once, on open sockets too."""
        return Answer(_body(roles.update(actor=call.actor, role_id=role_id, content=_content(call.body))))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="organization_role_delete",
        summary="Delete a role",
        answers={204: None},
        raises=[*READING, RoleNotFound, RoleInUse],
    )
    def delete(self, call: Call[None], role_id: UUID) -> Answer:
        """Refused while somebody has it or is invited with it."""
        roles.delete(actor=call.actor, role_id=role_id)
        return Answer(None, 204)


def _content(body: bodies.RoleWish) -> roles.RoleContent:
    return roles.RoleContent(body.name, body.permissions, body.description)


def _body(row: CustomRole) -> bodies.RoleBody:
    return bodies.RoleBody(
        id=row.pk,
        name=row.name,
        description=row.description,
        permissions=row.permissions,
        built_in=False,
        member_count=row.member_count,  # type: ignore[attr-defined]
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
