"""What can go wrong with the audit trail."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class AuditEventNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "audit_event_not_found"
    sentence = "There is no such event in this organization's audit trail."
