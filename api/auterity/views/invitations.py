"""Invitations: `/api/organizations/current/invitations` for those who invite, `/api/invitations/accept` for those invited."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.utils import timezone

from accounts import errors, inputs, invitations
from accounts.models import Invitation
from accounts.tokens import authenticate_access
from api.auterity.bodies import invitations as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.auterity.views.members import member_body
from api.base import Answer, Call, operation
from api.needs import OPEN
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied

INVITING = (errors.NotAuthenticated, PermissionDenied)


class InvitationsView(AuterityView):
    @operation(
        needs=Permission.MEMBER_INVITE,
        summary="Invite somebody",
        body=bodies.InvitationCreate,
        answers={201: bodies.InvitationBody},
        raises=[
            *INVITING,
            InvalidInput,
            errors.MemberExists,
            errors.RoleNotFound,
            errors.InvitationPending,
            errors.QuotaExceeded,
        ],
        creates=True,
    )
    def post(self, call: Call[bodies.InvitationCreate]) -> Answer:
        """Needs member:invite. A mail with a link that works once goes out; it is open for seven days."""
        role = inputs.role([call.body.role], "role")
        made = invitations.invite(actor=call.actor, email=call.body.email, role=role, custom_role_id=call.body.role_id)
        return Answer(_body(made), 201)

    @operation(
        needs=Permission.MEMBER_INVITE,
        summary="List the invitations",
        query=bodies.InvitationQuery,
        answers={200: bodies.InvitationPage},
        raises=[*INVITING, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Newest first, those that ended too. Needs member:invite."""
        rows = invitations.listed(call.actor, status=call.query.status or "")
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.InvitationPage(invitations=[_body(each) for each in found], **page))


class InvitationView(AuterityView):
    @operation(
        needs=Permission.MEMBER_INVITE,
        summary="Revoke an invitation",
        answers={204: None},
        raises=[*INVITING, errors.InvitationNotFound, errors.InvitationClosed],
    )
    def delete(self, call: Call[None], invitation_id: UUID) -> Answer:
        """Its link stops working at once."""
        invitations.revoke(actor=call.actor, invitation_id=invitation_id)
        return Answer(None, 204)


class InvitationResendView(AuterityView):
    @operation(
        needs=Permission.MEMBER_INVITE,
        summary="Send an invitation again",
        answers={200: bodies.InvitationBody},
        raises=[*INVITING, errors.InvitationNotFound, errors.InvitationClosed, errors.QuotaExceeded],
    )
    def post(self, call: Call[None], invitation_id: UUID) -> Answer:
        """A new link for another seven days; the one sent before stops working."""
        return Answer(_body(invitations.send_again(actor=call.actor, invitation_id=invitation_id)))


class InvitationAcceptView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        summary="Accept an invitation",
        body=bodies.InvitationAccept,
        answers={201: bodies.InvitationAccepted},
        raises=[
            errors.InvitationInvalid,
            errors.InvitationForAnotherAddress,
            errors.WrongCredentials,
            errors.TokenInvalid,
            errors.TokenExpired,
            errors.AccountInactive,
            errors.MemberExists,
            InvalidInput,
        ],
    )
    def post(self, call: Call[bodies.InvitationAccept]) -> Answer:
        """Once. Sent with a bearer token, that account joins, if it has the invited address. Without one, an account of that
        address is proved by its password, and where there is none a new one is made."""
        scheme, _, bearer = call.request.headers.get("Authorization", "").partition(" ")
        signed_in = authenticate_access(bearer.strip()) if scheme.lower() == "bearer" and bearer.strip() else None
        joined = invitations.accept(
            token=call.body.token,
            password=call.body.password,
            first_name=call.body.first_name,
            last_name=call.body.last_name,
            actor=signed_in,
        )
        body = bodies.InvitationAccepted(
            organization_id=joined.organization_id,
            organization_name=joined.organization.name,
            member=member_body(joined),
        )
        return Answer(body, 201)


def _body(row: Invitation) -> bodies.InvitationBody:
    return bodies.InvitationBody(
        id=row.pk,
        email=row.email,
        role=invitations.role_name_of(row),
        role_id=row.custom_role_id,
        status=cast("bodies.InvitationStatus", invitations.status_of(row, timezone.now())),
        invited_by=row.invited_by.email if row.invited_by is not None else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        accepted_at=row.accepted_at,
        revoked_at=row.revoked_at,
        mailed_at=getattr(row, "mailed_at", None),
        mail_problem=getattr(row, "mail_problem", None) or "",
    )
