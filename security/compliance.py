"""A self-check: controls that count things in the database now, each with what it counted. No certificate of anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone

from accounts import policies
from accounts.credentials import Totp
from accounts.models import Membership
from artefacts.selectors import retention_of
from audit import chain
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.models import first_id_of
from auterity.kernel.vault import SecretUnreadable
from executions.models import TERMINAL, Execution
from security import measures
from security.models import ENDED, AlertRule, Level, SecurityIncident
from security.rules import people_of
from vault.keys import number_of
from vault.registry import HOLDERS

CACHED_SECONDS: Final = 60
STALE: Final = dt.timedelta(days=90)
OLD_PASSWORD_DAYS: Final = 365
MOST_ADMINS: Final = 0.34  # the share of people who administrate, from which on a look is worth it
SAMPLES: Final = 10
PASS, FAIL, WARN, NOT_APPLICABLE = "pass", "fail", "warn", "not_applicable"


@dataclass(frozen=True, slots=True)
class Found:
    """What a control found: `query` says in words what was counted, `samples` are ids of some."""

    status: str
    query: str
    count: int
    samples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Look:
    """What the controls share, read once."""

    organization_id: UUID
    now: dt.datetime
    rules: policies.Rules
    people: list[Membership]
    coverage: measures.Coverage
    audit: chain.Checked


@dataclass(frozen=True, slots=True)
class Control:
    """`frameworks` are those that ask for something like it; `internal` takes all."""

    id: str
    title: str
    frameworks: tuple[str, ...]
    remedy: str
    weight: int
    look: Callable[[Look], Found]


@dataclass(frozen=True, slots=True)
class Result:
    control: Control
    found: Found


@dataclass(frozen=True, slots=True)
class Status:
    """`status` is compliant, at_risk or non_compliant; `score` is 0 to 100."""

    framework: str
    status: str
    score: int
    checked_at: dt.datetime
    results: list[Result]
    audit: chain.Checked
    users: int
    mfa_enabled: int
    stale: int
    over_privileged: int


def status(*, actor: Actor, framework: str = "internal", now: dt.datetime | None = None) -> Status:
    """Run the framework's controls. A process gives the same answer for a minute. Needs audit:read."""
    require(actor, Permission.AUDIT_READ)
    cache = caches["process"]
    key = f"security:compliance:{actor.organization_id}:{framework}"
    if now is None and (kept := cache.get(key)) is not None and isinstance(kept, Status):
        return kept
    found = _run(actor.organization_id, framework, now or timezone.now())
    if now is None:
        cache.set(key, found, CACHED_SECONDS)
    return found


# -- inside --------------------------------------------------------------------------------------------------------------


def _run(organization_id: UUID, framework: str, now: dt.datetime) -> Status:
    chain.seal(organization_id)
    look = Look(
        organization_id, now, policies.of(organization_id), people_of(organization_id),
        measures.coverage(organization_id), chain.verify(organization_id),
    )  # fmt: skip
    chosen = [each for each in CONTROLS if framework == "internal" or framework in each.frameworks]
    results = [Result(each, each.look(look)) for each in chosen]
    failed = [each for each in results if each.found.status == FAIL]
    warned = [each for each in results if each.found.status == WARN]
    serious = any(each.control.weight >= 3 for each in failed)
    return Status(
        framework=framework,
        status="non_compliant" if serious else "at_risk" if failed or warned else "compliant",
        score=_score(results),
        checked_at=now,
        results=results,
        audit=look.audit,
        users=len(look.people),
        mfa_enabled=len(look.coverage.protected),
        stale=len(_stale(look)),
        over_privileged=len(_over_privileged(look)),
    )


def _score(results: Iterable[Result]) -> int:
    """Weighted: a warning counts half, what does not apply counts nothing."""
    worth = {PASS: 1.0, WARN: 0.5, FAIL: 0.0}
    counted = [(each.control.weight, worth[each.found.status]) for each in results if each.found.status in worth]
    whole = sum(weight for weight, _ in counted)
    return round(100 * sum(weight * value for weight, value in counted) / whole) if whole else 100


def _found(bad: Iterable[Any], query: str, *, otherwise: str = FAIL) -> Found:
    """Passing where nothing was counted."""
    ids = [str(each) for each in bad]
    return Found(otherwise if ids else PASS, query, len(ids), ids[:SAMPLES])


def _second_factors(look: Look) -> Found:
    without = [each.user_id for each in look.people if each.user_id not in look.coverage.protected]
    wanted = bool(look.rules.mfa_required_roles) or look.rules.minimum_tier != policies.Tier.STANDARD
    few = look.coverage.percent < 50
    return _found(without, "active members without a second factor", otherwise=FAIL if wanted or few else WARN)


def _admins_protected(look: Look) -> Found:
    admins = [each.user_id for each in look.people if each.role == Role.ADMIN.value]
    return _found([each for each in admins if each not in look.coverage.protected], "admins without a second factor")


def _passwords(look: Look) -> Found:
    days = look.rules.password_max_age_days or OLD_PASSWORD_DAYS
    before = look.now - dt.timedelta(days=days)
    old = [each.user_id for each in look.people if (each.user.password_changed_at or each.user.created_at) < before]
    return _found(
        old, f"passwords older than {days} days", otherwise=FAIL if look.rules.password_max_age_days else WARN
    )


def _stale(look: Look) -> list[UUID]:
    before = look.now - STALE
    return [each.user_id for each in look.people if (each.user.last_login or each.user.created_at) < before]


def _stale_accounts(look: Look) -> Found:
    return _found(_stale(look), f"active members without a login for {STALE.days} days", otherwise=WARN)


def _over_privileged(look: Look) -> list[UUID]:
    """Admins beyond a third of the people, the newest first; and admins who have not been here for 90 days."""
    admins = [each.user_id for each in look.people if each.role == Role.ADMIN.value]
    allowed = max(2, int(len(look.people) * MOST_ADMINS))
    stale = set(_stale(look))
    return list(dict.fromkeys([*admins[allowed:], *(each for each in admins if each in stale)]))


def _few_admins(look: Look) -> Found:
    return _found(_over_privileged(look), "admins beyond a third of the people, or away for 90 days", otherwise=WARN)


def _retention(look: Look) -> Found:
    """What should have been deleted and is there still, a day after its time."""
    days = retention_of(look.organization_id).execution_days + 1
    before = look.now - dt.timedelta(days=days)
    late = Execution.objects.of(look.organization_id).filter(
        pk__lt=first_id_of(before), status__in=TERMINAL, completed_at__lt=before
    )
    count = late.count()
    ids = [str(each) for each in late.order_by("pk").values_list("pk", flat=True)[:SAMPLES]]
    return Found(FAIL if count else PASS, "ended executions kept beyond their time", count, ids)


def _sealed(look: Look) -> Found:
    """Stored credentials that are not under a data key of the organization, and authenticators' secrets that are not wrapped."""
    open_ones = []
    checked = 0
    for holder in HOLDERS:
        rows = holder.model.objects.of(look.organization_id).exclude(**{holder.column: b""})
        for row_id, sealed in rows.values_list("pk", holder.column).iterator(chunk_size=200):
            checked += 1
            if not _under_a_data_key(bytes(sealed)):
                open_ones.append(f"{holder.name}/{row_id}")
    people = [each.user_id for each in look.people]
    for row_id, secret in Totp.objects.filter(user_id__in=people).values_list("pk", "secret"):
        checked += 1
        if (
            len(bytes(secret)) <= 32
        ):  # Shorter than a nonce, a tag and a secret together: that would be the secret itself.
            open_ones.append(f"totp_secrets/{row_id}")
    if not checked:
        return Found(NOT_APPLICABLE, "stored credentials", 0)
    return _found(open_ones, "stored credentials that are not encrypted under a data key")


def _under_a_data_key(sealed: bytes) -> bool:
    try:
        return number_of(sealed) > 0
    except SecretUnreadable:
        return False


def _server_key(look: Look) -> Found:
    own = len(settings.VAULT_KEYS) > 1
    return Found(
        PASS if own else WARN, "server keys besides the one made of AUTERITY_SECRET_KEY", len(settings.VAULT_KEYS) - 1
    )


def _trail(look: Look) -> Found:
    broken = [look.audit.first_broken or look.audit.head.sequence] if not look.audit.intact else []
    return Found(
        FAIL if broken else PASS, "events of the audit trail that are not as recorded", len(broken), [*map(str, broken)]
    )


def _incidents(look: Look) -> Found:
    waiting = SecurityIncident.objects.of(look.organization_id).filter(
        severity__in=(Level.HIGH, Level.CRITICAL), created_at__lt=look.now - dt.timedelta(days=7)
    )
    ids = waiting.exclude(status__in=ENDED).order_by("id").values_list("id", flat=True)
    return _found(list(ids[:1000]), "serious incidents open for more than 7 days")


def _alerting(look: Look) -> Found:
    on = AlertRule.objects.of(look.organization_id).filter(enabled=True).count()
    return Found(PASS if on else WARN, "alert rules that are on", on)


def _unverified(look: Look) -> Found:
    return _found(
        [each.user_id for each in look.people if each.user.email_verified_at is None],
        "active members whose address is not confirmed",
        otherwise=WARN,
    )


CONTROLS: Final = (
    Control(
        "access.mfa", "Everybody has a second factor", ("soc2", "gdpr", "iso27001"),
        "Make it compulsory by the policy mfa_required_roles.", 3, _second_factors,
    ),
    Control(
        "access.admin_mfa", "Admins have a second factor", ("soc2", "iso27001"),
        "Ask the admins that are named to set one up.", 3, _admins_protected,
    ),
    Control(
        "access.password_age", "Passwords are not too old", ("soc2", "iso27001"),
        "Set the policy password_max_age_days, or have them changed.", 1, _passwords,
    ),
    Control(
        "access.stale", "Nobody is here who no longer comes", ("soc2", "gdpr", "iso27001"),
        "Switch off the memberships that are named.", 2, _stale_accounts,
    ),
    Control(
        "access.privilege", "Few people administrate", ("soc2", "iso27001"),
        "Give the admins that are named a lower role.", 1, _few_admins,
    ),
    Control(
        "access.verified_email", "Addresses are confirmed", ("soc2",),
        "Have the confirming mail sent again.", 1, _unverified,
    ),
    Control(
        "data.retention", "What is over its time is deleted", ("gdpr", "soc2"),
        "See that workers run: they delete it in small parts.", 3, _retention,
    ),
    Control(
        "data.encryption", "Stored credentials are encrypted", ("soc2", "gdpr", "iso27001"),
        "Run `manage.py vault rotate` for the organization.", 3, _sealed,
    ),
    Control(
        "data.server_key", "The server has a key of its own", ("iso27001",),
        "Set AUTERITY_VAULT_KEYS and run `manage.py vault rewrap`.", 1, _server_key,
    ),
    Control(
        "audit.chain", "The audit trail is as it was recorded", ("soc2", "gdpr", "iso27001"),
        "Run `manage.py audit verify` and compare with the log's anchors.", 3, _trail,
    ),
    Control(
        "response.incidents", "Serious incidents are not left open", ("soc2", "gdpr", "iso27001"),
        "Work on the incidents that are named, or close them.", 2, _incidents,
    ),
    Control(
        "response.alerts", "Somebody is alerted", ("soc2", "iso27001"),
        "Set up an alert rule.", 1, _alerting,
    ),
)  # fmt: skip
