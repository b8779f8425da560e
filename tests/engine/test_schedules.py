"""When rules are due, across changes of the clocks; what was missed; and what is said about a rule that cannot be kept."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.schedules import Rule, RuleProblem, following, missed, next_after, read_rule, to_fire

CHICAGO, BERLIN = "America/Chicago", "Europe/Berlin"


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def local(rule: Rule, start: str, count: int) -> list[str]:
    """The next moments after a local time, as a clock on the wall with its offset shows them."""
    zone = ZoneInfo(rule.timezone)
    moment, found = dt.datetime.fromisoformat(start).replace(tzinfo=zone), []
    for _ in range(count):
        moment = next_after(rule, moment)
        found.append(moment.astimezone(zone).strftime("%m-%d %H:%M %z"))
    return found


# -- when the clocks change ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "cron", "start", "expected"),
    [
        # Into the gap: once, at the first minute after it.
        (CHICAGO, "30 2 * * *", "2026-03-07 02:30", ["03-08 03:00 -0500", "03-09 02:30 -0500"]),
        (CHICAGO, "0 2 * * *", "2026-03-08 00:00", ["03-08 03:00 -0500", "03-09 02:00 -0500"]),
        (CHICAGO, "15,45 2 * * *", "2026-03-08 00:00", ["03-08 03:00 -0500", "03-09 02:15 -0500"]),
        (CHICAGO, "0 2,3 * * *", "2026-03-08 00:00", ["03-08 03:00 -0500", "03-09 02:00 -0500"]),
        (CHICAGO, "0 9 * * *", "2026-03-07 10:00", ["03-08 09:00 -0500", "03-09 09:00 -0500"]),
        (BERLIN, "30 2 * * *", "2026-03-28 12:00", ["03-29 03:00 +0200", "03-30 02:30 +0200"]),
        # The hour that comes twice: the first time only.
        (CHICAGO, "30 1 * * *", "2026-10-31 12:00", ["11-01 01:30 -0500", "11-02 01:30 -0600"]),
        (CHICAGO, "0 1-3 * * *", "2026-11-01 00:30", ["11-01 01:00 -0500", "11-01 02:00 -0600", "11-01 03:00 -0600"]),
        (CHICAGO, "0 9 * * *", "2026-10-31 10:00", ["11-01 09:00 -0600"]),
        (BERLIN, "30 2 * * *", "2026-10-24 12:00", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        # With a star: by elapsed time.
        (CHICAGO, "0 * * * *", "2026-03-08 00:30", ["03-08 01:00 -0600", "03-08 03:00 -0500"]),
        (CHICAGO, "0 * * * *", "2026-11-01 00:30", ["11-01 01:00 -0500", "11-01 01:00 -0600", "11-01 02:00 -0600"]),
        (BERLIN, "*/30 2 * * *", "2026-03-28 12:00", ["03-30 02:00 +0200"]),
        (BERLIN, "*/30 2 * * *", "2026-10-25 02:10", ["10-25 02:30 +0200", "10-25 02:00 +0100", "10-25 02:30 +0100"]),
        # Half an hour's change, midnight that does not exist, a day that does not.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03 12:00", ["10-04 02:30 +1100", "10-05 02:15 +1100"]),
        ("Australia/Lord_Howe", "30 * * * *", "2026-10-04 01:00", ["10-04 01:30 +1030", "10-04 02:30 +1100"]),
        ("Australia/Lord_Howe", "30 * * * *", "2026-04-05 01:00", ["04-05 01:30 +1100", "04-05 01:30 +1030"]),
        ("Australia/Lord_Howe", "59 1 * * *", "2026-04-04 12:00", ["04-05 01:59 +1100", "04-06 01:59 +1030"]),
        ("Antarctica/Troll", "30 1 * * *", "2026-03-28 12:00", ["03-29 03:00 +0200", "03-30 01:30 +0200"]),
        ("America/Santiago", "0 0 * * *", "2026-09-05 12:00", ["09-06 01:00 -0300", "09-07 00:00 -0300"]),
        ("Pacific/Apia", "0 12 * * *", "2011-12-29 12:00", ["12-31 00:00 +1400", "12-31 12:00 +1400"]),
    ],
)  # fmt: skip
def test_a_rule_keeps_to_the_wall_clock(zone: str, cron: str, start: str, expected: list[str]) -> None:
    assert local(Rule(cron=cron, timezone=zone), start, len(expected)) == expected


@pytest.mark.parametrize(("zone", "day", "hour"), [(CHICAGO, "11-01", 1), (BERLIN, "10-25", 2)])
def test_a_look_within_the_second_pass_of_an_hour_does_not_fire_again(zone: str, day: str, hour: int) -> None:
    rule = Rule(cron=f"30 {hour} * * *", timezone=zone)
    second_pass = dt.datetime.fromisoformat(f"2026-{day} 0{hour}:10").replace(tzinfo=ZoneInfo(zone), fold=1)
    assert next_after(rule, second_pass) - second_pass == dt.timedelta(hours=24, minutes=20)


@pytest.mark.parametrize("zone", [CHICAGO, BERLIN])
@pytest.mark.parametrize("hour", range(4))
def test_a_daily_rule_fires_once_on_every_day_of_the_year(zone: str, hour: int) -> None:
    rule = Rule(cron=f"30 {hour} * * *", timezone=zone, misfire="all", max_catch_up=1000)
    first = next_after(rule, utc("2026-01-01"))
    days = [moment.astimezone(ZoneInfo(zone)).date() for moment in missed(rule, first, utc("2026-12-31"))]
    assert days == [days[0] + dt.timedelta(days=at) for at in range(364)]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("0 0 L * *", "2026-02-28 00:00"),
        ("0 8 * * 1-5", "2026-02-02 08:00"),
        ("0 8 * * SUN", "2026-02-01 08:00"),
        ("0 8 * * 7", "2026-02-01 08:00"),
        ("0 8 13 * 5", "2026-02-06 08:00"),  # A day of the month or of the week, as in cron.
        ("59 23 31 12 *", "2026-12-31 23:59"),
    ],
)  # fmt: skip
def test_the_calendar(cron: str, expected: str) -> None:
    assert next_after(Rule(cron=cron), utc("2026-01-31 09:00")) == utc(expected)


def test_moments_are_whole_seconds_after_the_one_asked_about() -> None:
    rule = Rule(cron="* * * * *")
    assert next_after(rule, utc("2026-01-01 11:59:59.999999")) == utc("2026-01-01 12:00")
    assert next_after(rule, utc("2026-01-01 12:00:00.000001")) == utc("2026-01-01 12:01")
    assert next_after(Rule(every_seconds=90), utc("2026-01-01 12:00:00.25")) == utc("2026-01-01 12:01:30.25")


# Each zone with a day before a change of its clocks: half an hour, two hours, at midnight, on the southern side, in Ramadan.
CHANGES = [
    ("Australia/Lord_Howe", "2026-04-04"), ("Australia/Lord_Howe", "2026-10-03"), ("Antarctica/Troll", "2026-03-28"),
    ("Antarctica/Troll", "2026-10-24"), ("Africa/Cairo", "2026-04-23"), ("Africa/Cairo", "2026-10-29"),
    ("America/Havana", "2026-10-31"), ("America/Santiago", "2026-04-04"), ("Pacific/Chatham", "2026-04-04"),
    ("Africa/Casablanca", "2026-02-14"), ("Europe/Dublin", "2026-03-28"), ("America/St_Johns", "2006-10-28"),
]  # fmt: skip


def on_the_wall(cron: str, zone: ZoneInfo, start: dt.datetime, minutes: int) -> list[dt.datetime]:
    """The moments of a rule, found minute by minute: `minute` and `hour` are lists of numbers or *, the rest is *."""
    minute, hour = (range(60) if each == "*" else [int(one) for one in each.split(",")] for each in cron.split()[:2])
    found = []
    for at in range(1, minutes):
        moment = start + dt.timedelta(minutes=at)
        wall = moment.astimezone(zone)
        jumped = wall.utcoffset() - (moment - dt.timedelta(minutes=1)).astimezone(zone).utcoffset()  # type: ignore[operator]
        seen = [wall - dt.timedelta(minutes=back) for back in range(max(0, int(jumped.total_seconds() // 60)) + 1)]
        fits = [each for each in seen if each.minute in minute and each.hour in hour]
        if "*" in cron.split()[:2]:
            fits = [each for each in fits if each == wall]
        elif wall.fold:
            fits = []
        found += [moment] if fits else []
    return found


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@pytest.mark.parametrize(
    "cron", ["0 * * * *", "30 * * * *", "* 2 * * *", "15,45 0 * * *", "0 0 * * *", "30 1,2 * * *", "5 0,1,2,3 * * *"]
)
def test_every_minute_around_a_change_of_the_clocks(zone: str, day: str, cron: str) -> None:
    rule, start, minutes = Rule(cron=cron, timezone=zone), utc(day) - dt.timedelta(hours=12), 3 * 1440
    expected = on_the_wall(cron, ZoneInfo(zone), start, minutes)
    moment, found = start, []
    while (moment := next_after(rule, moment)) < start + dt.timedelta(minutes=minutes):
        found.append(moment)
    assert found == expected


# -- any rule, any moment --------------------------------------------------------------------------------------------

MOMENTS = st.integers(0, 6 * 366 * 86_400 * 1000).map(lambda ms: utc("2024-01-01") + dt.timedelta(milliseconds=ms))
RULES = st.builds(
    Rule,
    cron=st.sampled_from(
        [
            "* * * * *",
            "*/7 * * * *",
            "30 2 * * *",
            "0,30 1-3 * * *",
            "5 */2 * * 0",
            "*/20 1,2 * * *",
            "0 0 1 * *",
            "15 2 * 3,10,11 0",
        ]
    ),
    timezone=st.sampled_from(["UTC", CHICAGO, BERLIN, "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"]),
    misfire=st.sampled_from(["skip", "one", "all"]),
    max_catch_up=st.integers(1, 30),
) | st.builds(Rule, every_seconds=st.integers(1, 100_000), misfire=st.sampled_from(["skip", "one", "all"]))


@settings(deadline=None, max_examples=300)
@given(rule=RULES, moment=MOMENTS, share=st.floats(0, 0.999))
def test_the_next_moment_is_later_and_the_same_from_anywhere_before_it(
    rule: Rule, moment: dt.datetime, share: float
) -> None:
    found = next_after(rule, moment)
    assert found > moment
    if rule.cron:
        assert next_after(rule, moment + (found - moment) * share) == found


@settings(deadline=None, max_examples=300)
@given(rule=RULES, start=MOMENTS, minutes=st.integers(0, 20_000))
def test_what_was_missed_is_what_one_look_after_the_other_would_have_found(
    rule: Rule, start: dt.datetime, minutes: int
) -> None:
    since = next_after(rule, start)
    now = start + dt.timedelta(minutes=minutes)
    walked, moment = [], since
    while moment <= now and len(walked) < 25_000:
        walked.append(moment)
        moment = next_after(rule, moment)
    if moment > now:
        assert missed(rule, since, now) == walked[-rule.max_catch_up :]
        assert following(rule, since, now) == (moment if walked else since)


@settings(deadline=None)
@given(rule=RULES, start=MOMENTS, late=st.integers(0, 500_000), grace=st.integers(0, 120))
def test_a_policy_fires_only_what_was_missed(rule: Rule, start: dt.datetime, late: int, grace: int) -> None:
    now = start + dt.timedelta(seconds=late)
    fired, all_of_them = to_fire(rule, start, now, dt.timedelta(seconds=grace)), missed(rule, start, now)
    assert set(fired) <= set(all_of_them)
    assert len(fired) <= rule.max_catch_up
    assert fired == sorted(set(fired))
    assert following(rule, start, now) > now
    if rule.misfire == "one":
        assert fired == all_of_them[-1:]
    if rule.misfire == "skip":
        assert all((now - moment).total_seconds() <= grace for moment in fired)


# -- missed moments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("skip", []),
        ("one", ["2026-06-01 11:00"]),
        ("all", ["2026-06-01 09:00", "2026-06-01 10:00", "2026-06-01 11:00"]),
    ],
)
def test_what_becomes_of_missed_moments(policy: Any, expected: list[str]) -> None:
    rule = Rule(cron="0 * * * *", misfire=policy)
    fired = to_fire(rule, utc("2026-06-01 09:00"), utc("2026-06-01 11:20"), dt.timedelta(seconds=30))
    assert fired == [utc(each) for each in expected]


@pytest.mark.parametrize("policy", ["skip", "one", "all"])
@pytest.mark.parametrize("seconds", [0, 1, 30])
def test_a_moment_within_the_grace_is_not_missed(policy: Any, seconds: int) -> None:
    due = utc("2026-06-01 09:00")
    now = due + dt.timedelta(seconds=seconds)
    assert to_fire(Rule(cron="0 9 * * *", misfire=policy), due, now, dt.timedelta(seconds=30)) == [due]


def test_one_beyond_the_grace_is_skipped() -> None:
    due = utc("2026-06-01 09:00")
    rule = Rule(cron="0 9 * * *")
    assert to_fire(rule, due, due + dt.timedelta(seconds=30.001), dt.timedelta(seconds=30)) == []
    assert following(rule, due, due + dt.timedelta(seconds=30.001)) == utc("2026-06-02 09:00")


def test_catching_up_takes_the_newest() -> None:
    rule = Rule(every_seconds=60, misfire="all", max_catch_up=3)
    assert missed(rule, utc("2026-06-01 09:00"), utc("2026-06-01 10:00:30")) == [
        utc("2026-06-01 09:58"), utc("2026-06-01 09:59"), utc("2026-06-01 10:00"),
    ]  # fmt: skip


def test_nothing_is_missed_before_it_is_due() -> None:
    due = utc("2026-06-01 09:00")
    assert missed(Rule(every_seconds=60), due, due - dt.timedelta(seconds=1)) == []
    assert to_fire(Rule(cron="0 9 * * *", misfire="one"), due, due - dt.timedelta(seconds=1), dt.timedelta()) == []


def test_lateness_does_not_add_up() -> None:
    assert following(Rule(every_seconds=60), utc("2026-06-01 09:00"), utc("2026-06-01 09:00:07")) == utc(
        "2026-06-01 09:01"
    )


@pytest.mark.parametrize("rule", [Rule(cron="* * * * *", timezone=BERLIN, misfire="all"), Rule(every_seconds=1)])
def test_ten_years_of_outage_are_looked_over_quickly(rule: Rule) -> None:
    begun = time.perf_counter()
    assert len(missed(rule, utc("2016-01-01"), utc("2026-01-01"))) == 100
    assert time.perf_counter() - begun < 1.0


# -- rules that cannot be kept ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "field", "words"),
    [
        ({}, "cron", "either cron or every_seconds"),
        ({"cron": "* * * * *", "every_seconds": 5}, "cron", "not both"),
        ({"cron": "* * * *"}, "cron", "'* * * *' has 4 fields. Five fields: minute (0-59)"),
        ({"cron": "0 0 * * * *"}, "cron", "has 6 fields"),
        ({"cron": "61 * * * *"}, "cron", "the minute is not understood"),
        ({"cron": "0 24 * * *"}, "cron", "the hour is not understood"),
        ({"cron": "0 0 32 * *"}, "cron", "the day of month is not understood"),
        ({"cron": "0 0 30 2 *"}, "cron", "the day of month is not understood"),
        ({"cron": "0 0 * 13 *"}, "cron", "the month is not understood"),
        ({"cron": "0 0 * * 8"}, "cron", "the day of week is not understood"),
        ({"cron": "*/0 * * * *"}, "cron", "the minute is not understood"),
        ({"cron": "@daily"}, "cron", "has 1 field."),
        ({"cron": "1," * 100 + "1 * * * *"}, "cron", "at most 120 characters"),
        ({"cron": 5}, "cron", "must be text"),
        ({"cron": "0 9 * * *", "timezone": "Europe/Berln"}, "timezone", "did you mean 'Europe/Berlin'?"),
        ({"cron": "0 9 * * *", "timezone": "../../etc/passwd"}, "timezone", "There is no time zone"),
        ({"cron": "0 9 * * *", "timezone": "America"}, "timezone", "There is no time zone"),
        ({"cron": "0 9 * * *", "misfire": "maybe"}, "misfire", "skip, one, all"),
        ({"cron": "0 9 * * *", "max_catch_up": 0}, "max_catch_up", "from 1 to 1,000"),
        ({"cron": "0 9 * * *", "max_catch_up": 1001}, "max_catch_up", "from 1 to 1,000"),
        ({"every_seconds": 0}, "every_seconds", "from 1 to 31,622,400"),
        ({"every_seconds": 1.5}, "every_seconds", "whole number"),
        ({"every_seconds": True}, "every_seconds", "whole number"),
        ({"every_seconds": 10**12}, "every_seconds", "from 1 to 31,622,400"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_kept_says_how_to_mend_it(config: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(RuleProblem) as refused:
        read_rule(config)
    assert refused.value.field == field
    assert words in refused.value.message


@given(st.text(alphabet="0123456789*/,-L#W MONSUN", max_size=30))
def test_any_text_is_a_rule_or_is_refused(text: str) -> None:
    try:
        rule = read_rule({"cron": text})
    except RuleProblem:
        return
    assert next_after(rule, utc("2026-01-01")) > utc("2026-01-01")


@pytest.mark.parametrize(
    "rule", [Rule(cron="0 9 * * 1", timezone=CHICAGO, misfire="one"), Rule(every_seconds=5, max_catch_up=7)]
)
def test_a_stored_rule_is_read_back(rule: Rule) -> None:
    assert read_rule(rule.as_dict()) == rule


def test_blanks_in_a_rule_do_not_matter() -> None:
    assert read_rule({"cron": "  0  9 * *   1 "}) == Rule(cron="0 9 * * 1")
