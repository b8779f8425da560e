"""`/api/organizations/current/members`: who belongs to the organization."""

from __future__ import annotations

from uuid import UUID

from accounts import inputs, members, selectors
from accounts.errors import (
    EmailTaken,
    LastAdmin,
    MemberNotFound,
    NotAuthenticated,
    QuotaExceeded,
    RoleNotFound,
    TierTooLow,
)
from accounts.models import Membership
from api.auterity.bodies import members as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission, Role, shown_roles
from auterity.kernel.errors import InvalidInput, PermissionDenied

CHANGING = (NotAuthenticated, PermissionDenied, TierTooLow, MemberNotFound, LastAdmin)


class MembersView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        id="organization_member_list",
        summary="List the members",
        query=bodies.MemberQuery,
        answers={200: bodies.MemberPage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Oldest first, switched off ones too. `search` looks for each word in names and addresses."""
        role = inputs.role([call.query.role], "role") if call.query.role else None
        rows = selectors.members(call.actor, search=call.query.search, role=role)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.MemberPage(members=[member_body(each) for each in found], **page))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="organization_member_add",
        summary="Add a person with a password",
        body=bodies.MemberAdd,
        answers={201: bodies.MemberBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, EmailTaken, RoleNotFound, QuotaExceeded],
        creates=True,
    )
    def post(self, call: Call[bodies.MemberAdd]) -> Answer:
        """Makes a new account in this organization. Somebody who may have one already, or should choose a password
        themselves, is invited instead."""
        member = members.members_add(
            actor=call.actor,
            email=call.body.email,
            password=call.body.password,
            first_name=call.body.first_name,
            last_name=call.body.last_name,
            role=Role.MEMBER if call.body.roles is None else inputs.role(call.body.roles),
            custom_role_id=call.body.role_id,
        )
        return Answer(member_body(member), 201)


class MemberView(AuterityView):
    @operation(
        needs=Permission.ORGANIZATION_READ,
        id="organization_member_get",
        summary="Read a member",
        answers={200: bodies.MemberBody},
        raises=[NotAuthenticated, PermissionDenied, MemberNotFound],
    )
    def get(self, call: Call[None], user_id: UUID) -> Answer:
        """By the person's id."""
        return Answer(member_body(selectors.member(call.actor, user_id)))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="organization_member_update",
        summary="Change a member's role, or switch them off or on",
        body=bodies.MemberUpdate,
        answers={200: bodies.MemberBody},
        raises=[*CHANGING, InvalidInput, RoleNotFound, QuotaExceeded],
    )
    def put(self, call: Call[bodies.MemberUpdate], user_id: UUID) -> Answer:
        """Ends the member's logins in this organization at once. An organization keeps at least one active admin."""
        member = members.member_update(
            actor=call.actor,
            user_id=user_id,
            role=None if call.body.roles is None else inputs.role(call.body.roles),
            custom_role_id=call.body.role_id,
            is_active=call.body.is_active,
        )
        return Answer(member_body(member))

    @operation(
        needs=Permission.ORGANIZATION_MANAGE,
        id="organization_member_remove",
        summary="Remove a member",
        answers={204: None},
        raises=CHANGING,
    )
    def delete(self, call: Call[None], user_id: UUID) -> Answer:
        """Ends the member's logins in this organization at once. The account itself, and what it made here, stays."""
        members.member_remove(actor=call.actor, user_id=user_id)
        return Answer(None, 204)


def member_body(row: Membership) -> bodies.MemberBody:
    role = Role(row.role)
    custom = row.custom_role
    return bodies.MemberBody(
        id=row.user_id,
        email=row.user.email,
        first_name=row.user.first_name,
        last_name=row.user.last_name,
        role=role.value if custom is None else custom.name,
        roles=shown_roles(role) if custom is None else [custom.name],
        role_id=row.custom_role_id,
        is_service=row.user.is_service,
        is_active=row.is_active and row.user.is_active,
        created_at=row.created_at,
    )
