"""The security dashboard, incidents, threats and alert rules (routers 9 and 37)."""

from __future__ import annotations

import dataclasses

from accounts.errors import NotAuthenticated
from api.base import Answer, Call, operation
from api.needs import SIGNED_IN
from api.workflow_engine.bodies import security_metrics as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from api.workflow_engine.pages import ordered, paged
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from security import alerts, metrics, selectors, services
from security.detectors import DETECTORS
from security.errors import AlertRuleNotFound, ChannelRefused, DuplicateIncident
from security.models import SecurityIncident, Threat
from security.services import Affected, Report

SORTED_BY = {
    "created_at": "created_at", "number": "number", "occurred_at": "occurred_at", "resolved_at": "resolved_at",
    "severity": "severity", "status": "status", "title": "title",
}  # fmt: skip


class SecurityDashboardView(WorkflowEngineView):
    @operation(
        id="security_metrics_dashboard",
        needs=Permission.AUDIT_READ,
        summary="The security dashboard",
        query=bodies.DashboardQuery,
        answers={200: bodies.SecurityDashboard},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Logins, second factors, incidents, threats and alerts of the period; hourly up to 7 days, daily beyond."""
        return Answer(_dashboard(metrics.dashboard(actor=call.actor, period=call.query.period)))


class IncidentsView(WorkflowEngineView):
    @operation(
        id="security_metrics_incidents_list",
        needs=Permission.AUDIT_READ,
        summary="List incidents",
        query=bodies.IncidentQuery,
        answers={200: list[bodies.IncidentBody]},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Opened by people and by detectors. That the list was read is recorded."""
        asked = call.query
        rows = selectors.incidents(
            actor=call.actor, status=asked.status or "", severity=asked.severity or "", search=asked.search
        )
        return paged(ordered(rows, asked.sort, SORTED_BY, usual="-created_at"), asked, incident)

    @operation(
        id="security_metrics_incident_report",
        needs=SIGNED_IN,
        summary="Report an incident",
        body=bodies.IncidentReport,
        answers={201: bodies.IncidentBody},
        raises=[NotAuthenticated, InvalidInput, DuplicateIncident],
        creates=True,
    )
    def post(self, call: Call[bodies.IncidentReport]) -> Answer:
        """Any member may. The admins are told, and recent events of the affected people are attached."""
        asked = call.body
        report = Report(
            title=asked.title,
            description=asked.description,
            severity=asked.severity,
            category=asked.category,
            affected=Affected(asked.affected.user_ids, asked.affected.resource_type, asked.affected.resource_ids),
            evidence=asked.evidence_event_ids,
            occurred_at=asked.occurred_at,
        )
        return Answer(incident(services.report_incident(actor=call.actor, report=report)), 201)


class ThreatsView(WorkflowEngineView):
    @operation(
        id="security_metrics_threats",
        needs=Permission.AUDIT_READ,
        summary="List threats",
        query=bodies.ThreatQuery,
        answers={200: list[bodies.ThreatBody]},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """What the detectors found, each with its rule, its counts and events that made it fire. `meta.detectors` says when
        each last looked."""
        asked = call.query
        rows = selectors.threats(
            actor=call.actor, type=asked.type or "", status=asked.status or "", min_score=asked.min_score
        )
        last = {each.name: each.last_run_at for each in selectors.runs()}
        ran = [
            {
                "name": each.name,
                "last_run_at": last[each.name].isoformat().replace("+00:00", "Z"),
                "window_seconds": each.window_seconds,
            }
            for each in DETECTORS
            if each.name in last
        ]
        return paged(rows, asked, _threat, meta={"detectors": ran})


class AlertsView(WorkflowEngineView):
    @operation(
        id="security_metrics_alerts_configure",
        needs=Permission.ORGANIZATION_MANAGE,
        summary="Set up an alert rule",
        body=bodies.AlertWish,
        answers={200: bodies.AlertBody, 201: bodies.AlertBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, AlertRuleNotFound, ChannelRefused],
    )
    def post(self, call: Call[bodies.AlertWish]) -> Answer:
        """Made (201), or in place of the one of that id or name; a repeat changes nothing. `preview` replays it over 7 days.

        With `dry_run` nothing is stored."""
        asked = call.body
        wish = alerts.Wish(
            name=asked.name.strip(),
            metric=asked.metric,
            operator=asked.condition.operator,
            threshold=asked.condition.threshold,
            window_minutes=asked.condition.window_minutes,
            id=asked.id,
            enabled=asked.enabled,
            severity=asked.severity,
            channels=[each.model_dump() for each in asked.channels],
            cooldown_minutes=asked.cooldown_minutes,
            filter=asked.filter,
        )
        made = alerts.configure(actor=call.actor, wish=wish, dry_run=asked.dry_run, delete=asked.delete)
        return Answer(_alert(made, dry=asked.dry_run), 201 if made.created and not asked.dry_run else 200)


def incident(row: SecurityIncident) -> bodies.IncidentBody:
    entries = sorted(row.timeline.all(), key=lambda each: (each.at, each.pk))
    assigned = row.assigned_to
    return bodies.IncidentBody.model_validate(
        {
            **{
                name: getattr(row, name) for name in ("id", "reference", "title", "description", "category", "severity")
            },
            **{name: getattr(row, name) for name in ("status", "source", "created_at", "resolved_at")},
            "reported_by": {"id": row.reported_by_id, "name": selectors.name_of(row.reported_by)},
            "assigned_to": {"id": assigned.pk, "name": selectors.name_of(assigned)} if assigned else None,
            "affected": {
                "user_ids": row.affected_users,
                "resource_type": row.resource_type or None,
                "resource_ids": row.resource_ids,
            },
            "evidence_event_ids": row.evidence,
            "timeline": [
                {"at": each.at, "actor": selectors.name_of(each.user), "action": each.action, "note": each.note}
                for each in entries
            ],
        }
    )


def _threat(row: Threat) -> bodies.ThreatBody:
    return bodies.ThreatBody.model_validate(
        {
            **{
                name: getattr(row, name)
                for name in ("id", "type", "status", "score", "events", "evidence", "incident_id")
            },
            "first_seen_at": row.first_seen_at,
            "last_seen_at": row.last_seen_at,
            "source": {"ip": row.address or None, "user_id": row.user_id, "user_agent": row.user_agent or None},
            "target": {"user_ids": row.target_users, "paths": row.paths},
            "rule": {"name": row.type, "threshold": row.threshold, "window_seconds": row.window_seconds},
            "mitigation": {"action": row.mitigation, "until": row.mitigated_until},
        }
    )


def _alert(made: alerts.Configured, *, dry: bool) -> bodies.AlertBody:
    rule = made.rule
    return bodies.AlertBody.model_validate(
        {
            **{name: getattr(rule, name) for name in ("name", "metric", "enabled", "severity", "channels")},
            "id": None if dry and made.created else rule.pk,
            "condition": alerts.condition_of(rule),
            "cooldown_minutes": rule.cooldown_minutes,
            "created": made.created,
            "deleted": made.deleted,
            "last_fired_at": rule.last_fired_at,
            "preview": dataclasses.asdict(made.preview),
        }
    )


def _dashboard(found: metrics.Dashboard) -> bodies.SecurityDashboard:
    counts, coverage = found.counts, found.coverage
    return bodies.SecurityDashboard.model_validate(
        {
            "period": {"from": found.since, "to": found.until},
            "logins": {
                "success": counts[metrics.OPENED],
                "failed": found.failed,
                "blocked_by_risk": counts[metrics.BLOCKED],
                "challenged": counts[metrics.CHALLENGED],
                "unique_users": found.unique_users,
            },
            "mfa": {
                "users": coverage.users,
                "with_totp": coverage.with_totp,
                "with_passkey": coverage.with_passkey,
                "coverage_percent": coverage.percent,
            },
            "sessions": {"active": found.active_sessions, "revoked": counts[metrics.REVOKED]},
            "incidents": {
                "open": found.incidents_open,
                "by_severity": found.incidents_by_severity,
                "mean_hours_to_resolve": found.mean_hours_to_resolve,
            },
            "threats": {
                "active": found.threats_active,
                "top_sources": [
                    {"ip": ip, "events": events, "last_seen_at": at} for ip, events, at in found.top_sources
                ],
            },
            "alerts": {"configured": found.rules, "fired": counts[metrics.FIRED]},
            "tiers": dict(found.tiers),
            "timeseries": [dataclasses.asdict(each) for each in found.points],
            "trend": {
                "login_failed_percent": found.login_failed_percent,
                "incidents_percent": found.incidents_percent,
            },
        }
    )
