"""Alerts: a few rules, looked at every quarter of a minute. What one finds wrong is open until it no longer does.

Any process may look, worker or web: so a missing worker is noticed too. An open alert is one row, whoever finds it first tells
it: the operators get a notification, and watchers of the topic `alerts` a fact.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import Membership
from auterity.kernel.live import LIVE
from executions.hints import HINTS
from executions.models import Worker
from executions.presence import LATELY
from monitoring import watched
from monitoring.models import SystemAlert
from monitoring.probes import Health, Reading
from monitoring.selectors import Requests, recent_requests
from notifications.models import Category, Severity
from notifications.services import Notice, notify

log = structlog.get_logger(__name__)

TOPIC = "alerts"
AILING = "worker_ailing"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules look at."""

    services: Mapping[str, Reading]
    ai_services: Mapping[str, Reading]
    requests: Requests


Found = dict[str, str]  # component to what is wrong with it


@dataclass(frozen=True, slots=True)
class Rule:
    """`look` answers what is wrong, by component; nothing when all is well."""

    name: str
    severity: str
    look: Callable[[Seen], Found]


def _service(name: str) -> Callable[[Seen], Found]:
    """Wrong while the probe of this name says so."""

    def look(seen: Seen) -> Found:
        reading = seen.services[name]
        return {name: f"{name}: {reading.problem}"} if reading.problem else {}

    return look


def _errors(seen: Seen) -> Found:
    bounds, requests = settings.MONITORING, seen.requests
    share = requests.crashed * 100 / requests.total if requests.total else 0.0
    if requests.total < bounds["error_requests"] or share <= bounds["error_percent"]:
        return {}
    within = f"{bounds['error_minutes']} minutes"
    return {
        "api": f"{requests.crashed:,} of {requests.total:,} requests of the last {within} failed on our side ({share:.1f} %)."
    }


def _ai(seen: Seen) -> Found:
    down = {name: each for name, each in seen.ai_services.items() if each.health is Health.UNHEALTHY}
    return {f"ai:{name}": f"{name}: {each.problem}" for name, each in down.items()}


RULES = (
    Rule("error_rate", "critical", _errors),
    Rule("queue_lag", "critical", _service("queue")),
    Rule("worker_missing", "critical", _service("workers")),
    Rule("disk_low", "critical", _service("disk")),
    Rule("redis_away", "warning", _service("redis")),
    Rule("ai_down", "warning", _ai),
)


def evaluate() -> list[SystemAlert]:
    """Open what is wrong and was not, resolve what no longer is. Returns the alerts that this call opened or resolved."""
    readings, ai_services = watched.look_at_all()
    if readings["database"].problem:  # Alerts are kept there. The health addresses tell, and the log.
        log.error("database_unhealthy", problem=readings["database"].problem)
        return []
    seen = Seen(readings, ai_services, recent_requests(settings.MONITORING["error_minutes"]))
    found = {
        (rule.name, component): (rule.severity, said) for rule in RULES for component, said in rule.look(seen).items()
    }
    return _settle([rule.name for rule in RULES], found) + _end_of_workers_gone()


def note_ailment() -> list[SystemAlert]:
    """What is wrong with this process' own worker, if it has one, as its runner tells."""
    runner = HINTS.runner
    if runner is None:
        return []
    component = runner.owner[:150]
    said = runner.ailment
    found = {(AILING, component): ("critical", f"The worker {component} is ill: {said}")} if said else {}
    return _settle([AILING], found, component=component)


def fact_of(alert: SystemAlert) -> dict[str, object]:
    """`websockets.yaml`, ws.client, system_alert."""
    return {
        "alert_id": str(alert.id),
        "severity": alert.severity,
        "component": alert.component,
        "message": alert.message,
        "resolved": alert.resolved_at is not None,
    }


# -- inside ----------------------------------------------------------------------------------------------------------


def _settle(
    rules: list[str], found: Mapping[tuple[str, str], tuple[str, str]], *, component: str = ""
) -> list[SystemAlert]:
    """Make the open alerts of these rules (of one component, if given) those that were found."""
    rows = SystemAlert.objects.filter(rule__in=rules, resolved_at=None)
    known = list(rows.filter(component=component) if component else rows)
    now = timezone.now()
    changed = [each for each in known if (each.rule, each.component) not in found and _resolve(each, now)]
    still = [each.id for each in known if (each.rule, each.component) in found]
    if still:
        SystemAlert.objects.filter(id__in=still).update(seen_at=now)
    for key in sorted(set(found) - {(each.rule, each.component) for each in known}):
        severity, message = found[key]
        alert = SystemAlert(rule=key[0], component=key[1], severity=severity, message=message, seen_at=now)
        if _open(alert):
            changed.append(alert)
    return changed


def _open(alert: SystemAlert) -> bool:
    """False when another process has just opened it."""
    with transaction.atomic():
        SystemAlert.objects.bulk_create([alert], ignore_conflicts=True)
        if not SystemAlert.objects.filter(id=alert.id).exists():
            return False
        _tell(alert)
    log.error("alert_opened", rule=alert.rule, component=alert.component, message=alert.message)
    return True


def _resolve(alert: SystemAlert, now: dt.datetime) -> bool:
    """False when another process has just resolved it."""
    with transaction.atomic():
        if not SystemAlert.objects.filter(id=alert.id, resolved_at=None).update(resolved_at=now):
            return False
        alert.resolved_at = now
        _tell(alert)
    log.warning("alert_resolved", rule=alert.rule, component=alert.component)
    return True


def _end_of_workers_gone() -> list[SystemAlert]:
    """A worker that has left or died is ill no more."""
    now = timezone.now()
    ill = SystemAlert.objects.filter(rule=AILING, resolved_at=None)
    since = now - dt.timedelta(seconds=LATELY)
    there = set(Worker.objects.filter(looked_at__gte=since).values_list("owner", flat=True)) if ill.exists() else set()
    # A stuck desk no longer notes that it looks, but its process goes on saying that it is ill.
    gone = [each for each in ill if each.component not in there and each.seen_at < since]
    return [each for each in gone if _resolve(each, now)]


SAID_AS = {"info": Severity.INFO, "warning": Severity.WARNING, "critical": Severity.ERROR}


def _tell(alert: SystemAlert) -> None:
    """The operators' inboxes, wherever they belong, and whoever watches. Once the transaction has committed."""
    transaction.on_commit(partial(LIVE.publish, [(TOPIC, fact_of(alert))]), robust=True)
    resolved = alert.resolved_at is not None
    notice = Notice(
        Category.SYSTEM,
        Severity.SUCCESS if resolved else SAID_AS[alert.severity],
        f"{'Resolved' if resolved else 'Alert'}: {alert.component}"[:200],
        alert.message,
        f"/admin/monitoring/systemalert/{alert.id}/change/",
        {"alert_id": str(alert.id), "rule": alert.rule, "component": alert.component, "resolved": resolved},
        key=f"{'resolved' if resolved else 'alert'}:{alert.rule}:{alert.component}"[:120],
    )
    operators: dict[UUID, list[UUID]] = defaultdict(list)
    members = Membership.objects.filter(user__is_staff=True, user__is_active=True, is_active=True)
    for organization_id, user_id in members.values_list("organization_id", "user_id"):
        operators[organization_id].append(user_id)
    for organization_id, user_ids in sorted(operators.items()):
        notify(organization_id=organization_id, user_ids=user_ids, notice=notice)
