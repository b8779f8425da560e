"""What is wrong now, for operators: failing probes, incidents, stopped workflows, effects in doubt, what was not delivered,
who is locked out. Each is found by an index, and says where it is mended."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from django.utils import timezone

from accounts.attempts import locked_out_since
from accounts.letters import given_up_since as letters_given_up_since
from executions.everywhere import braked, effects_in_doubt
from integrations.selectors import given_up_since, messages_failed_since, syncs_failed_since
from monitoring import watched
from monitoring.alerts import AILING
from monitoring.models import SystemAlert
from monitoring.probes import GOOD, Health
from security.selectors import untouched_incidents

SHOWN = 5  # of each kind by name
COUNTED = 1000  # of each kind at most
GIVEN_UP_WITHIN = dt.timedelta(days=1)
LOCKED_WITHIN = dt.timedelta(minutes=15)
INCIDENTS_WITHIN = dt.timedelta(days=30)


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
    found = [*_services(), *_alerts(), *_incidents(), *_braked(), *_doubts(), *_undelivered(), *_locked_out()]
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
    return [Trouble("warning", what, None, page, filters={"effect": "unknown"}, mend="settle them")]


def _incidents() -> list[Trouble]:
    """Security incidents that nobody has taken up."""
    found = untouched_incidents(timezone.now() - INCIDENTS_WITHIN)
    return [
        Trouble(
            "critical" if each.severity in ("high", "critical") else "warning",
            f"Nobody has taken up the security incident {each} of {each.organization}.",
            each.created_at,
            "security_securityincident_changelist",
            filters={"q": str(each.pk)},
            mend="look at it, and take it up",
        )
        for each in found.select_related("organization")[:SHOWN]
    ]


def _undelivered() -> list[Trouble]:
    """What was to go out in the last 24 hours, and did not."""
    since = timezone.now() - GIVEN_UP_WITHIN
    return [
        Trouble("warning", f"Of the last 24 hours, {what}: {count:,}.", None, page, filters=filters, mend=mend)
        for count, what, page, filters, mend in (
            (
                given_up_since(since)[:COUNTED].count(),
                "webhook deliveries that were given up",
                "integrations_webhookdelivery_changelist",
                {"delivery": "failed"},
                "deliver them again",
            ),
            (
                letters_given_up_since(since)[:COUNTED].count(),
                "invitations, links and codes that were not mailed",
                "accounts_letter_changelist",
                {"state": "given_up"},
                "try to send them now",
            ),
            (
                messages_failed_since(since)[:COUNTED].count(),
                "mails and text messages of organizations that failed",
                "integrations_outgoingmessage_changelist",
                {"status__exact": "failed"},
                "see why",
            ),
            (
                syncs_failed_since(since)[:COUNTED].count(),
                "readings of a DMS that failed",
                "integrations_dmssync_changelist",
                {"status__exact": "failed"},
                "see why",
            ),
        )
        if count
    ]


def _locked_out() -> list[Trouble]:
    people = len(locked_out_since(timezone.now() - LOCKED_WITHIN))
    if not people:
        return []
    what = f"{people:,} {'people are' if people > 1 else 'person is'} locked out by wrong passwords."
    page = "accounts_loginattempt_changelist"
    return [
        Trouble("info", what, None, page, filters={"came": "locked", "age": "hour"}, mend="see who, and let them in")
    ]
