"""Quotas in the services: nobody overshoots, nothing is written without a limit, days are added up, marks are told once."""

from __future__ import annotations

import datetime as dt
from functools import partial
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import members, quotas, usage
from accounts.errors import AiQuotaExceeded, QuotaExceeded
from accounts.events import QuotaNearlyUsed
from accounts.limits import Counter, Period, QuotaWarning, UsageDay, UsageQuota, UsageReservation, UsageTally
from ai.models import AiUsage
from auterity.kernel.events import listen

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
PERSON = {"password": "correct horse 9", "first_name": "Cid", "last_name": "Cole"}
_told: list[QuotaNearlyUsed] = []


@pytest.fixture
def told():
    listen(QuotaNearlyUsed, _told.append)
    _told.clear()
    yield _told
    _told.clear()


@pytest.fixture
def limit(admin):
    """Set limits as an operator does."""

    def limit(now: dt.datetime | None = None, **limits: int | None) -> UsageQuota:
        row, _ = UsageQuota.unscoped.get_or_create(organization_id=admin.organization_id)
        for name, value in limits.items():
            setattr(row, name, value)
        row.save()
        quotas.limits_changed(row, set(limits), now=now)
        return row

    return limit


def take(organization_id: UUID, amount: int = 1, now: dt.datetime | None = None, **limits: int) -> None:
    with transaction.atomic():
        quotas.take(
            organization_id=organization_id,
            counter=Counter.WORKFLOW_EXECUTIONS,
            amount=amount,
            limits={Period(name): value for name, value in limits.items()},
            now=now,
        )


def tallies(organization_id: UUID) -> dict[tuple[str, str], tuple[int, int]]:
    rows = UsageTally.objects.of(organization_id)
    return {(each.counter, each.period): (each.used, each.reserved) for each in rows}


def call_ai(organization_id: UUID, *, tokens: int, at: dt.datetime) -> None:
    row = AiUsage(
        organization_id=organization_id, provider="p", model="m", prompt_tokens=tokens, completion_tokens=0,
        cost_usd=0, duration_ms=1, created_at=at,
    )  # fmt: skip
    row.save(force_insert=True)


@pytest.mark.parametrize(
    ("period", "now", "begins", "resets"),
    [
        ("daily", "2026-11-22T23:59:59", "2026-11-22", "2026-11-23"),
        ("monthly", "2026-01-31T12:00:00", "2026-01-01", "2026-02-01"),
        ("monthly", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        ("yearly", "2024-02-29T00:00:00", "2024-01-01", "2025-01-01"),
    ],
)
def test_periods_are_calendar_periods_in_utc(period: str, now: str, begins: str, resets: str) -> None:
    found = quotas.period_of(period, dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC))
    assert found == (dt.date.fromisoformat(begins), usage.midnight(dt.date.fromisoformat(resets)))
    abroad = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC).astimezone(dt.timezone(dt.timedelta(hours=9)))
    assert quotas.period_of(period, abroad) == found


@pytest.mark.django_db
def test_what_fits_is_taken_and_what_does_not_changes_nothing(admin) -> None:
    take(admin.organization_id, daily=3, monthly=5, now=NOON)
    take(admin.organization_id, 2, daily=3, monthly=5, now=NOON)
    with pytest.raises(QuotaExceeded) as refusal:
        take(admin.organization_id, daily=3, monthly=5, now=NOON)
    assert refusal.value.slug == "quota_exceeded"
    assert refusal.value.details == {
        "counter": "workflow_executions", "limit": 3, "used": 3, "period": "daily",
        "reset_date": "2026-11-23T00:00:00Z", "retry_after": 12 * 3600,
    }  # fmt: skip
    assert tallies(admin.organization_id) == {
        ("workflow_executions", "daily"): (3, 0),
        ("workflow_executions", "monthly"): (3, 0),
    }


@pytest.mark.django_db
def test_a_refusal_by_the_longer_period_leaves_the_shorter_one_as_it_was(admin) -> None:
    take(admin.organization_id, 4, daily=10, monthly=5, now=NOON)
    with pytest.raises(QuotaExceeded, match="a month"):
        take(admin.organization_id, 2, daily=10, monthly=5, now=NOON)
    assert set(tallies(admin.organization_id).values()) == {(4, 0)}


@pytest.mark.django_db
def test_the_next_day_begins_anew_and_the_month_goes_on(admin) -> None:
    take(admin.organization_id, 3, daily=3, monthly=4, now=NOON)
    tomorrow = NOON + dt.timedelta(days=1)
    take(admin.organization_id, daily=3, monthly=4, now=tomorrow)
    with pytest.raises(QuotaExceeded) as refusal:
        take(admin.organization_id, daily=3, monthly=4, now=tomorrow)
    assert (refusal.value.details["period"], refusal.value.details["reset_date"]) == ("monthly", "2026-12-01T00:00:00Z")
    take(admin.organization_id, 3, daily=3, monthly=4, now=dt.datetime(2026, 12, 1, tzinfo=dt.UTC))
    assert UsageTally.objects.of(admin.organization_id).filter(period="daily").count() == 3


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_exactly_as_many_as_the_limit_get_through(admin, together) -> None:
    """The first of them also begins the period's tally."""
    results = together(*[partial(take, admin.organization_id, daily=10, monthly=100)] * 50)
    assert sorted(type(each).__name__ for each in results) == ["NoneType"] * 10 + ["QuotaExceeded"] * 40
    assert tallies(admin.organization_id)["workflow_executions", "daily"] == (10, 0)
    assert tallies(admin.organization_id)["workflow_executions", "monthly"] == (10, 0)


@pytest.mark.django_db
def test_reserved_is_held_back_and_settled_with_what_was_really_used(admin, limit) -> None:
    limit(monthly_ai_tokens=1000, daily_ai_api_calls=3)
    wanted = {Counter.AI_API_CALLS: 1, Counter.AI_TOKENS: 600}
    first = quotas.reserve(organization_id=admin.organization_id, wanted=wanted, seconds=60)
    assert tallies(admin.organization_id) == {("ai_tokens", "monthly"): (0, 600), ("ai_api_calls", "daily"): (0, 1)}
    with pytest.raises(AiQuotaExceeded) as refusal:
        quotas.reserve(organization_id=admin.organization_id, wanted=wanted, seconds=60)
    assert (refusal.value.slug, refusal.value.details["counter"]) == ("ai_quota_exceeded", "ai_tokens")
    assert tallies(admin.organization_id)["ai_api_calls", "daily"] == (0, 1)
    quotas.settle(first, {Counter.AI_API_CALLS: 1, Counter.AI_TOKENS: 250})
    quotas.settle(first, {})
    assert tallies(admin.organization_id) == {("ai_tokens", "monthly"): (250, 0), ("ai_api_calls", "daily"): (1, 0)}
    second = quotas.reserve(organization_id=admin.organization_id, wanted=wanted, seconds=60)
    quotas.settle(second, {})
    assert tallies(admin.organization_id) == {("ai_tokens", "monthly"): (250, 0), ("ai_api_calls", "daily"): (1, 0)}
    assert UsageReservation.unscoped.count() == 0


@pytest.mark.django_db(transaction=True)
def test_open_reservations_bound_how_far_many_at_once_can_go(admin, limit, together) -> None:
    limit(monthly_ai_tokens=1000)
    wanted = {Counter.AI_TOKENS: 100}
    results = together(
        *[partial(quotas.reserve, organization_id=admin.organization_id, wanted=wanted, seconds=60)] * 20
    )
    held = [each for each in results if isinstance(each, quotas.Reservation)]
    assert len(held) == 10
    assert tallies(admin.organization_id) == {("ai_tokens", "monthly"): (0, 1000)}
    together(*[partial(quotas.settle, each, {Counter.AI_TOKENS: 90}) for each in held])
    assert tallies(admin.organization_id) == {("ai_tokens", "monthly"): (900, 0)}


@pytest.mark.django_db
def test_what_a_dead_process_held_back_is_given_back_once(admin, limit) -> None:
    limit(monthly_ai_tokens=1000)
    now = timezone.now()
    lost = quotas.reserve(organization_id=admin.organization_id, wanted={Counter.AI_TOKENS: 900}, seconds=60)
    assert quotas.give_back_expired(limit=10, now=now + dt.timedelta(seconds=59)) == 0
    assert quotas.give_back_expired(limit=10, now=now + dt.timedelta(seconds=61)) == 1
    assert tallies(admin.organization_id) == {("ai_tokens", "monthly"): (0, 0)}
    quotas.settle(lost, {Counter.AI_TOKENS: 700})  # It was only slow.
    assert tallies(admin.organization_id) == {("ai_tokens", "monthly"): (700, 0)}


@pytest.mark.django_db
def test_without_limits_a_reservation_is_one_query_and_no_row(admin) -> None:
    with CaptureQueriesContext(connection) as captured:
        held = quotas.reserve(organization_id=admin.organization_id, wanted={Counter.AI_TOKENS: 9}, seconds=60)
        quotas.settle(held, {Counter.AI_TOKENS: 5})
    assert [each["sql"].split()[0] for each in captured] == ["SELECT"]
    assert UsageTally.unscoped.count() == UsageReservation.unscoped.count() == 0


@pytest.mark.django_db
def test_a_limit_set_within_a_period_counts_what_came_before_it(admin, limit) -> None:
    now = timezone.now()
    for _ in range(3):
        call_ai(admin.organization_id, tokens=100, at=now)
    limit(daily_ai_tokens=350, daily_ai_api_calls=10)
    assert tallies(admin.organization_id) == {("ai_tokens", "daily"): (300, 0), ("ai_api_calls", "daily"): (3, 0)}
    with pytest.raises(AiQuotaExceeded):
        quotas.reserve(organization_id=admin.organization_id, wanted={Counter.AI_TOKENS: 100}, seconds=60)
    limit(daily_ai_tokens=None)
    call_ai(admin.organization_id, tokens=100, at=now)
    limit(daily_ai_tokens=1000)
    assert tallies(admin.organization_id)["ai_tokens", "daily"] == (400, 0)


@pytest.mark.django_db
def test_days_are_added_up_once_and_what_is_newer_is_counted(admin) -> None:
    organization = admin.organization_id
    now = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    founded = now - dt.timedelta(days=3)
    members.Organization.objects.filter(pk=organization).update(created_at=founded)
    for age, tokens in ((dt.timedelta(days=2), 10), (dt.timedelta(days=2, minutes=1), 5), (dt.timedelta(hours=1), 7)):
        call_ai(organization, tokens=tokens, at=now - age)
    call_ai(organization, tokens=1, at=now - dt.timedelta(minutes=1))  # Too new to be added up.
    assert usage.add_up(organization, now=now) == 3 + 22  # calls and tokens
    assert usage.add_up(organization, now=now) == 0
    rows = UsageDay.objects.of(organization).filter(counter="ai_tokens").order_by("day")
    assert [(each.day, each.amount) for each in rows] == [
        (now.date() - dt.timedelta(days=2), 15),
        (now.date(), 7),
    ]
    assert usage.counted(organization, "ai_tokens", now.date()) == 8
    assert usage.counted(organization, "ai_tokens", now.date() - dt.timedelta(days=5)) == 23
    later = now + dt.timedelta(minutes=10)
    assert usage.add_up(organization, now=later) == 1 + 1
    assert usage.counted(organization, "ai_tokens", now.date()) == 8
    AiUsage.objects.of(organization).delete()  # What was added up stays when its rows have gone.
    assert usage.counted(organization, "ai_tokens", now.date() - dt.timedelta(days=5)) == 23


@pytest.mark.django_db(transaction=True)
def test_two_who_add_up_at_once_add_once(admin, together) -> None:
    now = timezone.now()
    for _ in range(3):
        call_ai(admin.organization_id, tokens=10, at=now)
    members.Organization.objects.filter(pk=admin.organization_id).update(created_at=now - dt.timedelta(days=2))
    later = now + dt.timedelta(hours=1)
    together(*[partial(usage.add_up, admin.organization_id, now=later)] * 4)
    rows = UsageDay.objects.of(admin.organization_id)
    assert sum(each.amount for each in rows.filter(counter="ai_tokens")) == 30
    assert sum(each.amount for each in rows.filter(counter="ai_api_calls")) == 3


@pytest.mark.django_db
def test_marks_are_told_once_a_period(admin, told, django_capture_on_commit_callbacks) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(10):
            take(admin.organization_id, daily=10, now=NOON)
        with pytest.raises(QuotaExceeded):
            take(admin.organization_id, daily=10, now=NOON)
    assert [(each.percent, each.used, each.limit, each.counter, each.period) for each in told] == [
        (80, 8, 10, "workflow_executions", "daily"),
        (100, 10, 10, "workflow_executions", "daily"),
    ]
    assert {each.resets_at for each in told} == {dt.datetime(2026, 11, 23, tzinfo=dt.UTC)}
    with django_capture_on_commit_callbacks(execute=True):
        take(admin.organization_id, 9, daily=10, now=NOON + dt.timedelta(days=1))
    assert len(told) == 3
    assert QuotaWarning.objects.of(admin.organization_id).count() == 3


@pytest.mark.django_db
def test_a_lower_limit_tells_at_once_what_it_means(admin, limit, told, django_capture_on_commit_callbacks) -> None:
    now = timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        limit(daily_workflow_executions=100, now=now)
        take(admin.organization_id, 50, daily=100, now=now)
        limit(daily_workflow_executions=60, now=now)
    assert [(each.percent, each.used, each.limit) for each in told] == [(80, 50, 60)]


@pytest.mark.django_db
def test_members_and_open_invitations_are_the_collaborators(admin, bob, limit, told) -> None:
    limit(collaborators=3)
    third = members.members_add(actor=admin, email="cid@example.com", **PERSON)
    with pytest.raises(QuotaExceeded) as refusal:
        members.members_add(actor=admin, email="dee@example.com", **PERSON)
    assert refusal.value.details == {
        "counter": "collaborators", "limit": 3, "used": 3, "period": None, "reset_date": None, "retry_after": 3600,
    }  # fmt: skip
    members.member_update(actor=admin, user_id=third.user_id, is_active=False)
    members.members_add(actor=admin, email="dee@example.com", **PERSON)
    with pytest.raises(QuotaExceeded):
        members.member_update(actor=admin, user_id=third.user_id, is_active=True)
    assert not members.Membership.objects.get(pk=third.pk).is_active


@pytest.mark.django_db(transaction=True)
def test_the_last_place_is_given_once(admin, limit, together) -> None:
    limit(collaborators=2)
    results = together(
        *[partial(members.members_add, actor=admin, email=f"p{n}@example.com", **PERSON) for n in range(6)]
    )
    assert sorted(type(each).__name__ for each in results) == ["Membership"] + ["QuotaExceeded"] * 5


@pytest.mark.django_db
def test_a_refused_call_tells_that_the_quota_is_used_up_unless_only_the_call_is_too_large(
    admin, limit, told, django_capture_on_commit_callbacks
) -> None:
    limit(monthly_ai_tokens=1000)
    too_large = partial(
        quotas.reserve, organization_id=admin.organization_id, wanted={Counter.AI_TOKENS: 2000}, seconds=60
    )
    with django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(AiQuotaExceeded):
            too_large()
        assert QuotaWarning.objects.of(admin.organization_id).count() == 0
        held = quotas.reserve(organization_id=admin.organization_id, wanted={Counter.AI_TOKENS: 950}, seconds=60)
        quotas.settle(held, {Counter.AI_TOKENS: 950})
        for _ in range(2):
            with pytest.raises(AiQuotaExceeded):
                too_large()
    assert [(each.percent, each.used, each.limit) for each in told] == [(80, 950, 1000), (100, 950, 1000)]
