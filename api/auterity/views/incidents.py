"""Working on security incidents: `/api/security/incidents`. They are listed and reported in 003's dialect."""

from __future__ import annotations

from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import incidents as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from security import services
from security.errors import IncidentNotFound


class SecurityIncidentView(AuterityView):
    @operation(
        id="security_incident_change",
        needs=Permission.ORGANIZATION_MANAGE,
        summary="Work on an incident",
        body=bodies.IncidentChange,
        answers={200: bodies.IncidentState},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, IncidentNotFound],
    )
    def patch(self, call: Call[bodies.IncidentChange], incident_id: UUID) -> Answer:
        """Take it, move it on, note something; each is a line of its timeline."""
        asked = call.body
        row = services.change_incident(
            actor=call.actor,
            incident_id=incident_id,
            status=asked.status or "",
            assigned_to=asked.assigned_to,
            note=asked.note,
        )
        return Answer(
            bodies.IncidentState(
                id=row.pk,
                reference=row.reference,
                status=row.status,
                assigned_to=row.assigned_to_id,
                resolved_at=row.resolved_at,
            )
        )
