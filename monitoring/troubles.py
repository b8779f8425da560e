"""What is wrong now, for operators: failing probes, stopped workflows, effects in doubt, messages that were given up. Each is
found by an index, and says where it is mended."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from django.utils import timezone

from executions.everywhere import braked, effects_in_doubt
from integrations.selectors import given_up_since
from monitoring import watched
from monitoring.alerts import AILING
from monitoring.models import SystemAlert
from monitoring.probes import GOOD, Health

SHOWN = 5  # of each kind by name
GIVEN_UP_WITHIN = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`page` is the name of an operators' page with its arguments and its filters, where there is one."""

    severity: str
    what: str
    since: dt.datetime | None = None
    page: str = ""
    key: object = None
    filters: dict[str, str] = field(default_factory=dict)
    mend: str = ""


def wrong_now() -> list[Trouble]:
    """The worst first."""
    found = [*_services(), *_alerts(), *_braked(), *_doubts(), *_given_up()]
    return sorted(found, key=lambda each: ("critical", "warning", "info").index(each.severity))


WHERE = {
    "queue": ("executions_execution_changelist", {"status": "pending"}, "see what is due"),
    "workers": ("executions_worker_changelist", {}, "see the workers, and start one"),
}


def _services() -> list[Trouble]:
    readings, ai_services = watched.look_at_all()
    troubles = []
    for name, each in [*readings.items(), *((f"AI service {name}", each) for name, each in ai_services.items())]:
        if each.health in GOOD or each.health is Health.UNKNOWN:
            continue
        page, filters, mend = WHERE.get(name, ("", {}, ""))
        severity = "warning" if name.startswith("AI") or name == "redis" else "critical"
        troubles.append(Trouble(severity, f"{name}: {each.problem}", page=page, filters=filters, mend=mend))
    return troubles


def _alerts() -> list[Trouble]:
    """Those that no probe of this moment shows."""
    rows = SystemAlert.objects.filter(resolved_at=None, rule__in=("error_rate", AILING)).order_by("-id")
    return [
        Trouble(
            each.severity, each.message, each.created_at, "monitoring_systemalert_change", each.pk, mend="look at it"
        )
        for each in rows[:SHOWN]
    ]


def _braked() -> list[Trouble]:
    rows = braked().select_related("workflow")
    return [
        Trouble(
            "warning",
            f"The workflow '{each.workflow.name}' is stopped until {each.until:%H:%M}: {each.message}",
            each.created_at,
            "executions_workflowbrake_change",
            each.pk,
            mend="look at it, and release it from the list",
        )
        for each in rows[:SHOWN]
    ]


def _doubts() -> list[Trouble]:
    count = effects_in_doubt()[:1000].count()
    if not count:
        return []
    what = f"{count:,} {'steps are' if count > 1 else 'step is'} in doubt: nobody knows whether they took effect."
    page = "executions_executionstep_changelist"
    return [Trouble("warning", what, None, page, filters={"effect__exact": "unknown"}, mend="settle them")]


def _given_up() -> list[Trouble]:
    count = given_up_since(timezone.now() - GIVEN_UP_WITHIN)[:1000].count()
    if not count:
        return []
    what = f"{count:,} webhook {'messages were' if count > 1 else 'message was'} given up in the last 24 hours."
    page = "integrations_webhookdelivery_changelist"
    return [Trouble("warning", what, None, page, filters={"delivery": "failed"}, mend="deliver them again")]
