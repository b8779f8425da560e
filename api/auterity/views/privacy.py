"""Data rights: `/api/account`, `/api/organization`, and the file of an export."""

from __future__ import annotations

from uuid import UUID

from accounts.errors import NOT_AS_YOU_ARE, LastAdmin, NotAuthenticated
from api.auterity.bodies import privacy as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from api.downloads import download
from api.needs import OPEN, PERSON
from api.uploads import WhateverIsAccepted
from artefacts.errors import FileDamaged
from auterity.kernel.access import Actor, Permission
from auterity.kernel.errors import PermissionDenied
from privacy import selectors, services
from privacy.errors import ErasureNotFound, ExportNotFound, ExportUnderWay
from privacy.models import DataExport, Erasure, Subject

READING = (NotAuthenticated, PermissionDenied, ExportNotFound)
ASKING = (NotAuthenticated, PermissionDenied, *NOT_AS_YOU_ARE, ExportUnderWay)


class AccountExportView(AuterityView):
    @operation(
        id="account_export_create",
        needs=PERSON,
        summary="Ask for a copy of your data",
        answers={202: bodies.DataExportBody},
        raises=ASKING,
    )
    def post(self, call: Call[None]) -> Answer:
        """Everything that is kept about you, in every organization. It is made in the background."""
        made = services.ask_for_export(actor=call.actor, subject=Subject.PERSON)
        return Answer(_export(call.actor, made), 202)

    @operation(
        id="account_export_get",
        needs=PERSON,
        summary="Your last copy, and where to fetch it",
        answers={200: bodies.DataExportBody},
        raises=READING,
    )
    def get(self, call: Call[None]) -> Answer:
        """`download_url` comes once it is ready; the file is kept for seven days."""
        return Answer(_export(call.actor, selectors.newest_export(actor=call.actor, subject=Subject.PERSON)))


class AccountView(AuterityView):
    @operation(
        id="account_delete",
        needs=PERSON,
        summary="Erase your account",
        answers={202: bodies.ErasureBody},
        raises=[NotAuthenticated, *NOT_AS_YOU_ARE, LastAdmin, ErasureNotFound],
    )
    def delete(self, call: Call[None]) -> Answer:
        """At once and for good: your name, address and logins go, what you made for an organization stays without them. An
        organization in which nobody else is goes too. Needs a login of the last ten minutes."""
        return Answer(_erasure(services.erase_own_account(actor=call.actor)), 202)


class OrganizationExportView(AuterityView):
    @operation(
        id="organization_export_create",
        needs=Permission.ORGANIZATION_MANAGE,
        summary="Ask for a copy of the organization's data",
        answers={202: bodies.DataExportBody},
        raises=ASKING,
    )
    def post(self, call: Call[None]) -> Answer:
        """Every table and every file. For admins; it is made in the background."""
        made = services.ask_for_export(actor=call.actor, subject=Subject.ORGANIZATION)
        return Answer(_export(call.actor, made), 202)

    @operation(
        id="organization_export_get",
        needs=Permission.ORGANIZATION_MANAGE,
        summary="The organization's last copy, and where to fetch it",
        answers={200: bodies.DataExportBody},
        raises=READING,
    )
    def get(self, call: Call[None]) -> Answer:
        """For admins. `download_url` comes once it is ready; the file is kept for seven days."""
        return Answer(_export(call.actor, selectors.newest_export(actor=call.actor, subject=Subject.ORGANIZATION)))


class OrganizationView(AuterityView):
    @operation(
        id="organization_delete",
        needs=Permission.ORGANIZATION_MANAGE,
        summary="Erase the organization",
        answers={202: bodies.ErasureBody},
        raises=[NotAuthenticated, PermissionDenied, *NOT_AS_YOU_ARE],
    )
    def delete(self, call: Call[None]) -> Answer:
        """In 14 days, with everything in it; until then it goes on, and an admin can call it off. People who belong to no other
        organization are erased with it. For admins, with a login of the last ten minutes."""
        return Answer(_erasure(services.erase_organization(actor=call.actor)), 202)


class OrganizationErasureView(AuterityView):
    @operation(
        id="organization_erasure_get",
        needs=Permission.ORGANIZATION_MANAGE,
        summary="When the organization is going to be erased",
        answers={200: bodies.ErasureBody},
        raises=[NotAuthenticated, PermissionDenied, ErasureNotFound],
    )
    def get(self, call: Call[None]) -> Answer:
        """404 where that is not so."""
        return Answer(_erasure(selectors.erasure_of(actor=call.actor)))

    @operation(
        id="organization_erasure_delete",
        needs=Permission.ORGANIZATION_MANAGE,
        summary="Call the organization's erasure off",
        answers={200: bodies.ErasureBody},
        raises=[NotAuthenticated, PermissionDenied, ErasureNotFound],
    )
    def delete(self, call: Call[None]) -> Answer:
        """As long as it has not begun."""
        return Answer(_erasure(services.keep_organization(actor=call.actor)))


class ExportContentView(AuterityView):
    public = True
    content_negotiation_class = WhateverIsAccepted

    @operation(
        id="export_content",
        needs=OPEN,
        summary="Fetch the file of an export",
        query=bodies.ExportLink,
        answers={200: bytes, 206: bytes, 304: None},
        raises=[ExportNotFound, FileDamaged],
        whole=True,
    )
    def get(self, call: Call[None], export_id: UUID) -> Answer:
        """The link is the proof. It counts for 15 minutes, and only while its owner may still have the file."""
        file = selectors.file_of(export_id=export_id, signature=call.query.signature)
        return Answer(download(call.request, file))


def _export(actor: Actor, row: DataExport) -> bodies.DataExportBody:
    ready = selectors.is_ready(row)
    return bodies.DataExportBody(
        id=row.id,
        subject=row.subject,  # type: ignore[arg-type]
        status=row.status,  # type: ignore[arg-type]
        progress=row.progress,
        rows=row.rows,
        size=row.size or None,
        created_at=row.created_at,
        completed_at=row.completed_at,
        expires_at=row.expires_at,
        error=row.error or None,
        download_url=services.signed_link(actor=actor, export=row) if ready else None,
    )


def _erasure(row: Erasure) -> bodies.ErasureBody:
    return bodies.ErasureBody(
        id=row.id,
        subject=row.subject,  # type: ignore[arg-type]
        due_at=row.due_at,
        created_at=row.created_at,
        cancelled_at=row.cancelled_at,
    )
