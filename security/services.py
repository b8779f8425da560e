"""Writing: incidents that people and detectors open, and events that other systems add to the trail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import Membership, User
from audit import chain
from audit.models import AuditEvent
from audit.selectors import Wanted, events_of
from audit.trail import record
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from notifications.models import Category, Severity
from notifications.services import Notice, notify
from security import alerts
from security.errors import DuplicateIncident, IncidentNotFound, ReservedEvent
from security.models import (
    ENDED,
    IncidentCategory,
    IncidentEntry,
    IncidentNumbers,
    IncidentSource,
    IncidentStatus,
    Level,
    SecurityIncident,
)

TWICE: Final = dt.timedelta(minutes=5)
LATELY: Final = dt.timedelta(days=1)  # whose events of affected people are attached
ATTACHED: Final = 20
OLDEST: Final = dt.timedelta(days=7)
SAID_AS: Final = {
    Level.LOW.value: Severity.INFO,
    Level.MEDIUM.value: Severity.WARNING,
    Level.HIGH.value: Severity.ERROR,
    Level.CRITICAL.value: Severity.ERROR,
}


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom and what an incident is about."""

    user_ids: Sequence[UUID] = ()
    resource_type: str = ""
    resource_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody, or a detector, says has happened."""

    title: str
    description: str
    severity: str
    category: str = IncidentCategory.OTHER.value
    affected: Affected = field(default_factory=Affected)
    evidence: Sequence[UUID] = ()
    occurred_at: dt.datetime | None = None


def report_incident(*, actor: Actor, report: Report, now: dt.datetime | None = None) -> SecurityIncident:
    """Open an incident; any member may. Raises `InvalidInput` for people or events that are not the organization's, or
    `DuplicateIncident`.
    """
    now = now or timezone.now()
    _check(actor, report, now)
    with transaction.atomic():
        number = _next_number(
            actor.organization_id
        )  # Held from here on: of two reports at once the second sees the first.
        same = SecurityIncident.objects.of(actor).filter(
            reported_by_id=actor.user_id, title=report.title, category=report.category, created_at__gt=now - TWICE
        )
        if (first := same.first()) is not None:
            raise DuplicateIncident(incident_id=str(first.pk))
        user = User.objects.get(pk=actor.user_id)
        return _open(actor.organization_id, number, report, IncidentSource.USER, actor=actor, reporter=user, now=now)


def change_incident(
    *, actor: Actor, incident_id: UUID, status: str = "", assigned_to: UUID | None = None, note: str = ""
) -> SecurityIncident:
    """Work on an incident: take it, move it on, note something. Needs organization:manage.

    Raises `IncidentNotFound`, or `InvalidInput` for a status that there is not or somebody who does not belong here.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    if status and status not in IncidentStatus.values:
        raise InvalidInput.of("status", f"Choose one of {', '.join(IncidentStatus.values)}.")
    members = Membership.objects.filter(organization_id=actor.organization_id, is_active=True)
    if assigned_to is not None and not members.filter(user_id=assigned_to).exists():
        raise InvalidInput.of("assigned_to", "This person does not belong to your organization.")
    with transaction.atomic():
        found = SecurityIncident.objects.of(actor).select_for_update().filter(pk=incident_id).first()
        if found is None:
            raise IncidentNotFound
        before = found.status
        found.status = status or found.status
        found.assigned_to_id = assigned_to or found.assigned_to_id
        if found.status != before:
            found.resolved_at = timezone.now() if found.status in ENDED else None
        found.save(update_fields=["status", "assigned_to", "resolved_at", "updated_at"])
        told = [found.status] if found.status != before else []
        told += ["assigned"] if assigned_to is not None else []
        IncidentEntry(
            organization_id=actor.organization_id, incident=found, user_id=actor.user_id,
            action=" ".join(told) or "noted", note=note, at=timezone.now(),
        ).save()  # fmt: skip
        record(
            "security.incident.changed", "change", organization_id=actor.organization_id, actor=actor, severity="medium",
            resource_type="incident", resource_id=found.pk,
            details={"reference": found.reference, "status": [before, found.status], "assigned_to": found.assigned_to_id},
        )  # fmt: skip
    return found


def open_incident(
    organization_id: UUID, report: Report, *, source: IncidentSource, now: dt.datetime | None = None
) -> SecurityIncident:
    """Open an incident that the product found itself. Call it in a transaction."""
    number = _next_number(organization_id)
    return _open(organization_id, number, report, source, actor=None, reporter=None, now=now or timezone.now())


def log_event(
    *,
    actor: Actor,
    event_type: str,
    action: str,
    resource_type: str = "",
    resource_id: str = "",
    outcome: str = "success",
    severity: str = "info",
    details: Mapping[str, Any] | None = None,
    occurred_at: dt.datetime | None = None,
    now: dt.datetime | None = None,
) -> AuditEvent:
    """Add an event of another system's to the organization's trail, chained at once. Who and from where is not its to say.

    Raises `ReservedEvent` for a name of ours, `InvalidInput` for a time that is ahead or more than 7 days ago.
    """
    now = now or timezone.now()
    if not event_type.startswith("custom."):
        raise ReservedEvent(event_type=event_type)
    if occurred_at is not None and not now - OLDEST <= occurred_at <= now + dt.timedelta(seconds=60):
        raise InvalidInput.of("occurred_at", "This must lie in the last 7 days.")
    with transaction.atomic():
        try:
            event = record(
                event_type,
                action,
                organization_id=actor.organization_id,
                actor=actor,
                resource_type=resource_type,
                resource_id=resource_id,
                outcome=outcome,
                severity=severity,
                details=details,
                occurred_at=occurred_at,
            )
        except ValueError:
            raise InvalidInput.of("event_type", "Write it as custom.name, in a to z, 0 to 9 and _.", "format") from None
        if severity in (Level.HIGH, Level.CRITICAL):
            transaction.on_commit(partial(alerts.evaluate_for, actor.organization_id), robust=True)
    chain.seal(event.chain)
    event.refresh_from_db()
    return event


# -- inside --------------------------------------------------------------------------------------------------------------


def _check(actor: Actor, report: Report, now: dt.datetime) -> None:
    problems = []
    people = set(report.affected.user_ids)
    known = set(
        Membership.objects.filter(organization_id=actor.organization_id, user_id__in=people).values_list(
            "user_id", flat=True
        )
    )
    if people - known:
        problems.append(FieldProblem("affected.user_ids", "Somebody here does not belong to your organization."))
    events = set(report.evidence)
    found = AuditEvent.objects.of(actor).filter(pk__in=events).count()
    if found != len(events):
        problems.append(FieldProblem("evidence_event_ids", "Some of these are not in your organization's audit trail."))
    if report.category not in IncidentCategory.values:
        problems.append(FieldProblem("category", f"Choose one of {', '.join(IncidentCategory.values)}."))
    if report.occurred_at is not None and report.occurred_at > now + dt.timedelta(seconds=60):
        problems.append(FieldProblem("occurred_at", "This lies in the future."))
    if problems:
        raise InvalidInput(problems)


def _next_number(organization_id: UUID) -> int:
    """The next of the organization's numbers; nobody else gets one until the transaction ends, so there are no gaps."""
    rows = IncidentNumbers.objects.of(organization_id)
    if not rows.exists():
        IncidentNumbers.objects.of(organization_id).bulk_create(
            [IncidentNumbers(organization_id=organization_id)], ignore_conflicts=True
        )
    row = rows.select_for_update().get()
    row.last += 1
    row.save(update_fields=["last"])
    return int(row.last)


def _open(
    organization_id: UUID,
    number: int,
    report: Report,
    source: IncidentSource,
    *,
    actor: Actor | None,
    reporter: User | None,
    now: dt.datetime,
) -> SecurityIncident:
    incident = SecurityIncident(
        organization_id=organization_id,
        number=number,
        title=report.title,
        description=report.description,
        category=report.category,
        severity=report.severity,
        source=source,
        reported_by=reporter,
        affected_users=[str(each) for each in report.affected.user_ids],
        resource_type=report.affected.resource_type,
        resource_ids=list(report.affected.resource_ids),
        evidence=_evidence(organization_id, report, now),
        occurred_at=report.occurred_at or now,
    )
    incident.save(force_insert=True)
    IncidentEntry(
        organization_id=organization_id,
        incident=incident,
        user=reporter,
        action="opened",
        note=f"Reported as {report.severity}.",
        at=now,
    ).save()
    record(
        "security.incident.opened",
        "open",
        organization_id=organization_id,
        actor=actor,
        severity=report.severity,
        resource_type="incident",
        resource_id=incident.pk,
        details={"reference": incident.reference, "category": incident.category, "source": str(source)},
    )
    notify(
        organization_id=organization_id,
        roles=[Role.ADMIN],
        notice=Notice(
            Category.SECURITY,
            SAID_AS[report.severity],
            f"{incident.reference}: {incident.title}"[:200],
            report.description[:500],
            f"/security/incidents/{incident.pk}",
            {"incident_id": str(incident.pk), "reference": incident.reference, "severity": report.severity},
        ),
    )
    transaction.on_commit(partial(alerts.evaluate_for, organization_id), robust=True)
    return incident


def _evidence(organization_id: UUID, report: Report, now: dt.datetime) -> list[str]:
    """The events that were named, and the newest of the affected people's."""
    found = [str(each) for each in report.evidence]
    if report.affected.user_ids:
        rows = events_of(organization_id, Wanted(since=now - LATELY)).filter(user_id__in=list(report.affected.user_ids))
        found += [str(each) for each in rows.order_by("-id").values_list("id", flat=True)[:ATTACHED]]
    return list(dict.fromkeys(found))
