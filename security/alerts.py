"""Alert rules: what an admin sets up, a look at them each minute, and telling people once per cooldown."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Membership, normal_email
from audit.trail import record
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from engine.ports import PortFailure, Rejected
from integrations import egress, outgoing, webhooks
from notifications.models import Category, Severity
from notifications.services import Notice, notify
from security import measures
from security.errors import AlertRuleNotFound, ChannelRefused
from security.models import AlertRule, Level

log = structlog.get_logger(__name__)

REPLAYED: Final = dt.timedelta(days=7)
MOST_RULES: Final = 200
MOST_CHANNELS: Final = 10
FIRED: Final = "security.alert.fired"
EVENT: Final = "security.alert"
LOOKUP_SECONDS: Final = 3.0
ROLES: Final = {**{role.value: role for role in Role}, "user": Role.MEMBER}  # whom a channel in the app may name
SAID_AS: Final = {
    Level.LOW.value: Severity.INFO, Level.MEDIUM.value: Severity.WARNING,
    Level.HIGH.value: Severity.ERROR, Level.CRITICAL.value: Severity.ERROR,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule as it is asked for."""

    name: str
    metric: str
    operator: str
    threshold: float
    window_minutes: int
    id: UUID | None = None
    enabled: bool = True
    severity: str = Level.MEDIUM.value
    channels: Sequence[Mapping[str, str]] = ()
    cooldown_minutes: int = 60
    filter: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would say now, and how often it would have been told in the last 7 days."""

    current_value: float
    would_fire: bool
    fires_last_7d: int


@dataclass(frozen=True, slots=True)
class Configured:
    rule: AlertRule
    created: bool
    deleted: bool
    preview: Preview


def configure(*, actor: Actor, wish: Wish, dry_run: bool = False, delete: bool = False) -> Configured:
    """Make the rule, or replace the one of that id or else of that name; or delete it. A `dry_run` changes nothing.

    Raises `AlertRuleNotFound` for an id that is not there, `InvalidInput`, or `ChannelRefused`.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    rows = AlertRule.objects.of(actor)
    known = rows.filter(pk=wish.id).first() if wish.id else rows.filter(name=wish.name).first()
    if known is None and (wish.id or delete):
        raise AlertRuleNotFound
    if delete and known is not None:
        shown = preview(known)
        if not dry_run:
            with transaction.atomic():
                _tell_change(actor, known, "deleted")
                rows.filter(pk=known.pk).delete()
        return Configured(known, False, True, shown)
    _check(actor, wish)
    rule = known or AlertRule(organization_id=actor.organization_id, created_by_id=actor.user_id)
    for name in (
        "name",
        "metric",
        "operator",
        "threshold",
        "window_minutes",
        "enabled",
        "severity",
        "cooldown_minutes",
    ):
        setattr(rule, name, getattr(wish, name))
    rule.channels = [{"type": each["type"], "target": each["target"]} for each in wish.channels]
    rule.filter = dict(wish.filter)
    shown = preview(rule)
    if not dry_run:
        if known is None and rows.count() >= MOST_RULES:
            raise InvalidInput.of("name", f"An organization has at most {MOST_RULES} rules.")
        try:
            with transaction.atomic():
                rule.save()
                _tell_change(actor, rule, "changed" if known else "created")
        except IntegrityError:
            raise InvalidInput.of("name", "Another rule has this name.") from None
    return Configured(rule, known is None, False, shown)


def preview(rule: AlertRule, *, now: dt.datetime | None = None) -> Preview:
    """The rule now, and replayed over the last 7 days minute by minute with its cooldown."""
    moment = now or timezone.now()
    window, since = dt.timedelta(minutes=rule.window_minutes), moment - REPLAYED
    line = measures.line_of(rule, since - window, moment)
    value = line.value(moment, window)
    return Preview(value, _holds(rule, value), _replayed(rule, line, since, moment))


def evaluate_all(*, now: dt.datetime | None = None) -> int:
    """Look at every rule that is on. Returns how many fired."""
    organizations = AlertRule.unscoped.filter(enabled=True).order_by().values_list("organization_id", flat=True)
    return sum(evaluate_for(each, now=now) for each in organizations.distinct())


def evaluate_for(organization_id: UUID, *, now: dt.datetime | None = None) -> int:
    """Look at one organization's rules. Returns how many fired. One that breaks does not keep the others from their turn."""
    moment = now or timezone.now()
    fired = 0
    for rule in AlertRule.objects.of(organization_id).filter(enabled=True).order_by("id"):
        try:
            fired += _look(rule, moment)
        except Exception as error:
            log.exception("alert_rule_failed", rule=str(rule.pk), error=type(error).__name__)
    return fired


# -- inside --------------------------------------------------------------------------------------------------------------


def _holds(rule: AlertRule, value: float) -> bool:
    return measures.OPERATORS[rule.operator](value, rule.threshold)


def _replayed(rule: AlertRule, line: measures.Line, since: dt.datetime, until: dt.datetime) -> int:
    """How often it would have fired. The figure changes only at some moments; between them only the cooldown counts."""
    step = dt.timedelta(minutes=max(1, rule.cooldown_minutes))
    window = dt.timedelta(minutes=rule.window_minutes)
    moments = [since, *line.moments(since, until, window), until]
    fires, free_at = 0, since
    for begin, end in itertools.pairwise(moments):
        first = max(begin, free_at)
        if first >= end or not _holds(rule, line.value(begin, window)):
            continue
        times = -((first - end) // step)  # Rounded up: at `first`, and each step after it before `end`.
        fires += times
        free_at = first + times * step
    return fires + int(free_at <= until and _holds(rule, line.value(until, window)))


def _look(rule: AlertRule, now: dt.datetime) -> bool:
    window = dt.timedelta(minutes=rule.window_minutes)
    value = measures.line_of(rule, now - window, now).value(now, window)
    if not _holds(rule, value):
        return False
    again = now - dt.timedelta(minutes=rule.cooldown_minutes)
    due = AlertRule.objects.of(rule.organization_id).filter(
        Q(last_fired_at=None) | Q(last_fired_at__lte=again), pk=rule.pk, enabled=True
    )
    with transaction.atomic():
        # Of several who look at once one tells: each waits for the row and reads the condition again.
        if not due.update(last_fired_at=now):
            return False
        _tell(rule, value, now)
    return True


def _tell(rule: AlertRule, value: float, now: dt.datetime) -> None:
    said = (
        f"{rule.metric} is {value:g} ({rule.operator} {rule.threshold:g}) over the last {rule.window_minutes} minutes."
    )
    data = {
        "rule_id": str(rule.pk), "name": rule.name, "metric": rule.metric, "value": value, "severity": rule.severity,
        "condition": condition_of(rule), "fired_at": now.isoformat().replace("+00:00", "Z"),
    }  # fmt: skip
    record(
        FIRED, "fire", organization_id=rule.organization_id, severity=rule.severity,
        resource_type="alert_rule", resource_id=rule.pk, details={"metric": rule.metric, "value": value},
    )  # fmt: skip
    for channel in rule.channels:
        if channel["type"] == "webhook":
            webhooks.owe(rule.organization_id, channel["target"], EVENT, data)
        elif channel["type"] == "email":
            if _members(rule.organization_id, channel["target"]):
                outgoing.owe_email(
                    organization_id=rule.organization_id, to=channel["target"],
                    subject=f"Security alert: {rule.name}", text=f"{said}\n\nSeverity: {rule.severity}\n",
                )  # fmt: skip
        else:
            _notify(rule, channel["target"], said, data)


def _notify(rule: AlertRule, target: str, said: str, data: Mapping[str, Any]) -> None:
    """To everybody of a role, or to one member, by address or id; to the admins where nobody is named."""
    one = "@" in target or _is_id(target)
    people = _members(rule.organization_id, target) if one else []
    roles = [] if one else [ROLES.get(target, Role.ADMIN)]
    notice = Notice(
        Category.SECURITY, SAID_AS[rule.severity], f"Security alert: {rule.name}"[:200], said,
        "/security/alerts", {"rule_id": data["rule_id"], "severity": rule.severity},
    )  # fmt: skip
    notify(organization_id=rule.organization_id, user_ids=people, roles=roles, notice=notice)


def condition_of(rule: AlertRule) -> dict[str, Any]:
    return {"operator": rule.operator, "threshold": rule.threshold, "window_minutes": rule.window_minutes}


def _tell_change(actor: Actor, rule: AlertRule, what: str) -> None:
    record(
        f"security.alert_rule.{what}", what, organization_id=actor.organization_id, actor=actor, severity="medium",
        resource_type="alert_rule", resource_id=rule.pk,
        details={"name": rule.name, "metric": rule.metric, "enabled": rule.enabled},
    )  # fmt: skip


def _check(actor: Actor, wish: Wish) -> None:
    problems = []
    if wish.metric not in measures.METRICS:
        problems.append(FieldProblem("metric", f"Choose one of {', '.join(measures.METRICS)}."))
    if wish.operator not in measures.OPERATORS:
        problems.append(FieldProblem("condition.operator", f"Choose one of {', '.join(measures.OPERATORS)}."))
    if not 1 <= wish.window_minutes <= 1440:
        problems.append(FieldProblem("condition.window_minutes", "This is from 1 to 1440 minutes."))
    if not wish.name.strip():
        problems.append(FieldProblem("name", "A rule has a name.", "required"))
    unknown = sorted(set(wish.filter) - measures.FILTERS - {"type", "category"})
    if unknown:
        problems.append(FieldProblem("filter", f"Unknown: {', '.join(unknown)[:200]}."))
    if not all(isinstance(value, str) and len(value) <= 200 for value in wish.filter.values()):
        problems.append(FieldProblem("filter", "A filter's values are texts of at most 200 characters."))
    if (user_id := wish.filter.get("user_id")) is not None and not _is_id(user_id):
        problems.append(FieldProblem("filter.user_id", "This is no id."))
    if len(wish.channels) > MOST_CHANNELS:
        problems.append(FieldProblem("channels", f"A rule has at most {MOST_CHANNELS} channels."))
    if problems:
        raise InvalidInput(problems)
    for channel in wish.channels:
        _check_channel(actor, channel["type"], channel["target"])


def _check_channel(actor: Actor, kind: str, target: str) -> None:
    if kind == "webhook":
        try:
            url = egress.checked_url(target)
            port = url.port or (443 if url.scheme == "https" else 80)
            egress.resolve(url.raw_host.decode("ascii"), port, egress.Deadline(LOOKUP_SECONDS))
        except Rejected as refusal:
            raise ChannelRefused(f"The webhook's address is refused: {refusal.message}", channel=target[:200]) from None
        except PortFailure:
            log.info("alert_webhook_not_resolved")  # Judged again with each delivery, by the guarded client.
    elif kind == "in_app" and (not target or target in ROLES):
        return
    elif not _members(actor.organization_id, target, by_id=kind == "in_app"):
        whom = f"; in the app also an id, or a role: {', '.join(ROLES)}" if kind == "in_app" else ""
        raise ChannelRefused(f"Name the address of a member of your organization{whom}.", channel=target[:200])


def _members(organization_id: UUID, target: str, *, by_id: bool = True) -> list[UUID]:
    rows = Membership.objects.filter(
        organization_id=organization_id, is_active=True, user__is_active=True, user__is_service=False
    )
    if by_id and _is_id(target):
        return list(rows.filter(user_id=UUID(target)).values_list("user_id", flat=True))
    return list(rows.filter(user__email=normal_email(target)).values_list("user_id", flat=True))


def _is_id(given: Any) -> bool:
    try:
        return bool(UUID(str(given)))
    except ValueError:
        return False
