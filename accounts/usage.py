"""Counting what organizations use, without a row that every execution would have to write (decision 20).

Each app that has rows to count registers how (`count_with`, `measure_with`). Days are added up once they are old enough that
nothing can be committed into them any more; what is newer is counted when somebody asks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Sum

from accounts.limits import UsageDay
from accounts.models import Organization

#: Organization, from a moment on, up to a moment (None: to the newest).
Count = Callable[[UUID, dt.datetime, dt.datetime | None], int]
Measure = Callable[[UUID], float]

MARGIN = dt.timedelta(minutes=5)  # longer than any transaction that stores something countable
_counts: dict[str, Count] = {}
_measures: dict[str, Measure] = {}


def count_with(counter: str, count: Count) -> None:
    """Register, at start-up, how a counter is counted. Raises `ValueError` on a second way."""
    if _counts.get(counter, count) is not count:
        raise ValueError(f"Two apps want to count {counter}.")
    _counts[counter] = count


def measure_with(counter: str, measure: Measure) -> None:
    """Register, at start-up, how a level is measured. Raises `ValueError` on a second way."""
    if _measures.get(counter, measure) is not measure:
        raise ValueError(f"Two apps want to measure {counter}.")
    _measures[counter] = measure


def counted(organization_id: UUID, counter: str, begins: dt.date) -> int:
    """How much of a counter the organization has used since the day `begins` (UTC) began."""
    days = UsageDay.objects.of(organization_id).filter(counter=counter)
    newest = days.order_by("-day").first()
    since = midnight(begins)
    if newest is not None:
        since = max(since, newest.counted_to)
    added_up: int = days.filter(day__gte=begins).aggregate(sum=Sum("amount"))["sum"] or 0
    return added_up + _counts[counter](organization_id, since, None)


def measured(organization_id: UUID, level: str) -> float:
    """How high a level stands now."""
    return _measures[level](organization_id)


def add_up(organization_id: UUID, *, now: dt.datetime) -> int:
    """Add up the organization's days to shortly before `now`. Returns how much was added. Harmless when two do it at once."""
    return sum(_add_up(organization_id, counter, count, now - MARGIN) for counter, count in _counts.items())


def midnight(day: dt.date) -> dt.datetime:
    """When a day begins, UTC."""
    return dt.datetime.combine(day, dt.time(), dt.UTC)


# -- inside ----------------------------------------------------------------------------------------------------------


def _add_up(organization_id: UUID, counter: str, count: Count, until: dt.datetime) -> int:
    days = UsageDay.objects.of(organization_id).filter(counter=counter).order_by("-day")
    newest = days.first()
    since = newest.counted_to if newest is not None else _founded(organization_id)
    if since >= until or not count(organization_id, since, until):  # Most looks find nothing to add.
        return 0
    try:
        with transaction.atomic():
            newest = days.select_for_update(no_key=True).first()
            if newest is not None and newest.counted_to != since:
                return 0  # Somebody else has just done it.
            return _write(organization_id, counter, count, newest, since, until)
    except IntegrityError:
        return 0  # The same: the day that both wanted to begin is there.


def _write(
    organization_id: UUID, counter: str, count: Count, newest: UsageDay | None, since: dt.datetime, until: dt.datetime
) -> int:
    total = 0
    while since < until:
        end = min(midnight(since.date() + dt.timedelta(days=1)), until)
        amount = count(organization_id, since, end)
        total += amount
        if newest is not None and newest.day == since.date():
            newest.amount, newest.counted_to = newest.amount + amount, end
            newest.save(update_fields=["amount", "counted_to"])
        elif amount or end == until:
            UsageDay(
                organization_id=organization_id, counter=counter, day=since.date(), amount=amount, counted_to=end
            ).save(force_insert=True)
        since = end
    return total


def _founded(organization_id: UUID) -> dt.datetime:
    """Nothing of an organization is older than itself."""
    founded: dt.datetime = Organization.objects.values_list("created_at", flat=True).get(pk=organization_id)
    return founded.astimezone(dt.UTC) - dt.timedelta(days=1)  # Clocks of several machines differ.
