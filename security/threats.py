"""Running the detectors over the audit trail, and keeping what they find."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Organization
from audit.models import PLATFORM
from audit.selectors import Wanted, anywhere
from audit.trail import record
from security import alerts, services
from security.detectors import DETECTORS, SHOWN, Detector, Finding, Seen, summary, top
from security.models import DetectorRun, IncidentCategory, IncidentSource, Level, Threat, ThreatStatus
from security.services import Affected, Report

OPENS_AN_INCIDENT = 80  # the score from which on somebody should look
MOST_READ = 200_000
KEPT = dt.timedelta(days=180)


def detect(*, now: dt.datetime | None = None) -> int:
    """Run every detector once. Returns how many sources they found. Harmless at any time: a finding again is the same row."""
    moment = now or timezone.now()
    count = 0
    for detector in DETECTORS:
        for finding in detector.findings(_read(detector, moment), moment):
            _note(detector, finding, moment)
            count += 1
        DetectorRun.objects.update_or_create(name=detector.name, defaults={"last_run_at": moment})
        over = moment - dt.timedelta(seconds=detector.window_seconds)
        known = Threat.unscoped.filter(type=detector.name, last_seen_at__lt=over)
        known.exclude(status=ThreatStatus.EXPIRED).update(status=ThreatStatus.EXPIRED, updated_at=moment)
    return count


def forgotten(organization_id: UUID, now: dt.datetime) -> QuerySet[Threat]:
    """Those that nobody needs any more. What they were made of is in the trail as long as its policy keeps it."""
    rows: QuerySet[Threat] = Threat.objects.of(organization_id)
    return rows.filter(status=ThreatStatus.EXPIRED, last_seen_at__lt=now - KEPT)


# -- inside --------------------------------------------------------------------------------------------------------------


def _read(detector: Detector, now: dt.datetime) -> list[Seen]:
    since = now - dt.timedelta(seconds=detector.window_seconds)
    until = now + dt.timedelta(milliseconds=1)  # What was recorded in this very millisecond belongs to it.
    rows = anywhere(Wanted(since=since, until=until)).filter(event_type__in=detector.types).order_by("-id")
    names = ("id", "chain", "event_type", "created_at", "user_id", "address", "user_agent", "path", "details")
    return [
        Seen(
            row_id, chain, kind, at, user_id, address, agent, details.get("path", path),
            int(details.get("count", 1)), str(details.get("subject", "")),
        )
        for row_id, chain, kind, at, user_id, address, agent, path, details in rows.values_list(*names)[:MOST_READ]
    ][::-1]  # fmt: skip


def _note(detector: Detector, finding: Finding, now: dt.datetime) -> None:
    """Keep a finding: a new row, or more of one that is there."""
    same = Threat.unscoped.filter(chain=finding.chain, type=detector.name, source=finding.source)
    same = same.exclude(status=ThreatStatus.EXPIRED)
    try:
        with transaction.atomic():
            row = same.select_for_update().first()
            if row is None:
                _new(detector, finding, now)
            else:
                _more(row, finding)
    except IntegrityError:
        # Another process has just noted it; the next look counts what came since. An organization that is gone has no threats.
        return


def _new(detector: Detector, finding: Finding, now: dt.datetime) -> None:
    organization_id = None if finding.chain == PLATFORM else finding.chain
    row = Threat(
        organization_id=organization_id,
        chain=finding.chain,
        type=detector.name,
        source=finding.source,
        score=finding.score,
        address=finding.address,
        user_id=finding.user_id,
        events=finding.count,
        first_seen_at=finding.events[0].at,
        last_seen_at=finding.events[-1].at,
        threshold=detector.threshold,
        window_seconds=detector.window_seconds,
    )
    _describe(row, finding)
    row.save(force_insert=True)
    record(
        "security.threat.detected",
        "detect",
        organization_id=organization_id,
        severity=Level.HIGH if row.score >= OPENS_AN_INCIDENT else Level.MEDIUM,
        resource_type="threat",
        resource_id=row.pk,
        details={"type": row.type, "source": row.source, "events": row.events, "score": row.score},
    )
    _follow_up(row, now)


def _more(row: Threat, finding: Finding) -> None:
    fresh = [each for each in finding.events if each.at > row.last_seen_at]
    if not fresh:
        return
    row.events += sum(each.count for each in fresh)
    row.last_seen_at = fresh[-1].at
    row.score = max(row.score, finding.score)
    _describe(row, finding)
    row.save()
    _follow_up(row, timezone.now())


def _describe(row: Threat, finding: Finding) -> None:
    last = finding.events[-1]
    row.user_agent = last.user_agent
    row.target_users = top(str(each.user_id) for each in finding.events if each.user_id is not None)
    row.paths = top(each.path for each in finding.events)
    row.evidence = [
        {"event_id": str(each.id), "at": each.at.isoformat().replace("+00:00", "Z"), "summary": summary(each)}
        for each in finding.events[-SHOWN:]
    ]
    row.mitigation = finding.mitigation.action
    if finding.mitigation.seconds:
        row.mitigated_until = last.at + dt.timedelta(seconds=finding.mitigation.seconds)
    row.status = ThreatStatus.ACTIVE if finding.mitigation.action == "none" else ThreatStatus.MITIGATED


def _follow_up(row: Threat, now: dt.datetime) -> None:
    """An incident for what is bad enough, once; and a look at the alert rules."""
    if row.organization_id is None or not Organization.objects.filter(pk=row.organization_id).exists():
        return
    if row.score >= OPENS_AN_INCIDENT and row.incident_id is None:
        row.incident = services.open_incident(
            row.organization_id, _report(row, [UUID(each["event_id"]) for each in row.evidence]),
            source=IncidentSource.DETECTOR, now=now,
        )  # fmt: skip
        row.save(update_fields=["incident", "updated_at"])
    transaction.on_commit(partial(alerts.evaluate_for, row.organization_id), robust=True)


def _report(row: Threat, evidence: Sequence[UUID]) -> Report:
    what = row.type.replace("_", " ")
    return Report(
        title=f"{what.capitalize()} from {row.source}"[:200],
        description=(
            f"{row.events} events of the kind '{what}' within {row.window_seconds // 60} minutes; {row.threshold} are the "
            f"threshold. Seen from {row.first_seen_at:%Y-%m-%d %H:%M:%S} to {row.last_seen_at:%H:%M:%S} UTC."
        ),
        severity=Level.CRITICAL if row.score >= 95 else Level.HIGH,
        category=IncidentCategory.CREDENTIAL_CLONE
        if row.type in ("token_replay", "passkey_clone")
        else IncidentCategory.UNAUTHORIZED_ACCESS,
        affected=Affected(user_ids=[UUID(each) for each in row.target_users]),
        evidence=evidence,
    )
