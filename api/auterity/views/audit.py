"""The organization's audit trail: `/api/audit`."""

from __future__ import annotations

from django.http import StreamingHttpResponse

from accounts.errors import NOT_AS_YOU_ARE, NotAuthenticated
from api.auterity.bodies import audit as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from audit import selectors, services
from audit.export import FORMATS
from audit.models import AuditEvent
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied


class AuditView(AuterityView):
    @operation(
        needs=Permission.AUDIT_READ,
        id="audit_list",
        summary="Search the audit trail",
        query=bodies.AuditQuery,
        answers={200: bodies.AuditPage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Who did what, when and from where; newest first. Needs `audit:read`."""
        found = selectors.search(
            actor=call.actor, wanted=call.query.wanted(), cursor=call.query.cursor, limit=call.query.limit
        )
        return Answer(bodies.AuditPage(events=[shown(each) for each in found.events], next_cursor=found.cursor))


class AuditExportView(AuterityView):
    @operation(
        needs=Permission.AUDIT_READ,
        id="audit_export",
        summary="Export the audit trail",
        query=bodies.AuditExportQuery,
        answers={200: bytes},
        raises=[NotAuthenticated, PermissionDenied, *NOT_AS_YOU_ARE, InvalidInput],
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """Everything that fits the filters, oldest first, as a file. The export is recorded. Needs `audit:read` and a login, or
        a proof, of the last ten minutes."""
        form = call.query.format
        pieces = services.exported(actor=call.actor, wanted=call.query.wanted(), form=form)
        headers = {
            "Content-Disposition": f'attachment; filename="audit.{form}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Answer(StreamingHttpResponse(pieces, content_type=FORMATS[form], headers=headers))


def shown(event: AuditEvent) -> bodies.AuditEventBody:
    names = set(bodies.AuditEventBody.model_fields) - {"recorded_at", "previous_hash", "hash"}
    return bodies.AuditEventBody(
        **{name: getattr(event, name) for name in names},
        recorded_at=event.created_at,
        previous_hash=event.previous_hash or None,
        hash=event.hash or None,
    )
