"""What a rule measures, how it is replayed, and that it is told once however many look."""

from __future__ import annotations

import datetime as dt
import random
import threading
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from audit.trail import record
from security import alerts, measures
from security.measures import Line
from security.models import AlertRule

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def rule(**about: Any) -> AlertRule:
    given = {
        "metric": "failed_logins",
        "operator": "gte",
        "threshold": 2.0,
        "window_minutes": 10,
        "cooldown_minutes": 30,
    }
    return AlertRule(**{"name": "a rule", **given, **about})


def line(*ago: float, counts: bool = True) -> Line:
    at = sorted(NOW - dt.timedelta(minutes=each) for each in ago)
    return Line(at, [1.0] * len(at), counts)


def replayed_slowly(asked: AlertRule, found: Line, since: dt.datetime, until: dt.datetime) -> int:
    """Second by second, as nobody would do it."""
    free_at, fires, at = since, 0, since
    step = dt.timedelta(minutes=max(1, asked.cooldown_minutes))
    while at <= until:
        value = found.value(at, dt.timedelta(minutes=asked.window_minutes))
        if at >= free_at and measures.OPERATORS[asked.operator](value, asked.threshold):
            fires, free_at = fires + 1, at + step
        at += MINUTE
    return fires


def test_a_replay_agrees_with_looking_at_every_minute() -> None:
    chance = random.Random(5)
    since = NOW - dt.timedelta(hours=12)
    for _ in range(200):
        points = line(*(chance.randrange(0, 800) for _ in range(chance.randrange(0, 40))))
        asked = rule(
            threshold=float(chance.randrange(0, 4)),
            window_minutes=chance.randrange(1, 120),
            cooldown_minutes=chance.randrange(0, 200),
            operator=chance.choice(["gt", "gte", "lt", "lte", "eq"]),
        )
        assert alerts._replayed(asked, points, since, NOW) == replayed_slowly(asked, points, since, NOW)


def test_a_figure_is_of_its_window() -> None:
    window = dt.timedelta(minutes=10)
    assert line(0, 5, 9.99, 10, 11).value(NOW, window) == 3
    assert line().value(NOW, window) == 0
    assert Line([NOW], [80.0], False).value(NOW, window) == 80


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ({}, 4.0),
        ({"event_type": "custom.door.opened"}, 2.0),
        ({"event_type": "custom.*"}, 3.0),
        ({"severity": "high"}, 1.0),
        ({"outcome": "denied", "event_type": "custom.*"}, 1.0),
    ],
)
def test_events_are_counted_by_a_filter(ours: UUID, wanted: dict[str, str], value: float) -> None:
    record("custom.door.opened", "open", organization_id=ours, severity="high")
    record("custom.door.opened", "open", organization_id=ours)
    record("custom.door.closed", "close", organization_id=ours, outcome="denied")
    record("other.thing", "be", organization_id=ours)
    asked = rule(organization_id=ours, metric="audit_event", filter=wanted)
    now = timezone.now()
    assert measures.line_of(asked, now - dt.timedelta(minutes=10), now).value(now, dt.timedelta(minutes=10)) == value


@pytest.mark.django_db(transaction=True)
def test_of_many_who_look_at_once_one_tells(ours: UUID) -> None:
    asked = rule(organization_id=ours, metric="audit_event", threshold=1.0, filter={"event_type": "custom.*"})
    asked.save()
    record("custom.door.opened", "open", organization_id=ours)
    start = threading.Barrier(5)
    fired: list[int] = []
    now = timezone.now()

    def look() -> None:
        start.wait(20)
        fired.append(alerts.evaluate_for(ours, now=now))
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(fired) == [0, 0, 0, 0, 1]
    assert alerts.evaluate_for(ours, now=now + dt.timedelta(minutes=5)) == 0


@pytest.mark.django_db
def test_one_rule_that_breaks_leaves_the_others_their_turn(ours: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        rule(
            organization_id=ours, name=name, metric="audit_event", threshold=1.0, filter={"event_type": "custom.*"}
        ).save()
    AlertRule.objects.of(ours).filter(name="first").update(metric="gone", operator="no")
    record("custom.door.opened", "open", organization_id=ours)
    assert alerts.evaluate_for(ours) == 1
