from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.formats.dates import parse_day, parse_moment, to_utc

CENTRAL = timezone(timedelta(hours=-6))


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-20T09:14:05-05:00", "2026-11-20T14:14:05Z"),
        ("2026-11-20T09:14:05Z", "2026-11-20T09:14:05Z"),
        ("2026-11-20T09:14:05.123456-0500", "2026-11-20T14:14:05Z"),
        ("2026-11-20T09:14:05 -05:00", "2026-11-20T14:14:05Z"),
        ("2026-11-20 09:14", "2026-11-20T15:14:00Z"),
        ("2026-11-20", "2026-11-20T06:00:00Z"),
        ("11/20/2026 3:01 PM", "2026-11-20T21:01:00Z"),
        ("11/20/2026 3:01:22 p.m.", "2026-11-20T21:01:22Z"),
        ("11/20/2026 3:01PM EST", "2026-11-20T20:01:00Z"),
        ("11/20/26 15:01", "2026-11-20T21:01:00Z"),
        ("3/4/2026", "2026-03-04T06:00:00Z"),
        ("25/12/2026", "2026-12-25T06:00:00Z"),
        ("04.03.2026 12:00", "2026-03-04T18:00:00Z"),
        ("11-20-2026", "2026-11-20T06:00:00Z"),
        ("Fri, 20 Nov 2026 15:02:11 -0600", "2026-11-20T21:02:11Z"),
        ("Nov 20, 2026 3:01 PM", "2026-11-20T21:01:00Z"),
        ("Friday, November 20, 2026 15:01", "2026-11-20T21:01:00Z"),
        ("20-Nov-2026", "2026-11-20T06:00:00Z"),
    ],
)
def test_moments_are_read_in_every_form_with_the_zone_for_those_without(text: str, utc: str) -> None:
    moment = parse_moment(text, CENTRAL)
    assert moment is not None
    assert to_utc(moment) == utc


@pytest.mark.parametrize(
    "text", ["", "soon", "next week", "13/13/2026", "2026-02-30", "99999999999", "20:15", "x" * 500]
)
def test_what_names_no_moment_gives_none(text: str) -> None:
    assert parse_moment(text) is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_the_calendar_has_ends(text: str) -> None:
    moment = parse_moment(text)
    assert moment is not None
    assert to_utc(moment).endswith("Z")


def test_a_day_is_taken_from_a_moment() -> None:
    assert parse_day("12/05/2026") == "2026-12-05"
    assert parse_day("whenever") is None


@given(st.datetimes(timezones=st.just(CENTRAL)))
def test_iso_is_never_misread(moment: object) -> None:
    read = parse_moment(moment.isoformat())  # type: ignore[attr-defined]
    assert read == moment


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    parse_moment(text)
