"""Limits on what an organization uses (000, Usage Quotas): taken before the work, settled after it.

Where no limit is set nothing is written: use is then counted from the rows that the work leaves anyway (`accounts.usage`).
Where one is set, a tally of the period rises by one guarded UPDATE, whose conditions the database checks again on the row it
waited for: of any number of callers at once none slips by. See decision 20.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts import usage
from accounts.errors import AiQuotaExceeded, QuotaExceeded
from accounts.events import QuotaNearlyUsed
from accounts.limits import (
    COUNTED,
    LEVELS,
    Counter,
    Period,
    QuotaWarning,
    UsageQuota,
    UsageReservation,
    UsageTally,
)
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.events import publish

WARN_AT: Final = (80, 100)  # percent of a limit
LEVEL_RETRY_SECONDS: Final = 3600  # a level has no date at which it falls
MEBIBYTE: Final = 1024 * 1024

_WORDS: Final = {
    Counter.WORKFLOW_EXECUTIONS: "workflow executions",
    Counter.AI_API_CALLS: "AI calls",
    Counter.AI_TOKENS: "AI tokens",
    Counter.STORAGE_MB: "MiB of stored files",
    Counter.COLLABORATORS: "collaborators",
}
_SPANS: Final = {Period.DAILY: "day", Period.MONTHLY: "month", Period.YEARLY: "year"}


@dataclass(frozen=True, slots=True)
class Usage:
    """000, UsageQuota. A limit of None is no limit; `storage_mb` of the usage has two decimals."""

    organization_id: UUID
    period: Period
    limits: dict[str, int | None]
    current_usage: dict[str, int | float]
    reset_date: dt.datetime


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is held back for work under way, by tally; `id` is None where nothing is limited."""

    organization_id: UUID
    id: UUID | None = None
    parts: tuple[tuple[UUID, int], ...] = ()


# -- reading ---------------------------------------------------------------------------------------------------------


def period_of(period: str, now: dt.datetime) -> tuple[dt.date, dt.datetime]:
    """First day of the calendar period that `now` is in, and the moment the next one begins; UTC."""
    today = now.astimezone(dt.UTC).date()
    if period == Period.DAILY:
        return today, usage.midnight(today + dt.timedelta(days=1))
    if period == Period.MONTHLY:
        return today.replace(day=1), usage.midnight((today.replace(day=28) + dt.timedelta(days=4)).replace(day=1))
    return today.replace(month=1, day=1), usage.midnight(today.replace(year=today.year + 1, month=1, day=1))


def limits_of(organization_id: UUID) -> UsageQuota:
    """The limits of an organization; without any, a row that is not stored. One query."""
    found: UsageQuota | None = UsageQuota.objects.of(organization_id).first()
    return found or UsageQuota(organization_id=organization_id)


def current(*, actor: Actor, period: Period) -> Usage:
    """Limits and use of the actor's organization in the present period. Needs organization:read."""
    require(actor, Permission.ORGANIZATION_READ)
    now = timezone.now()
    begins, resets = period_of(period, now)
    limits = limits_of(actor.organization_id)
    rows = UsageTally.objects.of(actor).filter(period=period, begins=begins)
    tallies: dict[str, int] = dict(rows.values_list("counter", "used"))
    used: dict[str, int | float] = {}
    for counter in COUNTED:
        told = limits.limit(counter, period) is not None and counter in tallies
        used[counter.value] = tallies[counter] if told else usage.counted(actor.organization_id, counter, begins)
    used[Counter.STORAGE_MB.value] = round(usage.measured(actor.organization_id, Counter.STORAGE_MB), 2)
    used[Counter.COLLABORATORS.value] = int(usage.measured(actor.organization_id, Counter.COLLABORATORS))
    shown = {counter.value: limits.limit(counter, period) for counter in (*COUNTED, *LEVELS)}
    return Usage(actor.organization_id, period, shown, used, resets)


# -- taking ----------------------------------------------------------------------------------------------------------


def take(
    *,
    organization_id: UUID,
    counter: Counter,
    amount: int,
    limits: Mapping[Period, int],
    now: dt.datetime | None = None,
) -> None:
    """Use up some of a counter at once, in the caller's transaction: if that is rolled back, nothing was used.

    `limits` are those that are set. Raises `QuotaExceeded`; then the caller must roll back.
    """
    now = now or timezone.now()
    for period in Period:
        limit = limits.get(period)
        if limit is not None:
            _raise(organization_id, counter, period, "used", amount, limit, now)


def reserve(
    *, organization_id: UUID, wanted: Mapping[Counter, int], seconds: float, now: dt.datetime | None = None
) -> Reservation:
    """Hold back what work of at most `seconds` will probably use. Follow with `settle`.

    Raises `AiQuotaExceeded` (the counters are AI's) or `QuotaExceeded`; then nothing is held back. Without limits: one query.
    """
    now = now or timezone.now()
    quota = limits_of(organization_id)
    asked = [
        (counter, period, amount, limit)
        for counter, amount in sorted(wanted.items())
        for period in Period
        if (limit := quota.limit(counter, period)) is not None
    ]
    if not asked:
        return Reservation(organization_id)
    try:
        with transaction.atomic():
            parts = tuple(
                (_raise(organization_id, counter, period, "reserved", amount, limit, now), amount)
                for counter, period, amount, limit in asked
            )
            row = UsageReservation(
                organization_id=organization_id,
                parts=[[str(tally), amount] for tally, amount in parts],
                expires_at=now + dt.timedelta(seconds=seconds),
            )
            row.save(force_insert=True)
    except QuotaExceeded as error:
        told = error.details
        if told["used"] * 100 >= WARN_AT[0] * told["limit"]:  # Not for a single call that is too large by itself.
            _tell(organization_id, told["counter"], told["period"], now, -1, told["limit"], told["limit"], told["used"])
        raise
    return Reservation(organization_id, row.pk, parts)


def settle(reservation: Reservation, used: Mapping[Counter, int], *, now: dt.datetime | None = None) -> None:
    """Turn what was held back into what was really used; nothing, where the work did not happen."""
    if reservation.id is None:
        return
    now = now or timezone.now()
    organization_id = reservation.organization_id
    with transaction.atomic():
        held = UsageReservation.objects.of(organization_id).filter(pk=reservation.id).delete()[0]
        quota = limits_of(organization_id)
        for tally, amount in reservation.parts:
            _settle(organization_id, tally, amount if held else 0, used, quota, now)


def give_back_expired(*, limit: int, now: dt.datetime | None = None) -> int:
    """Give back what was held for work that was never heard of again. Returns how many reservations."""
    now = now or timezone.now()
    over = list(UsageReservation.unscoped.filter(expires_at__lte=now).order_by("expires_at")[:limit])
    for row in over:
        parts = tuple((UUID(tally), int(amount)) for tally, amount in row.parts)
        settle(Reservation(row.organization_id, row.pk, parts), {}, now=now)
    return len(over)


# -- levels ----------------------------------------------------------------------------------------------------------


def check_level(*, level: Counter, before: float, after: float, limit: int | None) -> None:
    """Raise `QuotaExceeded` where a level would rise above its limit; all three in the limit's unit.

    The caller holds the lock under which the level cannot change, or guards its own UPDATE by the same limit.
    """
    if limit is not None and before < after and after > limit:
        raise _refusal(level, None, limit, before, after - before, timezone.now())


def note_level(*, organization_id: UUID, level: Counter, before: float, after: float, limit: int | None) -> None:
    """A level rose: have the organization told when it came near its limit."""
    if limit is not None:
        _tell(organization_id, level, Period.MONTHLY, timezone.now(), before, after, limit)


# -- operators -------------------------------------------------------------------------------------------------------


def limits_changed(quota: UsageQuota, changed: set[str], *, now: dt.datetime | None = None) -> None:
    """After an operator stored other limits: begin a tally for each that was not watched, with what was used until now.

    `changed` names the fields. A tally that stood still while there was no limit is begun anew.
    """
    now = now or timezone.now()
    for period in Period:
        begins, _ = period_of(period, now)
        for counter in COUNTED:
            name = f"{period}_{counter}"
            limit = quota.limit(counter, period)
            if name not in changed:
                continue
            rows = UsageTally.objects.of(quota.organization_id).filter(counter=counter, period=period, begins=begins)
            if limit is None:
                rows.delete()
            elif (tally := rows.first()) is None:
                _begin(quota.organization_id, counter, period, limit, now)
            else:
                _tell(quota.organization_id, counter, period, now, -1, tally.used, limit)


# -- inside ----------------------------------------------------------------------------------------------------------


def _raise(
    organization_id: UUID, counter: str, period: Period, column: str, amount: int, limit: int, now: dt.datetime
) -> UUID:
    """Add to a tally's column what still fits under the limit. Returns the tally's id. Raises `QuotaExceeded`."""
    begins, _ = period_of(period, now)
    for attempt in (1, 2):
        found = _add(organization_id, counter, period, begins, column, amount, limit)
        if found is not None:
            tally, used = found
            if column == "used":
                _tell(organization_id, counter, period, now, used - amount, used, limit)
            return tally
        rows = UsageTally.objects.of(organization_id).filter(counter=counter, period=period, begins=begins)
        standing = rows.values_list("used", "reserved").first()
        if standing is not None or attempt == 2:
            taken = sum(standing) if standing else 0
            raise _refusal(Counter(counter), period, limit, taken, amount, now)
        _begin(organization_id, counter, period, limit, now)
    raise AssertionError("unreachable")


def _add(
    organization_id: UUID, counter: str, period: str, begins: dt.date, column: str, amount: int, limit: int
) -> tuple[UUID, int] | None:
    """The guarded UPDATE: (the tally's id, what is used now), or None where it does not fit or there is no tally."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE usage_tallies SET {column} = {column} + %s WHERE organization_id = %s AND counter = %s AND period = %s "  # noqa: S608  Every part is ours; values are parameters.
            "AND begins = %s AND used + reserved + %s <= %s RETURNING id, used",
            [
                amount,
                *_stored(organization_id=organization_id, counter=counter, period=period, begins=begins),
                amount,
                limit,
            ],
        )
        row = cursor.fetchone()
    return None if row is None else (row[0] if isinstance(row[0], UUID) else UUID(row[0]), int(row[1]))


def _stored(**values: Any) -> list[Any]:
    """Values of a tally's columns as this database stores them."""
    fields = {each.attname: each for each in UsageTally._meta.concrete_fields}
    return [fields[name].get_db_prep_save(value, connection) for name, value in values.items()]


def _begin(organization_id: UUID, counter: str, period: Period, limit: int, now: dt.datetime) -> None:
    """A tally of the present period, with what was used in it so far. Of several who begin it, one does."""
    begins, _ = period_of(period, now)
    used = usage.counted(organization_id, counter, begins)
    tally = UsageTally(organization_id=organization_id, counter=counter, period=period, begins=begins, used=used)
    UsageTally.objects.of(organization_id).bulk_create([tally], ignore_conflicts=True)
    _tell(organization_id, counter, period, now, -1, used, limit)


def _settle(
    organization_id: UUID, tally: UUID, held: int, used: Mapping[Counter, int], quota: UsageQuota, now: dt.datetime
) -> None:
    rows = UsageTally.objects.of(organization_id).filter(pk=tally)
    found = rows.select_for_update(no_key=True).first()
    if found is None:  # Its limit was taken away meanwhile.
        return
    amount, before = used.get(Counter(found.counter), 0), found.used
    found.used, found.reserved = before + amount, max(0, found.reserved - held)
    found.save(update_fields=["used", "reserved"])
    limit = quota.limit(found.counter, found.period)
    if limit is not None and found.begins == period_of(found.period, now)[0]:
        _tell(organization_id, found.counter, found.period, now, before, found.used, limit)


def _refusal(
    counter: Counter, period: str | None, limit: int, used: float, amount: float, now: dt.datetime
) -> QuotaExceeded:
    error = AiQuotaExceeded if counter in (Counter.AI_API_CALLS, Counter.AI_TOKENS) else QuotaExceeded
    about = {"counter": counter.value, "limit": limit, "used": round(used, 2)}
    more = "" if amount == 1 else f" and {amount:,.10g} more are wanted"
    if period is None:
        return error(
            f"Your organization may have {limit:,} {_WORDS[counter]}; {used:,.10g} are taken{more}. Make room, or ask for a "
            "higher limit.",
            **about, period=None, reset_date=None, retry_after=LEVEL_RETRY_SECONDS,
        )  # fmt: skip
    resets = period_of(period, now)[1]
    when = resets.strftime("%Y-%m-%dT%H:%M:%SZ")
    return error(
        f"Your organization may use {limit:,} {_WORDS[counter]} a {_SPANS[Period(period)]}; {used:,} are used or "
        f"reserved{more}. The count begins anew at {when}.",
        **about, period=str(period), reset_date=when, retry_after=max(1, int((resets - now).total_seconds())),
    )  # fmt: skip


def _tell(
    organization_id: UUID,
    counter: str,
    period: str,
    now: dt.datetime,
    before: float,
    used: float,
    limit: int,
    shown: float | None = None,
) -> None:
    """Announce each mark that use has passed on its way from `before` (-1: not known) to `used`, once a period.

    `shown` is what is told instead of `used`, where work is refused although a little is left.
    """
    told = int(used if shown is None else shown)
    if limit == 0 or used * 100 < WARN_AT[0] * limit:
        return
    begins, resets = period_of(period, now)
    for percent in WARN_AT:
        if before * 100 < percent * limit <= used * 100:
            _, first = QuotaWarning.objects.of(organization_id).get_or_create(
                organization_id=organization_id,
                counter=counter,
                period=period,
                begins=begins,
                percent=percent,
                defaults={"used": told, "limit": limit},
            )
            if first:
                publish(QuotaNearlyUsed(organization_id, str(counter), str(period), percent, told, limit, resets))
