"""Reading incidents, threats and detectors of one organization. Admins only."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q, QuerySet

from accounts.models import User
from audit.trail import record
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.models import first_id_of
from security.models import ENDED, DetectorRun, IncidentStatus, SecurityIncident, Threat


def incidents(*, actor: Actor, status: str = "", severity: str = "", search: str = "") -> QuerySet[SecurityIncident]:
    """Those that fit, lazily, with their people and timeline. That they were looked at is recorded. Needs audit:read."""
    require(actor, Permission.AUDIT_READ)
    rows = (
        SecurityIncident.objects.of(actor)
        .select_related("reported_by", "assigned_to")
        .prefetch_related("timeline__user")
    )
    if status:
        rows = rows.filter(status=status)
    if severity:
        rows = rows.filter(severity=severity)
    for word in search.split()[:10]:
        number = word.upper().removeprefix("INC-").lstrip("0")
        within = Q(title__icontains=word) | Q(description__icontains=word)
        rows = rows.filter(within | Q(number=int(number)) if number.isdigit() and len(number) < 9 else within)
    record("security.incidents.read", "list", organization_id=actor.organization_id, actor=actor)
    return rows


def untouched_incidents(since: dt.datetime) -> QuerySet[SecurityIncident]:
    """Incidents of every organization, for operators, that were opened since a moment and that nobody has taken up."""
    found: QuerySet[SecurityIncident] = SecurityIncident.unscoped.filter(
        id__gte=first_id_of(since), status=IncidentStatus.OPEN
    )
    return found.order_by("-id")


def threats(*, actor: Actor, type: str = "", status: str = "", min_score: int = 0) -> QuerySet[Threat]:
    """Those that fit, the newest first, lazily. Needs audit:read."""
    require(actor, Permission.AUDIT_READ)
    rows = Threat.objects.of(actor).filter(score__gte=min_score).order_by("-last_seen_at", "-id")
    if type:
        rows = rows.filter(type=type)
    return rows.filter(status=status) if status else rows


def runs() -> QuerySet[DetectorRun]:
    """When each detector last looked."""
    return DetectorRun.objects.order_by("name")


def name_of(user: User | None) -> str:
    """What an incident calls somebody; a detector is the product itself."""
    return "Auterity" if user is None else f"{user.first_name} {user.last_name}".strip() or user.email


def open_about(actor: Actor) -> int:
    """How many open incidents of the organization name the actor as affected; their own to know without audit:read."""
    rows = SecurityIncident.objects.of(actor).exclude(status__in=ENDED).values_list("affected_users", flat=True)
    return sum(str(actor.user_id) in map(str, named) for named in rows)
